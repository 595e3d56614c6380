"""``bincam audit`` of CSV tables: every option of ``data describe``, data.yaml, and the report's photographs."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from PIL import Image

import bincam.models
from bincam.audit import open_audit
from bincam.audit.folder.manifest import read_manifest
from bincam.cli import app
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.report.html.page import build, open_source
from tests.audit.synthetic import reseal
from tests.cli.conftest import tiny

COUNT, NAME = 18, "Anna Musterfrau"
COLUMNS = ("--path-column", "file", "--images", "photos", "--split-column", "fold", "--identity-column", "who")
HAIR = ("dark", "fair", "other")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photographs, a table of them, and a model of a set and an attribute."""
    root = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(0)
    (root / "photos").mkdir()
    for number in range(COUNT):
        pixels = random.integers(0, 256, (64, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "photos" / f"{number}.png")
    true = np.arange(COUNT) % 3
    frame = pd.DataFrame({
        "file": [f"{number}.png" for number in range(COUNT)],
        "fold": ["validation", "test", "test"] * 6,
        "who": [f"p{number // 2}" for number in range(COUNT)],
        "remark": [NAME] * COUNT,
        "score": random.random(COUNT).round(3),
        "Smiling": random.integers(0, 2, COUNT),
        "hair": [HAIR[code] for code in true],
    } | {name: (true == code).astype(int) for code, name in enumerate(HAIR)})  # fmt: skip
    points = np.array([[30, 40], [55, 40], [42, 55], [33, 60], [52, 60]]).ravel()
    for name, value in zip(LANDMARK_COLUMNS, points, strict=True):
        frame[name] = value
    frame.to_csv(root / "mine.csv", index=False)
    model = tiny([*HAIR, "Smiling"])
    card = model.card.model_copy(update={"one_of": {"hair": HAIR}})
    bincam.models.save(bincam.models.AttributeClassifier(model.network, card), root / "model")
    return root


@pytest.fixture
def audit(command, place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)

    def run(*words, data="mine.csv", out=tmp_path / "out"):
        fixed = ("--model", "model", "--data", data, "--out", out, "--batch-size", 8, "--workers", 0)
        return command("audit", *fixed, "--gate-images", 0, "--reference-split", "none", *words)

    return run


def frame(place):
    return pd.read_csv(place / "mine.csv")


def shown(folder):
    """The notes of an audit's page, and whether each of its examples has a photograph."""
    page = build(open_source(folder), folder / "report.html")
    cards = [example for card in page.cards for group in card.groups for example in group.examples]
    return page.notes, [example.photograph is not None for example in cards]


def options_of(*words):
    entry = typer.main.get_command(app)
    for word in words:
        entry = entry.commands[word]
    return {name for parameter in entry.params for name in parameter.opts if name.startswith("--")}


def test_an_audit_has_every_option_by_which_a_table_is_described():
    own = {"--json", "--out", "--save"}
    assert options_of("data", "describe") - own <= options_of("audit")
    assert "--data-one-of" in options_of("data", "describe")  # for --one-of, which states sets of a model


def test_columns_of_which_the_model_knows_nothing_are_left_aside_and_photographs_are_shown(audit, tmp_path):
    said = audit(*COLUMNS, "--landmark-columns", "celeba", "--one-of-column", "hair", "--group-columns", "who")
    assert said.code == 0, said.err
    (line,) = [line for line in said.err.splitlines() if "left aside" in line]
    assert line.endswith("no output of their name: remark, score, dark, fair, other")
    assert "1 attribute, hair of 3 outputs" in said.out
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    assert manifest.data.options == {
        "images": "photos",
        "path": "file",
        "split": "fold",
        "identity": "who",
        "groups": ["who"],
        "landmarks": "celeba",
        "one_of_columns": {"hair": None},
        "attributes": ["Smiling"],
    }
    assert manifest.groups == ("who",)
    assert len(manifest.data.read_table()) == COUNT
    notes, photographs = shown(tmp_path / "out")
    assert not any("Photographs" in note for note in notes)
    assert photographs
    assert all(photographs)


def test_the_page_quotes_no_cell_of_data_that_has_changed(audit, place, tmp_path):
    table = frame(place)
    table.to_csv(place / "changing.csv", index=False)
    assert audit(*COLUMNS, "--one-of-column", "hair", data="changing.csv").code == 0
    table["Smiling"] = table["Smiling"].astype(str).mask(table.index == 3, NAME)
    table.to_csv(place / "changing.csv", index=False)
    with pytest.warns(bincam.errors.BincamWarning, match=f"photographs are not shown: changing.csv:5: '{NAME}'"):
        notes, photographs = shown(tmp_path / "out")
    assert "Photographs are not shown: changing.csv can no longer be read as it was for the audit." in notes[0]
    assert not any(NAME in note for note in notes)
    assert not any(photographs)


def test_the_page_says_that_the_images_are_gone(audit, place, tmp_path):
    assert audit(*COLUMNS, "--one-of-column", "hair").code == 0
    (place / "photos").rename(place / "moved")
    try:
        notes, photographs = shown(tmp_path / "out")
    finally:
        (place / "moved").rename(place / "photos")
    assert "Photographs are not shown: mine.csv: none of the audited images is where it was." in notes[0]
    assert not any(photographs)


def test_older_audits_without_the_options_load_unchanged(audit, tmp_path):
    assert audit(*COLUMNS, "--one-of-column", "hair").code == 0
    file = tmp_path / "out" / "manifest.json"
    content = json.loads(file.read_text())
    del content["data"]["options"]
    file.write_text(json.dumps(content))
    manifest = reseal(tmp_path / "out").manifest
    assert manifest.data.options == {}
    assert "options" not in manifest.to_json()["data"]


def test_without_splits_the_advice_works(audit, tmp_path):
    words = ("--path-column", "file", "--images", "photos", "--one-of-column", "hair")
    said = audit(*words)
    assert said.code == 2
    assert "splits with images: none (18 images are in no split); audit every image with --split all" in said.err
    assert audit(*words, "--split", "all").code == 0
    assert open_audit(tmp_path / "out").manifest.data.images == COUNT
    assert "--reference-split none" in audit(*COLUMNS, "--reference-split", "train", out=tmp_path / "no").err


def test_one_hot_rows_without_one_true_label_are_unknown_by_choice(audit, place, tmp_path):
    table = frame(place).drop(columns="hair")
    table.loc[1, list(HAIR)] = 0
    table.loc[2, list(HAIR)] = 1
    table.to_csv(place / "hot.csv", index=False)
    said = audit(*COLUMNS, data="hot.csv")
    assert said.code == 2
    assert "image '1.png': set 'hair' has no true labels" in said.err
    for words in ((), ("--data-one-of", "hair=dark,fair,other")):
        out = tmp_path / f"unknown{len(words)}"
        said = audit(*COLUMNS, *words, "--one-of-invalid", "unknown", data="hot.csv", out=out)
        assert said.code == 0, said.err
        assert "1 row without a true label, 1 row with several, of 18" in said.err
        assert open_audit(out).summary["sets"]["hair"]["unknown"] == 2


def test_a_set_without_a_column_for_the_rest(audit, place, tmp_path):
    frame(place).drop(columns=["hair", "other"]).to_csv(place / "rest.csv", index=False)
    said = audit(*COLUMNS, "--data-one-of", "hair=dark,fair", "--one-of-rest", "hair=other", data="rest.csv")
    assert said.code == 0, said.err
    assert "hair of 3 outputs" in said.out
    assert not any("Photographs" in note for note in shown(tmp_path / "out")[0])


def test_a_set_of_another_name_is_named(audit, place, tmp_path):
    table = frame(place).drop(columns=list(HAIR)).rename(columns={"hair": "Haar"})
    table.to_csv(place / "haar.csv", index=False)
    words = (*COLUMNS, "--one-of-column", "Haar")
    said = audit(*words, data="haar.csv", out=tmp_path / "attribute")
    (advice,) = re.findall(r"say so with (--one-of-name \S+)", said.err)
    said = audit(*words, *advice.split(), data="haar.csv")
    assert said.code == 0, said.err
    assert "hair of 3 outputs" in said.out


def test_a_table_is_read_as_data_yaml_states_and_options_win(audit, command, place, tmp_path):
    frame(place).to_csv(place / "saved.csv", index=False)
    stated = (*COLUMNS, "--one-of-column", "hair=dark,fair,other", "--attributes", "Smiling,hair")
    said = command("data", "describe", "saved.csv", *stated, "--save", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["attributes"] == ["Smiling", "hair=dark", "hair=fair", "hair=other"]
    assert said.err == "data.yaml\n"
    try:
        assert command("data", "describe", "saved.csv").code == 0
        said = audit(data="saved.csv")
        assert said.code == 0, said.err
        assert said.err.startswith("bincam: saved.csv is read as data.yaml states\n")
        assert "left aside" not in said.err
        assert open_audit(tmp_path / "out").manifest.data.images == 12
        assert not any("Photographs" in note for note in shown(tmp_path / "out")[0])
        said = audit("--path-column", "fil", data="saved.csv", out=tmp_path / "other")
        assert said.code == 2
        assert "data.yaml states path file; the given fil replaces it" in said.err
        assert "no column 'fil' of image paths (path, --path-column); did you mean 'file'" in said.err
    finally:
        (place / "data.yaml").unlink()


def test_images_without_landmarks_are_told(audit, command, place, tmp_path):
    table = frame(place)
    eyes_only = [name for name in LANDMARK_COLUMNS if "eye" not in name]
    table[eyes_only] = np.nan
    table.to_csv(place / "eyes.csv", index=False)
    words = (*COLUMNS, "--landmark-columns", "celeba", "--one-of-column", "hair")
    said = audit(*words, data="eyes.csv")
    assert said.code == 0, said.err
    assert "12 of 12 images lack landmarks (all five points are needed): they have no region" in said.err
    described = command("data", "describe", "eyes.csv", *words, "--attributes", "Smiling")
    assert "18 of 18 images lack landmarks" in " ".join(described.out.split())
    checked = command("data", "check", "eyes.csv", *words, "--attributes", "Smiling", "--json")
    assert json.loads(checked.out)["without_landmarks"] == COUNT
    torch.manual_seed(0)
    model = bincam.models.build(
        "resnet10t", ["Smiling"], input_size=(32, 32), mean=(0.5,) * 3, std=(0.25,) * 3, channels=[8] * 4, stem_width=8
    )
    faces = model.card.model_copy(update={"fit": "face"})
    bincam.models.save(bincam.models.AttributeClassifier(model.network, faces), tmp_path / "faces")
    said = audit(*words, "--model", tmp_path / "faces", data="eyes.csv", out=tmp_path / "crops")
    assert said.code == 2
    assert "12 of 12 images lack landmarks (all five points are needed), but the model's card states fit" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--path-column", "image"), "no column 'image' of image paths"),
        ((*COLUMNS, "--landmark-columns", "a,b"), "landmarks are 10 columns, got 2"),
        ((*COLUMNS, "--data-one-of", "hair"), "--data-one-of hair: expected SET=NAME,NAME,..."),
        ((*COLUMNS, "--one-of-name", "hair=class"), "one_of_names names 'hair'"),
        ((*COLUMNS, "--fold", "1"), "fold does not apply to this kind of data set"),
        ((*COLUMNS, "--labels", "-1/1"), "labels are stated to be -1 = no, 1 = yes"),
    ],
)
def test_a_mistake_is_one_line(audit, tmp_path, words, told):
    assert told in audit(*words).mistake
    assert not (tmp_path / "out").exists()
