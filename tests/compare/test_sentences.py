"""What is said of a moved threshold."""

import numpy as np
import pytest

from bincam.compare.paired_differences import Difference
from bincam.compare.sentences import threshold_verdict
from bincam.stats.estimate import Estimate


def difference(value, low, high, status="ok"):
    return Difference(0, 0, Estimate(value, low, high, 100, None, status, ""), None)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((0.02, -0.01, 0.05), (0.0, -0.02, 0.02), "no difference"),
        ((0.5, 0.4, 0.6), (0.02, -0.05, 0.09), "yes"),
        ((0.5, 0.4, 0.6), (-0.1, -0.2, -0.05), "yes"),
        ((0.5, 0.4, 0.6), (0.2, 0.1, 0.3), "in part"),
        ((0.5, 0.4, 0.6), (0.55, 0.4, 0.7), "no"),
        ((0.5, 0.1, 0.9), (0.4, -0.1, 0.9), "unclear"),
        ((0.5, 0.1, 0.9, "small"), (0.4, 0.1, 0.9), "unclear"),
        ((0.5, 0.1, 0.9), (np.nan, np.nan, np.nan, "undefined"), "unknown"),
    ],
)
def test_verdicts_on_the_threshold(before, after, verdict):
    assert threshold_verdict(difference(*before), difference(*after)) == verdict
