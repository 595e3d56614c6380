"""What moved thresholds would change of one model's errors, on the audited images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.reference_split.thresholds import KEY as REFERENCE
from bincam.decision import count_by_score
from bincam.report.conclusions.facts import Pair, ReferenceGain
from bincam.report.reading.audited_model import Arm
from bincam.stats.clustered.average_errors import AverageErrors, average_errors_of
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.estimate import Estimate, undefined
from bincam.stats.formatting import listed
from bincam.stats.intervals import MOVER
from bincam.stats.outcomes import answers
from bincam.stats.proportions import shares


@dataclass(frozen=True)
class At:
    """An attribute at another threshold.

    Attributes:
        threshold: In logit units.
        errors: Errors of both classes there.
        gained: Errors as audited minus these, of the same images.
    """

    threshold: float
    errors: Pair
    gained: Pair


def tuned_thresholds(arm: Arm, attributes: Sequence[str]) -> dict[str, float]:
    """Return the thresholds that were tuned on other images, without those that the model was audited at.

    They are those of the model's card, tuned on validation, else those that the audit chose on its reference split.
    """
    tuned = dict(arm.audit.manifest.model.card.get("tuned_thresholds") or {})
    for name in attributes:
        if name not in tuned and (of_reference := arm.entry(name).get(REFERENCE)):
            tuned[name] = of_reference["threshold"]
    return {name: float(tuned[name]) for name in attributes if name in tuned and _moved(arm, name, float(tuned[name]))}


def reference_gain(arm: Arm, attribute: str) -> ReferenceGain | None:
    """Read what choosing a threshold on the reference split gains there; None where the audit does not state it."""
    entry = arm.entry(attribute).get(REFERENCE)
    if not entry:
        return None
    rates = [arm.rate_name(attribute, f"{part}_error") for part in ("minority", "majority")]
    chosen, gained = (Pair(*(Estimate.from_json(entry[key][rate]) for rate in rates)) for key in ("chosen", "gained"))
    return ReferenceGain(listed(entry["split"]), chosen, gained)


def at_thresholds(arm: Arm, attributes: Sequence[str], thresholds: Mapping[str, float]) -> dict[str, At]:
    """Judge each attribute at its other threshold, where it has one that changes an answer's threshold.

    Args:
        arm: The audited model.
        attributes: Attributes to judge.
        thresholds: Thresholds in logit units by attribute.
    """
    clusters = arm.clusters
    result = {}
    for name in attributes:
        limit = thresholds.get(name, math.nan)
        if not math.isfinite(limit) or not _moved(arm, name, limit):
            continue
        label, (now, then) = _label(arm, name), _wrong(arm, name, limit)
        errors, gained = [], []
        for sign in (arm.minority(name), -arm.minority(name)):
            inside = label == sign
            before, after = (np.where(inside, wrong, np.nan) for wrong in (now, then))
            errors.append(shares(after, inside, clusters).estimate())
            gained.append(paired_shares(before, after, clusters) if np.isfinite(after).any() else undefined(MOVER))
        result[name] = At(limit, Pair(*errors), Pair(*gained))
    return result


def least_error(arm: Arm, attribute: str) -> float:
    """Return the least that the error of the worse class can be at any threshold, fitted on the audited images."""
    label, logit = _label(arm, attribute), arm.column(attribute, "logit")
    usable = (label != 0) & np.isfinite(logit)
    z, positive = logit[usable], label[usable] > 0
    if not positive.any() or positive.all():
        return math.nan
    values, ones, zeros = count_by_score(z, positive)
    missed = np.concatenate([[0], ones.cumsum()]) / ones.sum()  # thresholds below, between and above the scores
    alarms = 1 - np.concatenate([[0], zeros.cumsum()]) / zeros.sum()
    return float(np.maximum(missed, alarms).min()) if len(values) else math.nan


def averages(arm: Arm, attributes: Sequence[str], thresholds: Mapping[str, float]) -> AverageErrors:
    """Average the errors of one model over attributes: as audited and, where thresholds are known, at those.

    An attribute without a threshold of its own keeps the audited one if others have one.
    """
    minority = [arm.minority(name) for name in attributes]
    pairs = [(0, 1)] if thresholds else []
    about = 1 + len(pairs), minority, attributes, arm.clusters, pairs
    return average_errors_of((_at(arm, name, thresholds) for name in attributes), *about)


def _at(arm: Arm, name: str, thresholds: Mapping[str, float]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The errors of an attribute as audited and, where thresholds are known, at its own, and its labels."""
    wrong = np.stack(_wrong(arm, name, thresholds.get(name, arm.threshold(name))))
    return wrong[: 2 if thresholds else 1], arm.column(name, "label")


def _moved(arm: Arm, name: str, threshold: float) -> bool:
    """Whether a threshold is another than the audited one; records keep thresholds in float32."""
    return bool(np.float32(threshold) != np.float32(arm.threshold(name)))


def _label(arm: Arm, name: str) -> NDArray[np.float64]:
    label = arm.column(name, "label")
    return np.where(np.isnan(label), 0.0, np.where(label > 0, 1.0, -1.0))


def _wrong(arm: Arm, name: str, threshold: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where the answers as audited and at another threshold are wrong: 1, 0, NaN where a label or answer is unknown."""
    label, logit = _label(arm, name), arm.column(name, "logit")
    now, then = (
        np.where((label != 0) & (given != 0), given != label, np.nan)
        for given in (arm.answers(name), answers(logit, threshold))
    )
    return now, then
