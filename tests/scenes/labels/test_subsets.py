import numpy as np
import pytest
from scipy import stats

from bincam.errors import InputError
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.labels.subsets import COUNTS, fit, wanted_prevalences


def fitted(**stated):
    return fit(tuple(wanted_prevalences(stated).tolist()))


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"star": 0.05},
        {"star": 0.038, "ring": 0.038, "heart": 0.038, "arrow": 0.038, "cross": 0.038},  # the others 20 times as often
        {"star": 0.9, "heart": 0.01},
        {"star": 1.0},
        {"star": 0.0, "heart": 0.0},
        {"star": 0.8, "ring": 0.8, "heart": 0.8, "arrow": 0.8, "cross": 0.8},  # five shapes alone
        {"star": 1.0, "ring": 1.0, "heart": 1.0},
    ],
)
def test_prevalences_are_reached_and_the_three_numbers_are_equally_frequent(stated):
    subsets = fitted(**stated)
    for name, share in stated.items():
        assert subsets.prevalence[SHAPES.index(name)] == pytest.approx(share, abs=2e-6)
    others = [subsets.prevalence[row] for row, name in enumerate(SHAPES) if name not in stated]
    assert others == pytest.approx([(4 - sum(stated.values())) / max(len(others), 1)] * len(others), abs=2e-6)
    sizes = subsets.members.sum(axis=1)
    assert [subsets.probability[sizes == count].sum() for count in COUNTS] == pytest.approx([1 / 3] * 3)
    assert (subsets.probability >= 0).all()


def test_equal_prevalences_make_all_subsets_of_a_size_equally_probable():
    subsets = fitted()
    for count, number in zip(COUNTS, (120, 210, 252), strict=True):
        own = subsets.probability[subsets.members.sum(axis=1) == count]
        assert own == pytest.approx(np.full(number, 1 / 3 / number))


def test_within_a_size_odds_factorise():
    """The greatest entropy at given prevalences: P(S and a) / P(S and b) is the same whatever else is in S."""
    subsets = fitted(star=0.1, heart=0.7)
    star, heart = SHAPES.index("star"), SHAPES.index("heart")
    chance = {tuple(np.flatnonzero(row)): p for row, p in zip(subsets.members, subsets.probability, strict=True)}
    ratios = [
        chance[tuple(sorted((*rest, star)))] / chance[tuple(sorted((*rest, heart)))]
        for rest in ((0, 1), (1, 2), (5, 8), (0, 1, 2), (2, 5, 6), (0, 1, 2, 5))
    ]
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-9)


def test_draws_follow_the_distribution():
    subsets, rng = fitted(star=0.05), np.random.default_rng(3)
    drawn = [subsets.draw(rng) for _ in range(4000)]
    counts = np.bincount([len(one) for one in drawn], minlength=6)[3:]
    assert stats.chisquare(counts).pvalue > 1e-3
    shown = sum(SHAPES.index("star") in one for one in drawn)
    assert stats.binomtest(shown, 4000, 0.05).pvalue > 1e-3
    first = [one[0] > one[1] for one in drawn]  # the order of drawing is random
    assert stats.binomtest(sum(first), 4000).pvalue > 1e-3
    assert all(len(set(one)) == len(one) for one in drawn)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"stra": 0.1}, "prevalence: unknown shape 'stra'; did you mean 'star'"),
        ({"star": 1.2}, "prevalence of star: 1.2 is not between 0 and 1"),
        ({"star": float("nan")}, "is not between 0 and 1"),
        (dict.fromkeys(SHAPES[:9], 0.5), "add up to 4.5 already: lower some by 0.5 in all"),
        (dict.fromkeys(SHAPES, 0.3), "add up to 4; those stated add up to 3"),
        (dict.fromkeys(SHAPES[:7], 0.0), "leaves more than 1 for each of the other 3"),
        ({"star": 1, "heart": 1, "ring": 1, "cross": 0.9}, "add up to 3.9, but 4 shapes reach at most 3.667"),
        (dict.fromkeys(SHAPES[:6], 0.0), "4 shapes reach at most 3.667"),
    ],
)
def test_prevalences_that_cannot_be_reached_are_refused_with_the_reason(stated, words):
    with pytest.raises(InputError, match=words):
        wanted_prevalences(stated)


def test_the_refusal_is_right_at_its_edge():
    fitted(star=1, heart=1, ring=1, cross=2 / 3)
    with pytest.raises(InputError, match="reach at most"):
        wanted_prevalences({"star": 1, "heart": 1, "ring": 1, "cross": 0.67})
    with pytest.raises(InputError, match="no distribution of three to five shapes"):
        fit((1.0, 1.0, 1.0, 0.9, 0.1, 0, 0, 0, 0, 0))
