"""``bincam explain --grid``: the document says what the cells say, and what has no grid is told in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import bincam
from bincam.models import build, open_image, save

TINY = {"input_size": (64, 96), "mean": (0.5,) * 3, "std": (0.25,) * 3, "channels": [8, 8, 8, 8], "stem_width": 8}


def saved(folder, names, **options):
    torch.manual_seed(0)
    save(build("resnet10t", names, **TINY, **options), folder)
    return folder


def test_the_document_has_the_cells_of_attributes(command, model_folder, pictures, tmp_path):
    out = tmp_path / "out"
    outcome = command("explain", pictures, "--model", model_folder, "--grid", "--threshold", "Bald=0.1", "--out", out)
    assert outcome.code == 0, outcome.err
    assert "of the cells say yes" in outcome.out
    document = json.loads((out / "explanations.json").read_text())
    explainer = bincam.Explainer(bincam.load(model_folder), threshold={"Bald": 0.1})
    for image in document["images"]:
        explanation = explainer(explainer.preprocess(open_image(image["file"]))[None])
        grid = explanation.grid()
        said = image["grid"]
        assert (said["reading"], said["shape"], said["sets"]) == ("frozen", [2, 3], [])
        for column, entry in enumerate(said["attributes"]):
            np.testing.assert_allclose(entry["scores"], grid.scores[0, column], rtol=1e-4, atol=1e-5)
            assert np.mean(entry["scores"]) == pytest.approx(entry["logit"], abs=1e-4)
            assert entry["yes"] == pytest.approx(grid.yes[0, column].mean().item())
            assert (
                document["grid_scales"][entry["name"]] >= np.abs(np.array(entry["scores"]) - entry["threshold"]).max()
            )
        with Image.open(image["figure"]) as figure:
            assert min(figure.size) > 200


def test_a_large_set_needs_no_list_of_its_outputs(command, pictures, tmp_path):
    names = [f"output {n}" for n in range(30)]
    folder = saved(tmp_path / "model", names, one_of={"kind": names})
    outcome = command("explain", pictures, "--model", folder, "--grid", "--json", "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    explainer = bincam.Explainer(bincam.load(folder))
    for image in json.loads(outcome.out)["images"]:
        (entry,) = image["grid"]["sets"]
        explanation = explainer(explainer.preprocess(open_image(image["file"]))[None])
        winners = explanation.grid().winners("kind")[0]
        assert entry["cells"] == [[names[place] for place in line] for line in winners.tolist()]
        assert sum(entry["counts"].values()) == 6
        assert entry["answer"] == names[int(explanation.logits.argmax())]
        assert entry["probability"] == pytest.approx(explanation.probability.max().item(), rel=1e-4)
        assert (tmp_path / "out").joinpath(image["figure"]).is_file()


def test_a_pooling_that_does_not_decompose_states_its_gap(command, pictures, tmp_path):
    folder = saved(tmp_path / "model", ["a"], pooling="noisy_or")
    outcome = command("explain", pictures, "--model", folder, "--grid", "--json", "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    grid = json.loads(outcome.out)["images"][0]["grid"]
    assert grid["reading"] == "pointwise"
    (entry,) = grid["attributes"]
    assert entry["gap"] == pytest.approx(entry["logit"] - np.mean(entry["scores"]), abs=1e-4)
    assert entry["gap"] > 0.5, "of six cells at least one says yes"


def test_what_has_no_grid_is_told_before_an_image_is_read(command, model_folder, tmp_path):
    nothing = tmp_path / "no.png"
    small = saved(tmp_path / "one", ["a"])
    card = json.loads((small / "card.json").read_text())
    card["input_size"] = [32, 32]
    (small / "card.json").write_text(json.dumps(card))
    mistakes = {
        "pools a single cell at this input size": ("--model", small, "--grid"),
        "add --grid": ("--model", model_folder, "--reading", "frozen"),
        "--reading warm": ("--model", model_folder, "--grid", "--reading", "warm"),
        "--method layer_cam is of maps and --grid draws none": (
            *("--model", model_folder, "--grid", "--method", "layer_cam"),
        ),
        "--layer pre_activation is of maps": ("--model", model_folder, "--grid", "--layer", "pre_activation"),
    }
    for text, words in mistakes.items():
        assert text in command("explain", nothing, *words, "--out", tmp_path / "out").mistake


def test_a_reading_that_a_head_does_not_permit_is_refused(command, pictures, tmp_path):
    folder = saved(tmp_path / "model", ["a"], pooling="max")
    words = ("explain", pictures, "--model", folder, "--grid", "--reading", "frozen", "--out", tmp_path / "out")
    assert "no frozen prediction grid" in command(*words).mistake


def test_pictures_of_maps_are_unchanged(command, model_folder, pictures, tmp_path):
    outcome = command("explain", pictures, "--model", model_folder, "--json", "--out", tmp_path / "out")
    document = json.loads(outcome.out)
    assert "grid_scales" not in document
    assert "grid" not in document["images"][0]
