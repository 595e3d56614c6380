"""The images that a conformal threshold is calibrated on: which are usable, and one per person.

Conformal guarantees assume that a new image and those of the calibration split are exchangeable: in any order equally
likely. Several images of one person break this, because they resemble each other more than the new one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.display import counted
from bincam.errors import InputError
from bincam.postprocessing.label_sets import Floats, as_scores, check_names, finite_rows, generator

People = Iterable[str] | NDArray[np.int64]
"""Names of people, '' where unknown; or their numbers, of ``person_codes``, which are found once for many calls."""

ROUNDING = 1e-9
"""(n + 1)(1 - α) of decimal α is off by less. Without it, α = .7 of 9 images would take the 4th score, not the 3rd."""


@dataclass(frozen=True, eq=False)
class CalibrationSplit:
    """The images of a calibration split that a threshold rests on.

    Attributes:
        rows: Their indices in the split, ascending; with identities one per person, or one per person and class.
        unknown: Images left out because their label is unknown.
        undefined: Labelled images left out because a score is not finite.
        further: Images left out because others of the same person were taken; None where identities were not given.
        without_true: Images used that have no true label; only of attributes.

    Example:
        >>> split = CalibrationSplit(np.arange(90), unknown=0, undefined=1, further=None)
        >>> split.images, split.note
        (90, 'calibrated on 90 images; identities were not given, and several images of one person would void the guarantee; 1 image with a score that is not finite was left out')
    """  # noqa: E501

    rows: NDArray[np.int64]
    unknown: int
    undefined: int
    further: int | None
    without_true: int = 0

    @property
    def images(self) -> int:
        """n, the number of images used."""
        return len(self.rows)

    @property
    def note(self) -> str:
        """What a reader must know of the calibration, as one line."""
        parts = [f"calibrated on {counted(self.images, 'image')}"]
        if self.further is None:
            parts.append("identities were not given, and several images of one person would void the guarantee")
        else:
            parts.append(f"one per person: {counted(self.further, 'further image')} of the same people left out")
        left_out = ((self.unknown, "without a label"), (self.undefined, "with a score that is not finite"))
        for count, what in left_out:
            if count:
                parts.append(f"{counted(count, 'image')} {what} {'was' if count == 1 else 'were'} left out")
        if self.without_true:
            parts.append(f"{counted(self.without_true, 'image')} without a true label, in which none can be missed")
        return "; ".join(parts)


def one_per_identity(identities: Iterable[str], rows: ArrayLike, seed: int = 0) -> NDArray[np.int64]:
    """Choose one image of every person at random.

    Args:
        identities: N names; an image with an empty name is a person of its own.
        rows: Indices of the images to choose from.
        seed: Of the choice.

    Returns:
        Indices, ascending.

    Raises:
        InputError: A name is no string.

    >>> one_per_identity(["ann", "bob", "ann", "", ""], [0, 1, 2, 3], seed=1).tolist()
    [0, 1, 3]
    """
    return one_each(person_codes(identities), np.asarray(rows, np.int64), seed)


def person_codes(identities: Iterable[str]) -> NDArray[np.int64]:
    """Number the people; an image with an empty name is a person of its own.

    Args:
        identities: N names.

    Returns:
        ``(N,)`` from 0.

    Raises:
        InputError: A name is no string.

    >>> person_codes(["ann", "", "ann", ""]).tolist()
    [2, 0, 2, 1]
    """
    listed = list(identities)
    others = [name for name in listed if not isinstance(name, str)]
    if others or isinstance(identities, str):
        raise InputError(
            f"expected names of people as strings, '' where unknown, got {others[0] if others else identities!r}"
        )
    own = [name or f"\0{row}" for row, name in enumerate(listed)]
    return np.unique(np.asarray(own, str), return_inverse=True)[1].astype(np.int64)


def one_each(codes: NDArray[np.int64], rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Choose one row of every code at random; see ``one_per_identity``.

    >>> one_each(np.array([0, 0, 1]), np.array([0, 1, 2]), seed=0).tolist()
    [0, 2]
    """
    shuffled = generator(seed).permutation(rows)
    if not len(shuffled):
        return shuffled
    if codes.max() >= 4 * len(codes):  # too many codes for an array of them
        return np.sort(shuffled[np.unique(codes[shuffled], return_index=True)[1]])
    first = np.full(int(codes.max()) + 1, -1, np.int64)
    first[codes[shuffled[::-1]]] = shuffled[::-1]  # of equal indices the last assignment counts
    chosen = np.zeros(len(codes), bool)
    chosen[first[first >= 0]] = True
    return np.flatnonzero(chosen)


def calibration_split(
    scores: Floats,
    known: NDArray[np.bool_],
    people: NDArray[np.int64] | None,
    seed: int,
    classes: NDArray[np.int64] | None = None,
) -> CalibrationSplit:
    """Find the images to calibrate on.

    Args:
        scores: ``(N, K)``.
        known: ``(N,)``: True where the label is known.
        people: ``(N,)`` numbers of people, of ``known_people``, or None.
        seed: Of the choice of one image per person.
        classes: ``(N,)``: if given, one image per person and class is chosen, for thresholds of one class each.

    >>> people = known_people(["ann", "ann", "bob"], images=3)
    >>> split = calibration_split(np.eye(3), np.array([True, True, False]), people, seed=0)
    >>> split.images, split.unknown, split.further
    (1, 1, 1)
    """
    finite = finite_rows(scores)
    usable = np.flatnonzero(known & finite)
    unknown, undefined = int((~known).sum()), int((known & ~finite).sum())
    if people is None:
        return CalibrationSplit(usable, unknown, undefined, None)
    codes = people if classes is None else people * (classes.max(initial=0) + 2) + classes + 1
    rows = one_each(codes, usable, seed)
    return CalibrationSplit(rows, unknown, undefined, len(usable) - len(rows))


