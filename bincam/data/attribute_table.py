"""The common in-memory form of every data set: images, their attribute labels, and metadata per image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.data.checking.fields import (
    check_one_file_each,
    check_one_true,
    check_unique,
    first_illegal,
    frozen,
    text_column,
)
from bincam.data.describe import SPLITS, Description, describe
from bincam.display import ROWS, Table, cell, counted, omitted
from bincam.errors import InputError, nearest
from bincam.one_of import check_sets, expand, in_columns, set_columns

if TYPE_CHECKING:
    from bincam.data.regions.box_table import BoxTable

LANDMARKS: tuple[str, ...] = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
"""CelebA's five landmarks in CelebA's order. Left is the left of the image: the smaller x of an upright face."""


@dataclass(frozen=True, eq=False)
class AttributeTable:
    """N images with A binary attributes or outputs of sets. Arrays are read-only; methods return new tables.

    Attributes:
        names: The A attributes.
        labels: ``(N, A)`` float32: 1 positive, 0 negative, NaN unknown.
        ids: N image names, relative to ``root``, unique.
        root: The folder that the ids are relative to.
        splits: ``(N,)`` strings out of ``SPLITS`` or ``""``.
        identities: ``(N,)`` strings naming the person shown, ``""`` where unknown; None if the data set has none.
        groups: Further columns by which results may be sliced, each ``(N,)`` strings, ``""`` where unknown.
        landmarks: ``(N, 5, 2)`` float32 x, y in pixels of the stored image, in the order of ``LANDMARKS``; NaN where
            unknown; None if the data set has none.
        boxes: ``(N, 4)`` float32 x, y, width, height in pixels of the stored image; likewise.
        one_of: Sets of columns of which exactly one is 1 in every image, by name; where the label of a set is unknown,
            all its columns are NaN.
        objects: Boxes of the objects that the attributes name, by image and attribute, of formats that state them; None
            of the others. Like the pixels no part of the digest.
        source: Where the table was read from, for messages.
        reading: Arguments of the reader that differ from its defaults, as JSON values: with them the source is read
            again in the same way. No part of the digest.
        meaning: What the values of the source mean, a sentence each, as ``bincam data describe`` prints them; likewise.
        value_range: The values of the images that are black and white, of images that are not of 8 bits; None if it is
            not stated.

    Example:
        >>> import numpy as np
        >>> from bincam.data import AttributeTable
        >>> faces = AttributeTable(
        ...     names=("Smiling", "Male"),
        ...     labels=np.array([[1, 0], [0, 0], [1, 1], [0, np.nan]]),
        ...     ids=("a.png", "b.png", "c.png", "d.png"),
        ...     root="photos",
        ...     splits=np.array(["train", "train", "validation", "test"]),
        ... )
        >>> faces
        AttributeTable(photos: 4 images (2 train, 1 validation, 1 test), 2 attributes)
        >>> faces.counts()
        {'train': 2, 'validation': 1, 'test': 1}
        >>> faces.take(faces.labels[:, faces.index("Male")] == 0).ids
        ('a.png', 'b.png')
        >>> faces.split("train").select(["Male"]).labels
        array([[0.],
               [0.]], dtype=float32)
    """

    names: tuple[str, ...]
    labels: NDArray[np.float32]
    ids: tuple[str, ...]
    root: Path
    splits: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, "U1"))
    identities: NDArray[np.str_] | None = None
    groups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    landmarks: NDArray[np.float32] | None = None
    boxes: NDArray[np.float32] | None = None
    one_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    objects: BoxTable | None = None
    source: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)
    meaning: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        n, names = len(self.ids), tuple(self.names)
        if not names:
            raise InputError(f"{self.source or 'table'}: no attributes")
        check_unique("attribute", names, self.source)
        check_unique("image", self.ids, self.source)
        check_one_file_each(self.ids, self.root, self.source)
        labels = frozen(self.labels, np.float32)
        if labels.shape != (n, len(names)):
            raise InputError(
                f"labels of {counted(n, 'image')} and {counted(len(names), 'attribute')} have shape "
                f"{(n, len(names))}, got {labels.shape}"
            )
        if (wrong := first_illegal(labels)) is not None:
            row, column = wrong
            raise InputError(
                f"label {names[column]!r} of {self.ids[row]!r} is {labels[row, column]}; expected 0, 1 or NaN (unknown)"
            )
        one_of = check_sets(self.one_of, names)
        for name, columns in set_columns(one_of, names).items():
            check_one_true(in_columns(labels, columns), name, self.ids, self.source)
        splits = self.splits if len(self.splits) or not n else np.full(n, "", "U1")
        split_names = set(np.unique(np.asarray(self.splits, np.str_)).tolist())
        for name in sorted(split_names - {"", *SPLITS}):
            raise InputError(f"unknown split {name!r}; a split is one of {', '.join(SPLITS)} or empty")
        put = object.__setattr__
        put(self, "names", names)
        put(self, "ids", tuple(self.ids))
        put(self, "root", Path(self.root))
        put(self, "labels", labels)
        put(self, "one_of", one_of)
        put(self, "splits", text_column("splits", splits, n))
        if self.identities is not None:
            put(self, "identities", text_column("identities", self.identities, n))
        put(self, "groups", {name: text_column(f"group {name!r}", value, n) for name, value in self.groups.items()})
        for name, shape in (("landmarks", (n, len(LANDMARKS), 2)), ("boxes", (n, 4))):
            if (value := getattr(self, name)) is not None:
                array = frozen(value, np.float32)
                if array.shape != shape:
                    raise InputError(f"{name} of {counted(n, 'image')} have shape {shape}, got {array.shape}")
                put(self, name, array)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        parts = ", ".join(f"{count} {name or 'in no split'}" for name, count in self.counts().items())
        images, attributes = counted(len(self), "image"), counted(len(self.names), "attribute")
        return f"AttributeTable({self.source or self.root}: {images} ({parts}), {attributes})"

    def _repr_html_(self) -> str:
        positives = (self.labels == 1).sum(axis=0)
        negatives = (self.labels == 0).sum(axis=0)
        rarest = np.argsort(np.minimum(positives, negatives) / np.maximum(positives + negatives, 1), kind="stable")
        rows = [
            (
                self.names[i],
                f"{positives[i]:,}",
                f"{negatives[i]:,}",
                f"{len(self) - positives[i] - negatives[i]:,}",
                cell(100 * positives[i] / n if (n := positives[i] + negatives[i]) else np.nan, 1),
            )
            for i in rarest[:ROWS]
        ]
        heads = ("attribute", "positive", "negative", "unknown", "positive [%]")
        return Table(repr(self), heads, rows, omitted(len(rows), len(self.names), "attributes")).html()

    def read_with(self, reading: Mapping[str, Any]) -> AttributeTable:
        """The same table with the arguments it was read with; nothing is checked again, which takes long of many."""
        result = copy(self)
        object.__setattr__(result, "reading", reading)
        return result

    def with_range(self, value_range: tuple[float, float]) -> AttributeTable:
        """The same table with the values of its images that are black and white."""
        result = copy(self)
        object.__setattr__(result, "value_range", value_range)
        return result

    def meaning_with(self, *sentences: str) -> AttributeTable:
        """The same table with these sentences before its own on what values mean."""
        result = copy(self)
        object.__setattr__(result, "meaning", (*sentences, *self.meaning))
        return result

    def path(self, row: int) -> Path:
        """The file of the image in a row, or its address in a file that holds many (``bincam.data.containers``)."""
        return self.root / self.ids[row]

    def index(self, attribute: str) -> int:
        """The column index of an attribute.

        Raises:
            InputError: The table has no attribute of that name.
        """
        try:
            return self.names.index(attribute)
        except ValueError:
            raise InputError(
                f"unknown attribute {attribute!r}{nearest(attribute, (*self.names, *self.one_of))}"
            ) from None

    def counts(self) -> dict[str, int]:
        """Count images per non-empty split, in the order of ``SPLITS``; those in no split come last under ``""``."""
        return {name: count for name in (*SPLITS, "") if (count := int(np.count_nonzero(self.splits == name)))}

    def without_landmarks(self) -> int:
        """Count images that lack one of the five landmarks or several; 0 if the table has no landmarks at all."""
        return 0 if self.landmarks is None else int(np.count_nonzero(~np.isfinite(self.landmarks).all(axis=(1, 2))))

    def select(self, attributes: Sequence[str]) -> AttributeTable:
        """Keep only these attributes, in this order.

        The name of a set stands for all its outputs. A set is kept if all its outputs are; the outputs of a set that is
        kept in part become yes-or-no attributes.

        Raises:
            InputError: A name is unknown or repeated.
        """
        names = expand(attributes, self.one_of)
        columns = [self.index(name) for name in names]
        one_of = {name: members for name, members in self.one_of.items() if set(members) <= set(names)}
        return replace(self, names=tuple(names), labels=self.labels[:, columns], one_of=one_of)

    def split(self, name: str) -> AttributeTable:
        """Keep only the images of a split.

        Raises:
            InputError: The table has no images in this split.
        """
        counts = self.counts()
        if name not in counts:
            nonempty = ", ".join(split for split in counts if split) or "none"
            without = f" ({counts['']:,} images are in no split)" if "" in counts else ""
            raise InputError(
                f"{self.source or self.root}: no images in split {name!r}; splits with images: {nonempty}{without}"
            )
        return self.take(np.flatnonzero(self.splits == name))

    def take(self, rows: ArrayLike) -> AttributeTable:
        """Keep the images in these rows, in this order.

        Args:
            rows: Row numbers, or a boolean mask of length N.

        Raises:
            InputError: A mask has another length.
        """
        at = np.asarray(rows)
        if at.dtype == bool:
            if at.shape != (len(self),):
                raise InputError(f"a row mask has shape {(len(self),)}, got {at.shape}")
            at = np.flatnonzero(at)
        at = at.astype(np.intp).reshape(-1)
        changed: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else value[at]
            for name in ("labels", "splits", "identities", "landmarks", "boxes")
        }
        changed["groups"] = {name: value[at] for name, value in self.groups.items()}
        return replace(self, ids=tuple(self.ids[i] for i in at.tolist()), **changed)

    def subset(self, n: int, *, stratify: bool = True, seed: int = 0) -> AttributeTable:
        """Draw ``n`` images without replacement, and return them in the table's order.

        Args:
            n: Number of images.
            stratify: Preserve the relative sizes of the splits and the prevalences of the attributes: systematic
                sampling of the rows sorted by split, then by attribute from the rarest minority class on, ties in
                random order.
            seed: Seed of the draw.

        Raises:
            InputError: ``n`` is not between 1 and N.

        Example:
            >>> import numpy as np
            >>> from bincam.data import AttributeTable
            >>> labels = np.arange(100)[:, None] < 20
            >>> faces = AttributeTable(("Bald",), labels, [f"{i}.png" for i in range(100)], "photos")
            >>> faces.subset(10, seed=1).labels.sum(axis=0).tolist()  # the prevalence of 20 % is preserved
            [2.0]
        """
        if not 1 <= n <= len(self):
            raise InputError(
                f"a subset of {counted(len(self), 'image')} has 1 to {counted(len(self), 'image')}, got {n}"
            )
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self))
        if stratify:
            codes = np.nan_to_num(self.labels[order], nan=2.0).astype(np.int8)
            positives = np.nan_to_num(self.labels).sum(axis=0)
            labelled = np.count_nonzero(~np.isnan(self.labels), axis=0)
            rarest = np.argsort(np.minimum(positives, labelled - positives), kind="stable")
            keys = [codes[:, i] for i in rarest[::-1]]  # lexsort takes its most significant key last
            order = order[np.lexsort([*keys, self.splits[order]])]
            order = order[np.floor((np.arange(n) + rng.random()) * (len(self) / n)).astype(np.intp)]
        return self.take(np.sort(order[:n]))

    def folds(self, k: int, *, seed: int = 0) -> tuple[AttributeTable, ...]:
        """Make k-fold cross-validation splits in which no identity is in two splits.

        ``bincam.data.folds.assign`` describes the algorithm.

        Args:
            k: Number of folds.
            seed: Seed of the order of identities that are otherwise equal.

        Returns:
            k tables of all images. In table i the test split is fold i, the validation split is fold i + 1 (cyclic),
            and the training split is the rest; with k = 2 there is no validation split. Without identities every image
            counts as an identity of its own.

        Raises:
            InputError: k is below 2 or above the number of identities.

        Example:
            >>> import numpy as np
            >>> from bincam.data import AttributeTable
            >>> people = np.array(["ann", "ann", "ben", "ben", "cy", "cy"])
            >>> faces = AttributeTable(("Bald",), np.eye(6, 1), list("abcdef"), "photos", identities=people)
            >>> [table.counts() for table in faces.folds(3)][0]
            {'train': 2, 'validation': 2, 'test': 2}
        """
        from bincam.data.folds import assign

        groups = np.asarray(self.ids) if self.identities is None else self.identities
        fold = assign(self.labels, groups, k, seed=seed)
        tables = []
        for i in range(k):
            splits = np.full(len(self), "train", "U10")
            if k > 2:
                splits[fold == (i + 1) % k] = "validation"
            splits[fold == i] = "test"
            tables.append(replace(self, splits=splits))
        return tuple(tables)

    def describe(self) -> Description:
        """Summarise the table: counts, prevalence, minority class, imbalance ratio, φ, sets, identities across splits.

        Example:
            >>> import numpy as np
            >>> from bincam.data import AttributeTable
            >>> faces = AttributeTable(("Bald",), np.array([[1], [0], [0], [0]]), list("abcd"), "photos")
            >>> everything = faces.describe().splits[0]
            >>> everything.name, everything.prevalence.tolist(), everything.imbalance.tolist(), everything.minority
            ('all', [0.25], [3.0], ('positive',))
        """
        source = self.source or str(self.root)
        summary = describe(source, self.names, self.labels, self.splits, self.identities, self.one_of)
        lacking = None if self.landmarks is None else self.without_landmarks()
        return replace(summary, meaning=self.meaning, without_landmarks=lacking)

    def digest(self) -> str:
        """SHA-256 of ids, attributes, labels, splits, identities, groups and points; not of pixels or ``root``."""
        state = hashlib.sha256()
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in {"root", "objects", "source", "reading", "meaning"}:
                continue
            if item.name in {"one_of", "value_range"} and not value:  # as before there were such fields
                continue
            if item.name == "value_range":
                state.update(f"range:{value[0]:g}:{value[1]:g}".encode())
                continue
            parts = value.items() if isinstance(value, Mapping) else [("", value)]
            for name, part in parts:
                state.update(f"{item.name}/{name}:".encode())
                if part is None:
                    continue
                if isinstance(part, tuple) or part.dtype.kind == "U":
                    state.update("\0".join(part if isinstance(part, tuple) else part.tolist()).encode())
                else:
                    state.update(np.ascontiguousarray(part, "<f4").tobytes())
        return state.hexdigest()
