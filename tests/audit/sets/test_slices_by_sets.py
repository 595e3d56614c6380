"""Slices by a set and by its outputs: the same, however many rows its outputs have in the records."""

from dataclasses import replace

import numpy as np
import pytest

from bincam.audit import summarise
from bincam.audit.folder.exports import flat_metrics
from bincam.audit.pipeline.runner import run
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED

pytestmark = NOTES_ALLOWED
BY = ("colour", "green", "half*colour")
DIVIDED = ("slices", "slices_left_out", "families", "group_differences")


@pytest.fixture(scope="module")
def half_known(coloured):
    """Pictures of which some have no known colour."""
    labels = coloured.labels.copy()
    labels[np.arange(60) % 7 == 1, :3] = np.nan
    return replace(coloured, labels=labels)


@pytest.fixture(scope="module")
def both(half_known, chosen, noisy_reader, tmp_path_factory):
    """The same audit with a row for every output of the set, and for the predicted and the true one."""
    folder = tmp_path_factory.mktemp("sliced")
    settings = chosen.replace(slice_by=BY)
    return [
        run(noisy_reader, half_known, folder / str(rows), settings.replace(one_of_rows=rows)).summary for rows in (3, 2)
    ]


def test_slices_by_a_large_set_are_those_of_a_small_one(both):
    small, large = both
    assert {entry["column"] for entry in large["slices"]} == {"colour", "green", "group.half*colour"}
    assert {entry["value"] for entry in large["slices"] if entry["column"] == "green" and "value" in entry} == {
        "positive", "negative",
    }  # fmt: skip
    for name in DIVIDED:
        assert large[name] == small[name], name


def test_unknown_labels_of_the_set_are_in_no_value(both, half_known):
    _, large = both
    test = half_known.split("test").labels[:, :3]
    errors = {e["value"]: e["estimate"] for e in large["slices"] if e["measure"] == "error" and "value" in e}
    for k, colour in enumerate(("red", "green", "blue")):
        assert errors[colour]["images"] == int((test[:, k] == 1).sum())
    assert errors["positive"]["images"] + errors["negative"]["images"] == int(np.isfinite(test[:, 0]).sum())


def test_rows_of_a_large_set_divide_nothing_and_a_misspelled_output_is_named(
    half_known, chosen, noisy_reader, tmp_path
):
    settings = chosen.replace(one_of_rows=2)
    done = run(noisy_reader, half_known, tmp_path / "large", settings)
    for column in ("colour: predicted", "colour: true"):  # whether the prediction is right is no property of an image
        with pytest.raises(InputError, match="cannot slice by 'colour: "):
            summarise(done, slice_by=[column])
    with pytest.raises(InputError, match="did you mean 'green'"):
        run(noisy_reader, half_known, tmp_path / "none", settings.replace(slice_by=["grene"]))
    assert not (tmp_path / "none").exists()


def test_a_set_has_the_largest_gap_of_its_error_and_flat_metrics(audits):
    summary = summarise(audits["noisy"], slice_by=["half"], resamples=50)
    compared = next(e for e in summary["slices"] if e["attribute"] == "colour" and "largest_gap" in e)
    errors = {e["value"]: e["estimate"] for e in summary["slices"] if e["attribute"] == "colour" and "value" in e
              if e["measure"] == "error"}  # fmt: skip
    assert compared["measure"] == "error"
    sound = [value for value, estimate in errors.items() if estimate["status"] == "ok"]
    assert {one["value"] for one in compared["few"]} == set(errors) - set(sound)
    if len(sound) == 2:
        gap = abs(errors[sound[0]]["value"] - errors[sound[1]]["value"])
        assert compared["largest_gap"]["value"] == pytest.approx(gap)
    flat = flat_metrics(summary)
    assert flat["sets/colour/accuracy"] == summary["sets"]["colour"]["rates"]["accuracy"]["value"]
    assert flat["sets/colour/green/fnr"] == summary["sets"]["colour"]["outputs"]["green"]["rates"]["fnr"]["value"]
