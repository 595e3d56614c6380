"""Sets of outputs that exclude one another: of the outputs of a set exactly one is true.

It is below all rooms, because the data set, the card, the losses and the statistics state sets in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.display import counted
from bincam.errors import InputError, nearest

Sets = Mapping[str, tuple[str, ...]]
"""Name of a set to the names of its outputs; outputs in no set are yes-or-no attributes."""


def rarer_than_even(images: ArrayLike) -> NDArray[np.bool_]:
    """Find the outputs of a set that are rarer than one in K: they are its minority.

    Args:
        images: ``(K,)``: numbers of images of which each output is true, in training.

    Returns:
        ``(K,)``; nothing is rare where there are no images, or equally many of each.

    >>> rarer_than_even([70, 20, 10]).tolist()
    [False, True, True]
    """
    counts = np.asarray(images, np.int64)
    return np.asarray(counts * len(counts) < counts.sum())


def true_outputs(labels: ArrayLike) -> NDArray[np.int64]:
    """Find the true output of every row of a set's labels.

    Args:
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout.

    Returns:
        ``(N,)`` indices from 0; -1 where the labels are unknown.

    Raises:
        InputError: A row has no true label or several, or an unknown one beside known ones.

    >>> true_outputs([[0, 1, 0], [1, 0, 0], [np.nan, np.nan, np.nan]]).tolist()
    [1, 0, -1]
    """
    values = np.asarray(labels, np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise InputError(f"expected labels (N, K) of a set of K >= 2 outputs, got shape {values.shape}")
    unknown = np.isnan(values).all(1)
    single = ((values == 1).sum(1) == 1) & ((values == 0).sum(1) == values.shape[1] - 1)
    wrong = np.flatnonzero(~unknown & ~single)
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"labels of row {row} of a set are {values[row].tolist()} ({counted(len(wrong), 'such row')}); of a set "
            "exactly one label is 1 and the others are 0, or all are unknown (NaN)"
        )
    return np.where(unknown, -1, (values == 1).argmax(1))


def predicted_outputs(scores: ArrayLike) -> NDArray[np.int64]:
    """Find the predicted output of every row of a set's raw scores: the greatest, the first of equals.

    Args:
        scores: ``(N, K)``.

    Returns:
        ``(N,)`` indices from 0; -1 where a score is not finite, which leaves the whole set undefined.

    >>> predicted_outputs([[0.1, 2.0, 0.3], [1.0, 1.0, 1.0], [np.nan, 5.0, 0.0]]).tolist()
    [1, 0, -1]
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 2:
        raise InputError(f"expected scores (N, K), got shape {values.shape}")
    finite = np.asarray(np.isfinite(values).all(1))
    return np.where(finite, np.where(finite[:, None], values, 0.0).argmax(1), -1)


_BLOCK = 1 << 20
"""Labels that are looked at at once, so that they stay in the processor's cache."""


