"""Long audits are compared on all of their images: the contrast is that of audits that are read at once."""

import json
import math
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.folder.parts import sampled
from bincam.audit.summary.summarize import summarise
from bincam.compare.contrast import compare
from bincam.compare.groups.gaps import FAMILY
from bincam.compare.pairs import differences as of_pairs
from bincam.compare.pairs.streamed import tiles_of
from bincam.errors import InputError
from bincam.stats.clusters import Clusters
from tests.audit.synthetic import make_audit, reseal

ATTRIBUTES = ("Smiling", "Bald", "Young", "No_Beard")
MOVED = {"Bald": -1.5, "Young": 1.0}
ABOUT = {"level": 0.9, "moved": MOVED, "published": True}


def made(root, edit=None):
    """Two audits of the same images, with different shards; ``edit`` changes their tables before they are sealed."""
    for n, (name, shard_images) in enumerate((("a", 128), ("b", 90))):
        folder = make_audit(root / name, images=400, attributes=ATTRIBUTES, prevalence=(0.5, 0.12, 0.8, 0.9), seed=n,
                            prior=(0.8, 0.1)[n], shard_images=shard_images)  # fmt: skip
        if edit is not None:
            edit(folder, n)
        summary = summarise(reseal(folder), resamples=100, slice_by=["sex", "sex*age", "Young"])
        file = folder / reader.SUMMARY
        file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **summary}), "utf-8")
        reseal(folder)
    return root


def audits(root):
    return [open_audit(root / name) for name in "ab"]


def change(file, name, new):
    """Replace a column of a table; ``new`` makes the values from the old ones."""
    table = pq.read_table(file)
    at = table.schema.get_field_index(name)
    pq.write_table(table.set_column(at, table.schema.field(at), new(table[name])), file)


def without_names(folder, _):
    change(folder / reader.IMAGES, "identity", lambda old: pa.array([""] * len(old)))


def with_few_names(folder, _):
    change(
        folder / reader.IMAGES,
        "identity",
        lambda old: pa.array(["" if i % 3 else x for i, x in enumerate(old.to_pylist())]),
    )


def with_gaps(folder, number):
    """Further images of one audit were not read, and some logits are not finite."""
    lost = [5, 250, 251] if number else [17]
    reasons = pq.read_table(folder / reader.IMAGES)["skipped"].to_pylist()
    change(
        folder / reader.IMAGES,
        "skipped",
        lambda _: pa.array(["lost" if n in lost else r for n, r in enumerate(reasons)]),
    )
    for file in sorted((folder / "records").glob("*.parquet")):
        table = pq.read_table(file)
        table = table.filter(pc.invert(pc.is_in(table["row"], pa.array(lost, table["row"].type))))
        logit = table["logit"].to_numpy().copy()
        logit[3 + number :: 29] = (np.nan, np.inf)[number]
        pq.write_table(
            table.set_column(table.schema.get_field_index("logit"), table.schema.field("logit"), [logit]), file
        )


def differing(first, second, path=()):
    """The places at which two contrasts differ by more than rounding."""
    if isinstance(first, dict) and isinstance(second, dict) and list(first) == list(second):
        for key in first:
            yield from differing(first[key], second[key], (*path, key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, pair in enumerate(zip(first, second, strict=True)):
            yield from differing(*pair, (*path, number))
    elif isinstance(first, float) and isinstance(second, float):
        if not math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-9):
            yield path, first, second
    elif first != second:
        yield path, first, second


@pytest.fixture(scope="module", params=[None, without_names, with_few_names], ids=["people", "nobody", "few"])
def root(request, tmp_path_factory):
    return made(tmp_path_factory.mktemp("pair"), request.param)


def both(root, out, monkeypatch, budget):
    """The contrast of two audits that are read at once, and the one that they would have if they were long."""
    whole = compare(*audits(root), out / "whole", **ABOUT)
    monkeypatch.setattr(sampled, "MOST", 150)
    monkeypatch.setattr(of_pairs.contrast_streamed, "__defaults__", (0.95, budget))
    long = compare(*audits(root), out / "long", **ABOUT)
    return whole, long


def test_a_long_contrast_is_that_of_all_images(root, tmp_path, monkeypatch):
    whole, long = both(root, tmp_path, monkeypatch, 8 * 399 * 3)  # bytes: a column of three of the four attributes
    assert list(differing({**whole, "seal": ""}, {**long, "seal": ""})) == []
    assert long["images"] == 399
    assert not any("sample" in note for note in long["notes"])
    assert len(long["gaps"]) > 20
    assert any(family["name"] == FAMILY for family in long["families"])


@pytest.mark.slow
def test_how_much_fits_into_memory_changes_nothing(tmp_path, monkeypatch):
    root = made(tmp_path)
    _, little = both(root, tmp_path / "little", monkeypatch, 1)
    _, much = both(root, tmp_path / "much", monkeypatch, 1 << 30)
    assert little == much


def test_images_that_one_audit_lacks_and_logits_that_are_not_finite_are_left_out(tmp_path, monkeypatch):
    root = made(tmp_path, with_gaps)
    whole, long = both(root, tmp_path, monkeypatch, 8 * 400 * 3)
    assert list(differing({**whole, "seal": ""}, {**long, "seal": ""})) == []
    assert (long["images"], long["not_in_both"]) == (395, 5)


def test_other_labels_and_missing_records_are_refused(root, tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "MOST", 150)
    shutil.copytree(root, tmp_path / "copy")
    first, second = audits(tmp_path / "copy")
    file = second.folder / "records" / "part-00001.parquet"
    table = pq.read_table(file)
    label = table["label"].to_numpy().copy()
    label[[4, 9]] = 1 - np.nan_to_num(label[[4, 9]])
    change(file, "label", lambda _: pa.array(label))
    with pytest.raises(InputError, match=r"2 differing labels \(first: 000092\.png, Smiling: [01] and [01]\)"):
        compare(first, reseal(second.folder), tmp_path / "out")
    pq.write_table(table.slice(4), file)
    with pytest.raises(InputError, match="got the records of 398 images, expected those of 399"):
        compare(first, reseal(second.folder), tmp_path / "out")


def test_each_column_is_read_once_if_its_attributes_fit_into_memory():
    columns = [f"c{n}" for n in range(12)]
    of_millions = list(tiles_of(columns, 47, 3_300_000, 3 << 29))
    assert of_millions == [((name,), tuple(range(47))) for name in columns]
    small = list(tiles_of(columns, 6, 1000, 1))
    assert [tile for tile in small if tile[0] == ("c3",)] == [(("c3",), (a,)) for a in range(6)]
    assert len(small) == 72


def test_names_that_are_stored_once_make_the_same_clusters():
    rng = np.random.default_rng(0)
    for blank in (0.0, 0.3, 1.0):
        names = ["" if rng.random() < blank else f"n{rng.integers(40)}" for _ in range(150)]
        encoded = pa.array(names).dictionary_encode()
        found = Clusters.of_encoded(encoded.dictionary.to_pylist(), encoded.indices.to_numpy())
        expected = Clusters.of(names)
        assert found.codes.tolist() == expected.codes.tolist()
        assert found.known == expected.known
