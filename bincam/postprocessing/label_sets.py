"""Sets of labels that scores leave open: all outputs whose score is at least a threshold, or the k best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.display import counted
from bincam.errors import InputError

Floats = NDArray[np.floating]
Booleans = NDArray[np.bool_]
Ties = Literal["whole", "random"]
"""What becomes of scores that equal the threshold: all are kept, or each with a chance that makes the size right."""
OF_ANSWERS = ("lac", "class_conditional", "average_k", "aps", "raps")
"""Names of methods for answers that exclude one another: the outputs of a set, or no and yes of an attribute."""

OF_ATTRIBUTES = ("global", "per_attribute", "crc")
"""Names of methods for all yes-or-no attributes at once: which of them an image has."""

_FEW_COLUMNS = 4
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class LabelSets:
    """A set of labels for every image.

    Attributes:
        members: ``(N, K)``: True where the label is in the image's set; False throughout where it is undefined.
        defined: ``(N,)``: False for images with a score that is not finite.
        ties: How scores that equal their threshold were treated.
        tied: Number of such scores.
        kept: How many of these are in their set.

    Example:
        >>> sets = at_least([[0.5, 0.3, 0.2], [0.9, 0.1, 0.0], [np.nan, 0.5, 0.5]], 0.3)
        >>> sets.members.tolist(), sets.size, sets.undefined, sets.tied
        ([[True, True, False], [True, False, False], [False, False, False]], 1.5, 1, 1)
        >>> unpacked(sets.packed(), outputs=3).tolist() == sets.members.tolist()
        True
    """

    members: Booleans
    defined: Booleans
    ties: Ties = "whole"
    tied: int = 0
    kept: int = 0

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``(N,)``: numbers of labels; 0 where undefined."""
        return np.asarray(self.members.sum(1), np.int64)

    @property
    def size(self) -> float:
        """The realised mean number of labels of the defined sets; NaN if there is none."""
        images = int(self.defined.sum())
        return float(self.members.sum() / images) if images else float("nan")

    @property
    def undefined(self) -> int:
        """Number of images without a set."""
        return int((~self.defined).sum())

    def packed(self) -> NDArray[np.uint8]:
        """Return eight labels in a byte, ``(N, ceil(K / 8))``, the first in the highest bit; see ``unpacked``."""
        return np.packbits(self.members, axis=1)


