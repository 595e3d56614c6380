import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bincam.data import celeba
from bincam.errors import InputError
from bincam.faces.counterfactuals.pairs import influence
from bincam.faces.dataset import shards, writer
from bincam.faces.dataset.label_files import specs
from bincam.faces.dataset.writer import make
from bincam.faces.labels.prevalence import target
from bincam.faces.labels.sampler import sampler
from bincam.faces.labels.spec import ATTRIBUTES, index
from bincam.generated import records
from tests.faces.conftest import draw
from tests.generated.contents import contents

SMALL = {"seed": 3, "size": (64, 80), "workers": 1}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, fake_renderer):
    monkeypatch.setattr(writer, "SHARD", 8)
    return fake_renderer


def stop_after(monkeypatch, images, error):
    """Raise an error, as of a full disk or an impatient user, after some images are written."""
    real, left = shards.write, [2 * images]  # a mask and an image each

    def write(path, content):
        if left[0] == 0:
            raise error
        left[0] -= 1
        real(path, content)

    monkeypatch.setattr(shards, "write", write)


def test_a_set_reads_back_as_celeba(tmp_path):
    card = make(tmp_path / "set", 50, **SMALL)
    table = celeba(tmp_path / "set")
    faces = sampler(target(), 3).faces(0, 50)
    hidden = faces.seed % 4 == 0
    expected = faces.labels.copy()
    expected[hidden, 34] = False
    assert table.names == ATTRIBUTES
    assert np.array_equal(table.labels == 1, expected)
    assert table.splits.tolist() == [("train", "validation", "test")[code] for code in faces.split]
    assert table.identities.tolist() == [str(person) for person in faces.person]
    assert table.landmarks[7] == pytest.approx(draw(faces[7], (64, 80)).landmarks, abs=0.5)
    assert card["complete"]
    assert card["images"] == 50
    assert card["measured"]["prevalence"]["Smiling"] == pytest.approx(expected[:, index("Smiling")].mean(), abs=1e-5)
    assert card["measured"]["not_seen"].get("Wearing_Earrings", 0) == (faces.labels & ~expected).sum()
    assert card["measured"]["people"] == len(np.unique(faces.person))


def test_images_and_masks_are_what_was_drawn(tmp_path):
    make(tmp_path, 10, **SMALL, influence=["Smiling", "Bald"])
    faces = sampler(target(), 3).faces(0, 10)
    drawn = draw(faces[4], (64, 80))
    with Image.open(tmp_path / "masks/parts/000005.png") as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), drawn.parts)
    with Image.open(tmp_path / "img_align_celeba/000005.jpg") as image:
        assert np.abs(np.asarray(image).astype(int) - drawn.image).mean() < 4
    with Image.open(tmp_path / "masks/influence/Bald/000005.png") as mask:
        assert np.array_equal(np.asarray(mask) > 0, influence(faces[4], "Bald", (64, 80)))
    assert specs(tmp_path)["000005.jpg"] == faces[4]


def test_influence_of_some_images_is_that_of_the_first_of_the_test_split(tmp_path):
    make(tmp_path, 60, **SMALL, influence=["Smiling"], influence_images=2)
    table = celeba(tmp_path)
    first = [Path(name).stem for name, split in zip(table.ids, table.splits, strict=True) if split == "test"][:2]
    assert sorted(file.stem for file in (tmp_path / "masks/influence/Smiling").iterdir()) == first
    assert len(first) == 2


def test_fewer_faces_are_the_first_of_more(tmp_path):
    make(tmp_path / "few", 9, **SMALL)
    make(tmp_path / "many", 30, **SMALL)
    for name in ("img_align_celeba/000009.jpg", "masks/parts/000009.png"):
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


@pytest.mark.parametrize("images", [0, 3, 8, 29])
def test_an_interrupted_set_is_resumed_to_the_same_bytes(tmp_path, monkeypatch, images):
    make(tmp_path / "whole", 30, **SMALL)
    with monkeypatch.context() as patch:
        stop_after(patch, images, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "parts", 30, **SMALL)
    (tmp_path / "parts/img_align_celeba").mkdir(exist_ok=True)
    (tmp_path / "parts/img_align_celeba/.000004-abc.jpg").write_bytes(b"half")  # a killed writer leaves such a file
    make(tmp_path / "parts", 30, **SMALL)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_finished_set_is_left_alone(tmp_path):
    card = make(tmp_path, 10, **SMALL)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert make(tmp_path, 10, **SMALL) == card
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_damaged_card_or_record_is_told(tmp_path):
    card = make(tmp_path, 10, **SMALL)
    for damaged, words in (
        ({**card, "measured": {}}, r"card\.json: damaged: measured\.splits is missing"),
        ({**card, "settings": None}, r"card\.json: damaged: settings is missing"),
    ):
        (tmp_path / "card.json").write_text(json.dumps(damaged))
        with pytest.raises(InputError, match=words):
            make(tmp_path, 10, **SMALL)
    (tmp_path / "card.json").write_text(json.dumps({**card, "complete": False}))
    (tmp_path / records.FOLDER).mkdir()
    (tmp_path / records.FOLDER / "000000.npz").write_bytes(b"")
    with pytest.raises(InputError, match=r"000000\.npz: damaged"):
        make(tmp_path, 10, **SMALL)


