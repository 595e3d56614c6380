from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bincam.data import AttributeTable
from bincam.errors import InputError
from tests.data.conftest import equal, make_table


def test_arrays_cannot_be_written(table):
    for name in ("labels", "splits", "identities", "landmarks", "boxes"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(table, name)[0] = 0


def test_a_label_that_is_neither_0_nor_1_is_named(table):
    labels = table.labels.copy()
    labels[3, 1] = -1
    with pytest.raises(InputError, match=r"'Smiling' of '000004\.jpg' is -1\.0"):
        replace(table, labels=labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("Bald", "Bald", "Male")}, "attribute 'Bald' occurs twice"),
        ({"names": ()}, "no attributes"),
        ({"splits": np.array(["dev"] * 12)}, "unknown split 'dev'"),
        ({"splits": np.array(["train"] * 3)}, "splits of 12 images"),
        ({"landmarks": np.zeros((12, 4, 2))}, "landmarks of 12 images"),
        ({"groups": {"camera": np.array(["x"])}}, "group 'camera'"),
    ],
)
def test_shapes_and_names_are_refused(table, change, message):
    with pytest.raises(InputError, match=message):
        replace(table, **change)


def test_select_reorders_and_names_the_nearest(table):
    chosen = table.select(["Male", "Bald"])
    assert chosen.names == ("Male", "Bald")
    np.testing.assert_array_equal(chosen.labels, table.labels[:, [2, 0]])
    with pytest.raises(InputError, match="did you mean 'Smiling'"):
        table.select(["Smilling"])


def test_split_takes_everything_along(table):
    part = table.split("validation")
    assert part.ids == table.ids[4:8]
    np.testing.assert_array_equal(part.landmarks, table.landmarks[4:8])
    np.testing.assert_array_equal(part.identities, table.identities[4:8])
    with pytest.raises(InputError, match="splits with images: validation"):
        part.split("test")


def test_take_by_mask_equals_take_by_rows(table):
    mask = table.labels[:, 0] == 1
    assert equal(table.take(mask), table.take(np.flatnonzero(mask)))
    with pytest.raises(InputError, match="row mask"):
        table.take(np.array([True]))


def test_stratified_subset_keeps_prevalence_and_splits():
    rng = np.random.default_rng(1)
    n = 5000
    rates = np.array([0.02, 0.9, 0.5, 0.3])
    table = AttributeTable(
        names=("rare", "common", "half", "third"),
        labels=(rng.random((n, 4)) < rates).astype(np.float32),
        ids=tuple(map(str, range(n))),
        root=".",
        splits=np.repeat(["train", "test"], [4000, 1000]),
    )
    part = table.subset(500, seed=3)
    assert part.counts() == {"train": 400, "test": 100}
    # The rarest attribute is sorted by first, so it is off by at most one image per split; the others by little more.
    np.testing.assert_allclose(part.labels.mean(axis=0), table.labels.mean(axis=0), atol=0.012)
    assert abs(part.labels[:, 0].sum() - 500 * table.labels[:, 0].mean()) <= 2
    assert part.ids == table.subset(500, seed=3).ids
    assert part.ids != table.subset(500, seed=4).ids
    assert list(part.ids) == sorted(part.ids, key=int)


@pytest.mark.parametrize("n", [0, 13])
def test_a_subset_has_one_to_all_images(table, n):
    with pytest.raises(InputError, match="1 to 12"):
        table.subset(n)
    assert len(table.subset(12)) == 12


def test_digest_sees_labels_and_ids_not_places(table):
    assert table.digest() == replace(table, root="/elsewhere", source="x").digest()
    labels = table.labels.copy()
    labels[0, 0] = np.nan
    assert table.digest() != replace(table, labels=labels).digest()
    assert table.digest() != replace(table, identities=None).digest()
    assert table.digest() == make_table().digest()


def test_a_notebook_shows_the_rarest_attributes():
    labels = np.array([[1, 0, np.nan], [0, 0, np.nan], [1, 1, np.nan], [0, 0, np.nan]])
    table = AttributeTable(names=("half", "<script>", "unknown"), labels=labels, ids=tuple("abcd"), root="photos")
    html = table._repr_html_()
    assert html.index("unknown</th><td") < html.index("&lt;script&gt;") < html.index("half")
    assert "<script>" not in html
    assert "25.0" in html
    empty = table.take(np.zeros(4, bool))
    assert "0 images" in empty._repr_html_()


def test_the_name_of_a_set_selects_its_outputs():
    labels = np.float32([[1, 0, 1], [0, 1, 0]])
    table = AttributeTable(("dark", "fair", "Male"), labels, "ab", "photos", one_of={"hair": ("dark", "fair")})
    chosen = table.select(["Male", "hair"])
    assert (chosen.names, chosen.one_of) == (("Male", "dark", "fair"), {"hair": ("dark", "fair")})
    with pytest.raises(InputError, match="unknown attribute 'hiar'; did you mean 'hair'"):
        table.select(["hiar"])
    assert "2 images (2 in no split), 3 attributes" in repr(table)
    assert "1 image (1 in no split), 1 attribute)" in repr(table.take([0]).select(["Male"]))


def test_a_set_with_the_name_of_an_attribute_is_refused():
    labels = np.float32([[1, 0, 1], [0, 1, 0]])
    with pytest.raises(InputError, match=r"set 'Male' has the name of an output.*rename the set"):
        AttributeTable(("dark", "fair", "Male"), labels, "ab", "photos", one_of={"Male": ("dark", "fair")})


@pytest.mark.parametrize("other", ["./0.png", "a/../0.png", ".//0.png", "photos/../0.png"])
def test_one_image_under_two_names_is_refused(other, tmp_path):
    with pytest.raises(InputError, match=r"'0\.png' and '.*' are one image; keep one of the two rows"):
        AttributeTable(("Bald",), np.ones((2, 1)), ("0.png", other), tmp_path)
    with pytest.raises(InputError, match="are one image"):
        AttributeTable(("Bald",), np.ones((2, 1)), ("0.png", str(tmp_path / "0.png")), tmp_path)
    ids = ("0.png", "a/0.png", "./1.png", "..png", "a/..b.png", ".hidden/0.png")
    assert AttributeTable(("Bald",), np.ones((6, 1)), ids, tmp_path).ids == ids
