"""Divisions of the images, above all the intersections of two columns."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.summary.groups.divisions import MOST_CELLS, columns_of, slicings
from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.summarize import summarise
from bincam.errors import InputError
from tests.audit.synthetic import ATTRIBUTES, make_audit, reseal


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits") / "one"
    return open_audit(make_audit(folder, images=400, methods=("grad_cam",), masks=()))


@pytest.fixture(scope="module")
def summary(audit):
    return summarise(audit, resamples=100, slice_by=["sex*age", "Young * sex"])


def with_groups(audit, folder, **columns):
    """The same audit with group columns made of the rows' numbers."""
    shutil.copytree(audit.folder, folder)
    images = pq.read_table(folder / reader.IMAGES).to_pandas()
    for name, of_row in columns.items():
        images[f"group.{name}"] = [of_row(row) for row in images["row"]]
    images.to_parquet(folder / reader.IMAGES)
    return reseal(folder)


def test_cells_of_an_intersection_are_those_of_pandas(audit, summary):
    records = audit.records(["row", "attribute", "outcome"])
    frame = records.merge(audit.images, on="row")
    frame = frame[(frame["outcome"] != "") & (frame["group.age"] != "")]
    frame["wrong"] = frame["outcome"].isin(["FP", "FN"])
    for name in ATTRIBUTES:
        expected = frame[frame["attribute"] == name].groupby(["group.sex", "group.age"])["wrong"].agg(["mean", "size"])
        cells = {
            tuple(entry["values"]): entry["estimate"]
            for entry in summary["slices"]
            if entry["column"] == "group.sex*group.age" and entry["attribute"] == name
            if entry["measure"] == "error" and "value" in entry
        }
        assert len(cells) == 4
        for values, (mean, size) in expected.iterrows():
            assert cells[values]["images"] == size
            assert cells[values]["value"] == pytest.approx(mean)


def test_entries_name_columns_and_values_and_small_cells_are_listed_but_not_compared(summary):
    entries = [entry for entry in summary["slices"] if entry["column"] == "Young*group.sex"]
    assert {tuple(entry["columns"]) for entry in entries} == {("Young", "group.sex")}
    assert "Young" not in {entry["attribute"] for entry in entries}  # an attribute is not divided by itself
    values = {entry["value"]: entry["values"] for entry in entries if "value" in entry}
    assert values["negative*male"] == ["negative", "male"]
    assert len(values) == 4
    for attribute in ("Bald", "Smiling"):
        error = [e for e in entries if (e["attribute"], e["measure"]) == (attribute, "minority_error")]
        statuses = {e["value"]: e["estimate"]["status"] for e in error if "value" in e}
        compared = next(e for e in error if "value" not in e)
        assert attribute != "Bald" or "small" in statuses.values()
        for name in (compared["worst"], compared["best"]):
            assert name is None or statuses[name] == "ok"
    families = {family["name"] for family in summary["families"]}
    assert {"error differs by Young*group.sex", "equalised odds differ by group.sex*group.age"} <= families


def test_combinations_without_images_are_listed_with_no_image(audit, tmp_path):
    half = with_groups(audit, tmp_path / "a", a=lambda row: "xy"[row % 2], b=lambda row: "uvw"[row % 4 % 3])
    (division,), left_out = slicings(read_panel(half), ["a*b"])
    counts = dict(zip(division.values, np.bincount(division.codes, minlength=6), strict=True))
    assert list(counts) == ["x*u", "x*v", "x*w", "y*u", "y*v", "y*w"]
    assert [value for value, count in counts.items() if not count] == ["x*v", "y*w"]
    assert left_out == []
    found = summarise(half, resamples=50, slice_by=["a*b"])
    empty = next(e for e in found["slices"] if e.get("value") == "x*v" and e["measure"] == "error")
    assert (empty["estimate"]["images"], empty["estimate"]["value"]) == (0, None)


def test_too_many_combinations_and_columns_that_coincide(audit, tmp_path):
    nine = with_groups(
        audit,
        tmp_path / "a",
        a=lambda row: str(row % 9),
        b=lambda row: str(row // 9 % 8),
        c=lambda row: ["x", "y", ""][row % 3],
        d=lambda row: ["x", "", "y"][row % 3],
    )
    with pytest.raises(InputError, match=rf"group\.a\*group\.b has 72 combinations of values, more than {MOST_CELLS}"):
        slicings(read_panel(nine), ["a*b"])
    divisions, left_out = slicings(read_panel(nine), ["c*d"])
    assert divisions == []
    assert left_out == [{"column": "c*d", "reason": "fewer than two combinations of c*d have images"}]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sex*agee", "cannot slice by 'agee' in 'sex*agee'; did you mean 'age'"),
        ("sex*", "cannot slice by '' in 'sex*'"),
        ("sex*group.sex", "'group.sex' is given twice|'sex' is given twice"),
        ("sexx", "cannot slice by 'sexx'; did you mean 'sex'"),
    ],
)
def test_wrong_intersections_are_refused(audit, name, message):
    with pytest.raises(InputError) as refused:
        slicings(read_panel(audit), [name])
    assert any(part in str(refused.value) for part in message.split("|"))


def test_a_column_whose_own_name_has_the_sign_is_not_split():
    assert columns_of("a*b", ["a*b", "a", "b"]) == ("a*b",)
    assert columns_of("a*b", ["a", "b"]) == ("a", "b")


def test_that_an_attribute_alone_is_not_sliced_by_itself_is_told(tmp_path):
    folder = make_audit(tmp_path / "one", images=60, attributes=("Smiling",), prevalence=(0.5,), masks=())
    for by in ("Smiling", "Smiling*sex"):
        found = summarise(open_audit(folder), slice_by=[by], resamples=100)
        reason = "no attribute is divided by itself, and nothing but Smiling is audited"
        assert found["slices_left_out"] == [{"column": by, "reason": reason}]
        assert found["slices"] == []
    assert summarise(open_audit(folder), slice_by=["sex"], resamples=100)["slices_left_out"] == []
