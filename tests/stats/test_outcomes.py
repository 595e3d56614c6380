"""One rule of decision: everything that compares a logit with its threshold agrees, also at the edges."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bincam.audit.summary.panel import Panel
from bincam.cam.requests.targets import sides
from bincam.compare.paired_audits import Pair
from bincam.compare.sets.matching import Common
from bincam.decision import is_finite, is_positive
from bincam.report.figures.audited.attribute import threshold_curves
from bincam.report.reading.audited_model import Arm
from bincam.stats.classification import count
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import (
    BASIC,
    CELLS,
    GROUPS,
    MEMBERS,
    OUTCOMES,
    answers,
    basic_name,
    basic_rate,
    cells,
    class_name,
    class_part,
    class_sign,
    outcome_codes,
)

BELOW, ABOVE = np.nextafter(np.float32(0.5), np.float32(0)), np.nextafter(np.float32(0.5), np.float32(1))
LOGIT = np.array([0.5, BELOW, ABOVE, np.nan, np.inf, -np.inf], np.float32)
THRESHOLD = np.full(6, 0.5, np.float32)
POSITIVE = [True, False, True, False, True, False]
ANSWER = [1, -1, 1, 0, 0, 0]  # what is not finite is no answer
FINITE = [True, True, True, False, False, False]


def test_a_logit_at_its_threshold_is_positive_for_arrays_tensors_and_numbers():
    assert is_positive(LOGIT, THRESHOLD).tolist() == POSITIVE
    assert is_positive(torch.from_numpy(LOGIT), torch.from_numpy(THRESHOLD)).tolist() == POSITIVE
    assert [is_positive(float(z), 0.5) for z in LOGIT] == POSITIVE
    assert is_finite(LOGIT).tolist() == is_finite(torch.from_numpy(LOGIT)).tolist() == FINITE


@pytest.mark.parametrize("label", [1.0, 0.0, np.nan])
def test_outcomes_of_arrays_and_tensors_are_the_same(label):
    labels = np.full(6, label, np.float32)
    codes = outcome_codes(labels, LOGIT, THRESHOLD)
    tensors = outcome_codes(*map(torch.from_numpy, (labels, LOGIT, THRESHOLD)))
    assert tensors.dtype == torch.int64
    assert codes.tolist() == tensors.tolist()
    names = {1.0: ("TP", "FN"), 0.0: ("FP", "TN")}.get(label)
    expected = [-1 if names is None or a == 0 else OUTCOMES.index(names[a < 0]) for a in ANSWER]
    assert codes.tolist() == expected
    cell = cells(labels, LOGIT, THRESHOLD).tolist()
    unlabelled = [-1 if a == 0 else CELLS.index("P?" if a > 0 else "N?") for a in ANSWER]
    assert cell == (unlabelled if names is None else expected)


def test_all_who_decide_agree_at_the_threshold_and_where_a_logit_is_not_finite():
    assert answers(LOGIT, THRESHOLD).tolist() == ANSWER
    assert answers(LOGIT[:3], np.array([0.5, np.nan, np.inf])).tolist() == [1, 0, 0]
    side = sides(torch.from_numpy(LOGIT)[:, None], "predicted", 0.5)[:, 0]
    assert side[:3].tolist() == ANSWER[:3]
    assert torch.isnan(side[3])

    label = np.ones((6, 1), np.float32)
    logit, threshold = LOGIT[:, None], THRESHOLD[:, None]
    one = Panel(
        ("a",), np.arange(6), label, logit, threshold, np.array([1]), Clusters.of([""] * 6), (), np.zeros((6, 1, 0))
    )
    pair = Pair(one, one, ("m",), np.array([0.5]), "given", ("",) * 6, Common(("a",)))
    assert pair.answers[..., 0].tolist() == [ANSWER] * 3
    np.testing.assert_array_equal(pair.wrong[0], one.wrong)

    columns = {"logit": logit.astype(float), "threshold": threshold.astype(float)}
    manifest = SimpleNamespace(data=SimpleNamespace(images=6))
    arm = Arm("model", SimpleNamespace(attributes=("a",), manifest=manifest), {})
    arm.__dict__["columns"] = columns  # in the place of the cached records
    assert arm.answers("a").tolist() == ANSWER

    counted = count(logit, label, 0.5)
    assert (counted.tp[0], counted.fn[0], counted.undefined[0]) == (2, 1, 3)
    curves = threshold_curves(logit[:, 0].astype(float), label[:, 0].astype(float), 0.5, minority=1)
    at = curves.thresholds.tolist().index(0.5)
    assert curves.errors["minority"][at] == pytest.approx(1 / 3)


def test_classes_by_side_and_by_frequency():
    for minority in (1, -1):
        for part in ("minority", "majority"):
            sign = class_sign(part, minority)
            assert class_part(sign, minority) == part
            assert basic_name(f"true:{part}", minority) == f"true:{class_name(sign)}"
            assert basic_rate(f"{part}_error", minority) == {1: "fnr", -1: "fpr"}[sign]
    assert basic_rate("balanced_error", -1) == "balanced_error"
    assert {basic_name(group, 1) for group in GROUPS} == set(BASIC) == set(MEMBERS)
