import json

import numpy as np
import pytest
import torch
from PIL import Image

import bincam
from bincam.models import open_image, save
from tests.cli.conftest import tiny


def document(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_document_says_what_the_explainer_says(command, model_folder, pictures, tmp_path):
    out = tmp_path / "out"
    said = document(
        command(
            "explain",
            pictures,
            "--model",
            model_folder,
            "--attributes",
            "Bald,Smiling",
            "--side",
            "negative",
            "--method",
            "layer_cam",
            "--threshold",
            "Bald=0.25",
            "--threshold-prob",
            "Smiling=0.6",
            "--out",
            out,
            "--json",
        )
    )
    assert json.loads((out / "explanations.json").read_text()) == said
    ex = bincam.Explainer(
        bincam.load(model_folder),
        ["Bald", "Smiling"],
        method="layer_cam",
        threshold={"Bald": 0.25, "Smiling": np.log(1.5)},
    )
    files = sorted(pictures.iterdir())
    e = ex(torch.stack([ex.preprocess(open_image(file)) for file in files]), "negative")
    zero, floor = e.ledger("zero"), e.ledger("floor")
    assert [image["file"] for image in said["images"]] == [str(file) for file in files]
    for row, image in enumerate(said["images"]):
        with Image.open(image["figure"]) as figure:
            assert min(figure.size) > 200
        assert [entry["name"] for entry in image["attributes"]] == ["Bald", "Smiling"]
        for column, entry in enumerate(image["attributes"]):
            close = lambda value: pytest.approx(value[row, column].item(), rel=1e-4, abs=1e-5)  # noqa: B023, E731
            assert entry["logit"] == close(e.logits)
            assert entry["probability"] == close(e.probability)
            assert entry["bias"] == close(e.bias)
            assert entry["identity_gap"] == close(e.identity_gap)
            assert entry["ledger"]["zero"]["support"] == close(zero.support)
            assert entry["ledger"]["floor"]["bias_share"] == close(floor.bias_share)
            assert entry["explained"] == "negative"
            np.testing.assert_allclose(entry["map"], e.maps[row, column].numpy(), rtol=1e-4, atol=1e-6)
    assert said["images"][0]["attributes"][1]["threshold_probability"] == pytest.approx(0.6)
    assert said["anatomy"]["kind"] == e.kind
    assert said["complete"] is False
    peak = e.maps.abs().amax((0, 2, 3)).tolist()
    assert [said["scales"][name] for name in ("Bald", "Smiling")] == pytest.approx(peak, rel=1e-4)


def test_batches_change_nothing(command, model_folder, pictures):
    one, all_at_once = (
        document(command("explain", pictures, "--model", model_folder, "--json", "--batch-size", size))
        for size in (1, 8)
    )
    maps = [[entry["map"] for image in said["images"] for entry in image["attributes"]] for said in (one, all_at_once)]
    np.testing.assert_allclose(*maps, rtol=1e-3, atol=1e-5)


def test_broken_images_are_told_and_the_others_done(command, model_folder, pictures, tmp_path):
    whole = (pictures / "0.png").read_bytes()
    (pictures / "3-cut.png").write_bytes(whole[: len(whole) // 2])
    (pictures / "4-nothing.png").write_bytes(b"")
    (pictures / "5-text.png").write_text("not a picture")
    outcome = command(
        "explain", pictures, pictures.parent / "absent.png", "--model", model_folder, "--out", tmp_path / "out"
    )
    assert outcome.code == 2
    lines = [line for line in outcome.err.splitlines() if line.startswith("bincam: ")]
    assert [
        name for name in ("3-cut", "4-nothing", "5-text", "absent") if sum(name in line for line in lines) == 1
    ] == [
        "3-cut",
        "4-nothing",
        "5-text",
        "absent",
    ]
    assert len(lines) == 4
    said = json.loads((tmp_path / "out" / "explanations.json").read_text())
    assert len(said["images"]) == 3
    assert len(said["failures"]) == 4
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
    assert "3 of 7 images explained" in outcome.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--attributes", "Smilling"], "did you mean 'Smiling'"),
        (["--attributes", "Bald,Bald"], "--attributes: 'Bald' is given twice"),
        (["--threshold", "Smile=0"], "unknown attribute 'Smile'"),
        (["--threshold", "Bald=high"], "finite number"),
        (["--threshold", "Bald"], "expected NAME=LOGIT"),
        (["--threshold-prob", "Bald=1"], "between 0 and 1"),
        (["--threshold", "Bald=0", "--threshold-prob", "Bald=.5"], "two thresholds"),
        (["--method", "gradcam"], "did you mean 'grad_cam'"),
        (["--layer", "layer9"], "no layer 'layer9'"),
        (["--side", "true"], "--side true"),
        (["--method", "eigen_cam"], "side='any'"),
        (["--head", "logits"], "leave out --head"),
        (["--device", "abacus"], "--device abacus"),
        (["--device", "meta"], "--device meta"),
        (["--out", "/nowhere/at/all"], "does not exist"),
    ],
)
def test_mistakes_are_one_line(command, model_folder, pictures, words, told):
    outcome = command("explain", pictures / "0.png", "--model", model_folder, "--json", *words)
    assert told in outcome.mistake
    assert outcome.out == ""


def test_mistakes_about_files_and_models(command, model_folder, pictures, tmp_path):
    picture = pictures / "0.png"
    assert "--out" in command("explain", picture, "--model", model_folder).mistake
    assert "no images" in command("explain", tmp_path, "--model", model_folder, "--json").mistake
    assert "no images" in command("explain", "--model", model_folder, "--json").mistake
    assert "overwrite an image" in command("explain", picture, "--model", model_folder, "--out", pictures).mistake
    assert "no such folder" in command("explain", picture, "--model", "runs/absent", "--json").mistake
    assert "--weights" in command("explain", picture, "--model", picture, "--json").mistake
    assert "which model" in command("explain", picture, "--json").mistake
    assert "resnet18" in command("explain", picture, "--model", "resnet18x", "--json").mistake
    assert "--head" in command("explain", picture, "--model", "resnet10t", "--weights", picture, "--json").mistake
    assert "leave out" in command("explain", picture, "--example").mistake
    assert not list(tmp_path.rglob("explanations.json"))


def test_images_of_one_name_get_two_figures(command, model_folder, pictures, tmp_path):
    other = tmp_path / "0.jpg"
    open_image(pictures / "0.png").save(other)
    said = document(
        command("explain", pictures / "0.png", other, "--model", model_folder, "--out", tmp_path / "out", "--json")
    )
    assert len({image["figure"] for image in said["images"]}) == 2
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


def test_foreign_weights_and_forty_attributes(command, pictures, tmp_path):
    names = [f"Attribute_{n}" for n in range(40)]
    model = tiny(names)
    save(model, tmp_path / "model")
    outcome = command("explain", pictures / "1.png", "--model", tmp_path / "model", "--out", tmp_path / "out", "--json")
    image = document(outcome)["images"][0]
    assert len(image["attributes"]) == 40
    with Image.open(image["figure"]) as figure:
        assert min(figure.size) > 1200


def test_a_method_without_sides_is_asked_for_any(command, model_folder, pictures):
    said = document(
        command(
            "explain",
            pictures / "0.png",
            "--model",
            model_folder,
            "--attributes",
            "Bald",
            "--side",
            "any",
            "--method",
            "eigen_cam",
            "--json",
        )
    )
    assert said["images"][0]["attributes"][0]["explained"] is None
