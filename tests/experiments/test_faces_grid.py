"""The experiment on faces: planted evidence is found where it is, pairs are of the same images, tables quote files."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from bincam.audit.pipeline.runner import run as audited
from bincam.files import write_json
from bincam.stats.clusters import Clusters
from experiments.faces_grid import measures, run, tables
from experiments.faces_grid.measures import FIRST, SECOND, Seen
from experiments.scenes.over_seeds import OPEN
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import reader
from tests.audit.planted_cells import cell_settings, write_pictures

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """Of the model that reads the green square elsewhere (first), and of the honest one (second)."""
    root = tmp_path_factory.mktemp("faces_grid")
    table = write_pictures(root, 90, seed=2)
    settings = cell_settings(root, boxes=True, boxes_sample=0)
    audits = {arm: audited(reader(channel), table, root / arm, settings) for arm, channel in ((FIRST, 1), (SECOND, 0))}
    return measures.seed_figures(audits)


def value(figures, path, group=measures.ALL):
    found = figures["groups"][group]
    for key in path.split("/"):
        found = found[key]
    return found["value"]


def test_planted_evidence_of_missed_images_is_found_in_the_honest_model_alone(figures):
    assert value(figures, "arms/balanced/missed, recovery") == 1
    assert value(figures, "arms/balanced/missed, less chance") > 0.8
    assert value(figures, "arms/unbalanced/missed, less chance") < 0.1
    assert value(figures, "paired/missed by both, less chance, difference") > 0.7
    assert value(figures, "arms/balanced/misses") == value(figures, "arms/unbalanced/misses")  # the small squares
    assert value(figures, "paired/missed by the first, by the second too") == 1


def test_boxes_are_those_of_the_object(figures):
    assert value(figures, "arms/balanced/box, chosen") > value(figures, "arms/unbalanced/box, chosen") + 0.4
    difference = value(figures, "paired/box, chosen, difference")
    arms = [value(figures, f"arms/{arm}/box, chosen") for arm in (SECOND, FIRST)]
    assert difference == pytest.approx(arms[0] - arms[1])
    over, constant = (value(figures, f"arms/balanced/box, {name}") for name in ("chosen over constant", "constant"))
    assert over == pytest.approx(arms[0] - constant)


def test_attributes_are_grouped_by_their_positives_and_counted_once(figures):
    groups = figures["groups"]
    assert groups[measures.ALL]["attributes"] == ["Object"]  # the other attribute has no mask
    assert sum(len(groups[name]["attributes"]) for name in measures.GROUPS) == 1
    empty = next(groups[name] for name in measures.GROUPS if not groups[name]["attributes"])
    assert empty["arms"][FIRST]["misses"]["status"] == "undefined"


def test_means_of_pairs_have_people_as_clusters():
    rng = np.random.default_rng(0)
    of_person = rng.integers(0, 2, 40).astype(float)
    values = np.repeat(of_person, 5)[:, None].repeat(3, 1)  # whoever is right is right always
    codes = np.repeat(np.arange(40), 5)
    people = measures.mean_of_pairs(values, Clusters(codes, known=True))
    alone = measures.mean_of_pairs(values, Clusters(np.arange(200), known=False))
    assert people["value"] == alone["value"] == pytest.approx(of_person.mean())
    assert (people["images"], people["pairs"], people["people"], alone["people"]) == (200, 600, 40, None)
    assert people["high"] - people["low"] > 1.8 * (alone["high"] - alone["low"])
    nothing = measures.mean_of_pairs(np.full((3, 2), np.nan), Clusters.of([""] * 3))
    assert (nothing["value"], nothing["status"], nothing["pairs"]) == (None, "undefined", 0)


def test_a_pair_counts_only_where_both_models_have_a_value():
    label = np.ones((30, 1))
    gains = np.full((2, 30, 1), 0.25)
    gains[1, :10] = np.nan
    columns = [dict.fromkeys((*measures.CELLS, *measures.BOXES), gain) for gain in gains]
    first, second = (
        Seen(label, np.ones((30, 1), bool), np.zeros((30, 1), bool), column, Clusters.of([""] * 30))
        for column in columns
    )
    found = measures.paired_figures(first, second, [0], [])
    assert found["missed by the first, less chance, first"]["pairs"] == 20
    assert found["missed by the first, less chance, difference"]["value"] == 0


def result(figures, seed):
    return {
        "kind": run.KIND,
        "schema": run.SCHEMA,
        "seed": seed,
        "faces": {"count": 90},
        "images": {"test": 60},
        "figures": figures,
    }


def test_tables_say_what_the_files_say(figures, tmp_path):
    for seed in (0, 1):
        write_json(tmp_path / f"seed-{seed}.json", result(figures, seed))
    found = tables.collected(tmp_path, count=90)
    text = tables.document(found)
    assert "2 seeds, 60 test images" in text
    line = next(line for line in text.splitlines() if line.startswith("| The balanced model's cells hold"))
    assert "recovery 1.00" in line
    assert line.endswith("| holds |")
    other = next(line for line in text.splitlines() if line.startswith("| The unbalanced model's cells hold"))
    assert other.endswith("| fails |")
    assert tables.collected(tmp_path, count=91) == []
    assert OPEN in tables.document([])


def test_examples_of_the_tables():
    assert doctest.testmod(tables).failed == 0
