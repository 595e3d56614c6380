"""Frames for fairlearn and flat metrics for trackers."""

import math
import posixpath
import re

import pytest
from fairlearn.metrics import MetricFrame, false_negative_rate, selection_rate
from sklearn.metrics import roc_auc_score

from bincam.audit import open_audit
from bincam.audit.folder.exports import LONGEST_NAME, flat_metrics
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from bincam.errors import InputError
from tests.audit.synthetic import make_audit


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    folder = make_audit(tmp_path_factory.mktemp("audits") / "one", images=300, methods=("grad_cam",), masks=())
    opened = open_audit(folder)
    AuditWriter(folder, opened.manifest).write_summary(summarise(opened, resamples=50))
    return opened


def test_fairlearn_finds_the_rates_of_the_summary(audit):
    frame = audit.frame("Smiling")
    by_sex = MetricFrame(
        metrics={"fnr": false_negative_rate, "selected": selection_rate},
        y_true=frame["y_true"], y_pred=frame["y_pred"], sensitive_features=frame[["group.sex"]],
    )  # fmt: skip
    rates = audit.summary["attributes"]["Smiling"]["rates"]
    assert by_sex.overall["fnr"] == pytest.approx(rates["fnr"]["value"])
    slices = {
        entry["value"]: entry["estimate"]["value"]
        for entry in audit.summary["slices"]
        if (entry["attribute"], entry["measure"], entry["column"]) == ("Smiling", "fnr", "group.sex")
        if "value" in entry
    }
    assert by_sex.by_group["fnr"].to_dict() == pytest.approx(slices)
    assert roc_auc_score(frame["y_true"], frame["score"]) == pytest.approx(rates["auroc"]["value"])
    by_young = MetricFrame(
        metrics=false_negative_rate, y_true=frame["y_true"], y_pred=frame["y_pred"],
        sensitive_features=frame["attribute.Young"].map({1: "young", 0: "old"}).fillna("unknown"),
    )  # fmt: skip
    assert {"young", "old"} <= set(by_young.by_group.index)


def test_unknown_labels_and_logits_are_left_out_and_counted(audit):
    frame = audit.frame("Smiling")
    counts = audit.summary["attributes"]["Smiling"]["counts"]
    assert len(frame) == sum(counts[name] for name in ("TP", "FP", "FN", "TN"))
    assert frame.attrs["left_out"] == counts["unknown"] + counts["nan_logit"] > 0
    assert frame.attrs["attribute"] == "Smiling"
    assert frame["group.age"].isna().any()
    assert not (frame["group.age"] == "").any()
    assert (frame["image"] == audit.images.loc[frame.index, "image"]).all()
    with pytest.raises(InputError, match="unknown attribute 'Smilling'; did you mean 'Smiling'"):
        audit.frame("Smilling")


def accepted(name):
    """What MLflow's validation of metric names demands."""
    plain = re.fullmatch(r"[/A-Za-z0-9_.\- ]+", name) is not None
    return plain and posixpath.normpath(name) == name and not name.startswith(("/", "..")) and len(name) <= LONGEST_NAME


def test_flat_metrics_are_finite_and_named_as_trackers_allow(audit):
    flat = audit.flat_metrics()
    assert (
        flat["attributes/Bald/minority_error"]
        == audit.summary["attributes"]["Bald"]["rates"]["minority_error"]["value"]
    )
    assert (
        flat["attributes/Bald/gain_low"]
        == audit.summary["attributes"]["Bald"]["measures"]["grad_cam.gain"]["all"]["low"]
    )
    assert "groups/group.sex/Smiling/gap_fnr" in flat
    assert flat["audit/images"] == audit.summary["images"]
    assert all(isinstance(value, float) and math.isfinite(value) for value in flat.values())
    assert all(map(accepted, flat))
    assert flat["audit/left_out"] > 0
    assert not any(name.endswith(("_low", "_high")) for name in audit.flat_metrics(intervals=False))


@pytest.mark.parametrize("name", ["a+b", "..", ".", " x", "a/b", "", "Größe", "x" * 400, "a\nb", "\udcff", "audit"])
def test_any_name_makes_a_metric_of_its_own(name):
    def entry(value):
        return {"rates": {"fnr": {"value": value, "low": None, "high": math.nan, "status": "small"}}}

    flat = flat_metrics({"attributes": {name: entry(0.1), f"{name}*": entry(0.2), f"{name}?": entry(0.3)}})
    rates = {key: value for key, value in flat.items() if key.startswith("attributes/")}
    assert sorted(rates.values()) == [0.1, 0.2, 0.3]
    assert all(map(accepted, flat))
    assert (flat["audit/left_out"], flat["audit/small"]) == (6, 3)


def test_an_unfinished_audit_has_no_metrics(tmp_path):
    folder = make_audit(tmp_path / "one", images=20, finished=False)
    with pytest.raises(InputError, match="unfinished audit"):
        open_audit(folder, unfinished=True).flat_metrics()
