"""The test that every file of the sweep repeats for its own families."""

from __future__ import annotations

import os
import warnings

import pytest

from tests.sweep import table
from tests.sweep.cases import CASES
from tests.sweep.outcome import Case, Size, examine

# At the second size too in every run: families whose grid, or whose head, was once read wrongly at one size and rightly
# at another. BINCAM_SWEEP=all tries every family at every size.
ALWAYS = {"levit", "vgg", "shvit", "efficientvit_msra", "hiera", "HieraForImageClassification"}


def sizes(case: Case) -> tuple[Size, ...]:
    everything = os.environ.get("BINCAM_SWEEP") == "all" or case.family in ALWAYS
    return case.sizes if everything else case.sizes[:1]


def cases(source: str, first: str = "", last: str = "\uffff") -> list[pytest.param]:
    """The cases of a source whose family's name is from ``first`` to below ``last``."""
    return [
        pytest.param(case, size, id=table.key(case, size))
        for case in CASES
        if case.source == source and first <= case.family < last
        for size in sizes(case)
    ]


def check(case: Case, size: Size) -> None:
    """Compare what comes of a model with the table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own
        outcome = examine(case, size)
    assert not outcome.faults, outcome
    assert outcome == table.read()[table.key(case, size)], "python -m tests.sweep --write makes the table anew"
