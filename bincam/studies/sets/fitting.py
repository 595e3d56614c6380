"""Rules fitted on a calibration split: those of answers that exclude one another, and of all attributes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.postprocessing.average_k import fit_average_k
from bincam.postprocessing.conformal import ConformalThresholds, class_conditional, lac, per_attribute, risk_control
from bincam.postprocessing.conformal_adaptive import raps
from bincam.postprocessing.label_sets import OF_ANSWERS, OF_ATTRIBUTES, Floats
from bincam.studies.sets.fitted import ADAPTIVE, FittedRule
from bincam.studies.sets.scored import Scored
from bincam.studies.sets.settings import NOT_OF_HEADS, SetsSettings, average_k_rule

HEAD = ("no", "yes")
"""The answers of a yes-or-no attribute."""

NOT_ADDING_UP = (
    "{} adds up probabilities until they reach a sum, but the scores of the model's second head do not add up to 1; "
    "ask for lac, class_conditional or average_k"
)


@dataclass
class Fits:
    """Rules of one subject by name, and those that could not be fitted, with the reason."""

    rules: dict[str, FittedRule] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, rule: str, fit: Callable[[], FittedRule]) -> None:
        """Fit a rule, or note why it cannot be."""
        try:
            self.rules[rule] = fit()
        except InputError as error:
            self.left_out[rule] = str(error)


def fit_answers(
    scores: Floats,
    true: NDArray[np.int64],
    names: Sequence[str],
    people: NDArray[np.int64] | None,
    settings: SetsSettings,
    *,
    second_head: bool = False,
) -> Fits:
    """Fit the rules of a set of outputs, or of the two answers of an attribute.

    Args:
        scores: ``(N, K)`` scores of the calibration: probabilities that add up to 1, unless of a second head.
        true: ``(N,)``: indices of the true answers, -1 where unknown.
        names: Names of the answers.
        people: ``(N,)``: numbers of the people; None where they are unknown.
        settings: Of the study.
        second_head: The scores are those of a second head, each between 0 and 1: APS and RAPS are left out.

    Example:
        >>> p = np.random.default_rng(0).dirichlet([0.5] * 3, size=200)
        >>> fits = fit_answers(p, p.argmax(1), ["cat", "dog", "fox"], None, SetsSettings(sizes=(1, 4)))
        >>> list(fits.rules), fits.left_out
        (['lac', 'class_conditional', 'average_k=1', 'aps'], {'average_k=4': 'a mean size of 4 for a set of 3 outputs; expected 1 to 3, and two outputs at least (attributes, of which an image may have none, take one_of=False)', 'raps': 'with 5 free labels of 3 no label has a penalty, so the sets are those of aps'})
    """  # noqa: E501
    fits, K = Fits(), len(names)
    is_head = tuple(names) == HEAD
    about = {"identities": people, "seed": settings.seed, "names": tuple(names)}
    for method in (name for name in settings.methods if name in OF_ANSWERS):
        if is_head and method in NOT_OF_HEADS:
            continue
        if method == "average_k":
            for size in settings.sizes:
                if not (is_head and size >= K):  # both answers for every image say nothing
                    fits.add(average_k_rule(size), partial(_of_size, scores, size, names, settings))
        elif method == "raps" and settings.free >= K:
            fits.left_out["raps"] = (
                f"with {settings.free} free labels of {K} no label has a penalty, so the sets are those of aps"
            )
        elif method in ADAPTIVE and second_head:
            fits.left_out[method] = NOT_ADDING_UP.format(method)
        elif method in ADAPTIVE:
            fits.add(method, partial(_adaptive, method, scores, true, settings, about))
        else:
            fit = lac if method == "lac" else class_conditional
            fits.add(method, partial(_of_coverage, fit, method, scores, true, settings, about))
    return fits


def fit_attributes(scored: Scored, settings: SetsSettings) -> Fits:
    """Fit the rules that say which of all attributes an image has: one λ for all, one for each, or risk control.

    ``global`` without a size keeps as many labels as are true in the calibration, on average.

    Args:
        scored: The calibration.
        settings: Of the study.
    """
    fits, names = Fits(), scored.attributes
    p, y = scored.probability(), scored.labels
    about = {"identities": scored.people, "seed": settings.seed, "names": names}
    for method in (name for name in settings.methods if name in OF_ATTRIBUTES):
        if method == "global":
            fits.add("global", lambda: _of_size(p, _true_size(y), names, settings, one_of=False))
            for size in (size for size in settings.sizes if size <= len(names)):
                rule = average_k_rule(size, "global")
                fits.add(rule, partial(_of_size, p, size, names, settings, one_of=False))
        else:
            fit = per_attribute if method == "per_attribute" else risk_control
            fits.add(method, partial(_of_coverage, fit, method, p, y, settings, about))
    return fits


def _of_coverage(
    fit: Callable[..., ConformalThresholds],
    method: str,
    p: Floats,
    true: NDArray[Any],
    settings: SetsSettings,
    about: Mapping[str, Any],
) -> FittedRule:
    return FittedRule.of_coverage(fit(p, true, settings.alpha, **about), method)


def _adaptive(
    method: str, p: Floats, true: NDArray[np.int64], settings: SetsSettings, about: Mapping[str, Any]
) -> FittedRule:
    penalty, free = (settings.penalty, settings.free) if method == "raps" else (0.0, 0)
    fitted = raps(p, true, settings.alpha, penalty=penalty, free=free, **about)
    return FittedRule.adaptive(fitted, method, settings.seed + 1)  # other draws than those of the calibration


def _of_size(
    p: Floats, size: float, names: Sequence[str], settings: SetsSettings, *, one_of: bool = True
) -> FittedRule:
    fitted = fit_average_k(p, size, one_of=one_of, names=tuple(names))
    return FittedRule.of_size(fitted, "average_k" if one_of else "global", settings.ties, settings.seed)


def _true_size(labels: NDArray[np.float32]) -> float:
    """Compute the mean number of true labels, the sum of the attributes' shares among their known labels."""
    known = ~np.isnan(labels)
    with np.errstate(invalid="ignore"):
        share = (labels == 1).sum(0) / known.sum(0)
    size = float(np.nansum(share))
    if not size:
        raise InputError("no image of the calibration has a true label, so there is no number of them to keep")
    return size


def check_sizes(sizes: Iterable[float], scored: Scored) -> None:
    """Refuse a mean size that is above the number of labels of everything that was audited.

    Raises:
        InputError: It is.
    """
    most = max(_most(scored))
    for size in sizes:
        if size > most:
            raise InputError(
                f"a mean size of {size:g}, but an image can have {most} labels at most here; ask for 1 to {most}"
            )


def _most(scored: Scored) -> Iterator[int]:
    yield from (len(of_set.outputs) for of_set in scored.sets.values())
    if scored.attributes:
        yield max(2, len(scored.attributes))
