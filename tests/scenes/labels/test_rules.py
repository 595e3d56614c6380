import numpy as np
import pytest
from scipy import stats

from bincam.errors import InputError
from bincam.scenes import best_accuracy, redraw_labels
from bincam.scenes.labels.rules import drawn_labels

ROWS = np.array([[1, 0, 1, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 1, 0, 0], [1, 1, 0, 0, 1, 0, 0, 0, 1, 1]])


def test_the_label_is_uniform_among_those_present_and_nothing_else():
    for row in ROWS:
        labels = redraw_labels(np.tile(row, (3000, 1)), seed=5)
        counts = np.bincount(labels, minlength=10)
        assert counts[row == 0].sum() == 0
        assert stats.chisquare(counts[row == 1]).pvalue > 1e-3


def test_an_epoch_is_repeatable_and_independent_of_another():
    present = np.tile(ROWS[0], (3000, 1))
    first, second = redraw_labels(present, 1, 0), redraw_labels(present, 1, 1)
    assert np.array_equal(first, redraw_labels(present, 1, 0))
    table = np.array([[((first == a) & (second == b)).sum() for b in (0, 2, 3)] for a in (0, 2, 3)])
    assert stats.chi2_contingency(table).pvalue > 1e-3
    assert not np.array_equal(first, redraw_labels(present, 2, 0))


def test_by_hand():
    assert drawn_labels(ROWS, [0, 0.25, 0.9999999]).tolist() == [0, 3, 9]
    assert drawn_labels(ROWS, [1 / 3, 0.2499, 0.2]).tolist() == [2, 1, 1]


def test_best_accuracy_is_what_the_best_guess_reaches():
    assert best_accuracy() == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3)
    present = ROWS[np.arange(6000) % 3]
    reached = (redraw_labels(present, 8) == present.argmax(axis=1)).sum()
    assert best_accuracy(present) == pytest.approx(best_accuracy())
    assert stats.binomtest(int(reached), 6000, best_accuracy()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("present", "numbers", "words"),
    [
        (np.zeros((2, 10)), (0, 0), "scene 0 shows nothing that could be its label \\(2 such scenes\\)"),
        (np.ones(10), (0, 0), "expected present \\(N, S\\) of 0 and 1, got shape \\(10,\\)"),
        (np.full((2, 10), 0.5), (0, 0), "of 0 and 1"),
        (ROWS, (-1, 0), "not negative, got -1 and 0"),
        (ROWS, (0, -1), "not negative"),
    ],
)
def test_refusals(present, numbers, words):
    with pytest.raises(InputError, match=words):
        redraw_labels(present, *numbers)


def test_accuracy_of_empty_scenes_is_refused():
    with pytest.raises(InputError, match="at least one shape"):
        best_accuracy(np.zeros((3, 10)))


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_one_cue_in_closed_form(strength):
    has_star = ROWS[:, 3] == 1
    wanted = np.where(has_star, 2 * max(strength, 1 - strength), 1) / ROWS.sum(axis=1)
    assert best_accuracy(ROWS, {"mark:star": strength}) == pytest.approx(wanted.mean())


def test_two_cues_against_simulation():
    planted, rng = {"mark:star": 0.8, "colour:circle": 0.3}, np.random.default_rng(0)
    present = ROWS[[0] * 20000]
    labels = redraw_labels(present, 4)
    seen = np.stack([(labels == column) == (rng.random(20000) < q) for column, q in ((3, 0.8), (0, 0.3))], axis=1)
    right = 0
    for cues in ((a, b) for a in (False, True) for b in (False, True)):
        right += np.bincount(labels[(seen == cues).all(axis=1)]).max()
    assert stats.binomtest(int(right), 20000, best_accuracy(ROWS[:1], planted)).pvalue > 1e-3


def test_shortcuts_need_scenes():
    with pytest.raises(InputError, match="give present"):
        best_accuracy(None, {"mark:star": 0.9})
