"""The experiments on zooming: the table of claims is that of the files beside it, and says what they say."""

from __future__ import annotations

import copy

import pytest

from experiments.zoom import tables


def test_the_table_is_made_of_the_files():
    written = (tables.HERE / "tables.md").read_text(encoding="utf-8")
    assert written.endswith(tables.table(tables.read()))
    assert tables.OPEN not in written


def test_what_is_not_run_says_so():
    rows = [claim.row({}) for claim in tables.CLAIMS]
    assert all(row[-1] == tables.OPEN for row in rows)
    assert tables.table({}).count("\n") == len(rows) + 2


@pytest.fixture
def found():
    return copy.deepcopy(tables.read())


def verdict(results, start):
    (claim,) = (claim for claim in tables.CLAIMS if claim.text.startswith(start))
    return claim.row(results)[-1]


def test_verdicts_follow_the_figures(found):
    scenes = found["scenes"]
    assert verdict(found, "Positional bias") == "holds"
    scenes["places"]["corner"]["corners"]["00"]["low"] = -0.1
    assert verdict(found, "Positional bias") == "fails"
    scenes["sizes"]["0.12"]["needed"] = 96
    assert verdict(found, "The needed zoom") == "fails"
    scenes["places"]["any"]["shuffled"]["intervals_with_0"] = 3
    assert verdict(found, "A twin with shuffled") == "fails"
    assert verdict(found, "With the right zoom").startswith("depends")
