"""Person-level rates by hand, and the coverage of their intervals."""

import numpy as np
import pytest

from bincam.stats.clusters import Clusters
from bincam.stats.rates.person_level import person_rates


def test_every_person_counts_once():
    wrong = np.array([1, 1, 0, 0, 0, 0, 1, np.nan])
    clusters = Clusters.of(["ann", "ann", "bob", "bob", "bob", "bob", "eve", "eve"])
    rates = person_rates(wrong, clusters)
    assert rates.mean.value == pytest.approx((1 + 0 + 1) / 3)
    assert (rates.ever.value, rates.always.value) == pytest.approx((2 / 3, 2 / 3))
    assert (rates.mean.images, rates.mean.identities, rates.mean.status) == (7, 3, "small")


def test_one_image_each_gives_the_image_level_rate():
    wrong = (np.arange(50) < 10).astype(float)
    rates = person_rates(wrong, Clusters.of([str(n) for n in range(50)]))
    assert rates.mean.value == rates.ever.value == rates.always.value == 0.2
    assert rates.mean.status == "ok"


@pytest.mark.parametrize("names", [[""] * 6, []])
def test_without_people_nothing_is_claimed(names):
    rates = person_rates(np.zeros(len(names)), Clusters.of(names))
    assert rates.mean.status == rates.ever.status == rates.always.status == "undefined"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_uniform_answers_are_no_certainty(value):
    rates = person_rates(np.full(60, value), Clusters(np.repeat(np.arange(20), 3), known=True))
    assert rates.mean.value == value
    assert rates.mean.high - rates.mean.low > 0.1
    one_person = person_rates(np.full(60, value), Clusters(np.zeros(60, np.int64), known=True))
    assert one_person.mean.status == "small"


@pytest.mark.parametrize(("people", "rate", "icc"), [(20, 0.2, 0.3), (40, 0.2, 0.0), (100, 0.05, 0.5)])
def test_intervals_of_the_mean_over_people_cover(people, rate, icc):
    random = np.random.default_rng(0)
    covered = []
    for _ in range(600):
        sizes = random.integers(1, 12, people)
        # Beta-binomial: the correlation of two answers of a person is icc, and the mean over people is the rate.
        own = (
            random.beta(rate * (1 - icc) / icc, (1 - rate) * (1 - icc) / icc, people) if icc else np.full(people, rate)
        )
        codes = np.repeat(np.arange(people), sizes)
        wrong = (random.random(len(codes)) < own[codes]).astype(float)
        mean = person_rates(wrong, Clusters(codes, known=True)).mean
        covered.append(mean.low <= rate <= mean.high)
    assert np.mean(covered) > 0.93
