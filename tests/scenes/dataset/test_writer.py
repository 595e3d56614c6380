import csv
import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bincam import data
from bincam.errors import InputError
from bincam.scenes import SHAPES, best_accuracy, draw, make
from bincam.scenes.dataset import shards, writer
from bincam.scenes.drawing.placement import VISIBLE
from tests.generated.contents import contents

SHORTCUTS = {"mark:star": 0.8, "colour:heart": 0.8}
OPTIONS = {"seed": 3, "size": 64, "shortcut": SHORTCUTS, "workers": 1}
COUNT = 30


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes") / "set"
    return root, make(root, COUNT, **OPTIONS)


@pytest.fixture(scope="module")
def drawn():
    return draw(COUNT, 3, size=64, shortcut=SHORTCUTS)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(writer, "SHARD", 8)


def stop_after(monkeypatch, files, error):
    """Raise an error, as of a full disk or an impatient user, after some files are written."""
    real, left = shards.write, [files]

    def write(path, content):
        if left[0] == 0:
            raise error
        left[0] -= 1
        real(path, content)

    monkeypatch.setattr(shards, "write", write)


def test_images_and_parts_are_those_in_memory(whole, drawn):
    root, _ = whole
    for row in range(COUNT):
        with Image.open(root / f"images/{row + 1:06d}.png") as image:
            assert np.array_equal(np.asarray(image), drawn.images[row])
        with Image.open(root / f"masks/parts/images/{row + 1:06d}.png") as parts:
            assert parts.mode == "P"
            assert np.array_equal(np.asarray(parts), drawn.parts[row])


def test_single_labels_are_a_set_of_ten_outputs(whole, drawn):
    root, card = whole
    table = data.load(root / card["table"])
    assert table.names == tuple(f"shape={name}" for name in SHAPES)
    assert table.one_of == {"shape": table.names}
    assert table.labels.argmax(axis=1).tolist() == drawn.labels.tolist()
    assert table.counts() == {"train": 24, "validation": 3, "test": 3} == card["measured"]["splits"]
    for cue in ("mark", "colour"):
        assert np.array_equal(table.groups[cue] == "with", drawn.cues[cue])
    assert all(table.path(row).is_file() for row in range(COUNT))


def test_presence_is_ten_attributes_and_a_forgotten_cue_is_no_attribute(whole, drawn):
    root, _ = whole
    table = data.load(root / "present.csv")
    assert table.names == SHAPES
    assert np.array_equal(table.labels == 1, drawn.present)
    with pytest.raises(InputError, match="make it a group"):
        data.table(root / "present.csv", split="split")


def test_regions_are_the_objects(whole, drawn):
    root, _ = whole
    regions = data.load_regions("parts", root / "label.csv")
    for row in range(6):
        name = f"images/{row + 1:06d}.png"
        for column, shape in enumerate(SHAPES):
            shown = bool(drawn.present[row, column])
            for attribute in (shape, f"shape={shape}"):
                mask = regions.mask(attribute, (64, 64), image=name, positive=shown)
                assert (mask is not None) == shown
                assert mask is None or np.array_equal(mask, drawn.masks(shape)[row])


def test_boxes_are_those_of_the_masks_and_the_mark_is_nobodys_attribute(whole, drawn):
    root, _ = whole
    stored = data.BoxTable.read(root / "boxes.parquet")
    for row in range(COUNT):
        name = f"images/{row + 1:06d}.png"
        for column, shape in enumerate(SHAPES):
            for attribute in (shape, f"shape={shape}"):
                found = stored.of(name, attribute)
                assert found.tolist() == ([drawn.boxes[row, column].tolist()] if drawn.present[row, column] else [])
    assert stored.names == {*SHAPES, *(f"shape={shape}" for shape in SHAPES)}


