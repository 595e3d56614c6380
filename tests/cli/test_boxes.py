"""Boxes on the command line: explain, audit, export, and mistakes in one line."""

from __future__ import annotations

import json

import pytest

from bincam.cli.explaining.questions import read_boxes
from bincam.data import write_box_table
from bincam.errors import InputError
from bincam.metrics import iou
from bincam.models import AttributeClassifier, save
from tests.audit.planted import Eye, eye_card, write_pictures


def test_explain_draws_and_states_boxes(command, model_folder, pictures, tmp_path):
    photo = sorted(pictures.iterdir())[0]
    out = tmp_path / "out"
    outcome = command(
        "explain", photo, "--model", model_folder, "--boxes", "--true-box", "Bald=2,3,20,30", "--side", "positive",
        "--out", out,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads((out / "explanations.json").read_text())
    (image,) = document["images"]
    by_name = dict(zip([entry["name"] for entry in image["attributes"]], image["boxes"], strict=True))
    entry = by_name["Bald"]
    assert entry["true"] == [[2, 3, 20, 30]]
    if entry["box_as_seen"] is not None:
        assert entry["iou"] == pytest.approx(iou(entry["box_as_seen"], entry["true_as_seen"])[0], abs=1e-3)
        assert all(end >= 0 for end in entry["box"])
    assert all("true" not in other for name, other in by_name.items() if name != "Bald")
    assert document["images"][0]["figure"]
    plain = command("explain", photo, "--model", model_folder, "--json")
    assert "boxes" not in json.loads(plain.out)["images"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--true-box", "Bald=1,2,3,4"], "add --boxes"),
        (["--boxes", "--grid"], "leave out one of the two"),
        (["--boxes", "--true-box", "Bold=1,2,3,4"], "did you mean 'Bald'"),
        (["--boxes", "--true-box", "Bald=1,2,3,4", "--attributes", "Smiling"], "no attribute that is explained; known"),
        (["--boxes", "--true-box", "Bald=1,2,3"], "expected four numbers"),
        (["--boxes", "--true-box", "Bald=1,2,1,4"], "has no area"),
        (["--boxes", "--true-box", "Bald=1,2,nan,4"], "expected a finite number"),
        (["--boxes", "--true-box", "Bald=1,2,9000,4"], "is not inside its image"),
    ],
)
def test_mistakes_in_one_line(command, model_folder, pictures, tmp_path, words, message):
    photo = sorted(pictures.iterdir())[0]
    outcome = command("explain", photo, "--model", model_folder, "--out", tmp_path / "out", *words)
    assert message in outcome.mistake


def test_a_true_box_is_of_one_image():
    with pytest.raises(InputError, match="explain them one by one"):
        read_boxes(["Bald=1,2,3,4"], 2, ["Bald"], boxes=True, grid=False)
    assert read_boxes(None, 2, ["Bald"], boxes=False, grid=False) is None


def test_audit_gate_and_export(command, tmp_path):
    table = write_pictures(tmp_path / "pictures", 24)
    labels = zip(table.ids, table.labels, strict=True)
    write_box_table(
        tmp_path / "pictures" / "boxes.parquet", [(name, "Object", 4, 4, 12, 12) for name, one in labels if one[0]]
    )
    model = tmp_path / "model"
    card = eye_card().model_copy(update={"name": "tests.cli.test_boxes:planted"})
    save(AttributeClassifier(planted(), card).eval(), model)
    own = ["--model", model, "--factory", "tests.cli.test_boxes:planted", "--data", tmp_path / "pictures"]
    done = command("audit", *own, "--out", tmp_path / "audit", "--boxes", "--boxes-sample", "6", "--gate-images", "0")
    assert done.code == 0, done.err
    gate = command("gate", tmp_path / "audit", "--rule", "Object.box_accuracy>=0.5", "--allow-untested", "--json")
    (check,) = json.loads(gate.out)["checks"]
    assert (check["value"], check["images"], check["verdict"]) == (1.0, 6, "insufficient")
    made = command("boxes", tmp_path / "audit", "--coco", tmp_path / "coco", "--attributes", "Object")
    assert made.code == 0, made.err
    results = json.loads((tmp_path / "coco" / "coco-results.json").read_text())
    assert results
    assert set(results[0]) == {"image_id", "category_id", "bbox", "segmentation", "score"}
    assert "--coco FOLDER" in command("boxes", tmp_path / "audit").mistake
    assert "expected decided or present" in command("boxes", tmp_path / "audit", "--json", "--of", "all").mistake
    assert "did you mean 'Object'" in command("boxes", tmp_path / "audit", "--json", "--attributes", "Objct").mistake
    page = command("report", tmp_path / "audit", "--out", tmp_path / "page.html")
    assert page.code == 0, page.err
    text = (tmp_path / "page.html").read_text()
    assert "Does the map mark the object?" in text
    assert text.count('class="name" role="heading" aria-level="3">Object<') == 2  # its card, and that of its boxes
    assert "Where an image shows the object, the map of the model boxes it (IoU ≥ .5 at τ = .2) in 100" in text


def planted():
    """The network of the planted model, for ``--factory``."""
    return Eye([[40.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [-1.0, 1.5])
