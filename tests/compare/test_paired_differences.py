"""Errors and differences of a contrast against pandas and statsmodels."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from bincam.compare.contrast import compare
from bincam.compare.paired_audits import pair_audits
from bincam.compare.paired_differences import COLUMNS
from bincam.stats.estimate import Estimate
from bincam.stats.intervals import mover_mean
from tests.audit.synthetic import reseal
from tests.compare.two_audits import FIRST, MOVED, SECOND, THRESHOLD, joined


@pytest.mark.parametrize("name", ["Bald", "Young"])
def test_three_columns_of_errors_are_those_of_the_records(audits, contrast, name):
    both, minority, _ = joined(audits, name)
    held = contrast["attributes"][name]["errors"]["minority_error"]
    for column, wrong in ((FIRST, "wrong.a"), (THRESHOLD, "moved"), (SECOND, "wrong.b")):
        assert held[column]["value"] == pytest.approx(both.loc[minority, wrong].astype(float).mean()), column
    difference = contrast["attributes"][name]["error_differences"]["minority_error"][f"{FIRST} - {SECOND}"]
    d = both.loc[minority, "wrong.a"].astype(float) - both.loc[minority, "wrong.b"].astype(float)
    assert difference["difference"]["value"] == pytest.approx(d.mean())
    assert difference["difference"]["low"] <= d.mean() <= difference["difference"]["high"]


def test_balanced_errors_account_for_people_in_both_classes(audits, contrast):
    pair = pair_audits(*audits, MOVED)
    a = pair.attributes.index("Young")
    label = pair.first.label[:, a]
    minority = 1 if audits[0].minority("Young") > 0 else 0
    for m, column in enumerate(COLUMNS):
        wrong = pair.wrong[m, :, a]
        contributions = []
        for sign in (minority, 1 - minority):
            inside = (label == sign) & np.isfinite(wrong)
            codes, count = pair.clusters.codes[inside], pair.clusters.count
            share = np.bincount(codes, minlength=count) / inside.sum()
            deviation = np.bincount(codes, wrong[inside] - wrong[inside].mean(), count) / inside.sum()
            contributions.append(deviation / (1 - share))
        one, other = contributions
        both = (one @ one) * (other @ other)
        r = one @ other / np.sqrt(both) if both else 0  # no error at all in one class
        errors = {rate: entry[column] for rate, entry in contrast["attributes"]["Young"]["errors"].items()}
        parts = [Estimate.from_json(errors[f"{name}_error"]) for name in ("minority", "majority")]
        balanced = errors["balanced_error"]
        assert (balanced["low"], balanced["high"]) == pytest.approx(mover_mean(*parts, r), rel=1e-4)
        assert balanced["identities"] == errors["error"]["identities"]


def test_mcnemar_without_identities_is_statsmodels(folders, tmp_path):
    copies = [shutil.copytree(folder, tmp_path / folder.name) for folder in folders]
    for copy in copies:
        images = pq.read_table(copy / "images.parquet").to_pandas()
        images["identity"] = ""
        images.to_parquet(copy / "images.parquet")
    audits = [reseal(copy) for copy in copies]
    found = compare(*audits, tmp_path / "out", resamples=100)
    assert found["identities"] is None
    both, minority, _ = joined(audits, "Bald")
    one, two = (both.loc[minority, f"wrong.{arm}"].astype(bool) for arm in "ab")
    table = [[(one & two).sum(), (one & ~two).sum()], [(~one & two).sum(), (~one & ~two).sum()]]
    held = found["attributes"]["Bald"]["error_differences"]["minority_error"][f"{FIRST} - {SECOND}"]
    assert held["p"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert found["moved"]["reason"].startswith("no threshold tuned on validation")
    assert found["attributes"]["Bald"]["threshold"]["minority_error"] == "unknown"


def test_differences_are_paired_within_true_class_and_where_both_answer_alike(audits, contrast):
    both, minority, sign = joined(audits, "Young")
    yes_is_minority = sign == 1
    alike = (both["yes.a"] == yes_is_minority) & (both["yes.b"] == yes_is_minority)
    majority = both["label.a"] == 1 - sign
    alike_majority = (both["yes.a"] != yes_is_minority) & (both["yes.b"] != yes_is_minority)
    still = (both["logit.a"] >= MOVED["Young"]) == both["yes.a"]
    held = contrast["attributes"]["Young"]["differences"]["grad_cam.gain"]
    for group, inside in {
        "true:minority": minority,
        "true:majority": majority,
        "alike:minority": alike,
        "alike:majority": alike_majority,
        "alike, moved too:majority": alike_majority & still,
    }.items():
        d = (both["grad_cam.gain.a"] - both["grad_cam.gain.b"])[inside].dropna()
        assert held[group]["difference"]["images"] == len(d), group
        if len(d):
            assert held[group]["difference"]["value"] == pytest.approx(d.mean(), abs=1e-5), group


def test_predicted_classes_are_labelled_unpaired_and_a_moved_threshold_keeps_unchanged_maps_alone(audits, contrast):
    both, _, _ = joined(audits, "Bald")
    held = contrast["attributes"]["Bald"]["measures"]
    table = held["grad_cam.gain"]["predicted:majority"]
    assert table["paired"] is False
    assert "paired" not in held["grad_cam.gain"]["true:majority"]
    assert table[FIRST]["value"] == pytest.approx(both.loc[~both["yes.a"], "grad_cam.gain.a"].mean(), abs=1e-5)
    unchanged = both.loc[both["logit.a"] < MOVED["Bald"], "grad_cam.gain.a"]
    assert table[THRESHOLD]["value"] == pytest.approx(unchanged.mean(), abs=1e-5)
    assert held["midpoint.bias_share"]["predicted:majority"][THRESHOLD]["status"] == "undefined"
    assert held["midpoint.bias_share"]["predicted:majority"][FIRST]["status"] == "ok"
