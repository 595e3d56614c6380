import math

import numpy as np
import pytest

from bincam.audit.folder import reader
from bincam.report.figures.theme import inline
from bincam.report.html.page import open_source
from bincam.report.sections.attention_overlap import Overlap, draw, in_words, overlap_plot, read


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
    found = read(arm, names[::-1])
    held = arm.audit.leakage
    assert sorted(found.names) == sorted(names)
    assert found.agreement == 0.3
    for row, first in enumerate(found.names):
        for column, second in enumerate(found.names):
            kept = held["overlap"][names.index(first)][names.index(second)]
            assert found.overlap[row, column] == pytest.approx(math.nan if kept is None else kept, nan_ok=True)


def test_attributes_whose_maps_overlap_stand_beside_each_other(arm):
    names = list(arm.audit.attributes)
    two = [names[0], names[3], names[1]]  # the first and the second overlap, the fourth does not
    order = read(arm, two).names
    assert abs(order.index(names[0]) - order.index(names[1])) == 1


def test_the_strongest_pairs_are_named_and_the_undefined_are_not_ranked():
    found = random_overlap(6)
    found.overlap[4, 1], found.overlap[5, 0], found.phi[4, 1] = 0.999, np.nan, np.nan
    told = in_words(found)
    assert told.startswith("Largest overlap: A1 and A4 1.00 (different images 0.50, φ undefined)")
    assert "A0 and A5" not in told
    assert "rank correlation" not in told


def test_pairs_of_few_images_are_told_only_where_there_are_no_others():
    found = random_overlap(4)
    found.overlap[2, 1], found.images[2, 1] = 0.999, 5
    assert "A1 and A2" not in in_words(found)
    assert "Largest overlap" in in_words(random_overlap(4, few=True))


def test_nothing_in_common_is_said():
    nothing = np.full((3, 3), np.nan)
    found = Overlap(("a", "b", "c"), nothing, nothing, nothing, np.zeros((3, 3)), math.nan)
    assert in_words(found) == "No two attributes have evidence in the same image."
    assert "<svg" in inline(draw(found), "nothing")


@pytest.mark.parametrize("count", [2, 40])
def test_overlap_lies_below_the_diagonal_and_correlation_above(count):
    found = random_overlap(count)
    below, above = (image.get_array() for image in draw(found).axes[0].images)
    rows, columns = np.tril_indices(count, -1)
    np.testing.assert_array_equal(np.asarray(below)[rows, columns], found.overlap[rows, columns])
    np.testing.assert_array_equal(np.asarray(above)[columns, rows], found.phi[columns, rows])
    assert (np.ma.getmaskarray(below) | np.ma.getmaskarray(above)).all()  # no cell holds both


def test_a_figure_says_in_words_what_it_shows(arm):
    plot = overlap_plot(arm, list(arm.audit.attributes), named=False)
    assert plot is not None
    assert "Largest overlap" in plot.finding
    assert "φ" in plot.svg.split('viewBox="')[0]  # the accessible name


def test_no_figure_without_the_overlap_or_of_one_attribute(arm, bare):
    assert overlap_plot(arm, [arm.audit.attributes[0]], named=False) is None
    (bare / reader.LEAKAGE).unlink()
    assert overlap_plot(open_source(bare).arms[0], list(arm.audit.attributes), named=False) is None