class OneOfCalibration(NamedTuple):
    """What every threshold of a set of outputs is calibrated with, checked.

    Attributes:
        scores: ``(N, K)``.
        true: ``(N,)``: indices of the true outputs, -1 where unknown.
        alpha: α.
        names: Names of the outputs; empty if none were given.
        split: The images to calibrate on, enough of them for one threshold.

    >>> calibration = one_of_calibration(np.eye(2), [0, -1], 0.5, identities=None, seed=0, names=())
    >>> calibration.split.images, calibration.split.unknown
    (1, 1)
    """

    scores: Floats
    true: NDArray[np.int64]
    alpha: float
    names: tuple[str, ...]
    split: CalibrationSplit


def one_of_calibration(
    scores: ArrayLike,
    true: ArrayLike,
    alpha: float,
    *,
    identities: People | None,
    seed: int,
    names: Sequence[str],
    per_class: bool = False,
) -> OneOfCalibration:
    """Check what a threshold of a set of outputs is calibrated with, and find the images.

    The arguments are those of ``lac``; with ``per_class`` one image per person and class is chosen, as ``classes`` of
    ``calibration_split`` does.

    Raises:
        InputError: As for ``lac``.
    """
    p, known = as_scores(scores), check_alpha(alpha)
    y, of = check_true(true, p), check_names(names, p.shape[1])
    people = known_people(identities, len(p))
    split = calibration_split(p, y >= 0, people, seed, classes=y if per_class else None)
    check_enough(split.images, known)
    return OneOfCalibration(p, y, known, of, split)


def known_people(identities: People | None, images: int) -> NDArray[np.int64] | None:
    """Number the people of images, or return None where identities are not given; numbers are returned as they are.

    Raises:
        InputError: The number of identities is another, or one is no string.

    >>> known_people(["bob", "ann"], images=2).tolist(), known_people(None, images=2)
    ([1, 0], None)
    """
    if identities is None:
        return None
    numbered = isinstance(identities, np.ndarray) and identities.dtype.kind in "iu"
    codes = np.asarray(identities, np.int64) if numbered else person_codes(cast("Iterable[str]", identities))
    if len(codes) != images:
        raise InputError(
            f"{len(codes)} identities of {counted(images, 'image')}; expected one for each, '' where unknown"
        )
    return codes


def conformal_rank(images: int, alpha: float) -> int:
    """Return which of n calibration scores, in descending order of conformity, is the threshold: ⌈(n + 1)(1 - α)⌉.

    Args:
        images: n.
        alpha: α.

    Returns:
        The rank from 1; n + 1 where there are too few images, fewer than (1 - α)/α.

    >>> conformal_rank(9, 0.7), conformal_rank(9, 0.1), conformal_rank(8, 0.1)
    (3, 9, 9)
    """
    return math.ceil((images + 1) * (1 - alpha) - ROUNDING)


def check_alpha(alpha: float) -> float:
    """Check that a miscoverage is strictly between 0 and 1.

    Raises:
        InputError: It is not.

    >>> check_alpha(0.1)
    0.1
    """
    if not 0 < alpha < 1:
        raise InputError(
            f"alpha = {alpha:g}, the share of images whose true label may be missed; expected above 0 and "
            "below 1, such as 0.1: 0 keeps every label, 1 none"
        )
    return float(alpha)


def check_enough(images: int, alpha: float) -> None:
    """Refuse a calibration on too few images for any threshold to have the coverage.

    Raises:
        InputError: There are fewer than (1 - α)/α.

    >>> check_enough(8, 0.1)
    Traceback (most recent call last):
    bincam.errors.InputError: 8 images to calibrate on; a coverage of 0.9 needs 9 at least, (1 - alpha)/alpha; take a larger split or a larger alpha
    """  # noqa: E501
    if conformal_rank(images, alpha) > images:
        needed = math.ceil((1 - alpha) / alpha - ROUNDING)
        text = f"{needed:,}" if needed < 10**9 else f"{needed:.1e}"
        raise InputError(
            f"{counted(images, 'image')} to calibrate on; a coverage of {1 - alpha:g} needs {text} at least, "
            "(1 - alpha)/alpha; take a larger split or a larger alpha"
        )


def check_true(true: ArrayLike, scores: Floats) -> NDArray[np.int64]:
    """Read the indices of true outputs, -1 where unknown, as ``bincam.one_of.true_outputs`` returns them.

    Raises:
        InputError: Another shape, or an index that is no output.

    >>> check_true([1, -1], np.eye(2)).tolist()
    [1, -1]
    """
    y = np.asarray(true)
    if y.shape != (len(scores),) or y.dtype.kind not in "iu":
        raise InputError(
            f"expected ({len(scores)},) whole indices of the true outputs, -1 where unknown, got shape "
            f"{y.shape} of {y.dtype}; bincam.one_of.true_outputs makes them of labels (N, K)"
        )
    wrong = np.flatnonzero((y < -1) | (y >= scores.shape[1]))
    if len(wrong):
        raise InputError(
            f"true output of image {wrong[0]} is {y[wrong[0]]}; expected -1 to {scores.shape[1] - 1} for "
            f"{counted(scores.shape[1], 'output')}"
        )
    return y.astype(np.int64)
