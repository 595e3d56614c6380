"""A summary against scikit-learn and pandas on the same records, and what it does with what is missing."""

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from bincam.audit import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.summarize import RATES, column_of, summarise
from bincam.stats.estimate import Estimate
from bincam.stats.intervals import mover_gap, mover_mean, mover_ratio
from bincam.stats.outcomes import GROUPS
from tests.audit.synthetic import ATTRIBUTES


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_rates_are_those_of_the_records(audit, summary, name):
    records = audit.records()
    held = records[(records["attribute"] == name) & (records["outcome"] != "")]
    rates = summary["attributes"][name]["rates"]
    wrong = held["outcome"].isin(["FP", "FN"])
    minority = held["label"] == (1 if audit.minority(name) > 0 else 0)
    for rate, expected in {
        "error": wrong.mean(),
        "accuracy": 1 - wrong.mean(),
        "minority_error": wrong[minority].mean(),
        "majority_error": wrong[~minority].mean(),
        "fnr": wrong[held["label"] == 1].mean(),
        "fpr": wrong[held["label"] == 0].mean(),
        "balanced_error": (wrong[minority].mean() + wrong[~minority].mean()) / 2,
        "auroc": roc_auc_score(held["label"], held["logit"]),
        "ap": average_precision_score(held["label"], held["logit"]),
        "brier": brier_score_loss(held["label"], 1 / (1 + np.exp(-held["logit"].astype(float)))),
    }.items():
        assert rates[rate]["value"] == pytest.approx(expected, abs=1e-6), rate
        assert rates[rate]["low"] <= rates[rate]["value"] <= rates[rate]["high"]
    excess = 1 / (1 + np.exp(-held["logit"].astype(float))) - held["label"]
    assert rates["signed_calibration_error"]["value"] == pytest.approx(excess.mean(), abs=1e-6)
    assert (rates["ece"]["low"], rates["ece"]["high"]) == (None, None)
    error = summary["attributes"][name]["calibration"]["error"]
    assert error["value"] == rates["ece"]["value"]
    assert 0 <= error["low"] <= error["debiased"] <= error["value"] <= error["high"]
    assert set(rates) == set(RATES)
    assert rates["minority_error"]["images"] == minority.sum()
    assert rates["ece"] == rates["ece_unshifted"]  # the card's shift is 0


def test_measures_of_groups_are_means_of_the_records(audit, summary):
    records = audit.records()
    for name in ("Bald", "Young"):
        minority = "positive" if audit.minority(name) > 0 else "negative"
        held = records[(records["attribute"] == name) & records["logit"].notna()]
        yes = held["logit"] >= held["threshold"]
        inside = {
            "all": yes | True,
            "predicted:minority": yes == (minority == "positive"),
            "true:positive": held["label"] == 1,
            "outcome:FN": held["outcome"] == "FN",
        }
        for column in ("grad_cam.gain", "midpoint.bias_share", "hirescam@pre_activation.empty"):
            entry = summary["attributes"][name]["measures"][column]
            assert set(entry) == set(GROUPS)
            assert entry["true:minority"] == entry[f"true:{minority}"]
            for group, picked in inside.items():
                values = held.loc[picked, column].dropna()
                if len(values):
                    assert entry[group]["value"] == pytest.approx(values.mean(), rel=1e-4)
                assert entry[group]["images"] == len(values)
                people = audit.images.set_index("row").loc[held.loc[values.index, "row"], "identity"]
                assert entry[group]["identities"] == people.nunique()


def test_means_over_attributes_are_means_of_their_means(summary):
    values = [summary["attributes"][name]["rates"]["minority_error"]["value"] for name in ATTRIBUTES]
    overall = summary["overall"]["rates"]["minority_error"]
    assert overall["value"] == pytest.approx(np.mean(values), rel=1e-5)
    assert overall["low"] < overall["value"] < overall["high"]
    assert overall["attributes"] == len(ATTRIBUTES)


def test_a_mean_over_attributes_is_small_where_one_of_its_cells_is(audit, summary):
    found = {"ok": 0, "small": 0}
    for column, groups in summary["overall"]["measures"].items():
        for group, mean in groups.items():
            cells = [entry["measures"][column][group] for entry in summary["attributes"].values()]
            small = sum(cell["status"] == "small" for cell in cells)
            assert mean["small_attributes"] == small
            assert mean["attributes"] == sum(cell["value"] is not None for cell in cells)
            if mean["value"] is not None:
                assert mean["status"] == ("small" if small else "ok")
                found[mean["status"]] += 1
    assert min(found.values()) > 0
    for rate, mean in summary["overall"]["rates"].items():
        cells = [entry["rates"][rate]["status"] for entry in summary["attributes"].values()]
        assert mean["small_attributes"] == cells.count("small")
    # One attribute of hundreds of images does not stand for another of a handful.
    false = summary["overall"]["measures"]["grad_cam.gain"]["outcome:FP"]
    assert false["images"] >= 20
    (judged,) = judge(summary, [parse_rule("overall.gain@outcome:FP>=-1", audit)], allow_untested=True)
    assert judged.verdict == "insufficient"


