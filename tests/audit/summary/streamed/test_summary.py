"""Long audits: summed shard by shard they have the figures that they have when all records are read at once."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.folder.audit import Audit
from bincam.audit.folder.parts import sampled
from bincam.audit.summary.stated import Stated
from bincam.audit.summary.streamed import clusters
from bincam.audit.summary.streamed.summary import summarise_streamed
from bincam.audit.summary.summarize import summarise
from bincam.errors import InputError
from tests.audit.summary.records import edit, rewrite
from tests.audit.synthetic import make_audit, reseal

DRAWN = {"null", "null_mean", "null_high", "p"}
"""Figures with a part that is drawn: people have another order, and with it each draw."""

BINNED = {"auroc", "ap", "threshold", "attained", "stated", "calibration_slope", "calibration_intercept"}
"""Figures that depend on the order of scores, which are in bins."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    name = tmp_path_factory.mktemp("long") / "one"
    return make_audit(name, images=300, attributes=("Smiling", "Bald", "Young"), prevalence=(0.5, 0.15, 0.8),
                      methods=("grad_cam",), masks=(), shard_images=64)  # fmt: skip


def differences(first, second, path=()):
    """The places at which two summaries differ by more than rounding, or by more than bins and draws make them."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in first.keys() | second.keys():
            if key not in first or key not in second:
                yield (*path, key), key in first, key in second
            else:
                yield from differences(first[key], second[key], (*path, key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, pair in enumerate(zip(first, second, strict=True)):
            yield from differences(*pair, (*path, number))
    elif isinstance(first, float) and isinstance(second, float):
        parts = {str(part).removesuffix("_unshifted") for part in path}
        of_chance = path[-2:-1] in (("error",), ("error_unshifted",)) and "rates" not in path  # a calibration error's
        drawn = path[0] != "families" and (bool(parts & DRAWN) or of_chance)
        of_bins = 0.02 if "stated" in parts else 3e-3  # one image of 150 may be in the bin of a threshold
        tolerance = 0.2 if drawn else of_bins if parts & BINNED else 1e-6
        if path[0] == "families" and path[-1] in ("p", "holm", "bh"):
            tolerance = 0.05  # of several groups, signs are drawn by the order of people
        if not math.isclose(first, second, rel_tol=tolerance, abs_tol=tolerance):
            yield path, first, second
    elif first != second:
        yield path, first, second


def streamed(audit, monkeypatch, **arguments):
    """The summary that the audit would have if it were long."""
    monkeypatch.setattr(sampled, "MOST", 100)
    found = summarise(audit, resamples=400, **arguments)
    monkeypatch.undo()
    return found


def compared(audit, monkeypatch, **arguments):
    """Where the summary of an audit differs from that which it would have if it were long; and the latter."""
    every, long = summarise(audit, resamples=400, **arguments), streamed(audit, monkeypatch, **arguments)
    stated = {key: long[key] for key in ("streamed", "notes")}
    rest = {key: value for key, value in long.items() if key not in stated}
    for one in (every, rest):  # whose p-values are drawn; those in group_differences are compared
        one["families"] = [family for family in one["families"] if not family["name"].startswith("equalised odds")]
    return list(differences(every, rest)), long


def test_a_long_audit_has_the_figures_of_one_that_is_read_at_once(folder, monkeypatch):
    audit = open_audit(folder)
    arguments = {
        "slice_by": ["sex", "sex*age", "Young"], "label_noise": {"Bald": (0.05, 0.02)}, "specificity": (0.9,),
        "prevalence": {"Bald": 0.1}, "level": 0.9,
    }  # fmt: skip
    found, long = compared(audit, monkeypatch, **arguments)
    assert found == []  # one person's only image was skipped
    assert long["streamed"] == {"score_bins": 65536, "clusters": long["identities"] + 1, "grouped": False}
    assert long["notes"][0].startswith("299 images: the records were summed shard by shard")


@pytest.mark.parametrize("order", [-1, 1])
def test_neither_the_order_of_shards_nor_the_memory_changes_a_digit(folder, monkeypatch, order):
    audit = open_audit(folder)
    about = {"slice_by": None, "label_noise": None, "stated": Stated(), "level": 0.95, "resamples": 50, "seed": 0}
    once = summarise_streamed(audit, **about)
    parts = Audit.record_parts
    monkeypatch.setattr(Audit, "record_parts", lambda self, columns: list(parts(self, columns))[::order])
    again = summarise_streamed(audit, **about, budget=200_000)  # bytes: several scans
    for one in (once, again):
        one["slices"].sort(key=lambda entry: json.dumps([entry[k] for k in ("column", "attribute", "measure")]))
        one["group_differences"].sort(key=lambda entry: json.dumps([entry[k] for k in ("column", "attribute")]))
    assert again == once


def test_images_without_people_are_as_precise_in_groups_as_alone(tmp_path, monkeypatch):
    nobody = make_audit(tmp_path / "nobody", images=600, attributes=("Smiling", "Bald"), prevalence=(0.5, 0.2),
                        methods=("grad_cam",), masks=(), shard_images=128)  # fmt: skip
    table = pq.read_table(nobody / reader.IMAGES)
    at = table.schema.get_field_index("identity")
    pq.write_table(table.set_column(at, "identity", pa.array([""] * table.num_rows)), nobody / reader.IMAGES)
    audit = reseal(nobody)
    every = summarise(audit, resamples=50)
    monkeypatch.setattr(clusters, "GROUPS", 150)
    long = streamed(audit, monkeypatch)
    assert long["identities"] is None
    assert every["identities"] is None
    for name, entry in every["attributes"].items():
        for rate, figure in entry["rates"].items():
            other = long["attributes"][name]["rates"][rate]
            assert (figure["images"], figure["identities"], figure["method"], figure["status"]) == (
                other["images"], other["identities"], other["method"], other["status"]
            )  # fmt: skip
            if figure["value"] is not None and figure["low"] is not None:
                assert figure["value"] == pytest.approx(other["value"], abs=2e-3)
                width = figure["high"] - figure["low"]
                assert other["high"] - other["low"] == pytest.approx(width, rel=0.35, abs=1e-3), rate


def test_more_people_than_sums_are_kept_of_are_put_into_groups_and_it_is_said(folder, monkeypatch):
    monkeypatch.setattr(clusters, "MOST_PEOPLE", 40)
    audit = open_audit(folder)
    about = {"slice_by": [], "label_noise": None, "stated": Stated(), "level": 0.95, "resamples": 50, "seed": 0}
    found = summarise_streamed(audit, **about)
    assert found["streamed"]["grouped"]
    assert found["identities"] > 40
    assert "are in 40 groups" in found["notes"][1]
    rates = found["attributes"]["Smiling"]["rates"]
    assert 20 < rates["error"]["identities"] <= 40  # groups with a person
    assert rates["ever_wrong"]["status"] == "undefined"


def degenerate(columns):
    """No label of one attribute, one class of the next, one logit for all of the last, and a missing measure."""
    columns["label"][0::3] = np.nan
    columns["label"][1::3] = 1.0
    columns["logit"][2::3] = 0.25
    columns["logit"][4::30] = np.inf
    columns["grad_cam.gain"][:] = np.nan
    columns["grad_cam.mass"][::7] = np.inf


@pytest.mark.parametrize("head", ["logits", "margin"])
def test_what_is_undefined_for_all_records_at_once_is_undefined_shard_by_shard(folder, tmp_path, monkeypatch, head):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    if head == "logits":
        rewrite(copy, degenerate)
    else:
        rewrite(copy, lambda columns: columns.update(logit=np.float32(np.tanh(columns["logit"] / 3))))
        edit(copy / reader.MANIFEST, head="margin")
    found, _ = compared(open_audit(copy), monkeypatch, slice_by=["sex"])
    assert found == []


def test_an_image_without_its_records_is_missed(folder, monkeypatch):
    audit = open_audit(folder)
    parts = Audit.record_parts
    monkeypatch.setattr(Audit, "record_parts", lambda self, columns: list(parts(self, columns))[1:])
    with pytest.raises(InputError, match="expected those of 299"):
        streamed(audit, monkeypatch)
