"""Adaptive sets against the definition of Romano et al., by hand, by simulated coverage, and refused."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.postprocessing.conformal_adaptive import adaptive_scores, aps, raps
from bincam.postprocessing.label_sets import top_k_sets
from tests.postprocessing.test_conformal import draw


def set_of_the_paper(p, u, tau):
    """S(x, u; π, τ) of arXiv 2006.02544: the fewest most probable labels that reach τ, the last dropped where u ≤ V."""
    order = np.argsort(-p, kind="stable")
    reached = np.cumsum(p[order])
    L = int(np.argmax(reached >= tau)) + 1 if (reached >= tau).any() else len(p)
    V = (reached[L - 1] - tau) / p[order[L - 1]]
    return set(order[: L - 1 if u <= V else L].tolist())


def test_sets_are_those_of_the_paper():
    p, _ = draw(300, 6, 0)
    draws = np.random.default_rng(1).random(300)
    for tau in (0.05, 0.3, 0.7, 0.95):
        members = adaptive_scores(p, 1 - draws) <= tau
        for row, chosen, u in zip(p, members, draws, strict=True):
            assert set(np.flatnonzero(chosen).tolist()) == set_of_the_paper(row, u, tau)


def test_scores_by_hand():
    p = [[0.2, 0.5, 0.3]]
    np.testing.assert_allclose(adaptive_scores(p, [0.0]), [[0.8, 0.0, 0.5]])
    np.testing.assert_allclose(adaptive_scores(p, [1.0]), [[1.0, 0.5, 0.8]])
    np.testing.assert_allclose(adaptive_scores(p, [0.5], penalty=0.1, free=1), [[0.9 + 0.2, 0.25, 0.65 + 0.1]])
    np.testing.assert_allclose(adaptive_scores(p, [0.5], penalty=0.1, free=3), adaptive_scores(p, [0.5]))
    np.testing.assert_allclose(adaptive_scores([[0.25] * 4], [0.0]), [[0, 0.25, 0.5, 0.75]])  # the first of equals


def test_threshold_is_the_score_of_the_rank():
    p = np.tile([0.6, 0.3, 0.1], (19, 1))
    true = np.array([0] * 10 + [1] * 6 + [2] * 3)
    own = np.sort(adaptive_scores(p, np.random.default_rng([5, 1]).random(19))[np.arange(19), true])
    assert aps(p, true, 0.25, seed=5).threshold == own[15 - 1]  # ⌈20·.75⌉
    assert aps(p, true, 0.05, seed=5).threshold == own[19 - 1]


@pytest.mark.parametrize(("penalty", "free"), [(0.0, 0), (0.05, 2)])
def test_coverage_is_exact_on_average(penalty, free):
    """As for LAC (``test_lac_covers_as_often_as_stated``): 37/41 on both sides, which only randomised sets have."""
    hits = []
    for seed in range(400):
        (p, true), (new, labels) = draw(40, 4, seed), draw(50, 4, 10_000 + seed)
        fitted = raps(p, true, 0.1, penalty=penalty, free=free, seed=seed)
        hits.append(fitted.sets(new, seed=20_000 + seed).members[np.arange(50), labels].mean())
    assert abs(np.mean(hits) - 37 / 41) < 4 * 0.0031


def test_deterministic_sets_would_cover_too_much():
    """What the draws are for: with u = 1 for new images alone, coverage is not the one that was asked for."""
    (p, true), (new, labels) = draw(2000, 4, 0), draw(2000, 4, 1)
    threshold = aps(p, true, 0.3).threshold
    fixed = (adaptive_scores(new, np.ones(2000)) <= threshold)[np.arange(2000), labels].mean()
    assert abs(fixed - 0.7) > 0.1


def test_a_large_penalty_gives_the_most_probable_labels():
    (p, true), (new, _) = draw(500, 6, 0), draw(500, 6, 1)
    members = raps(p, true, 0.4, penalty=100, free=2).sets(new, seed=3).members
    assert not (members & ~top_k_sets(new, 2).members).any()


def test_regularisation_shortens_the_longest_sets():
    (p, true), (new, _) = draw(1000, 8, 0), draw(1000, 8, 1)
    plain, regular = aps(p, true, 0.1), raps(p, true, 0.1, penalty=0.2, free=3)
    assert regular.sets(new, seed=3).sizes.max() < plain.sets(new, seed=3).sizes.max()


def test_sets_are_seeded_and_blocks_change_nothing(monkeypatch):
    (p, true), (new, _) = draw(100, 5, 0), draw(100, 5, 1)
    fitted = aps(p, true, 0.1, seed=2)
    first = fitted.sets(new, seed=3).members
    assert not np.array_equal(first, fitted.sets(new, seed=4).members)
    monkeypatch.setattr("bincam.postprocessing.label_sets._CHUNK", 15)
    again = aps(p, true, 0.1, seed=2)
    assert again.threshold == fitted.threshold
    assert np.array_equal(first, again.sets(new, seed=3).members)


def test_undefined_rows_and_people():
    p, true = draw(60, 3, 1)
    more = np.concatenate([p, [[np.nan, 0.5, 0.5]], [[1, 0, 0]]])
    fitted = aps(more, np.r_[true, 0, -1], 0.2)
    assert (fitted.calibration.images, fitted.calibration.undefined, fitted.calibration.unknown) == (60, 1, 1)
    sets = fitted.sets(more, seed=1)
    assert sets.defined.tolist() == [True] * 60 + [False, True]
    assert sets.sizes[60] == 0
    assert aps(p, true, 0.2, identities=[f"p{n // 3}" for n in range(60)]).calibration.images == 20


def test_all_equal_probabilities_cover_too():
    p, true = np.full((400, 4), 0.25), np.random.default_rng(0).integers(0, 4, 400)
    sets = aps(p, true, 0.25).sets(p, seed=1)
    assert abs(sets.size - 3) < 0.2


@pytest.mark.parametrize(
    ("p", "alpha", "options", "words"),
    [
        ([[0.5, 0.5]] * 9, 0, {}, "above 0 and below 1"),
        ([[0.5, 0.5]] * 8, 0.1, {}, "needs 9 at least"),
        ([[2.0, -1.0]] * 9, 0.1, {}, "add up to 1"),
        ([[0.9, 0.9]] * 9, 0.1, {}, "add up to 1.8"),
        ([[0.5, 0.5]] * 9, 0.1, {"penalty": -1.0}, "penalty that is not negative"),
        ([[0.5, 0.5]] * 9, 0.1, {"penalty": np.nan}, "penalty that is not negative"),
        ([[0.5, 0.5]] * 9, 0.1, {"free": 3}, "free labels from 0 to 2"),
        ([[0.5, 0.5]] * 9, 0.1, {"free": 1.5}, "a whole number of free labels"),
    ],
)
def test_refusals(p, alpha, options, words):
    with pytest.raises(InputError, match=words):
        raps(p, [0] * len(p), alpha, **{"penalty": 0.0, "free": 0, **options})


def test_new_images_are_checked_too():
    fitted = aps(*draw(50, 3, 0), 0.1, names=["a", "b", "c"])
    with pytest.raises(InputError, match="image 1 are"):
        fitted.sets([[0.5, 0.25, 0.25], [1, 1, 1]], seed=0)
    with pytest.raises(InputError, match="got scores of 2"):
        fitted.sets([[0.5, 0.5]], seed=0)
    with pytest.raises(InputError, match="into that order"):
        fitted.sets([[0.5, 0.25, 0.25]], seed=0, names=["b", "a", "c"])
