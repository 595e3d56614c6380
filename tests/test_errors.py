"""Errors suggest close names, and can be caught by class."""

from __future__ import annotations

import pytest

from bincam.errors import BincamError, InputError, UnsupportedError, nearest


def test_kinds():
    assert issubclass(InputError, BincamError)
    assert issubclass(InputError, ValueError)
    assert issubclass(UnsupportedError, BincamError)
    assert issubclass(UnsupportedError, NotImplementedError)


@pytest.mark.parametrize(
    ("name", "known", "tail"),
    [
        ("smilng", ["Smiling", "Bald"], "; did you mean 'Smiling'?"),
        ("Bold", ["Bald", "bold"], "; did you mean 'bold' or 'Bald'?"),
        ("xyz", ["Smiling", "Bald"], "; known: 'Smiling', 'Bald'"),
        ("q", [str(n) * 4 for n in range(10)], "... (10 in all)"),
    ],
)
def test_nearest(name, known, tail):
    assert nearest(name, known).endswith(tail)


def test_nearest_among_nothing_says_so():
    assert nearest("a", []) == "; none are known"