def test_balanced_errors_and_slices_account_for_people_on_both_sides(audit, summary):
    panel = read_panel(audit)
    entry = summary["attributes"]["Smiling"]
    positive = entry["minority"] == "positive"
    wrong, label = (part[:, panel.attributes.index("Smiling")] for part in (panel.wrong, panel.label))
    sex = audit.images.set_index("row").loc[panel.rows, "group.sex"].to_numpy()

    def contribution(inside):
        """What every person adds to the error's deviation from its mean, with the correction for large persons."""
        kept = inside & np.isfinite(wrong)
        size = np.bincount(panel.clusters.codes[kept], minlength=panel.clusters.count) / kept.sum()
        hits = np.bincount(panel.clusters.codes[kept], wrong[kept], panel.clusters.count) / kept.sum()
        return (hits - wrong[kept].mean() * size) / np.sqrt(1 - size)

    def joint(one, other):
        first, second = contribution(one), contribution(other)
        return (first @ second) / np.sqrt((first @ first) * (second @ second))

    balanced = Estimate.from_json(entry["rates"]["balanced_error"])
    fnr, fpr = (Estimate.from_json(entry["rates"][rate]) for rate in ("fnr", "fpr"))
    r = joint(label == 1, label == 0)
    assert abs(r) > 0.01
    assert (balanced.low, balanced.high) == pytest.approx(mover_mean(fnr, fpr, r), rel=1e-4)
    assert balanced.method == "variance recovery"
    assert balanced.identities == entry["rates"]["error"]["identities"]
    for measure, inside in (("error", label > -1), ("fpr", label == 0), ("minority_error", label == positive)):
        of_sex = [
            found
            for found in summary["slices"]
            if (found["attribute"], found["measure"], found["column"]) == ("Smiling", measure, "group.sex")
        ]
        (compared,) = (found for found in of_sex if "worst" in found)
        by_value = {found["value"]: Estimate.from_json(found["estimate"]) for found in of_sex if "value" in found}
        both = [by_value[compared[name]] for name in ("worst", "best")]
        r = joint(*(inside & (sex == compared[name]) for name in ("worst", "best")))
        for name, mover in (("gap", mover_gap), ("ratio", mover_ratio)):
            found = Estimate.from_json(compared[name])
            np.testing.assert_allclose((found.low, found.high), mover(*both, r), rtol=1e-4, atol=1e-6)
            assert found.images == (inside & np.isfinite(wrong)).sum()


def test_a_person_on_both_sides_of_a_gap_counts_once(audit, summary):
    (found,) = [
        one
        for one in summary["slices"]
        if (one["attribute"], one["measure"], one["column"]) == ("Smiling", "gain", "Young") and "worst" in one
    ]
    held = audit.records().merge(audit.images[["row", "identity"]], on="row")
    young = held[held["attribute"] == "Young"].set_index("row")["label"]
    held = held[(held["attribute"] == "Smiling") & held["logit"].notna() & held["grad_cam.gain"].notna()]
    held = held[held["row"].map(young).notna()]
    assert found["gap"]["images"] == len(held)
    assert found["gap"]["identities"] == found["ratio"]["identities"] == held["identity"].nunique()


@pytest.mark.slow
def test_a_summary_is_json_of_the_stated_layout_and_the_same_each_time(audit, summary, tmp_path):
    again = summarise(audit, resamples=200, slice_by=["sex", "age", "Young"])
    assert json.dumps(again, allow_nan=False) == json.dumps(summary, allow_nan=False)
    folder = shutil.copytree(audit.folder, tmp_path / "copy")
    AuditWriter(folder, audit.manifest).write_summary(summary)
    assert open_audit(folder).summary["attributes"]["Bald"]["minority"] == "positive"
    assert summary["minority_from"] == "card"
    assert summary["skipped"] == 1
    assert summary["identities"] == read_panel(audit).clusters.count


def test_small_cells_are_shown_and_called_small(summary):
    entry = summary["attributes"]["Wearing_Hat"]["measures"]["grad_cam.gain"]["outcome:FP"]
    assert entry["status"] in ("small", "undefined")
    for attribute in summary["attributes"].values():
        for groups in attribute["measures"].values():
            for one in groups.values():
                few = one["images"] < 20 or one["identities"] < 5 or one["low"] is None
                assert one["status"] == ("undefined" if one["value"] is None else "small" if few else "ok")


def test_bare_names_are_the_primary_methods():
    methods = ("hirescam@pre_activation", "grad_cam")
    assert column_of("gain", methods) == "hirescam@pre_activation.gain"
    assert column_of("bias_share", methods) == "midpoint.bias_share"
    assert column_of("grad_cam.gain", methods) == "grad_cam.gain"