def test_killed_after_its_card_a_set_is_tidied(tmp_path):
    make(tmp_path, 10, **SMALL)
    before = contents(tmp_path)
    (tmp_path / records.FOLDER).mkdir()
    (tmp_path / records.FOLDER / "000000.npz").write_bytes(b"")
    make(tmp_path, 10, **SMALL)
    assert contents(tmp_path) == before


def test_a_full_disk_leaves_a_valid_set_that_can_be_resumed(tmp_path, monkeypatch):
    make(tmp_path / "whole", 30, **SMALL)
    with monkeypatch.context() as patch:
        stop_after(patch, 19, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(InputError, match="disk is full; 16 of 30 images are written and form a valid set"):
            make(tmp_path / "full", 30, **SMALL)
    table = celeba(tmp_path / "full")
    assert len(table.ids) == 16
    assert len([*(tmp_path / "full/img_align_celeba").iterdir()]) == 16
    card = json.loads((tmp_path / "full/card.json").read_text())
    assert (card["complete"], card["images"]) == (False, 16)
    make(tmp_path / "full", 30, **SMALL)
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")


def test_a_disk_full_from_the_start(tmp_path, monkeypatch):
    stop_after(monkeypatch, 0, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(InputError, match="no image is complete"):
        make(tmp_path / "full", 30, **SMALL)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"seed": 4}, "seed 3, not 4"),
        ({"count": 11}, "count 10, not 11"),
        ({"prevalence": "balanced"}, "prevalence 'celeba', not 'balanced'"),
        ({"set": {"Bald": 0.5}}, "'Bald': 0.5"),
        ({"size": (64, 64)}, "80.*, not .*64"),
        ({"influence": ["Bald"]}, "influence"),
    ],
)
def test_a_folder_of_other_settings_is_refused(tmp_path, other, word):
    make(tmp_path, 10, **SMALL)
    with pytest.raises(InputError, match=word):
        make(tmp_path, **{"count": 10, **SMALL, **other})


def test_a_folder_of_another_renderer_is_refused(tmp_path, monkeypatch):
    make(tmp_path, 10, **SMALL)
    monkeypatch.setattr("bincam.faces.dataset.writer.RENDERER", 99)
    with pytest.raises(InputError, match="renderer"):
        make(tmp_path, 10, **SMALL)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("dear diary")
    with pytest.raises(InputError, match=r"not empty and contains no card\.json"):
        make(tmp_path, 10, **SMALL)
    with pytest.raises(InputError, match="is a file"):
        make(tmp_path / "mine.txt", 10, **SMALL)
    (tmp_path / "card.json").write_text('{"kind": "bincam-model", "schema": 1}')
    with pytest.raises(InputError, match="expected a bincam-faces file"):
        make(tmp_path, 10, **SMALL)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"count": 0}, "count of at least 1, got 0"),
        ({"count": 1_000_000}, "999999"),
        ({"size": (63, 80)}, "width of 63 pixels is too small"),
        ({"size": (64, 20)}, "height of 20 pixels is too small"),
        ({"size": (64, 5000)}, "too large"),
        ({"influence": ["Bld"]}, "did you mean 'Bald'"),
        ({"influence": ["Attractive"]}, "no pixels"),
        ({"influence_images": 3}, "of no attribute"),
        ({"influence": ["Bald"], "influence_images": 0}, "at least 1 image, got 0"),
        ({"tau": 300}, "300"),
        ({"workers": 0}, "at least one worker"),
        ({"images_per_person": 0}, "at least one image"),
    ],
)
def test_impossible_settings_leave_no_folder(tmp_path, asked, word):
    with pytest.raises(InputError, match=word):
        make(**{"out": tmp_path / "new", "count": 10, **SMALL, **asked})
    assert not (tmp_path / "new").exists()
