"""No interval of a summary is certainty from nothing."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from bincam.audit import open_audit
from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.audit.summary.calibration import DEBIASED
from bincam.audit.summary.panel import Panel, read_panel
from bincam.audit.summary.summarize import summarise, summarise_panel
from bincam.stats.calibration import PLUG_IN
from bincam.stats.clusters import Clusters
from tests.audit.summary.records import rewrite


def test_an_attribute_without_an_error_leaves_room_for_one(copy):
    def flawless(columns):
        here = (columns["attribute"] == "Bald") & np.isfinite(columns["label"])
        columns["logit"][here] = np.where(columns["label"][here] == 1, 1, -1)

    found = summarise(rewrite(copy, flawless), resamples=100)
    balanced = found["attributes"]["Bald"]["rates"]["balanced_error"]
    assert balanced["value"] == 0
    assert balanced["high"] > 0.01
    gaps = [
        one["gap"]
        for one in found["slices"]
        if one["attribute"] == "Bald" and one["measure"] == "error" and one.get("gap")
    ]
    assert gaps
    assert all(one["low"] < -0.005 and one["high"] > 0.005 for one in gaps)


def test_overall_of_one_attribute_is_that_attribute(small):
    found = summarise_panel(
        read_panel(open_audit(small)).select(["Bald"]),
        open_audit(small).manifest,
        leakage={},
        gates={},
        slice_by=[],
        resamples=100,
    )
    own, overall = found["attributes"]["Bald"], found["overall"]
    for rate, mean in overall["rates"].items():
        assert {
            **own["rates"][rate],
            "attributes": mean["attributes"],
            "small_attributes": mean["small_attributes"],
        } == mean
    for column, groups in overall["measures"].items():
        for group, mean in groups.items():
            one = own["measures"][column][group]
            assert {name: mean[name] for name in one} == one, (column, group)


@pytest.mark.parametrize("attributes", [1, 2])
def test_no_miss_among_45_positives_of_15_people_is_no_evidence_for_one_in_a_hundred(attributes):
    panel = planted(people=15, images=6, misses=0, attributes=attributes)
    found = summarise_panel(panel, manifest_of(panel), leakage={}, gates={}, slice_by=[], resamples=100)
    judged = gate(found, "overall.fnr<=0.01", "fnr<=0.01")
    assert {one.verdict for one in judged} == {"insufficient"}
    assert found["overall"]["rates"]["fnr"]["high"] > 0.1
    overall, *own = judged
    if attributes == 1:
        assert (overall.estimate.low, overall.estimate.high) == (own[0].estimate.low, own[0].estimate.high)


@pytest.mark.parametrize("attributes", [1, 3])
@pytest.mark.parametrize(("misses", "verdict"), [(0.0, "pass"), (0.2, "fail")])
def test_with_enough_people_a_bad_model_fails_and_its_good_twin_passes(attributes, misses, verdict):
    panel = planted(people=1200, images=2, misses=misses, attributes=attributes)
    found = summarise_panel(panel, manifest_of(panel), leakage={}, gates={}, slice_by=[], resamples=100)
    for rate in ("fnr", "fpr", "minority_error", "majority_error", "error"):
        assert {one.verdict for one in gate(found, f"overall.{rate}<=0.05", f"{rate}<=0.05")} == {verdict}, rate


def test_no_interval_of_a_summary_is_a_point(small):
    """Every figure of images that all have the same value keeps room for another, or has no interval and is small."""
    panel = read_panel(open_audit(small))
    constant = dataclasses.replace(
        panel,
        values=np.where(np.isfinite(panel.values), np.float32(0.83), np.float32(np.nan)),
        logit=np.where(np.isfinite(panel.logit), np.where(panel.label == 1, 3, -3), np.nan).astype(np.float32),
    )
    for attributes in (panel.attributes, panel.attributes[:1]):
        found = summarise_panel(
            constant.select(attributes),
            open_audit(small).manifest,
            leakage={},
            gates={},
            slice_by=["sex"],
            resamples=100,
        )
        figures = list(estimates_in(found))
        assert len(figures) > 100
        for path, one in figures:
            if one["value"] is None or one["method"] in (DEBIASED, PLUG_IN):  # calibration errors have no interval
                continue
            assert one["low"] is None or one["low"] < one["high"] or one["high"] is None, path
            if one["low"] is None and "ratio" not in path:
                assert one["status"] == "small", path
        gain = found["overall"]["measures"]["grad_cam.gain"]["all"]
        assert (gain["low"], gain["status"]) == (None, "small")
        (judged,) = judge(found, [parse_rule("overall.gain>=0.8", open_audit(small))], allow_untested=True)
        assert judged.verdict == "insufficient"


def estimates_in(entry, path=""):
    """Every estimate in a summary, with its place."""
    if isinstance(entry, dict):
        if {"value", "low", "high", "status"} <= set(entry):
            yield path, entry
        else:
            for key, part in entry.items():
                yield from estimates_in(part, f"{path}/{key}")
    elif isinstance(entry, list):
        for number, part in enumerate(entry):
            yield from estimates_in(part, f"{path}/{number}")


def planted(*, people, images, misses, attributes):
    """Records of people with as many positive as negative images, of which a share is misclassified in either class."""
    n = people * images
    label = np.tile(np.arange(images) % 2, people).astype(np.float32)[:, None].repeat(attributes, 1)
    wrong = np.random.default_rng(0).random((n, attributes)) < misses
    names = tuple(f"x{a}" for a in range(attributes))
    return Panel(
        attributes=names,
        rows=np.arange(n),
        label=label,
        logit=np.where((label == 1) != wrong, 1, -1).astype(np.float32),
        threshold=np.zeros_like(label),
        minority=np.ones(attributes, int),
        clusters=Clusters(np.repeat(np.arange(people), images), True),
        columns=(),
        values=np.zeros((n, attributes, 0), np.float32),
    )


def manifest_of(panel):
    return SimpleNamespace(
        methods=("grad_cam",),
        attributes=panel.attributes,
        train_counts_from="card",
        references_from=None,
        train_counts=dict.fromkeys(panel.attributes, (10, 20)),
        head="logits",
        logit_shift={},
        model=SimpleNamespace(card={}),
    )


def gate(found, *texts):
    names = SimpleNamespace(attributes=tuple(found["attributes"]), methods=("grad_cam",), masks=())
    return judge(found, [parse_rule(text, names) for text in texts], allow_untested=True)
