"""Errors suggest close names, and can be caught by class."""

from __future__ import annotations

import pytest

from bincam.errors import LONGEST, BincamError, InputError, UnsupportedError, nearest


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


def test_a_message_is_one_line_whatever_it_quotes():
    for letter in ("\n", "\r\n", "\x0b", "\x1b[31m", "\x00", "\x85", "\u2028", "\udcff", "\t"):
        text = str(InputError(f"{'a'}{letter}b"))
        assert text.splitlines() == [text]
        assert text.isprintable()
        text.encode()
    assert str(InputError("Zoë 🙂 a  b")) == "Zoë 🙂 a  b"
    assert str(UnsupportedError()) == ""


def test_a_long_message_keeps_its_beginning_and_its_advice():
    text = str(InputError(f"x.yaml: got {'y' * 10**6}; expected a number"))
    assert len(text) == LONGEST
    assert text.startswith("x.yaml: got yyy")
    assert text.endswith("yyy; expected a number")
