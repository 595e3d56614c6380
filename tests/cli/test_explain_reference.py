"""``bincam explain --reference``: maps and shares from one reference, of an audit of this model, or from both."""

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import bincam
from bincam.audit import Settings, run
from bincam.cam import Reference
from bincam.cam.reference import as_template
from bincam.data import AttributeTable, write_celeba
from bincam.models import open_image, save
from bincam.report.explained.wording import caption
from tests.cli.conftest import tiny

NAMES = ("Smiling", "Eyeglasses", "Bald")
METHODS = ("grad_cam", "hirescam@network.backbone.layer3")


@pytest.fixture(scope="module")
def audited(model_folder, tmp_path_factory):
    """An audit of the model, whose maps are counted from the template."""
    folder, random = tmp_path_factory.mktemp("reference"), np.random.default_rng(0)
    table = AttributeTable(
        names=NAMES,
        labels=random.integers(0, 2, (16, 3)).astype(np.float32),
        ids=tuple(f"{row:02d}.png" for row in range(16)),
        root=folder / "data",
        splits=np.array(["validation", "test"] * 8),
    )
    data = write_celeba(table, random.integers(0, 256, (16, 64, 96, 3), np.uint8), folder / "data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = Settings(gate_images=0, methods=METHODS, map_reference="template")
        return run(str(model_folder), data, folder / "audit", settings).folder


def explained(command, pictures, model_folder, *options):
    outcome = command("explain", pictures, "--model", model_folder, "--json", *options)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def expected(model_folder, pictures, reference, **asked):
    explainer = bincam.Explainer(bincam.load(model_folder), **asked)
    images = torch.stack([explainer.preprocess(open_image(file)) for file in sorted(pictures.iterdir())])
    plain = explainer(images)
    return plain, plain.against(reference)


@pytest.mark.parametrize("name", ["midpoint", "template", "attribute_mean"])
def test_maps_and_shares_are_counted_from_the_reference(command, pictures, model_folder, audited, tmp_path, name):
    reference, options = name, ["--reference", name]
    if name != "attribute_mean":
        reference = Reference.load(audited / "references" / f"{'mean' if name == 'template' else name}.json")
        reference = as_template(reference) if name == "template" else reference
        options += ["--reference-from", audited]
    said = explained(command, pictures, model_folder, *options, "--out", tmp_path / "out")
    plain, counted = expected(model_folder, pictures, reference)
    assert (said["reference"], said["complete"]) == (name, True)
    assert ("the maps, the bias and the mean of all attributes" in caption(said)) == (name == "attribute_mean")
    for row, image in enumerate(said["images"]):
        with Image.open(image["figure"]) as figure:
            assert min(figure.size) > 200
        for column, entry in enumerate(image["attributes"]):
            np.testing.assert_allclose(entry["map"], counted.maps[row, column], rtol=1e-4, atol=1e-5)
            assert entry["identity_gap"] == pytest.approx(0, abs=1e-4)
            assert entry["reference"] == name
            assert set(entry["ledger"]) == {"zero", "floor"} | ({name} - {"attribute_mean"})
            if name != "attribute_mean":
                share = plain.ledger(reference).bias_share[row, column].item()
                assert entry["ledger"][name]["bias_share"] == pytest.approx(share, rel=1e-4, abs=1e-6)


def test_the_lines_say_from_what_shares_are_counted(command, pictures, model_folder, audited, tmp_path):
    shown = {}
    for name in ("zero", "midpoint", "attribute_mean"):
        options = ["--reference-from", audited] if name == "midpoint" else []
        outcome = command(
            *("explain", pictures, "--model", model_folder, "--out", tmp_path / name, "--reference", name), *options
        )
        shown[name] = next(line for line in outcome.out.splitlines() if "bias share" in line)
    assert "from" not in shown["zero"].partition("bias share")[2]
    assert " from the midpoint, " in shown["midpoint"]
    assert shown["midpoint"].removesuffix(", no positive evidence").endswith(" from zero")
    assert shown["attribute_mean"].partition("bias share")[2].count("from") == 1


def test_maps_of_another_layer_have_the_audits_reference_of_them(command, pictures, model_folder, audited):
    options = ["--method", "hirescam", "--layer", "network.backbone.layer3", "--reference", "template"]
    said = explained(command, pictures, model_folder, *options, "--reference-from", audited)
    stored = Reference.load(audited / "references" / "of-maps-01.json")
    _, counted = expected(model_folder, pictures, stored, method="hirescam", layer="network.backbone.layer3")
    np.testing.assert_allclose(said["images"][0]["attributes"][0]["map"], counted.maps[0, 0], rtol=1e-4, atol=1e-5)
    assert "template" not in said["images"][0]["attributes"][0]["ledger"]


def test_mistakes_are_told_in_a_line(command, pictures, model_folder, audited, tmp_path):
    def mistake(*options, model=model_folder):
        return command("explain", pictures, "--model", model, "--json", *options).mistake

    assert "name an audit of this model" in mistake("--reference", "midpoint")
    assert "did you mean 'template'" in mistake("--reference", "templat")
    assert "is for --reference midpoint or template, not zero" in mistake("--reference-from", audited)
    assert "--grid draws none" in mistake("--reference", "attribute_mean", "--grid")
    assert "one attribute: the mean of all" in mistake("--reference", "attribute_mean", "--attributes", "Bald")
    fitted = ("--reference-from", audited)
    assert "leave out the evidence against" in mistake("--reference", "template", *fitted, "--method", "layer_cam")
    other = ("--method", "hirescam", "--layer", "network.backbone.layer2")
    assert "no template of maps of hirescam at network.backbone.layer2" in mistake(
        "--reference", "template", *fitted, *other
    )
    torch.manual_seed(1)
    save(tiny(list(NAMES[::-1])), tmp_path / "other")
    assert "an audit of another model" in mistake("--reference", "midpoint", *fitted, model=tmp_path / "other")
