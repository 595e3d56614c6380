"""Reader of UTKFace (Zhang, Song and Qi, CVPR 2017), whose labels are in the names of its files."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import one_hot
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.general.image_files import Aside, first_of, images_below, is_image
from bincam.data.stated_sets import output_name
from bincam.display import counted
from bincam.errors import BincamWarning, InputError

RACES = ("White", "Black", "Asian", "Indian", "Others")
"""In the order of their numbers in the names."""
_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+\..+")
_ENOUGH = 0.9


@reader_of("utkface")
def utkface(
    root: str | os.PathLike[str],
    *,
    malformed: Literal["refuse", "skip"] = "refuse",
    ages_from: Sequence[int] = (),
) -> AttributeTable:
    """Read a folder of images named ``AGE_GENDER_RACE_TIME.jpg``, and those below it; there are no splits.

    Gender is 0 for male and 1 for female, so that the attribute ``Male`` is true of 0. Race is a set.

    Args:
        root: The folder.
        malformed: ``"refuse"`` images whose name lacks one of the labels, of which the published folder has three, or
            ``"skip"`` them, with a warning that names them. What is missing is never guessed.
        ages_from: The first years of classes of age, such as 0, 3, 10 for ``0-2``, ``3-9`` and ``10 or more``, which
            become the set ``age``. Without them, age is the group ``age`` alone.

    Raises:
        InputError: A name has other parts, or the ages are not in ascending order from 0.

    Warns:
        BincamWarning: Images are skipped, or files are left aside.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("26_0_2_20170104023102422.jpg", "5_1_0_20170104023102423.jpg"):
        ...         Path(folder, name).touch()
        ...     faces = data.load(folder, ages_from=[0, 10, 20])
        >>> faces.names[:2], faces.labels[:, 0].tolist(), faces.one_of["age"]
        (('Male', 'race=White'), [1.0, 0.0], ('age=0-9', 'age=10-19', 'age=20 or more'))
    """
    base = Path(root)
    if not base.is_dir():
        raise InputError(f"{base}: no folder")
    starts = list(ages_from)
    if starts and (starts[0] != 0 or starts != sorted({*starts}) or len(starts) < 2):
        raise InputError(f"ages_from={starts}: expected the first years of classes in ascending order, from 0")
    aside = Aside()
    ids = images_below(str(base), "", aside)
    aside.tell(base)
    parts = [_NAME.fullmatch(name.rpartition("/")[2]) for name in ids]
    if wrong := [name for name, found in zip(ids, parts, strict=True) if found is None]:
        shown = f"{', '.join(wrong[:3])}{', ...' if len(wrong) > 3 else ''}"
        if malformed == "refuse":
            raise InputError(
                f"{base}: the names of {counted(len(wrong), 'image')} are not AGE_GENDER_RACE_TIME with gender 0 or 1 "
                f"and race 0 to 4: {shown}; correct them, or leave these images out: malformed='skip', --data-option "
                "malformed=skip"
            )
        warnings.warn(
            f"{base}: {counted(len(wrong), 'image')} skipped, because a label is missing in the name: {shown}",
            BincamWarning,
            stacklevel=4,
        )
    kept = [(name, found) for name, found in zip(ids, parts, strict=True) if found is not None]
    if not kept:
        raise InputError(f"{base}: no images named AGE_GENDER_RACE_TIME")
    numbers = np.array([[int(found[i]) for i in (1, 2, 3)] for _, found in kept])
    columns = [(numbers[:, [1]] == 0).astype(np.float32), one_hot(numbers[:, 2], len(RACES))]
    sets = {"race": tuple(output_name("race", race) for race in RACES)}
    if starts:
        columns.append(one_hot(np.searchsorted(starts, numbers[:, 0], side="right") - 1, len(starts)))
        sets["age"] = tuple(output_name("age", name) for name in _classes(starts))
    return AttributeTable(
        names=("Male", *(output for outputs in sets.values() for output in outputs)),
        labels=np.concatenate(columns, axis=1),
        ids=tuple(name for name, _ in kept),
        root=base,
        groups={"age": numbers[:, 0].astype(np.str_)},
        one_of=sets,
        source=str(base),
        meaning=(
            "gender: 0 = Male (yes), 1 = Female (no)",
            f"race: {', '.join(f'{code} = {race}' for code, race in enumerate(RACES))}",
            "age: years; estimated by an algorithm and checked by an annotator, as the other labels",
        ),
    )


def _classes(starts: Sequence[int]) -> list[str]:
    """Name classes of age by their first years.

    >>> _classes([0, 3, 4])
    ['0-2', '3', '4 or more']
    """
    ends = [start - 1 for start in starts[1:]]
    ranges = [str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=False)]
    return [*ranges, f"{starts[-1]} or more"]


def recognise(path: Path) -> bool:
    """True of a folder in which nine of ten of the first images have such names."""
    if not path.is_dir():
        return False
    names = [entry.name for entry in first_of(str(path)) if is_image(entry.name)]
    return bool(names) and sum(_NAME.fullmatch(name) is not None for name in names) >= _ENOUGH * len(names)
