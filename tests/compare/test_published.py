"""The source paper's figures, and when their sizes may be compared."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bincam.compare.published import FRONTAL_IMAGES, TEST_IMAGES, beside, on_frontal_test, published
from bincam.stats.estimate import Estimate


def ours(low, high):
    return Estimate((low + high) / 2, low, high, 100, None, "ok", "")


def test_forty_attributes_with_rates_and_energies():
    table = published()
    assert len(table) == 40
    assert all(0 <= value <= 1 for row in table.values() for value in row.values())
    assert table["Bald"]["train_positive_rate"] < 0.05


@pytest.mark.parametrize(
    ("unbalanced", "balanced", "direction"),
    [((0.4, 0.5), (0.0, 0.1), "same"), ((0.0, 0.1), (0.4, 0.5), "other"), ((0.0, 0.3), (0.2, 0.5), "not shown")],
)
def test_direction_is_shown_where_the_intervals_are_apart(unbalanced, balanced, direction):
    [row] = beside({"Bald": {"fnr": (ours(*unbalanced), ours(*balanced))}}, graded=False)
    assert row["published"] == {"unbalanced": 0.191, "balanced": 0.025}
    assert row["direction"] == direction
    assert row["size"] == {"unbalanced": None, "balanced": None}


def test_sizes_are_graded_on_the_papers_images_alone():
    pair = (ours(0.1, 0.3), ours(0.2, 0.3))
    [row] = beside({"Bald": {"fnr": pair}}, graded=True)
    assert row["size"] == {"unbalanced": True, "balanced": False}
    [row] = beside({"Bald": {"hirescam_energy_pred_neg": pair}}, graded=True)
    assert row["published"] == {"unbalanced": 0.141, "balanced": 0.37}
    assert beside({"Unheard_Of": {"fnr": pair}}, graded=True) == []


def test_undefined_figures_show_no_direction():
    nothing = Estimate(np.nan, np.nan, np.nan, 0, None, "undefined", "")
    [row] = beside({"Bald": {"fnr": (nothing, ours(0, 0.1))}}, graded=True)
    assert row["direction"] == "not shown"
    assert row["size"]["unbalanced"] is None


def test_the_frontal_test_images_are_known_by_split_number_and_names():
    def audit(count=FRONTAL_IMAGES, split="test", first=TEST_IMAGES[0]):
        names = [f"{first + n:06d}.jpg" for n in range(count)]
        return SimpleNamespace(
            manifest=SimpleNamespace(data=SimpleNamespace(split=split)), images=pd.DataFrame({"image": names})
        )

    assert on_frontal_test(audit())
    assert not on_frontal_test(audit(count=100))
    assert not on_frontal_test(audit(split="val"))
    assert not on_frontal_test(audit(first=1))