def unpacked(packed: NDArray[np.uint8], outputs: int) -> Booleans:
    """Return sets ``(N, K)`` of ``LabelSets.packed``.

    Raises:
        InputError: The bytes are those of another number of outputs.

    >>> unpacked(np.array([[0b10100000]], np.uint8), outputs=3)
    array([[ True, False,  True]])
    """
    if packed.ndim != 2 or packed.shape[1] != -(-outputs // 8):
        raise InputError(
            f"packed sets of {counted(outputs, 'output')} have {-(-outputs // 8)} bytes each, got shape "
            f"{packed.shape}; pass the number of outputs that they were packed with"
        )
    return np.unpackbits(packed, axis=1, count=outputs).astype(bool)


def at_least(
    scores: ArrayLike, thresholds: ArrayLike, *, ties: Ties = "whole", kept_share: float = 1.0, seed: int = 0
) -> LabelSets:
    """Return the sets of all labels whose score is at least a threshold.

    Args:
        scores: ``(N, K)``; rows with one that is not finite have no set.
        thresholds: One number or ``(K,)``; -inf keeps always. It is compared exactly, also with scores of float32.
        ties: With ``random`` a score that equals its threshold is kept with probability ``kept_share``.
        kept_share: From 0 to 1.
        seed: Of these draws; the same scores and seed give the same sets.

    Raises:
        InputError: Shapes differ, a threshold is NaN, or an option is out of range.

    Example:
        >>> at_least([[0.5, 0.5], [0.5, 0.5]], 0.5, ties="random", kept_share=0.5, seed=3).kept
        2
    """
    p = as_scores(scores)
    t = np.asarray(thresholds, np.float64)
    if t.shape not in {(), (p.shape[1],)} or np.isnan(t).any():
        raise InputError(
            f"expected one threshold or {p.shape[1]}, none NaN, for scores of shape {p.shape}, got {thresholds!r}"
        )
    if ties not in get_args(Ties) or not 0 <= kept_share <= 1:
        raise InputError(
            f"ties = {ties!r} of which a share of {kept_share} is kept; expected 'whole' or 'random', and a share from "
            "0 to 1"
        )
    defined = finite_rows(p)
    at = rounded_up(t, p.dtype)
    members = (p >= at) & defined[:, None]
    # Between two float32 numbers no score equals the threshold, although it may equal the next number.
    tied = (p == at) & (at == t) & defined[:, None]
    places = np.flatnonzero(tied)
    kept = len(places)
    if ties == "random":
        dropped = places[generator(seed).random(len(places)) >= kept_share]
        members.ravel()[dropped] = False
        kept -= len(dropped)
    return LabelSets(members, defined, ties, len(places), kept)


def top_k_sets(scores: ArrayLike, k: int) -> LabelSets:
    """Return the sets of the k labels with the greatest scores; of equal scores the first.

    Args:
        scores: ``(N, K)``; rows with one that is not finite have no set.
        k: From 1 to K.

    Raises:
        InputError: k is no whole number from 1 to K.

    >>> top_k_sets([[0.2, 0.5, 0.5, 0.1], [0.25, 0.25, 0.25, 0.25]], 2).members.astype(int).tolist()
    [[0, 1, 1, 0], [1, 1, 0, 0]]
    """
    p = as_scores(scores)
    if not isinstance(k, int | np.integer) or not 1 <= k <= p.shape[1]:
        raise InputError(f"k = {k!r} of top-k sets; expected a whole number from 1 to {p.shape[1]}, the outputs")
    defined = finite_rows(p)
    filled = np.where(defined[:, None], p, 0)
    order = np.argsort(-filled, axis=1, kind="stable")[:, :k]
    members = np.zeros(p.shape, bool)
    np.put_along_axis(members, order, values=True, axis=1)
    return LabelSets(members & defined[:, None], defined)


def yes_no_scores(logits: ArrayLike, threshold: float = 0.0) -> NDArray[np.float64]:
    """Return the scores of a yes-or-no head as those of a set of two: no and yes.

    A set with both labels says "cannot say"; the mean size less 1 is the share of these less the share of empty sets.

    Args:
        logits: z, ``(N,)``.
        threshold: t, in logit units; its side is preferred: the scores are the logistic functions of t - z and z - t.

    Returns:
        ``(N, 2)``, which add up to 1; NaN where the logit is.

    >>> yes_no_scores([0.0, np.log(3.0)]).round(2).tolist()
    [[0.5, 0.5], [0.25, 0.75]]
    """
    from scipy.special import expit

    z = np.asarray(logits, np.float64)
    if z.ndim != 1:
        raise InputError(f"expected logits (N,) of one attribute, got shape {z.shape}; call once per attribute")
    return np.stack([expit(threshold - z), expit(z - threshold)], 1)


def generator(seed: int, *more: int) -> np.random.Generator:
    """Return a generator of random numbers of its own, so that the global one is left alone.

    Raises:
        InputError: The seed is no whole number, or negative.

    >>> float(generator(1).random()) == float(generator(1).random())
    True
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed = {seed!r}; expected a whole number that is not negative")
    return np.random.default_rng([seed, *more])


def as_scores(scores: ArrayLike) -> Floats:
    """Read scores ``(N, K)`` without a copy where they are floating-point numbers already.

    Raises:
        InputError: Another shape, no output, or values that are no numbers.

    >>> as_scores([[1, 0]]).dtype
    dtype('float64')
    """
    values = np.asarray(scores)
    if values.ndim != 2 or not values.shape[1]:
        raise InputError(f"expected scores (N, K) of N images and K outputs, got shape {values.shape}")
    if values.dtype.kind == "f":
        return values
    if values.dtype.kind not in "biu":
        raise InputError(f"expected scores that are numbers, got {values.dtype}")
    return values.astype(np.float64)


def finite_rows(scores: Floats) -> Booleans:
    """Find the rows without NaN and infinite values, in blocks, so that little memory is used beside the scores.

    >>> finite_rows(np.array([[0.1, 0.9], [np.nan, 1.0]])).tolist()
    [True, False]
    """
    blocks = [_finite(scores[block]) for block in row_blocks(len(scores), scores.shape[1])]
    return np.concatenate(blocks) if blocks else np.zeros(0, bool)


def _finite(scores: Floats) -> Booleans:
    if scores.shape[1] > _FEW_COLUMNS:
        return np.asarray(np.isfinite(scores).all(1))
    result = np.isfinite(scores[:, 0])
    for column in scores.T[1:]:  # faster than a reduction of short rows
        result &= np.isfinite(column)
    return result


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Divide rows into blocks of about a million numbers, so that what is computed of one needs little memory.

    >>> list(row_blocks(3, columns=1 << 19))
    [slice(0, 2, None), slice(2, 4, None)]
    """
    step = max(1, _CHUNK // columns)
    return (slice(first, first + step) for first in range(0, rows, step))


def rounded_up(thresholds: NDArray[np.float64], dtype: np.dtype[np.floating]) -> Floats:
    """Return the least numbers of a type that are not below thresholds: p >= t exactly where p >= these.

    numpy would round the threshold to the nearest number of the scores' type, which may be the next lower score.

    >>> low, high = np.float32(0.5), np.nextafter(np.float32(0.5), np.float32(1))
    >>> middle = np.asarray((float(low) + float(high)) / 2)
    >>> bool(low >= np.float32(middle)), bool(low >= rounded_up(middle, np.dtype(np.float32)))
    (True, False)
    """
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(dtype)
    return np.asarray(np.where(rounded < thresholds, np.nextafter(rounded, dtype.type(np.inf)), rounded), dtype)


def check_outputs(scores: Floats, outputs: int, calibrated: Sequence[str], names: Sequence[str] | None) -> None:
    """Refuse scores of other outputs than those that a threshold was calibrated on.

    Args:
        scores: ``(N, K)``.
        outputs: K of the calibration.
        calibrated: Names of its outputs; empty if it was given none.
        names: Names of the outputs of the scores, or None.

    Raises:
        InputError: Their number, names or order differ.

    >>> check_outputs(np.zeros((1, 2)), 2, ["cat", "dog"], ["dog", "cat"])
    Traceback (most recent call last):
    bincam.errors.InputError: calibrated on the outputs cat, dog, got scores of dog, cat; bring the columns into that order
    """  # noqa: E501
    if scores.shape[1] != outputs:
        raise InputError(
            f"calibrated on {counted(outputs, 'output')}, got scores of {scores.shape[1]}; calibrate on a split with "
            "the same outputs"
        )
    if names is None or not calibrated or tuple(names) == tuple(calibrated):
        return
    check_names(names, outputs)
    same = sorted(names) == sorted(calibrated)
    what = "bring the columns into that order" if same else "calibrate on a split with the same outputs"
    first = next(n for n, (own, other) in enumerate(zip(calibrated, names, strict=True)) if own != other)
    shown = slice(0, 8) if first < 8 else slice(first, first + 8)
    raise InputError(
        f"calibrated on the outputs {', '.join(calibrated[shown])}, got scores of {', '.join(names[shown])}; {what}"
    )


def check_names(names: Sequence[str], outputs: int) -> tuple[str, ...]:
    """Check that there are no names, or one for each output.

    Raises:
        InputError: Their number is another, or one occurs twice.

    >>> check_names(["cat", "dog"], 2)
    ('cat', 'dog')
    """
    if isinstance(names, str) or (names and (len(names) != outputs or len(set(names)) != outputs)):
        raise InputError(f"expected {outputs} different names of outputs or none, got {names!r}")
    return tuple(names)
