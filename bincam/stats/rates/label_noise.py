"""Error rates when a stated share of the labels is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bincam.errors import InputError
from bincam.stats.estimate import Estimate, estimate, undefined


@dataclass(frozen=True)
class WrongLabels:
    """Shares of wrong labels, as checking a sample of labels measures them.

    Attributes:
        positives: Share of the images labelled positive that are negative, η₊.
        negatives: Share of the images labelled negative that are positive, η₋.

    Raises:
        InputError: A share is outside [0, 1), or both together reach 1, where labels say nothing.

    Example:
        >>> WrongLabels(0.02, 0.01).informative
        0.97
        >>> WrongLabels(0.6, 0.4)
        Traceback (most recent call last):
        bincam.errors.InputError: wrong labels 0.6 and 0.4 add up to 1 or more: such labels say nothing about the truth
    """

    positives: float
    negatives: float

    def __post_init__(self) -> None:
        for share in (self.positives, self.negatives):
            if not 0 <= share < 1:
                raise InputError(f"a share of wrong labels is a number from 0 to below 1, got {share:g}")
        if self.positives + self.negatives >= 1:
            raise InputError(
                f"wrong labels {self.positives:g} and {self.negatives:g} add up to 1 or more: such labels say nothing "
                "about the truth"
            )

    @property
    def informative(self) -> float:
        """1 - η₊ - η₋, by which every correction divides."""
        return 1 - self.positives - self.negatives


@dataclass(frozen=True)
class NoiseCorrected:
    """Error rates against the true classes, from rates against labels of which a stated share is wrong.

    Attributes:
        fnr: Share of the true positives predicted negative, if wrong labels are independent of the decision.
        fpr: Share of the true negatives predicted positive, likewise.
        fnr_bounds: The least and greatest share that any placement of the wrong labels allows, of these images.
        fpr_bounds: Likewise.
        reason: Reason why a rate is 0 or 1 at the bound of what is possible, or undefined; else empty.

    Example:
        ``noise_corrected`` returns it.
    """

    fnr: Estimate
    fpr: Estimate
    fnr_bounds: tuple[float, float]
    fpr_bounds: tuple[float, float]
    reason: str = ""


def noise_corrected(fnr: Estimate, fpr: Estimate, positives: int, negatives: int, noise: WrongLabels) -> NoiseCorrected:
    """Correct both error rates for a stated share of wrong labels, and bound them without an assumption.

    If wrong labels are independent of the decision given the true class, the rates against labels mix the true ones:
    fnr' = (1 - η₊)·FNR + η₊·(1 - FPR) and fpr' = (1 - η₋)·FPR + η₋·(1 - FNR), two equations that are solved for FNR and
    FPR (Rogan and Gladen 1978 for one side; Frénay and Verleysen 2014 on the assumption). The interval combines both
    rates' own by MOVER for a linear combination of independent figures (Zou and Donner 2008); the shares are taken as
    exact. Hard images are mislabelled more often, so the assumption is rarely exact; the bounds do without it: all
    wrong labels stand where they hide most errors, or cause most.

    Args:
        fnr: Share of the images labelled positive that are predicted negative.
        fpr: Share of the images labelled negative that are predicted positive.
        positives: Number of images labelled positive that were decided.
        negatives: Number labelled negative.
        noise: The stated shares.

    Returns:
        The corrected rates; undefined where a rate is. A value outside [0, 1] is set to the nearest end, with the
        reason; it is undefined where the whole interval is outside.

    Example:
        Of 100 positives 12 are missed, of 100 negatives 4 raise a false alarm, and 5 % of the positive labels are
        wrong: most misses are images that do not have the attribute.

        >>> from bincam.stats.intervals import wilson
        >>> fnr = estimate(0.12, *wilson(0.12, 100), 100, None, "wilson")
        >>> fpr = estimate(0.04, *wilson(0.04, 100), 100, None, "wilson")
        >>> corrected = noise_corrected(fnr, fpr, 100, 100, WrongLabels(0.05, 0.0))
        >>> round(corrected.fnr.value, 3), [round(float(end), 3) for end in corrected.fnr_bounds]
        (0.076, [0.074, 0.126])
    """
    method = "MOVER, stated label noise"
    if not (fnr.defined and fpr.defined):
        none = undefined(method, fnr.images + fpr.images, fnr.identities)
        missing = "no image is labelled positive" if not fnr.defined else "no image is labelled negative"
        return NoiseCorrected(none, none, (math.nan, math.nan), (math.nan, math.nan), missing)
    up, down, scale = noise.positives, noise.negatives, noise.informative
    reasons: list[str] = []
    true_fnr = _combined("fnr", fnr, fpr, (1 - down) / scale, up / scale, up / scale, method, reasons)
    true_fpr = _combined("fpr", fpr, fnr, (1 - up) / scale, down / scale, down / scale, method, reasons)
    return NoiseCorrected(
        true_fnr,
        true_fpr,
        _bounds(fnr.value, fpr.value, positives, negatives, up, down),
        _bounds(fpr.value, fnr.value, negatives, positives, down, up),
        "; ".join(reasons),
    )


def _combined(
    name: str,
    own: Estimate,
    other: Estimate,
    weight: float,
    other_weight: float,
    constant: float,
    method: str,
    reasons: list[str],
) -> Estimate:
    """weight·own + other_weight·other - constant, with the MOVER interval, within [0, 1].

    Solving the two equations gives FNR = ((1 - η₋)(fnr' - η₊) + η₊(fpr' - η₋)) / (1 - η₊ - η₋), whose constant is
    (η₊(1 - η₋) + η₊η₋) / (1 - η₊ - η₋) = η₊ / (1 - η₊ - η₋).
    """
    value = weight * own.value + other_weight * other.value - constant
    low = value - math.hypot(weight * (own.value - own.low), other_weight * (other.value - other.low))
    high = value + math.hypot(weight * (own.high - own.value), other_weight * (other.high - other.value))
    # A rounding error below 0 is no contradiction.
    if value < -1e-12 or value > 1 + 1e-12:
        fewer = "fewer" if value < 0 else "more"
        reasons.append(f"{name}: {fewer} errors than wrong labels alone would give; the stated share is too high")
    if high < 0 or low > 1:  # even the whole interval contradicts the statement
        return undefined(method, own.images + other.images, own.identities)
    ends = [min(max(end, 0.0), 1.0) for end in (value, low, high)]
    clusters = None if own.identities is None or other.identities is None else min(own.identities, other.identities)
    result = estimate(ends[0], ends[1], ends[2], own.images + other.images, clusters, method)
    small = own.status != "ok" or other.status != "ok"
    return Estimate(**{**vars(result), "status": "small"}) if small else result


def _bounds(
    own: float, other: float, own_count: int, other_count: int, own_wrong: float, other_wrong: float
) -> tuple[float, float]:
    """The least and the greatest error rate of a true class, over every placement of the wrong labels.

    Args:
        own: Error rate against the class's labels.
        other: Error rate against the other class's labels: its errors are decided as this class.
        own_count: Images with the class's label.
        other_count: Images with the other label.
        own_wrong: Share of the class's labels that are wrong.
        other_wrong: Share of the other labels that are wrong.
    """
    errors = own * own_count
    accepted, rejected = other * other_count, (1 - other) * other_count
    leaving, joining = own_wrong * own_count, other_wrong * other_count
    total = own_count - leaving + joining
    if total <= 0:
        return math.nan, math.nan
    least = max(0.0, errors - leaving) + max(0.0, joining - accepted)
    most = min(errors, own_count - leaving) + min(joining, rejected)
    return least / total, most / total