def test_objects_are_listed_with_what_is_seen_of_them(whole, drawn):
    root, card = whole
    with (root / "objects.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == drawn.present.sum()
    for row in rows:
        at = int(Path(row["image"]).stem) - 1
        assert int(row["pixels"]) == drawn.masks(row["shape"])[at].sum()
        assert VISIBLE <= float(row["visible"]) <= 1
        assert float(row["side"]) ** 2 * float(row["visible"]) == pytest.approx(int(row["pixels"]), rel=0.08)
        assert drawn.parts[at].shape == (64, 64)
    assert card["measured"]["least_visible_share"] == min(float(row["visible"]) for row in rows)


def test_the_card_states_settings_and_what_was_measured(whole, drawn):
    root, card = whole
    assert json.loads((root / "card.json").read_text()) == card
    assert (card["kind"], card["schema"], card["complete"], card["table"]) == ("bincam-scenes", 1, True, "label.csv")
    assert card["settings"]["shortcuts"] == {"colour:heart": 0.8, "mark:star": 0.8}
    measured = card["measured"]
    assert list(measured["prevalence"].values()) == pytest.approx(drawn.present.mean(axis=0).tolist(), abs=1e-5)
    assert measured["best_accuracy"] == pytest.approx(best_accuracy(drawn.present, SHORTCUTS), abs=1e-5)
    star = drawn.labels == SHAPES.index("star")
    assert measured["cues"]["mark"]["agreement"] == pytest.approx((drawn.cues["mark"] == star).mean(), abs=1e-5)
    assert measured["cues"]["mark"]["with_cue_of_class"] == (star & drawn.cues["mark"]).sum()
    assert len(card["digest"]) == 64


def test_the_digest_follows_the_content(whole, tmp_path):
    _, card = whole
    assert make(tmp_path / "same", COUNT, **OPTIONS)["digest"] == card["digest"]
    assert make(tmp_path / "other", COUNT, **{**OPTIONS, "seed": 4})["digest"] != card["digest"]


def test_attributes_are_all_shapes_present(tmp_path):
    card = make(tmp_path / "set", 10, rule="all", size=64, workers=1)
    assert card["table"] == "present.csv"
    assert not (tmp_path / "set/label.csv").exists()
    assert "labels" not in card["measured"]


@pytest.mark.parametrize("files", [0, 1, 16, 37])
def test_an_interrupted_set_is_resumed_to_the_same_bytes(whole, tmp_path, monkeypatch, files):
    root, _ = whole
    with monkeypatch.context() as patched:
        stop_after(patched, files, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "set", COUNT, **OPTIONS)
    assert not json.loads((tmp_path / "set/card.json").read_text())["complete"]
    (tmp_path / "set/images").mkdir(exist_ok=True)
    (tmp_path / "set/images/.000001-left.png").touch()  # as a killed process leaves it
    make(tmp_path / "set", COUNT, **OPTIONS)
    assert contents(tmp_path / "set") == contents(root)


def test_a_damaged_record_is_told_and_drawn_anew_as_it_says(whole, tmp_path, monkeypatch):
    root, _ = whole
    with monkeypatch.context() as patched:
        stop_after(patched, 37, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "set", COUNT, **OPTIONS)
    record = tmp_path / "set/.unfinished/000001.npz"
    record.write_bytes(record.read_bytes()[:300])
    with pytest.raises(InputError, match=r"000001\.npz: damaged .*; delete it and run the same command again"):
        make(tmp_path / "set", COUNT, **OPTIONS)
    record.unlink()
    make(tmp_path / "set", COUNT, **OPTIONS)
    assert contents(tmp_path / "set") == contents(root)


@pytest.mark.parametrize("entry", ["images", "table", "measured", "settings", "complete"])
def test_a_damaged_card_is_told(whole, tmp_path, entry):
    _, card = whole
    (tmp_path / "card.json").write_text(json.dumps({**card, entry: None}))
    with pytest.raises(InputError, match=rf"card\.json: damaged: {entry}.* is missing; choose a new folder"):
        make(tmp_path, COUNT, **OPTIONS)


def test_the_size_of_shards_and_the_count_change_no_scene(whole, tmp_path, monkeypatch):
    root, _ = whole
    monkeypatch.setattr(writer, "SHARD", 128)
    make(tmp_path / "set", 12, **OPTIONS)
    ours, theirs = contents(tmp_path / "set"), contents(root)
    pictures = [name for name in ours if name.endswith(".png")]
    assert len(pictures) == 24
    assert all(ours[name] == theirs[name] for name in pictures)


def test_a_complete_set_is_left_alone(whole, monkeypatch):
    root, card = whole
    stop_after(monkeypatch, 0, AssertionError("nothing is drawn"))
    assert make(root, COUNT, **OPTIONS) == card


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seed": 4}, "other settings \\(seed 3, not 4\\)"),
        ({"rule": "all"}, "rule 'one', not 'all'"),
        ({"shortcut": {}}, "shortcuts"),
        ({"prevalence": {"star": 0.1}}, "prevalence"),
    ],
)
def test_a_folder_with_another_set_is_refused(whole, changed, words):
    before = contents(whole[0])
    with pytest.raises(InputError, match=words):
        make(whole[0], COUNT, **{**OPTIONS, **changed})
    assert contents(whole[0]) == before


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="contains no card"):
        make(tmp_path, 2)
    with pytest.raises(InputError, match="is a file"):
        make(tmp_path / "notes.txt", 2)


def test_a_full_disk_is_told_and_resumed(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        stop_after(patched, 20, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(InputError, match=r"the disk is full; 8 of 30 images are complete.*run the same command"):
            make(tmp_path / "set", COUNT, **OPTIONS)
    make(tmp_path / "set", COUNT, **OPTIONS)
    assert contents(tmp_path / "set") == contents(whole[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "a count of 1 to 999999, got 0"),
        ({"count": 1_000_000}, "a count of 1 to 999999"),
        ({"workers": 0}, "at least one worker"),
        ({"seed": -1}, "a seed of 0"),
    ],
)
def test_refusals(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        make(tmp_path / "set", **{"count": 2, **options})
    assert not (tmp_path / "set").exists()
