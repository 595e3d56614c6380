"""The experiments on zooming: the table of claims is that of the files beside it, and says what they say."""

from __future__ import annotations

import copy

import pytest

from experiments.zoom import faces, tables


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


def test_the_page_of_faces_is_made_of_its_file():
    results = faces.read_json(faces.HERE / "faces.json", kind=faces.KIND, schema=faces.SCHEMA)
    assert (faces.HERE / "faces.md").read_text(encoding="utf-8") == faces.tables(results)
    assert set(faces.METHODS) == set(results["methods"])


def test_means_are_of_figures_that_rest_on_enough_images():
    def figure(low, high, status="ok"):
        return {"value": (low + high) / 2, "low": low, "high": high, "images": 50, "identities": 50, "status": status}

    told = faces.mean_of([figure(-0.3, -0.1), figure(0.1, 0.2), figure(-0.1, 0.5), figure(0.5, 0.9, "small")])
    assert told == "+0.050 (3 attributes; below 0 in 1, above in 1)"
    assert faces.mean_of([figure(0, 1, "small")]) == "too few images"
