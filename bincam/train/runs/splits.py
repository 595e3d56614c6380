"""The splits of a run, checked before training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from bincam.data import AttributeTable, load
from bincam.data.checking.leakage import split_leaks
from bincam.data.describe import SPLITS
from bincam.data.readers.load import format_of
from bincam.display import counted
from bincam.errors import BincamWarning, InputError
from bincam.train.configuration.sections import DataConfig


@dataclass(frozen=True)
class Splits:
    """The training, validation and test split of a run.

    Attributes:
        train: With both classes of every attribute.
        validation: Selects the epoch and tunes thresholds.
        test: Evaluated at the end; None if there is none.
        leaks: Sentences on people and pictures that are in several of them, see ``split_leaks``.
        digest: SHA-256 of the whole table with its splits, see ``AttributeTable.digest``.
    """

    train: AttributeTable
    validation: AttributeTable
    test: AttributeTable | None
    digest: str
    leaks: tuple[str, ...] = ()


def _column_of_splits(config: DataConfig) -> str:
    """The advice to name a column of splits; empty of formats without one."""
    if "split" not in format_of(config.source, config.options.get("format")).defaults:
        return ""
    return "name the column that states them (data.options: {split: COLUMN}), or "


def read_splits(config: DataConfig, *, look_for_leaks: bool = False) -> Splits:
    """Read a data set and its splits.

    An attribute with a single class is refused in training, because it cannot be learned, and reported by a warning in
    validation and test, where some of its metrics are undefined and left out of means.

    Args:
        config: Of the data.
        look_for_leaks: Look for people and pictures that are in several splits, for which every file is opened.

    Raises:
        InputError: The data cannot be read, an attribute is unknown, a split is missing, or an attribute has no
            positives or no negatives in training.
    """
    table = load(config.source, **config.options)
    if config.folds is not None:  # before attributes are chosen, so that the folds are the same for any choice
        table = table.folds(config.folds)[config.fold]
    if config.attributes is not None:
        table = table.select(config.attributes)
    counts = table.counts()
    missing = [name for name in ("train", "validation") if name not in counts]
    if missing:
        raise InputError(
            f"{config.source}: no images in split {' or '.join(map(repr, missing))}; splits with images: "
            f"{', '.join(name for name in counts if name) or 'none'}; {_column_of_splits(config)}split the data anew "
            "(data.folds=3 or more)"
        )
    for name in ("train", "validation", "test"):
        if name in counts:
            _check_classes(table.split(name), name, config.source)
    return Splits(
        train=table.split("train"),
        validation=table.split("validation"),
        test=table.split("test") if "test" in counts else None,
        digest=table.digest(),
        leaks=tuple(split_leaks(table, SPLITS)) if look_for_leaks else (),
    )


def _check_classes(table: AttributeTable, split: str, source: str) -> None:
    owner = {output: name for name, members in table.one_of.items() for output in members}
    lacking = [
        f"{name!r}{f' of the set {owner[name]!r}' if name in owner else ''} has no "
        f"{'images' if name in owner else label} among {counted(len(table), 'image')}"
        for value, label in ((1, "positives"), (0, "negatives"))
        for name, is_present in zip(table.names, np.any(table.labels == value, axis=0).tolist(), strict=True)
        if not is_present
    ]
    if not lacking:
        return
    more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    text = f"{source}: split {split!r}: {lacking[0]}{more}"
    if split == "train":
        remedy = "leave it out of data.attributes"
        if any(f"{output!r} of the set" in lacking[0] for output in owner):
            remedy = "state the set without this class (data.options, with one_of_invalid: unknown)"
        raise InputError(f"{text}; it cannot be learned: {remedy}, or add images")
    warnings.warn(f"{text}; its metrics are undefined there and left out of means", BincamWarning, stacklevel=3)
