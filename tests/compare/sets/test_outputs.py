"""Outputs that two models state differently: the one in a set, the other as yes-or-no attributes."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from bincam.audit.pipeline.runner import run
from bincam.compare.contrast import compare
from bincam.compare.names import names_from
from bincam.compare.sets.sentences import left_out
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import COLOURS, reader

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def contrast(audits, yes_or_no, tmp_path_factory):
    return compare(audits[0], yes_or_no, tmp_path_factory.mktemp("contrast"))


def test_their_errors_are_those_of_the_two_models(contrast):
    outputs = contrast["outputs"]
    assert list(outputs) == list(COLOURS)
    assert all(entry["sets"] == {"unbalanced": "colour", "balanced": None} for entry in outputs.values())
    # Of 40 images 13 are red, 15 green, 12 blue: the first takes green for red, the second never sees blue.
    expected = {
        "red": {"fnr": (0, 0), "fpr": (15 / 27, 0)},
        "green": {"fnr": (1, 0), "fpr": (0, 0)},
        "blue": {"fnr": (0, 1), "fpr": (0, 0)},
    }
    for name, rates in expected.items():
        for rate, values in rates.items():
            entry = outputs[name]
            assert [entry["rates"][rate][column]["value"] for column in ("unbalanced", "balanced")] == pytest.approx(
                list(values)
            )
            difference = entry["differences"][rate]["difference"]
            assert difference["value"] == pytest.approx(values[0] - values[1])
            assert difference["low"] < difference["value"] + 1e-9 < difference["high"] + 2e-9
            holm = entry["differences"][rate]["holm"]
            # Fewer than 20 images are not tested.
            assert holm is None if rate == "fnr" else (holm < 0.05) == (values[0] != values[1])


def test_their_tests_are_one_family_with_those_of_sets(contrast):
    family = contrast["families"][-1]
    assert (family["size"], family["undefined"], family["findings"]) == (3, 3, 1)
    tested = [test for test in family["tests"] if test["measure"] == "fpr"]
    p = [test["p"] for test in tested]
    assert [test["holm"] for test in tested] == pytest.approx(multipletests(p, method="holm")[1])
    for test in family["tests"]:
        stated = contrast["outputs"][test["attribute"]]["differences"][test["measure"]]
        assert (stated["p"], stated["holm"]) == (test["p"], test["holm"])
    found = [finding for finding in contrast["findings"] if finding.split(":")[0] in COLOURS]
    assert len(found) == 1
    assert found[0].startswith("red: The false alarm rate is 56")
    assert "Holm-corrected for 3 tests on sets" in found[0]


def test_the_set_is_left_out_with_the_reason(contrast):
    names = names_from(contrast)
    reason = "model yes-or-no states its outputs as yes-or-no attributes"
    assert contrast["sets_only_in_first"] == {"colour": reason}
    assert (contrast["sets_only_in_second"], contrast["only_in_first"], contrast["only_in_second"]) == ({}, [], [])
    assert "sets" not in contrast
    assert list(contrast["attributes"]) == ["Bright"]
    assert left_out(contrast, names) == [
        f"set 'colour' of model green is not compared: {reason}",
        "3 outputs that both models have but state differently, red, green and blue, are compared one by one: yes, of "
        "a set, is that it is predicted",
    ]
    assert "1 attribute, 3 single outputs" in repr(contrast)


def test_the_exchanged_models_have_the_opposite_differences(contrast, audits, yes_or_no, tmp_path):
    other = compare(yes_or_no, audits[0], tmp_path / "contrast")
    for name, entry in contrast["outputs"].items():
        for rate, compared in entry["differences"].items():
            turned = other["outputs"][name]["differences"][rate]
            assert turned["difference"]["value"] == pytest.approx(-compared["difference"]["value"])
            assert turned["p"] == compared["p"]


def test_outputs_of_a_set_with_two_rows_an_image_are_compared_from_the_scores(
    contrast, coloured, chosen, yes_or_no, tmp_path
):
    settings = chosen.replace(one_of_rows=2, attributes=["colour"])
    large = run(reader("green"), coloured, tmp_path / "large", settings)
    assert compare(large, yes_or_no, tmp_path / "contrast")["outputs"] == contrast["outputs"]


def test_other_labels_are_refused(coloured, chosen, yes_or_no, tmp_path):
    labels = coloured.labels.copy()
    at = np.flatnonzero((coloured.splits == "test") & (labels[:, 0] == 1))[0]
    labels[at, :2] = labels[at, 1::-1]
    other = run(reader("green"), replace(coloured, labels=labels), tmp_path / "other", chosen)
    with pytest.raises(InputError, match="output 'red': 1 label differs"):
        compare(other, yes_or_no, tmp_path / "contrast")
