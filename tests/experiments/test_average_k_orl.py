"""The experiment on ORL by folds: planted features give the sets that they must, and the page says what files say."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.stats.estimate import Estimate
from experiments.average_k import orl as experiment


@pytest.fixture(scope="module")
def results():
    """Figures of features that state who it is and what there is to say of the person."""
    table = experiment.of_orl(0, False)
    people = sorted(set(table.identities))
    labels = np.nan_to_num(table.labels, nan=0.5)
    known = {
        name: np.r_[np.eye(len(people))[people.index(person)], labels[row]]
        for row, (name, person) in enumerate(zip(table.ids, table.identities, strict=True))
    }
    return experiment.measured(known)


def value(entry, name):
    return Estimate.from_json(entry[name]).value


def test_sets_of_people_whom_the_features_name_hold_them(results):
    found = results["people"]
    assert (found["images"], found["people"]) == (400, 40)
    assert {value(entry, "coverage") for rule, entry in found["rules"].items() if "LAC" not in rule} == {1.0}
    assert value(found["rules"]["average-K, K = 1"], "size") == 1.0
    assert value(found["rules"]["top-2"], "size") == 2.0


def test_ten_people_cannot_calibrate_each_class(results):
    found = results["attributes"]
    assert list(found) == ["Eyeglasses", "Male", "Beard"]
    male = found["Male"]["balanced"]
    assert (male["images"], found["Beard"]["balanced"]["images"]) == (400, 370)
    kept = [reason for reason in male["always_kept"] if reason.startswith("class-conditional, α = 0.1: no")]
    assert len(kept) == 4  # women: one in each fold, and nine people are needed
    assert value(male["rules"]["class-conditional, α = 0.1"], "minority") == 1.0
    assert value(male["rules"]["average-K, K = 1"], "majority") > 0.9


def test_the_page_says_what_the_file_says(results):
    text = experiment.document(results)
    size = value(results["people"]["rules"]["average-K, K = 1.5"], "size")
    assert f"| average-K, K = 1.5 | {size:.2f} [" in text
    assert "| top-2 | 2 | 1.000 [" in text
    assert text.count("| balanced | ") == 3 * 5
    assert "## Beard\n\n370 photographs of 37 people" in text
