"""Calibration of an audit's attributes: as trained and prior-corrected, over all images and within groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.groups.slices import comparable
from bincam.audit.summary.panel import Panel
from bincam.stats.calibration import BINS, Calibration, bin_index, calibrate, probability, unshifted
from bincam.stats.calibration_error import BinSums, calibration_error
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.hypotheses.hypothesis_tests import difference_test, family
from bincam.stats.intervals import gap
from bincam.stats.recalibration import signed_error

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import Manifest

Floats = NDArray[np.float64]

CALIBRATION = ("brier", "ece", "signed_calibration_error", "calibration_slope", "calibration_intercept")
CALIBRATION_RATES = (*CALIBRATION, *(f"{name}_unshifted" for name in CALIBRATION))
"""Rates of calibration, as trained and prior-corrected."""

BY_GROUP = ("signed_calibration_error", "ece_debiased")
"""Measures of calibration within groups."""

DEBIASED = "debiased, no interval"


def attribute_calibration(
    manifest: Manifest, panel: Panel, a: int, level: float = LEVEL
) -> tuple[dict[str, Estimate], dict[str, Any]]:
    """Estimate the calibration of attribute ``a``, as trained and prior-corrected.

    Returns:
        The rates of ``summary.json``, and the attribute's entry ``calibration``.
    """
    label, logit = panel.label[:, a], panel.logit[:, a].astype(float)
    attribute = panel.attributes[a]
    head, shift = manifest.head, manifest.logit_shift.get(attribute)
    fitted = manifest.model.card.get("calibration", {}).get(attribute)
    log_odds = None if head == "margin" else logit
    plain = calibrate(probability(logit, head), label, panel.clusters, logits=log_odds, level=level)
    corrected_probability, reason = unshifted(logit, shift, head, fitted)
    corrected_logit = None
    if not reason:
        corrected_logit = fitted[0] * logit + fitted[1] if fitted is not None else logit - float(shift or 0)
    corrected = calibrate(corrected_probability, label, panel.clusters, logits=corrected_logit, level=level)
    return calibration_entry(plain, corrected, reason=reason, shift=shift, fitted=fitted)


def calibration_entry(
    plain: Calibration,
    unshifted: Calibration,
    *,
    reason: str,
    shift: float | None = None,
    fitted: Sequence[float] | None = None,
) -> tuple[dict[str, Estimate], dict[str, Any]]:
    """Arrange the calibration of one logit, as trained and prior-corrected.

    Args:
        plain: As trained.
        unshifted: Prior-corrected.
        reason: Why nothing could be corrected; empty if it was.
        shift: Of the model's card.
        fitted: Slope and intercept of the model's card.

    Returns:
        The rates ``CALIBRATION_RATES``, and the entry ``calibration``.
    """
    return {**_rates(plain, ""), **_rates(unshifted, "_unshifted")}, {
        "bins": list(plain.bins),
        "bins_unshifted": list(unshifted.bins),
        "error": _error(plain),
        "error_unshifted": _error(unshifted),
        "logit_shift": shift,
        "fitted": fitted,
        "reason": reason or unshifted.reason,
        "slope_reason": plain.slope_reason,
        "slope_reason_unshifted": reason or unshifted.slope_reason,
    }


def _rates(calibration: Calibration, suffix: str) -> dict[str, Estimate]:
    return {
        f"ece{suffix}": calibration.ece,
        f"brier{suffix}": calibration.brier,
        f"signed_calibration_error{suffix}": calibration.signed,
        f"calibration_slope{suffix}": calibration.slope,
        f"calibration_intercept{suffix}": calibration.intercept,
    }


def _error(calibration: Calibration) -> dict[str, float] | None:
    return None if calibration.error is None else calibration.error.to_json()


def slice_calibration(panel: Panel, slicing: Slicing, head: str, level: float = LEVEL) -> list[dict[str, Any]]:
    """Estimate the calibration of every attribute within each value, and find the worst value.

    Args:
        panel: The records.
        slicing: The division; an attribute is not divided by itself.
        head: Of the model's card: what a logit means.
        level: Confidence level.

    Returns:
        Entries as ``slice_panel`` makes them, of ``BY_GROUP``. That of ``ece_debiased`` has the whole calibration error
        under ``error``, and no gap, because it has no interval. The worst signed error is the one farthest from 0; its
        gap is the difference of the two signed errors, and there is no ratio.
    """
    entries: list[dict[str, Any]] = []
    for a, attribute in enumerate(panel.attributes):
        if attribute in slicing.columns:
            continue
        p, label = probability(panel.logit[:, a], head), panel.label[:, a].astype(float)
        usable = np.isfinite(p) & np.isfinite(label)
        signed: dict[str, Estimate] = {}
        debiased: dict[str, Debiased] = {}
        for v, value in enumerate(slicing.values):
            here = usable & (slicing.codes == v)
            clusters = Clusters(panel.clusters.codes[here], panel.clusters.known)
            signed[value] = signed_error(p[here], label[here], clusters, level)
            debiased[value] = _debiased(p[here], label[here], clusters, level)
        excess = np.where(usable, p - label, np.nan)

        def shared(both: Sequence[int], excess: Floats = excess) -> tuple[float, int | None]:
            at = list(both)
            means = group_means(
                excess[:, None], slicing.codes, np.eye(len(slicing.values)), panel.clusters, level=level
            )
            people = panel.clusters.identities(np.isin(slicing.codes, at) & np.isfinite(excess))
            return correlation(*means.contributions[at, :, 0]), None if people is None else int(people)

        entries += calibration_slices(attribute, slicing, signed, debiased, shared)
    return entries


Debiased = tuple[Estimate, dict[str, float] | None]
"""A debiased calibration error, and the whole error that it is of; None where it is undefined."""


def calibration_slices(
    attribute: str,
    slicing: Slicing,
    signed: Mapping[str, Estimate],
    debiased: Mapping[str, Debiased],
    shared: Callable[[Sequence[int]], tuple[float, int | None]],
) -> list[dict[str, Any]]:
    """Make the entries of one attribute; see ``slice_calibration``.

    Args:
        attribute: Its name.
        slicing: The division.
        signed: Signed errors by value.
        debiased: Debiased errors by value.
        shared: Function of two values, by position: the correlation of their signed errors, and their people.
    """
    about = {"attribute": attribute, **slicing.to_json()}
    entries: list[dict[str, Any]] = []
    for value in slicing.values:
        figure, details = debiased[value]
        figures: tuple[tuple[Estimate, dict[str, Any]], ...] = ((signed[value], {}), (figure, {"error": details}))
        entries += [
            {"measure": measure, **about, **slicing.value_to_json(value), "estimate": figure.to_json(), **more}
            for measure, (figure, more) in zip(BY_GROUP, figures, strict=True)
        ]
    entries.append({"measure": BY_GROUP[0], **about, **_compared(signed, slicing, shared)})
    sound = comparable({value: figure for value, (figure, _) in debiased.items()})
    ranked = sorted(sound, key=lambda value: sound[value].value, reverse=True) if len(sound) > 1 else []
    ends = {"worst": ranked[0], "best": ranked[-1]} if ranked else {"worst": None, "best": None}
    entries.append({"measure": BY_GROUP[1], **about, **ends, "gap": None, "ratio": None})
    return entries


def _debiased(p: Floats, label: Floats, clusters: Clusters, level: float) -> Debiased:
    people = len(np.unique(clusters.codes)) if clusters.known else None
    if not len(p):
        return undefined(DEBIASED, 0, people), None
    sums = BinSums.of(p, (label > 0).astype(float), bin_index(p), clusters.codes, BINS)
    return debiased_error(sums, len(p), people, level)


def debiased_error(sums: BinSums, images: int, people: int | None, level: float = LEVEL) -> Debiased:
    """Estimate the debiased calibration error of the sums of at least one image."""
    error = calibration_error(sums, level=level)
    return estimate(error.debiased, np.nan, np.nan, images, people, DEBIASED), error.to_json()


def _compared(
    signed: Mapping[str, Estimate],
    slicing: Slicing,
    shared: Callable[[Sequence[int]], tuple[float, int | None]],
) -> dict[str, Any]:
    sound = comparable(signed)
    if len(sound) < 2:
        return {"worst": None, "best": None, "gap": None, "ratio": None}
    ranked = sorted(sound, key=lambda value: abs(sound[value].value), reverse=True)
    both = [slicing.values.index(value) for value in (ranked[0], ranked[-1])]
    joint, people = shared(both)
    difference = gap(sound[ranked[0]], sound[ranked[-1]], correlation=joint, identities=people)
    return {"worst": ranked[0], "best": ranked[-1], "gap": difference.to_json(), "ratio": None}


def calibration_family(panel: Panel, slicing: Slicing, head: str) -> dict[str, Any]:
    """Test for every attribute if its signed calibration error differs between the values, corrected over all.

    Values with too few images or clusters for an attribute are left out of its test.
    """
    tests = []
    for a, attribute in enumerate(panel.attributes):
        if attribute not in slicing.columns:
            excess = probability(panel.logit[:, a], head) - panel.label[:, a]
            codes = slicing.sound(excess, panel.clusters)
            tests.append(({"attribute": attribute}, difference_test(excess, codes, panel.clusters)))
    return family(f"signed calibration error differs by {slicing.column}", tests)
