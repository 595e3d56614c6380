"""The page's words on prediction grids: nothing is certain of few images, and nothing is claimed below chance."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.audit.summary.cells.rows import beside_null, flattened, without_people
from bincam.report.figures.pictured.cell_overlay import SIDE, name_picture, score_picture
from bincam.report.sections.cells.sentences import missed_sentence, other_pooling, pooled_better, size_sentence
from bincam.report.sections.cells.tables import dilution_table, hidden_table, null_table, pooling_table
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import estimate, undefined


def row(figure, null, difference, images, measure="recoverable"):
    named = {"figure": figure, "null": null, "difference": difference}
    return {
        "measure": measure,
        "reference": "zero",
        **{name: estimate(*ends, images, None, "").to_json() for name, ends in named.items()},
    }


@pytest.mark.parametrize(
    ("figures", "images", "said"),
    [
        (((0.8, 0.7, 0.9), (0.4, 0.3, 0.5), (0.4, 0.3, 0.5)), 90, "In 80 of 100 missed images the evidence is there"),
        (((0.4, 0.3, 0.5), (0.38, 0.3, 0.45), (0.02, -0.1, 0.1)), 90, "by chance: not more than chance for certain"),
        (((0.1, 0.0, 0.2), (0.4, 0.3, 0.5), (-0.3, -0.4, -0.2)), 90, "less often than chance would have it"),
        (((1.0, 0.8, 1.0), (0.1, 0.0, 0.3), (0.9, 0.6, 1.0)), 12, "12 missed images with a mask: too few to say"),
    ],
)
def test_the_sentence_on_missed_images_claims_what_the_interval_permits(figures, images, said):
    sentence = missed_sentence({"rows": [row(*figures, images)], "missed": images})
    assert said in sentence
    assert ("against" in sentence) == (images >= 20)


def test_without_a_chance_the_sentence_counts_the_misses():
    assert "none of 7 misses has a mask" in missed_sentence({"rows": [], "missed": 7}, "race: ", several=True)
    assert missed_sentence({"rows": [], "missed": 0}) == "No image is missed, so no evidence was lost."


def test_a_share_below_one_in_a_hundred_is_not_rounded_to_none():
    entry = {"rows": [row((0.004, 0.001, 0.01), (0.0, 0.0, 0.001), (0.004, 0.001, 0.01), 900)], "missed": 900}
    assert "In 0.4 of 100 missed images" in missed_sentence(entry)


def entry_of(**more):
    none = undefined("").to_json()
    empty = {"figure": none, "null": none, "difference": none}
    return {
        "images": 40, "missed": 10, "masked": 30, "rows": [], "auroc_small": empty, "auroc_covering": empty,
        "fallback": estimate(0.5, 0.4, 0.6, 30, None, "").to_json(),
        "dilution": {"smaller": none, "bins": []}, **more,
    }  # fmt: skip


def test_objects_smaller_than_a_cell_are_told_with_their_share():
    assert "30 of 40 images with it have a mask; of these, 50" in size_sentence(entry_of())
    assert "30 of 40 positive labels have a mask" in size_sentence(entry_of(), several=True)


def test_tables_of_nothing_are_none_and_a_model_column_is_there_for_two():
    assert dilution_table([("", entry_of())]) is None
    assert hidden_table([("", entry_of())]) is None
    assert pooling_table([("", entry_of())]) is None
    rows = [row((0.8, 0.7, 0.9), (0.4, 0.3, 0.5), (0.4, 0.3, 0.5), 90)]
    table = null_table("t", [("a", entry_of(rows=rows)), ("b", entry_of(rows=rows))], of_set=False)
    assert table.heads[:3] == ["Measure", "Model", "Images"]
    assert [cells[1].text for cells in table.rows] == ["a", "b"]
    assert "names it" in null_table("t", [("", entry_of(rows=rows))], of_set=True).rows[0][0].text


def test_poolings_that_were_not_compared_say_why():
    assert other_pooling("Bald", {"reason": "no reference split"}).endswith("is not known: no reference split.")
    assert other_pooling("Bald", None) == ""
    assert pooled_better({"Bald": {"poolings": {"reason": "none"}}}) == ""


def test_the_two_classes_of_a_false_alarm_are_compared_although_they_are_other_images():
    columns = {"cells.recovery": np.repeat([1.0, np.nan], 30), "cells.false_alarm": np.repeat([np.nan, 0.0], 30)}
    found = beside_null("recovery", "false_alarm", columns.__getitem__, Clusters.of([""] * 60))
    assert not found["paired"]
    assert found["difference"]["value"] == 1
    assert found["difference"]["images"] == 60


def test_attributes_of_an_image_are_one_cluster_which_is_no_person():
    wide = flattened(Clusters.of([""] * 50), 4)
    values = np.repeat(np.tile([1.0, 0.0], 25), 4)
    columns = {"cells.recovery": values, "cells.chance": np.full(200, 0.5)}
    many = beside_null("recovery", "chance", columns.__getitem__, wide)
    few = {name: column[::4] for name, column in columns.items()}
    one = beside_null("recovery", "chance", few.__getitem__, Clusters.of([""] * 50))
    for end in ("low", "high"):
        assert many["difference"][end] == pytest.approx(one["difference"][end], abs=1e-6)
    assert without_people(many)["figure"]["identities"] is None


def test_cells_of_a_picture_have_the_colours_of_what_they_say():
    image, inside = np.full((32, 32, 3), 128, np.uint8), np.zeros((2, 2), bool)
    inside[0, 0] = True
    drawn = score_picture(image, np.array([[2.0, -2.0], [0.0, np.nan]]), 0.0, 2.0, inside)
    assert drawn.shape == (SIDE, SIDE, 3)
    yes, no, none = (drawn[at].astype(int) for at in ((64, 64), (64, 192), (192, 192)))
    assert yes[0] > yes[2]
    assert no[2] > no[0]
    assert np.ptp(none) <= 1
    assert (drawn[64, 0] == 20).all()  # the object's outline
    named = name_picture(image, np.array([[0, 1], [2, -1]]), true=0, predicted=1, inside=inside)
    assert named[64, 64, 0] > named[64, 64, 2]
    assert named[64, 192, 2] > named[64, 192, 0]
    assert np.ptp(named[192, 64].astype(int)) < 15
