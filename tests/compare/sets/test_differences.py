"""Comparisons of two audits on sets of outputs: paired differences of accuracy and minority error."""

import json

import numpy as np
import pytest

from bincam.audit.pipeline.runner import run
from bincam.compare.contrast import compare
from bincam.errors import InputError
from bincam.report import write_report
from bincam.stats import Clusters
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.paired import paired_mean_rates
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import reader

pytestmark = NOTES_ALLOWED


def test_sets_of_long_audits_are_those_of_a_stated_sample_and_attributes_those_of_all_images(
    audits, tmp_path, monkeypatch
):
    whole = compare(*audits, tmp_path / "whole")
    every = audits[0].manifest.data.images
    monkeypatch.setattr("bincam.audit.folder.parts.sampled.MOST", every // 2)
    found = compare(*audits, tmp_path / "long")
    assert found["attributes"] == whole["attributes"]
    assert (found["images"], found["sets"]["colour"]["images"]) == (whole["images"], every // 2)
    assert found["notes"] == [
        *whole["notes"],
        f"figures of sets of outputs are of a random sample of {every // 2} of the {every} images",
    ]


def test_the_fault_of_one_model_is_the_difference(audits, tmp_path):
    contrast = compare(*audits, tmp_path / "contrast")
    entry = contrast["sets"]["colour"]
    assert entry["rates"]["accuracy"]["unbalanced"]["value"] == pytest.approx(25 / 40)
    assert entry["differences"]["accuracy"]["difference"]["value"] == pytest.approx(-15 / 40)
    assert entry["differences"]["accuracy"]["p"] < 0.001
    assert entry["differences"]["minority_error"]["difference"]["value"] == pytest.approx(0.5)
    assert entry["differences"]["minority_error"]["difference"]["low"] > 0.2
    assert list(contrast["attributes"]) == ["Bright"]
    # The summaries of the two audits, of the same images, are the oracle.
    for audit, column in zip(audits, ("unbalanced", "balanced"), strict=True):
        of_audit = audit.summary["sets"]["colour"]
        assert entry["confusion"][column]["counts"] == of_audit["confusion"]["counts"]
        for rate in ("accuracy", "balanced_accuracy", "minority_error", "majority_error"):
            assert entry["rates"][rate][column] == of_audit["rates"][rate]
        for output, figures in entry["by_output"].items():
            for rate in ("fnr", "fpr"):
                assert figures[rate][column] == of_audit["outputs"][output]["rates"][rate]
    for rate in ("balanced_accuracy", "majority_error"):
        of_models = [entry["rates"][rate][column]["value"] for column in ("unbalanced", "balanced")]
        assert entry["differences"][rate]["difference"]["value"] == pytest.approx(of_models[0] - of_models[1])
    assert any(finding.startswith("colour: The accuracy is 62") for finding in contrast["findings"])
    stored = json.loads((tmp_path / "contrast" / "contrast.json").read_text())
    assert stored["sets"] == contrast["sets"]
    write_report(tmp_path / "contrast", tmp_path / "page.html")
    assert "colour: The accuracy is" in (tmp_path / "page.html").read_text()


def test_sets_alone_are_compared_also_where_one_audit_keeps_two_rows_an_image(coloured, chosen, tmp_path):
    settings = chosen.replace(attributes=["colour"])
    first = run(reader("green"), coloured, tmp_path / "a", settings)
    second = run(reader(), coloured, tmp_path / "b", settings.replace(one_of_rows=2))
    contrast = compare(first, second, tmp_path / "contrast")
    assert contrast["attributes"] == {}
    assert contrast["sets"]["colour"]["images"] == 40
    assert contrast["sets"]["colour"]["confusion"]["balanced"] == {"cells": [[0, 0, 13], [1, 1, 15], [2, 2, 12]]}


def test_thresholds_of_outputs_in_sets_are_refused(audits, tmp_path):
    with pytest.raises(InputError, match="moved has one for 'red' of set 'colour'"):
        compare(*audits, tmp_path / "contrast", moved={"red": 0.5})


def test_p_of_sets_is_corrected_within_a_family_of_their_own(audits, noisy, tmp_path):
    contrast = compare(audits[0], noisy, tmp_path / "contrast")
    compared = contrast["sets"]["colour"]["differences"]["accuracy"]
    *of_attributes, family = contrast["families"]
    assert [family["name"] for family in of_attributes] == [
        "errors differ between the models", "attention differs between the models",
        "gaps between groups differ between the models",
    ]  # fmt: skip
    assert (family["name"], family["size"]) == ("answers on sets differ between the models", 1)
    (test,) = family["tests"]
    assert (test["attribute"], test["measure"]) == ("colour", "accuracy")
    assert test["difference"] == pytest.approx(compared["difference"]["value"])
    assert [test[name] for name in ("p", "holm", "test")] == [compared[name] for name in ("p", "holm", "test")]
    assert compared["p"] > 0.05
    assert not test["finding"]
    assert any("(McNemar, Holm-corrected for 1 test on sets)" in text for text in contrast["sentences"]["colour"])
    none = [finding for finding in contrast["findings"] if finding.startswith("On sets of outputs, none of 1 tested")]
    assert len(none) == 1
    assert "would be found in 8 of 10" in none[0]
    assert any(finding.startswith("Of yes-or-no attributes, none of") for finding in contrast["findings"])
    assert not any(finding.startswith("colour:") for finding in contrast["findings"])


def test_the_difference_of_mean_rates_is_that_of_two_and_of_one_output_a_paired_share():
    random = np.random.default_rng(0)
    true, people = random.integers(0, 3, 300), Clusters.of([str(n // 3) for n in range(300)])
    first, second = (random.random((2, 300)) < [[0.4], [0.2]]).astype(float)
    first[5] = np.nan
    difference = paired_mean_rates(first, second, true, [1, 2], people)
    both = np.where(np.isfinite(first), 1.0, np.nan)
    means = [mean_rate(wrong * both, true, [1, 2], people).value for wrong in (first, second)]
    assert difference.value == pytest.approx(means[0] - means[1])
    assert difference.low < difference.value < difference.high
    single = paired_mean_rates(first, second, true, [1], people)
    own = true == 1
    shares = paired_shares(
        first[own], second[own], Clusters(np.unique(people.codes[own], return_inverse=True)[1], True)
    )
    assert single.value == pytest.approx(shares.value)
    assert single.low == pytest.approx(shares.low, abs=0.02)
    assert single.high == pytest.approx(shares.high, abs=0.02)
    assert not paired_mean_rates(first, second, true, [], people).defined
