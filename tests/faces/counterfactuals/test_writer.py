import csv

import numpy as np
import pytest
from PIL import Image

from bincam.errors import InputError
from bincam.faces.counterfactuals.pairs import counterfactual
from bincam.faces.counterfactuals.writer import write_pairs
from bincam.faces.labels.constraints import labels_from_drawn
from bincam.faces.labels.prevalence import target
from bincam.faces.labels.sampler import sampler
from bincam.faces.labels.spec import ATTRIBUTES, DRAWN, index

pytestmark = pytest.mark.usefixtures("fake_renderer")


def test_pairs_are_the_same_face_with_one_attribute_flipped(tmp_path):
    card = write_pairs(tmp_path, ["Smiling", "Bald"], 4, 6, size=(64, 80))
    with (tmp_path / "pairs.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert card["pairs"] == len(rows) == 8
    faces = sampler(target(), 6, images_per_person=1).faces(0, 4)
    for at, row in enumerate(rows):
        face, name = faces[at // 2], row["attribute"]
        assert (int(row["seed"]), int(row["identity"])) == (face.seed, face.identity)
        assert row["label"] == str(int(face[name]))
        assert row["flipped_label"] == str(int(not face[name]))
        before, after, mask = (np.asarray(Image.open(tmp_path / row[key])) for key in ("image", "flipped", "influence"))
        assert before.shape == after.shape == (80, 64, 3)
        far = np.abs(before.astype(int) - after).max(axis=-1) > 40
        assert not far[mask == 0].any() or name == "Bald"  # JPEG bleeds a little
        assert float(row["influenced_share"]) == pytest.approx((mask > 0).mean(), abs=1e-5)
        was, turned = (labels_from_drawn(np.array(one.labels)) for one in (face, counterfactual(face, name)))
        also = {("+" if turned[i] else "-") + a for i, a in enumerate(ATTRIBUTES) if a != name and turned[i] != was[i]}
        assert set(row["also_changed"].split()) == also


def test_all_is_every_drawn_attribute(tmp_path):
    assert write_pairs(tmp_path, ["all"], 1, size=(64, 64))["attributes"] == list(DRAWN)
    assert len(DRAWN) == 39
    assert index("Attractive") not in map(index, DRAWN)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"attributes": ["Attractive"]}, "no pixels"),
        ({"attributes": []}, "no attribute"),
        ({"count": 0}, "at least 1, got 0"),
        ({"size": (10, 10)}, "too small"),
    ],
)
def test_invalid_settings_are_refused(tmp_path, asked, word):
    with pytest.raises(InputError, match=word):
        write_pairs(**{"out": tmp_path / "new", "attributes": ["Bald"], "count": 1, **asked})


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(InputError, match="not an empty folder"):
        write_pairs(tmp_path, ["Bald"], 1)