def true_and_unknown(labels: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the true and the unknown labels of every row.

    Args:
        labels: ``(N, K)``: 1, 0 or NaN.

    Returns:
        Both ``(N,)``.

    >>> [counts.tolist() for counts in true_and_unknown(np.array([[0, 1], [1, np.nan]], np.float32))]
    [[1, 1], [0, 1]]
    """
    true, unknown = np.empty(len(labels), np.int64), np.empty(len(labels), np.int64)
    step = max(1, _BLOCK // max(1, labels.shape[1]))
    ones = np.ones(labels.shape[1], labels.dtype)
    for start in range(0, len(labels), step):
        block = labels[start : start + step]
        sums = block @ ones  # exact up to 2^24 labels, and a quarter of the time of counting; NaN with an unknown label
        whole = not np.isnan(sums).any()
        true[start : start + step] = sums if whole else np.count_nonzero(block == 1, axis=1)
        unknown[start : start + step] = 0 if whole else np.count_nonzero(np.isnan(block), axis=1)
    return true, unknown


def in_columns(labels: NDArray[np.float32], columns: Sequence[int]) -> NDArray[np.float32]:
    """Select columns, without a copy where they are neighbours, as the outputs of a set of many classes are.

    >>> in_columns(np.eye(3, dtype=np.float32), [1, 2]).base is not None
    True
    """
    first, last = columns[0], columns[-1]
    adjacent = last - first + 1 == len(columns) and list(columns) == list(range(first, last + 1))
    return labels[:, first : last + 1] if adjacent else labels[:, list(columns)]


def yes_or_no(names: Sequence[str], one_of: Sets) -> list[int]:
    """Return the columns of the outputs that are in no set.

    >>> yes_or_no(["Male", "blond", "dark"], {"hair": ("blond", "dark")})
    [0]
    """
    in_sets = {output for members in one_of.values() for output in members}
    return [column for column, name in enumerate(names) if name not in in_sets]


def check_sets(one_of: Mapping[str, Sequence[str]], outputs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Check that sets name known outputs, have at least two each, and do not overlap.

    Args:
        one_of: Name of a set to the names of its outputs.
        outputs: Names of all outputs.

    Returns:
        The sets, with tuples of names.

    Raises:
        InputError: A name is empty or unknown or occurs twice, a set has fewer than two outputs, or it has the name of
            an output.

    >>> check_sets({"hair": ["blond", "dark"]}, ["blond", "dark", "Male"])
    {'hair': ('blond', 'dark')}
    """
    sets: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    known = frozenset(outputs)
    for name, members in one_of.items():
        if not name.strip():
            raise InputError("a set of outputs has an empty name")
        if name == "overall":
            raise InputError("a set of outputs is called 'overall', which names the means over attributes; rename it")
        if name in known:
            raise InputError(
                f"set {name!r} has the name of an output, so that a name would not tell which of them is meant; rename "
                "the set"
            )
        if isinstance(members, str):
            raise InputError(f"set {name!r} is the string {members!r}; pass a list of names of outputs")
        if len(members) < 2:
            count = counted(len(members), "output")
            raise InputError(
                f"set {name!r} has {count}; of a set exactly one output is true, so it has at least two (an output of "
                "its own is a yes-or-no attribute and needs no set)"
            )
        for output in members:
            if output not in known:
                raise InputError(f"set {name!r} names {output!r}{nearest(output, outputs)}")
            if output in owner:
                where = "twice in itself" if owner[output] == name else f"in set {owner[output]!r} too"
                raise InputError(f"output {output!r} of set {name!r} is {where}; sets do not overlap")
            owner[output] = name
        sets[name] = tuple(members)
    return sets


def check_set_counts(counts: Mapping[str, tuple[int, int]], one_of: Sets, where: str) -> None:
    """Refuse counts of labels that contradict each other, because of a set exactly one output is true in every image.

    Args:
        counts: ``(negatives, positives)`` of outputs; those of some may be unknown.
        one_of: The sets.
        where: What states the counts, for the message.

    Raises:
        InputError: The outputs of a set were counted in different numbers of images, or their positives are not these
            images.

    >>> check_set_counts({"dark": (30, 70), "blond": (70, 30)}, {"hair": ("dark", "blond")}, "train_counts")
    >>> check_set_counts({"dark": (30, 70), "blond": (80, 20)}, {"hair": ("dark", "blond")}, "train_counts")
    Traceback (most recent call last):
    bincam.errors.InputError: train_counts of set 'hair': 90 positives of its outputs in 100 images; of a set exactly one output is true in every image, so the positives add up to the images
    """  # noqa: E501
    for name, members in one_of.items():
        known = {output: counts[output] for output in members if output in counts}
        if not known:
            continue
        (first, (negatives, positives)), *others = known.items()
        images = negatives + positives
        for output, (no, yes) in others:
            if no + yes != images:
                raise InputError(
                    f"{where} of set {name!r}: {counted(images, 'image')} of {first!r} ({negatives:,} negative and "
                    f"{positives:,} positive) but {no + yes:,} of {output!r} ({no:,} and {yes:,}); the outputs of a "
                    "set are counted in the same images"
                )
        total = sum(yes for _, yes in known.values())
        if total > images or (total < images and len(known) == len(members)):
            of = (
                "its outputs"
                if len(known) == len(members)
                else f"{len(known)} of its {counted(len(members), 'output')}"
            )
            raise InputError(
                f"{where} of set {name!r}: {total:,} positives of {of} in {counted(images, 'image')}; of a set exactly "
                "one output is true in every image, so the positives add up to the images"
            )


def collapse(names: Sequence[str], one_of: Mapping[str, Sequence[str]]) -> list[str]:
    """Name whole sets in place of their outputs, to write a list of names.

    >>> collapse(["dark", "Male", "blond"], {"hair": ("dark", "blond")})
    ["set 'hair' of 2 outputs", 'Male']
    """
    listed = set(names)
    whole = {name: members for name, members in one_of.items() if listed.issuperset(members)}
    parts: dict[str, None] = {}
    for output in names:
        name = set_of(output, whole)
        parts[output if name is None else f"set {name!r} of {counted(len(whole[name]), 'output')}"] = None
    return list(parts)


def expand(names: Iterable[str], one_of: Mapping[str, Sequence[str]]) -> list[str]:
    """Replace the names of sets by those of their outputs.

    >>> expand(["Male", "sky"], {"sky": ("sky=clear", "sky=grey")})
    ['Male', 'sky=clear', 'sky=grey']
    """
    return [output for name in names for output in one_of.get(name, (name,))]


def set_columns(one_of: Sets, outputs: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Find the columns of the outputs of every set.

    >>> set_columns({"hair": ("dark", "blond")}, ["blond", "dark", "Male"])
    {'hair': (1, 0)}
    """
    position = {output: column for column, output in enumerate(outputs)}
    return {name: tuple(position[output] for output in members) for name, members in one_of.items()}


def set_of(output: str, one_of: Mapping[str, Sequence[str]]) -> str | None:
    """Find the set of an output; None for a yes-or-no attribute.

    >>> set_of("dark", {"hair": ("dark", "blond")})
    'hair'
    """
    return next((name for name, members in one_of.items() if output in members), None)


def check_no_threshold(names: Iterable[str], one_of: Mapping[str, Sequence[str]], where: str) -> None:
    """Refuse decision thresholds of outputs in sets.

    Args:
        names: Names of outputs, or of sets, with a threshold.
        one_of: The sets.
        where: What states the thresholds, for the message.

    Raises:
        InputError: One of the names is in a set, or is a set's.
    """
    for name in names:
        owner = name if name in one_of else set_of(name, one_of)
        if owner is not None:
            named = f"set {owner!r}" if owner == name else f"{name!r} of set {owner!r}"
            raise InputError(
                f"{where} has one for {named}, which has none: of a set, the output with the highest score is the "
                "predicted one; omit it"
            )
