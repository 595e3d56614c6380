import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from bincam.audit.folder import reader
from bincam.report.figures.theme import inline
from bincam.report.html.page import open_source
from bincam.report.sections.attention_overlap import Overlap, draw, in_words, overlap_plots, read
from tests.audit.synthetic import reseal


@pytest.fixture(scope="module")
def arm(audit_folder):
    return open_source(audit_folder).arms[0]


def random_overlap(count, *, few=False):
    random = np.random.default_rng(3)
    overlap, phi = random.random((count, count)), 2 * random.random((count, count)) - 1
    names = tuple(f"A{n}" for n in range(count))
    both = np.full((count, count), 3.0 if few else 90.0)
    return Overlap(names, overlap, np.full((count, count), 0.5), phi, both, math.nan)


def test_every_number_stays_with_its_pair_whatever_the_order(arm):
    names = list(arm.audit.attributes)
    overlap = read(arm, names[::-1])
    document = arm.audit.leakage
    assert sorted(overlap.names) == sorted(names)
    assert overlap.agreement == 0.3
    for row, first in enumerate(overlap.names):
        for column, second in enumerate(overlap.names):
            kept = document["overlap"][names.index(first)][names.index(second)]
            assert overlap.overlap[row, column] == pytest.approx(math.nan if kept is None else kept, nan_ok=True)


def test_attributes_whose_maps_overlap_stand_beside_each_other(arm):
    names = list(arm.audit.attributes)
    two = [names[0], names[3], names[1]]  # the first and the second overlap, the fourth does not
    order = read(arm, two).names
    assert abs(order.index(names[0]) - order.index(names[1])) == 1


def test_two_models_are_drawn_in_one_order(arm):
    document = dict(arm.audit.leakage)
    names = list(arm.audit.attributes)
    turned = np.array(document["overlap"], float)[::-1, ::-1].tolist()
    other = SimpleNamespace(name="b", audit=SimpleNamespace(leakage={**document, "overlap": turned}))
    assert read(other, names).names != read(arm, names).names
    ticks = []
    for plot in overlap_plots([arm, other], names):
        texts = re.findall(r"<!-- (\w+) -->", plot.svg) or re.findall(r">(\w+)</text>", plot.svg)
        ticks.append([text for text in texts if text in names])
    assert ticks[0]
    assert ticks[0] == ticks[1]


def test_the_strongest_pairs_are_named_and_the_undefined_are_not_ranked():
    overlap = random_overlap(6)
    overlap.overlap[4, 1], overlap.overlap[5, 0], overlap.phi[4, 1] = 0.999, np.nan, np.nan
    text = in_words(overlap)
    assert text.startswith("Largest overlap: A1 and A4 1.00 (different images 0.50, φ undefined)")
    assert "A0 and A5" not in text
    assert "rank correlation" not in text


def test_pairs_of_few_images_are_listed_only_where_there_are_no_others():
    overlap = random_overlap(4)
    overlap.overlap[2, 1], overlap.images[2, 1] = 0.999, 5
    assert "A1 and A2" not in in_words(overlap)
    assert "Largest overlap" in in_words(random_overlap(4, few=True))


def test_nothing_in_common_is_said():
    nothing = np.full((3, 3), np.nan)
    overlap = Overlap(("a", "b", "c"), nothing, nothing, nothing, np.zeros((3, 3)), math.nan)
    assert in_words(overlap) == "No two attributes have evidence in the same image."
    assert "<svg" in inline(draw(overlap), "nothing")


@pytest.mark.parametrize("count", [2, 40])
def test_overlap_lies_below_the_diagonal_and_correlation_above(count):
    overlap = random_overlap(count)
    below, above = (image.get_array() for image in draw(overlap).axes[0].images)
    rows, columns = np.tril_indices(count, -1)
    np.testing.assert_array_equal(np.asarray(below)[rows, columns], overlap.overlap[rows, columns])
    np.testing.assert_array_equal(np.asarray(above)[columns, rows], overlap.phi[columns, rows])
    assert (np.ma.getmaskarray(below) | np.ma.getmaskarray(above)).all()  # no cell holds both


def test_a_figure_says_in_words_what_it_shows(arm):
    (plot,) = overlap_plots([arm], list(arm.audit.attributes))
    assert plot is not None
    assert "Largest overlap" in plot.finding
    assert "φ" in plot.svg.split('viewBox="')[0]  # the accessible name


def test_no_figure_without_the_overlap_or_of_one_attribute(arm, bare):
    assert overlap_plots([arm], [arm.audit.attributes[0]]) == []
    (bare / reader.LEAKAGE).unlink()
    reseal(bare)
    assert overlap_plots([open_source(bare).arms[0]], list(arm.audit.attributes)) == []
