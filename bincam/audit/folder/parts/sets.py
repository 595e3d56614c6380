"""Sets of outputs in an audit's folder: their rows in the records, and the files of raw scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import part_file
from bincam.audit.folder.stored import read_array
from bincam.errors import InputError
from bincam.one_of import Sets

if TYPE_CHECKING:
    import pyarrow as pa

SLOTS = ("predicted", "true")
"""The rows of an image in a set of more outputs than ``Settings.one_of_rows``."""
TRUE_OUTPUT_COLUMNS = ("output", "label")
"""The columns of the records that name the true outputs of large sets."""


def slots(name: str) -> tuple[str, ...]:
    """Name the rows of a large set in the records.

    >>> slots("class")
    ('class: predicted', 'class: true')
    """
    return tuple(f"{name}: {slot}" for slot in SLOTS)


def is_large(members: Sequence[str], most: int) -> bool:
    """Return True if a set has more outputs than an audit keeps rows of."""
    return len(members) > most


def large_sets(attributes: Sequence[str], one_of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Find the sets that have a row for the predicted and for the true output, in place of one for each output.

    Args:
        attributes: The names of the rows of an image in the records.
        one_of: The audited sets.

    >>> large_sets(["Male", "hair: predicted", "hair: true"], {"hair": ["dark", "blond"]})
    ('hair',)
    """
    rows = set(attributes)
    return tuple(name for name, members in one_of.items() if not rows.issuperset(members))


def without_sets(attributes: Sequence[str], one_of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the yes-or-no attributes among the rows of an image.

    >>> without_sets(["Male", "dark", "blond", "class: predicted", "class: true"],
    ...              {"hair": ["dark", "blond"], "class": ["cat", "dog"]})
    ('Male',)
    """
    of_sets = {output for members in one_of.values() for output in members}
    of_sets |= {slot for name in large_sets(attributes, one_of) for slot in slots(name)}
    return tuple(name for name in attributes if name not in of_sets)


def output_names(attributes: Sequence[str], one_of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """List the entries of the column ``output``: the outputs with a row of their own, those of large sets, and none."""
    large = large_sets(attributes, one_of)
    rows = {slot for name in large for slot in slots(name)}
    own = [name for name in attributes if name not in rows]
    return (*own, *(output for name in large for output in one_of[name]), "")


def check_stated(single: Sequence[str], one_of: Mapping[str, Sequence[str]], file: str) -> None:
    """Refuse attributes that were decided by thresholds although the model's card has them in a set.

    Args:
        single: The audited attributes that are in no audited set.
        one_of: The sets of the card.
        file: The manifest, for the message.

    Raises:
        InputError: One of them is in a set.
    """
    owner = {output: name for name, members in one_of.items() for output in members}
    strange = next((name for name in single if name in owner), None)
    if strange is not None:
        raise InputError(
            f"{file}: {strange!r} is an output of set {owner[strange]!r} on the model's card, but no such set was "
            "audited; make the audit again"
        )


def scores_file(folder: Path, number: int) -> Path:
    """Return the path of a shard's raw scores."""
    return part_file(folder, "scores", number, ".npy")


def set_scores_file(folder: Path, number: int) -> Path:
    """Return the path of a shard's logits of the second head for label sets."""
    return part_file(folder, "set_scores", number, ".npy")


def read_scores(
    folder: Path,
    one_of: Sets,
    shards: int,
    file_of: Callable[[Path, int], Path] = scores_file,
    kept: Callable[[int], NDArray[np.bool_] | None] = lambda _: None,
) -> NDArray[np.float32]:
    """Read the raw scores ``(N, outputs of all sets)`` of the images that could be read, in the order of the records.

    Args:
        folder: The audit's folder.
        one_of: The audited sets; their outputs are the columns, set after set.
        shards: Number of shards.
        file_of: Names the file of a shard: ``scores_file``, or ``set_scores_file`` for those of the second head.
        kept: Finds the images of a shard that are read; None for all.

    Raises:
        InputError: A file is missing, or not of these sets.
    """
    width = sum(len(members) for members in one_of.values())
    parts = []
    for number in range(shards):
        file = file_of(folder, number)
        part = read_array(file, "not the scores of an audit")
        if part.ndim != 2 or part.shape[1] != width or part.dtype != np.float32:
            raise InputError(
                f"{file}: expected float32 scores of {width} outputs, got {part.dtype} {part.shape}; make the audit "
                "again"
            )
        here = kept(number)
        parts.append(np.asarray(part) if here is None else part[here])
    return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)


def columns_of_scores(one_of: Sets) -> dict[str, slice]:
    """Find the columns of each set in the files of raw scores.

    >>> columns_of_scores({"hair": ("dark", "blond"), "age": ("young", "old")})
    {'hair': slice(0, 2, None), 'age': slice(2, 4, None)}
    """
    result, start = {}, 0
    for name, members in one_of.items():
        result[name] = slice(start, start + len(members))
        start += len(members)
    return result


def recorded_true_outputs(
    parts: Iterable[pa.Table], attributes: Sequence[str], one_of: Sets
) -> dict[str, NDArray[np.int64]]:
    """Read the true outputs of all large sets.

    Args:
        parts: The records with ``TRUE_OUTPUT_COLUMNS``, shard by shard, ordered by image and then by row.
        attributes: The names of the rows of an image.
        one_of: The audited sets.

    Returns:
        Name of a large set to ``(N,)`` indices into its outputs; -1 where the label is unknown.

    >>> import pyarrow as pa
    >>> part = pa.table({"output": ["cat", "dog", "cat", ""], "label": [0.0, 1.0, float("nan"), float("nan")]})
    >>> recorded_true_outputs([part], ["pet: predicted", "pet: true"], {"pet": ("cat", "dog")})
    {'pet': array([ 1, -1])}
    """
    A, names = len(attributes), output_names(attributes, one_of)
    index = {output: number for number, output in enumerate(names)}
    position, found = {}, {}
    for name in large_sets(attributes, one_of):
        place = {output: k for k, output in enumerate(one_of[name])}
        position[name] = np.array([place.get(output, -1) for output in names], np.int64)
        found[name] = [np.zeros(0, np.int64)]
    for part in parts:
        of_rows = np.array([index[output] for output in part["output"].to_pylist()], np.int64).reshape(-1, A)
        labels = part["label"].to_numpy().reshape(-1, A)
        for name, positions in position.items():
            row = list(attributes).index(slots(name)[1])
            found[name].append(np.where(labels[:, row] == 1, positions[of_rows[:, row]], -1))
    return {name: np.concatenate(of_parts) for name, of_parts in found.items()}
