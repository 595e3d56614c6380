"""The largest gap between two groups: its interval, the groups that it leaves out, and the family of tests."""

import numpy as np
import pytest

from bincam.audit.summary.groups.gaps import FAMILY, TESTED, gap_family, largest_gap, level_of_pairs
from bincam.audit.summary.groups.slices import slice_panel
from bincam.audit.summary.groups.within import error_shares
from tests.audit.summary.groups.planted import division, panel


def of_column(entries, measure, attribute="Bald"):
    return next(e for e in entries if "worst" in e and (e["measure"], e["attribute"]) == (measure, attribute))


def test_two_groups_have_newcombes_interval_whichever_is_worse():
    from statsmodels.stats.proportion import confint_proportions_2indep

    planted = panel(fnr=(0.3, 0.1), images=400)
    slicing = division(planted, 2)
    missed = error_shares(planted, slicing, 0.95)["fnr"][0]
    hits = [round(one.value * one.images) for one in missed]
    expected = confint_proportions_2indep(hits[0], missed[0].images, hits[1], missed[1].images, method="newcomb")
    entry = of_column(slice_panel(planted, slicing, {}), "fnr")
    gap = entry["largest_gap"]
    assert (gap["low"], gap["high"]) == pytest.approx(expected, abs=1e-3)
    assert gap["value"] == pytest.approx(missed[0].value - missed[1].value)
    assert entry["between"] == ["g0", "g1"]
    assert gap["images"] == sum(one.images for one in missed)
    turned = of_column(slice_panel(panel(fnr=(0.1, 0.3), images=400), slicing, {}), "fnr")
    assert turned["between"] == ["g1", "g0"]
    assert turned["largest_gap"]["value"] > 0


def test_people_in_a_gap_are_counted_once_and_widen_it():
    alone = panel(fnr=(0.4, 0.2), images=600)
    people = panel(fnr=(0.4, 0.2), images=600, per_person=6)
    widths = []
    for one in (alone, people):
        gap = of_column(slice_panel(one, division(one, 2), {}), "fnr")["largest_gap"]
        widths.append(gap["high"] - gap["low"])
    assert gap["identities"] == len(np.unique(people.clusters.codes[people.label[:, 0] == 1]))
    assert widths[1] > 1.2 * widths[0]


@pytest.mark.parametrize("truth", [(0.2, 0.2, 0.2, 0.2), (0.1, 0.2, 0.3, 0.4)])
def test_the_interval_of_the_largest_of_many_gaps_covers(truth):
    from bincam.stats.estimate import estimate
    from bincam.stats.intervals import wilson

    rng, n, kept = np.random.default_rng(0), 80, 0
    for _ in range(500):
        shares = rng.binomial(n, truth) / n
        ends = wilson(shares, n, level_of_pairs(len(truth)))
        groups = {str(v): estimate(s, ends[0][v], ends[1][v], n, None, "wilson") for v, s in enumerate(shares)}
        gap = largest_gap(groups, np.zeros((len(truth), 1)), lambda _: None)["largest_gap"]
        kept += gap["low"] <= max(truth) - min(truth) <= gap["high"]
    assert kept >= 0.94 * 500


def test_groups_of_too_few_are_named_and_not_compared():
    planted = panel(fnr=(0.3, 0.1, 0.9), images=400, shares=(0.5, 0.47, 0.03))
    entry = of_column(slice_panel(planted, division(planted, 3), {}), "fnr")
    assert set(entry["between"]) == {"g0", "g1"}
    assert [one["value"] for one in entry["few"]] == ["g2"]
    assert entry["few"][0]["images"] < 20
    nobody = panel(fnr=(0.3, 0.1), images=30)
    entry = of_column(slice_panel(nobody, division(nobody, 2), {}), "fnr")
    assert (entry["largest_gap"]["value"], entry["between"], len(entry["few"])) == (None, None, 2)
    assert entry["largest_gap"]["images"] == int((nobody.label == 1).sum())


def test_a_planted_gap_is_found_and_its_twin_is_not():
    planted = panel(fnr=(0.5, 0.2), images=800, attributes=("Bald", "Smiling"))
    slicing = division(planted, 2)
    family = gap_family(planted, [slicing])
    assert family["name"] == FAMILY
    assert family["size"] == len(TESTED) * 2
    found = {(test["attribute"], test["measure"]) for test in family["tests"] if test["finding"]}
    assert ("Bald", "fnr") in found
    assert {attribute for attribute, _ in found} == {"Bald"}  # of Smiling both groups are missed equally often
    assert ("Bald", "fpr") not in found
    # Corrected over both divisions at once, so p grows with each.
    twice = gap_family(planted, [slicing, slicing])
    assert twice["size"] == 2 * family["size"]
    assert all(one["holm"] >= other["holm"] for one, other in zip(twice["tests"], family["tests"], strict=False))
