"""Statistics of drawn images, down to none, of one person, of equal answers: a value within its interval, or NaN."""

import dataclasses
import math
import warnings
from collections.abc import Mapping
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bincam.stats.calibration import calibrate
from bincam.stats.clustered.average_errors import average_errors
from bincam.stats.clustered.gap_change import gap_change
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clustered.paired_scores import compare_scores
from bincam.stats.clustered.rank_correlations import rank_correlation
from bincam.stats.clustered.ratios import ratio_of_sums
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate
from bincam.stats.framing.averages import mean, share
from bincam.stats.rates.equalised_odds import demographic_parity_difference, equalised_odds_difference
from bincam.stats.rates.operating_point import Rate, rate_at
from bincam.stats.rates.person_level import person_rates
from bincam.stats.rates.predictive_value import predictive_values
from bincam.stats.recalibration import recalibrate, signed_error
from bincam.stats.roc import ranking
from bincam.stats.sets.abstaining import head_coverage
from bincam.stats.sets.coverage import attribute_coverage, set_coverage
from bincam.stats.sets.estimates import estimate_set, top_k_accuracy
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.paired import paired_mean_rates
from bincam.stats.sets.pooled_scores import compare_set_scores
from tests.properties.judging import examples


class Drawn:
    """Images of a few people, with answers, scores and groups."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.count = int(self.random.choice([0, 1, 2, 3, 5, 8, 20, 40, 60]))
        known = int(self.random.choice([0, 1, 2, 3, 5, 20, max(self.count, 1)]))
        names = [f"person {n}" if known else "" for n in self.random.integers(0, max(known, 1), self.count)]
        if self.random.random() < 0.2:
            names = ["" if self.random.random() < 0.3 else name for name in names]
        self.people = Clusters.of(names)
        self.outputs = int(self.random.integers(2, 5))

    def answers(self):
        values = (self.random.random(self.count) < self.random.choice([0, 0.02, 0.1, 0.5, 0.9, 1])).astype(float)
        if self.random.random() < 0.3:
            values[self.random.random(self.count) < 0.3] = np.nan
        return values

    def scores(self):
        values = self.random.normal(size=self.count) * self.random.choice([1e-6, 1, 1e6])
        kind = self.random.integers(4)
        if kind == 1:
            values = np.round(values)
        elif kind == 2:
            values[:] = values[:1]
        elif kind == 3:
            values[self.random.random(self.count) < 0.2] = np.nan
        return values

    def probabilities(self):
        return np.clip(np.abs(self.scores()), 0, 1)

    def groups(self, count):
        return self.random.integers(-1, count, self.count)

    def columns(self, drawn, count):
        return np.stack([drawn() for _ in range(count)], 1)

    def members(self, count):
        return self.random.random((self.count, count)) < self.random.choice([0, 0.5, 1])

    def set_scores(self):
        return self.random.normal(size=(self.count, self.outputs)).round(int(self.random.integers(3)))

    def one_hot(self):
        labels = np.eye(self.outputs)[self.random.integers(0, self.outputs, self.count)]
        labels[self.random.random(self.count) < self.random.choice([0, 0.3])] = np.nan
        return labels


def of_groups(drawn, function, *values):
    count = int(drawn.random.integers(1, 4))
    names = [f"group {n}" for n in range(count)]
    return function(*values, drawn.groups(count), names, drawn.people, permutations=10)


def averages(d):
    count = int(d.random.integers(1, 4))
    wrong = np.stack([d.columns(d.answers, count) for _ in range(2)])
    minority = d.random.integers(0, 2, count) * 2 - 1
    names = [str(n) for n in range(count)]
    return average_errors(wrong, d.columns(d.answers, count), minority, names, d.people, [(0, 1)])


FUNCTIONS = {
    "shares": lambda d: share(d.answers(), d.people),
    "means": lambda d: mean(d.probabilities(), d.people),
    "paired shares": lambda d: paired_shares(d.answers(), d.answers(), d.people),
    "changes of gaps": lambda d: gap_change(d.answers(), d.answers(), d.groups(4), d.people),
    "average errors": averages,
    "paired scores": lambda d: compare_scores(d.scores(), d.scores(), d.answers(), d.people, thresholds=(0.0, 0.0)),
    "rank correlations": lambda d: rank_correlation(d.scores(), d.scores(), d.people),
    "ratios": lambda d: ratio_of_sums(np.abs(d.scores()), np.abs(d.scores()), d.people),
    "equalised odds": lambda d: of_groups(d, equalised_odds_difference, d.answers(), d.answers()),
    "demographic parity": lambda d: of_groups(d, demographic_parity_difference, d.answers()),
    "operating points": lambda d: rate_at(
        d.random.choice(get_args(Rate)), d.random.choice([0.001, 0.1, 0.99]), d.scores(), d.answers(), d.people
    ),
    "rates of people": lambda d: person_rates(d.answers(), d.people),
    "predictive values": lambda d: predictive_values(d.answers(), d.answers(), d.people, d.random.choice([None, 0.01])),
    "signed errors": lambda d: signed_error(d.probabilities(), d.answers(), d.people),
    "recalibration": lambda d: recalibrate(d.scores(), d.answers(), d.people),
    "calibration": lambda d: calibrate(d.probabilities(), d.answers(), d.people),
    "rankings": lambda d: ranking(d.scores(), d.answers(), d.people),
    "abstaining": lambda d: head_coverage(d.members(2), d.answers(), d.people),
    "sets of attributes": lambda d: attribute_coverage(d.members(3), d.columns(d.answers, 3), d.people),
    "coverage of sets": lambda d: set_coverage(
        d.members(d.outputs), d.groups(d.outputs), d.random.random(d.outputs) < 0.5, d.people
    ),
    "outputs of sets": lambda d: estimate_set(
        d.set_scores(), d.one_hot(), d.random.integers(0, 100, d.outputs), d.people
    ),
    "top k": lambda d: top_k_accuracy(d.set_scores(), d.one_hot(), 1, d.people),
    "mean rates": lambda d: mean_rate(d.answers(), d.groups(3), [0, 1, 2], d.people),
    "paired mean rates": lambda d: paired_mean_rates(d.answers(), d.answers(), d.groups(3), [0, 1, 2], d.people),
    "paired sets": lambda d: compare_set_scores(d.set_scores(), d.set_scores(), d.groups(d.outputs), d.people),
}


def estimates(found):
    """All estimates in nested results."""
    if isinstance(found, Estimate):
        yield found
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            yield from estimates(getattr(found, field.name))
    elif isinstance(found, list | tuple):
        for part in found:
            yield from estimates(part)
    elif isinstance(found, Mapping):
        yield from estimates(list(found.values()))


@pytest.mark.parametrize("name", FUNCTIONS)
@examples(25)
@given(st.integers(0, 2**32 - 1))
def test_every_value_is_within_its_interval_or_undefined(name, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="underflow encountered in exp")  # of scipy's normal distribution
        found = FUNCTIONS[name](Drawn(seed))
    for one in estimates(found):
        if math.isnan(one.value):
            assert one.status == "undefined"
            assert math.isnan(one.low)
            assert math.isnan(one.high)
            continue
        assert one.status != "undefined"
        assert math.isfinite(one.value)
        if math.isnan(one.low) or math.isnan(one.high):
            assert math.isnan(one.low) == math.isnan(one.high)
        else:
            assert one.low - 1e-9 <= one.value <= one.high + 1e-9
