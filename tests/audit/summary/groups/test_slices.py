"""Slices, families of tests and calibration within groups against scikit-learn on the same records."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from bincam.audit import open_audit
from bincam.audit.summary.groups.divisions import slicings
from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.summarize import summarise
from bincam.errors import InputError
from tests.audit.summary.records import rewrite
from tests.audit.synthetic import ATTRIBUTES, reseal


def test_slices_are_rates_within_values_with_gap_and_ratio(audit, summary):
    records = audit.records().merge(audit.images[["row", "group.sex"]], on="row")
    held = records[(records["attribute"] == "Eyeglasses") & (records["outcome"] != "")]
    by_sex = held["outcome"].isin(["FP", "FN"]).groupby(held["group.sex"]).mean()
    found = [
        one
        for one in summary["slices"]
        if (one["attribute"], one["measure"], one["column"]) == ("Eyeglasses", "error", "group.sex")
    ]
    for one in found[:-1]:
        assert one["estimate"]["value"] == pytest.approx(by_sex[one["value"]])
    compared = found[-1]
    assert compared["worst"] == by_sex.idxmax()
    assert compared["gap"]["value"] == pytest.approx(by_sex.max() - by_sex.min())
    assert compared["ratio"]["value"] == pytest.approx(by_sex.max() / by_sex.min())
    gains = [one for one in summary["slices"] if one["measure"] == "gain" and "worst" in one and one["worst"]]
    assert gains
    assert all(one["gap"]["value"] >= 0 for one in gains)
    assert not [one for one in summary["slices"] if one["attribute"] == one["column"]]


def test_slicing_by_an_attribute_divides_by_its_labels(audit):
    found, _ = slicings(read_panel(audit, []), ["Young"])
    label = read_panel(audit, []).label[:, ATTRIBUTES.index("Young")]
    assert found[0].values == ("positive", "negative")
    np.testing.assert_array_equal(found[0].codes, np.where(np.isnan(label), -1, np.where(label == 1, 0, 1)))


def test_a_column_of_one_value_is_refused_where_asked_for_and_else_left_out(copy):
    images = pq.read_table(copy / "images.parquet").to_pandas()
    images["group.sex"] = "male"
    images["group.age"] = [f"value {n}" for n in range(len(images))]
    images.to_parquet(copy / "images.parquet")
    reseal(copy)
    audit = open_audit(copy)
    with pytest.raises(InputError, match=r"group\.sex has only the value 'male'"):
        summarise(audit, slice_by=["sex"])
    with pytest.raises(InputError, match=r"group\.age has 399 values, more than 20"):
        summarise(audit, slice_by=["age"])
    with pytest.raises(InputError, match="cannot slice by 'sexe'; did you mean 'sex'"):
        summarise(audit, slice_by=["sexe"])
    left_out = summarise(audit, resamples=100)["slices_left_out"]
    assert [one["column"] for one in left_out] == ["group.sex", "group.age"]


def test_families_name_their_size_and_find_what_was_planted(summary):
    families = {one["name"]: one for one in summary["families"]}
    errors = families["minority error exceeds majority error"]
    assert errors["size"] == len(ATTRIBUTES)
    found = {one["attribute"]: one["finding"] for one in errors["tests"]}
    assert found["No_Beard"]
    assert not found["Smiling"]  # balanced: there is no prior to lean on
    assert families["error differs by group.sex"]["findings"] == 0


def test_permuted_labels_and_groups_give_no_finding(copy):
    rng = np.random.default_rng(0)
    images = pq.read_table(copy / "images.parquet").to_pandas()
    images["identity"] = ""
    images["group.sex"] = rng.permutation(images["group.sex"])
    images["group.age"] = rng.permutation(images["group.age"])
    images.to_parquet(copy / "images.parquet")
    reseal(copy)

    def permute(columns):
        for name in ATTRIBUTES:
            here = columns["attribute"] == name
            columns["label"][here] = rng.permutation(columns["label"][here])

    found = summarise(rewrite(copy, permute), resamples=100)
    checked = [one for one in found["families"] if "between true classes" in one["name"] or "group." in one["name"]]
    assert len(checked) == 9
    assert [one["name"] for one in checked if one["findings"]] == []


def test_calibration_within_groups_is_that_of_their_images(audit, summary):
    records = audit.records().merge(audit.images[["row", "group.sex"]], on="row")
    held = records[(records["attribute"] == "Bald") & (records["outcome"] != "")]
    excess = 1 / (1 + np.exp(-held["logit"].astype(float))) - held["label"]
    entries = [one for one in summary["slices"] if (one["attribute"], one["column"]) == ("Bald", "group.sex")]
    for value, of_value in excess.groupby(held["group.sex"]):
        signed, debiased = (
            next(one for one in entries if one["measure"] == measure and one.get("value") == value)
            for measure in ("signed_calibration_error", "ece_debiased")
        )
        assert signed["estimate"]["value"] == pytest.approx(of_value.mean(), abs=1e-6)
        assert signed["estimate"]["images"] == debiased["estimate"]["images"] == len(of_value)
        assert debiased["estimate"]["value"] == debiased["error"]["debiased"]
        assert debiased["estimate"]["low"] is None
    compared = next(one for one in entries if one["measure"] == "signed_calibration_error" and "worst" in one)
    means = excess.groupby(held["group.sex"]).mean()
    assert compared["worst"] == means.abs().idxmax()
    expected = means[compared["worst"]] - means[compared["best"]]
    assert compared["gap"]["value"] == pytest.approx(expected, abs=1e-6)
    assert compared["gap"]["low"] < expected < compared["gap"]["high"]
    assert compared["ratio"] is None


def test_a_group_that_is_miscalibrated_is_found_and_its_twin_is_not(copy):
    rng = np.random.default_rng(0)
    sex = pq.read_table(copy / "images.parquet").to_pandas().set_index("row")["group.sex"]
    first = sorted(set(sex) - {""})[0]

    def plant(columns):
        for name, shift in (("Bald", 1.5), ("Young", 0.0)):
            here = columns["attribute"] == name
            odds = rng.normal(size=here.sum())
            columns["label"][here] = (rng.random(here.sum()) < 1 / (1 + np.exp(-odds))).astype(float)
            shifted = odds + shift * (sex.loc[columns["row"][here]].to_numpy() == first)
            columns["logit"][here] = shifted

    found = summarise(rewrite(copy, plant), resamples=100)
    tests = next(f for f in found["families"] if f["name"] == "signed calibration error differs by group.sex")["tests"]
    findings = {one["attribute"]: one["finding"] for one in tests}
    assert (findings["Bald"], findings["Young"]) == (True, False)
    worst = [
        one["worst"]
        for one in found["slices"]
        if one["attribute"] == "Bald"
        and one["column"] == "group.sex"
        and "worst" in one
        and one["measure"] in ("signed_calibration_error", "ece_debiased")
    ]
    assert worst == [first, first]
