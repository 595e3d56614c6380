"""The curve of coverage against size, against counting at each threshold."""

import numpy as np
import pytest

from bincam.studies.sets.curve import size_coverage


def test_every_point_is_that_of_a_threshold():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.5] * 4, size=300).astype(np.float32)
    true = np.where(rng.random(300) < 0.1, -1, p.argmax(1))
    p[0] = np.nan
    few = np.array([False, True, False, True])
    curve = size_coverage(p, true, few)
    usable = (true >= 0) & np.isfinite(p).all(1)
    own = p[np.arange(300), np.maximum(true, 0)][usable]
    assert curve.images == usable.sum()
    assert (curve.size[0], curve.coverage[0], curve.coverage[-1]) == (0, 0, 1)
    for at in range(1, len(curve.size)):
        threshold = np.sort(own)[::-1][round(curve.coverage[at] * len(own)) - 1]
        assert curve.size[at] == pytest.approx((p[usable] >= threshold).sum(1).mean())
        rare = [(own >= threshold)[true[usable] == a].mean() for a in (1, 3)]
        assert curve.minority[at] == pytest.approx(np.mean(rare))


def test_equal_scores_are_one_step_and_nothing_gives_nothing():
    curve = size_coverage(np.full((20, 3), 1 / 3), np.zeros(20, int), [True, False, False])
    assert curve.size.tolist() == [0, 3]
    assert curve.to_json()["majority"] == [None, None]
    assert size_coverage(np.full((5, 3), np.nan), np.zeros(5, int), [True] * 3).images == 0
