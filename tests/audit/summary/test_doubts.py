"""Doubts are raised where the fault was put in, their advice removes them, and twins without the fault raise none."""

from dataclasses import replace

import numpy as np
import pytest

from bincam.audit import open_audit
from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.summarize import summarise_panel
from tests.audit.synthetic import make_audit


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    return open_audit(make_audit(tmp_path_factory.mktemp("doubts") / "a", images=200, attributes=("Smiling", "Bald"),
                                 prevalence=(0.5, 0.3), methods=("grad_cam",), masks=()))  # fmt: skip


@pytest.fixture(scope="module")
def panel(audit):
    return read_panel(audit)


def doubts_of(audit, panel):
    summary = summarise_panel(panel, audit.manifest, leakage={}, gates={}, resamples=100)
    return summary["doubts"]


def changed(panel, name, values):
    array = getattr(panel, name).copy()
    array[:, 0] = values(array[:, 0])
    return replace(panel, **{name: array})


def test_an_honest_audit_raises_none(audit, panel):
    assert doubts_of(audit, panel) == []


def test_swapped_labels_are_asked_about_and_recoding_them_removes_the_doubt(audit, panel):
    swapped = changed(panel, "label", lambda label: 1 - label)
    (doubt,) = doubts_of(audit, swapped)
    assert (doubt["attribute"], doubt["kind"]) == ("Smiling", "swapped")
    assert "are the classes swapped?" in doubt["text"]
    assert doubts_of(audit, changed(swapped, "label", lambda label: 1 - label)) == []  # the labels' coding
    assert doubts_of(audit, changed(swapped, "logit", lambda logit: -logit)) == []  # or the sign of the output


def test_chance_is_not_swapped(audit, panel):
    random = np.random.default_rng(0)
    assert doubts_of(audit, changed(panel, "logit", lambda logit: random.normal(size=len(logit)))) == []


@pytest.mark.parametrize(("threshold", "side"), [(50.0, "negative"), (-50.0, "positive")])
def test_a_threshold_beyond_all_logits(audit, panel, threshold, side):
    (doubt,) = doubts_of(audit, changed(panel, "threshold", lambda t: t * 0 + threshold))
    assert doubt["kind"] == "threshold"
    assert f"every image is predicted {side}" in doubt["text"]
    assert doubt["text"].endswith("is it in logit units?")


def test_a_constant_output(audit, panel):
    kinds = [doubt["kind"] for doubt in doubts_of(audit, changed(panel, "logit", lambda logit: logit * 0 + 0.25))]
    assert kinds == ["constant"]
