"""Evidence that a mean over cells loses is found where it was planted, and not by the twin that reads other pixels."""

import numpy as np
import pytest

from bincam.audit.folder.parts.cells import read_cells, read_image_cells, read_pooled
from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.compare.paired_audits import pair_audits
from bincam.errors import InputError
from bincam.report.html.page import open_source
from bincam.report.sections.cells.examples import CellRecords
from bincam.report.sections.cells.sentences import auroc_sentence, missed_sentence, row_of
from bincam.stats.estimate import Estimate


def figures(audit, measure, reference="zero"):
    row = row_of(audit.summary["attributes"]["Object"]["cells"], measure, reference)
    return [Estimate.from_json(row[name]) for name in ("figure", "null", "difference")]


def test_missed_images_have_their_evidence_in_the_cells_of_the_honest_model_alone(honest, twin):
    for audit in (honest, twin):
        counts = audit.summary["attributes"]["Object"]["counts"]
        assert counts["FN"] >= 15
        assert counts["FP"] == 0
    found, chance, more = figures(honest, "recoverable")
    assert found.value == 1
    assert chance.value < 0.1
    assert more.low > 0.5
    found, _, more = figures(twin, "recoverable")
    assert found.value < 0.2
    assert more.low < 0.1
    entry = honest.summary["attributes"]["Object"]["cells"]
    assert "In 100 of 100 missed images the evidence is there" in missed_sentence(entry)
    assert "for certain" in missed_sentence(twin.summary["attributes"]["Object"]["cells"])


def test_cells_on_the_object_stand_out_of_the_honest_model_beyond_another_image(honest, twin):
    own, null, more = figures(honest, "auroc")
    assert own.value > 0.99
    assert null.value < 0.75
    assert more.low > 0.2
    assert figures(twin, "auroc")[2].high < 0.1
    assert "more than a template would" in auroc_sentence(honest.summary["attributes"]["Object"]["cells"])
    assert figures(honest, "auroc", "midpoint")[2].low > 0.2


def test_the_difference_is_the_figure_less_its_null_on_the_same_images(honest):
    for measure in ("auroc", "contrast", "recovery", "recoverable"):
        figure, null, difference = figures(honest, measure)
        assert difference.value == pytest.approx(figure.value - null.value, abs=1e-6)
        assert figure.images == null.images == difference.images


def test_images_without_the_object_raise_no_alarm(honest):
    figure, null, difference = figures(honest, "false_alarm")
    assert (figure.value, null.value, difference.value) == (1, 0, 1)
    assert difference.images == figure.images + null.images


def test_small_objects_are_missed_and_the_summary_says_so(honest):
    entry = honest.summary["attributes"]["Object"]["cells"]
    small, large = entry["dilution"]["bins"]
    assert (small["from"], large["to"]) == (1 / 64, 4 / 64)
    assert (small["missed"]["value"], large["missed"]["value"]) == (1, 0)
    assert entry["dilution"]["smaller"]["value"] == 1
    assert entry["images"] == entry["masked"]
    assert entry["fallback"]["value"] == 0


def test_cells_off_the_object_say_the_same_with_it_hidden_because_each_sees_its_square_alone(honest, twin):
    for audit, before in ((honest, 0), (twin, 1)):
        hidden = audit.summary["attributes"]["Object"]["cells"]["hidden"]
        for fill in ("mean_colour", "imputed"):
            assert hidden[fill]["difference"]["value"] == pytest.approx(0, abs=1e-6)
            assert (hidden[fill]["before"]["value"] > 0) == before
            assert hidden[fill]["before"]["images"] > 0


def test_stored_scores_have_the_logit_as_their_mean_and_the_first_pooling_is_it(honest):
    logit = honest.records(["logit"])["logit"].to_numpy().reshape(-1, 2)
    scores, pooled = read_cells(honest, "scores"), read_cells(honest, "pooled")
    np.testing.assert_allclose(scores.astype(float).mean((2, 3)), logit, atol=0.02)
    np.testing.assert_allclose(pooled[..., 0], logit, atol=1e-4)
    assert honest.manifest.cells.poolings[0] == "mean"
    assert read_pooled(honest.folder)["pooled"].shape == (40, 2, 7)


def test_an_attribute_without_a_mask_is_undefined_and_its_poolings_are_compared(honest):
    entry = honest.summary["attributes"]["Other"]["cells"]
    assert (entry["mask"], entry["masked"], entry["rows"]) == (None, 0, [])
    assert "compared" in entry["poolings"]
    assert honest.manifest.cells.masks == {"Object": "object", "Other": None}


def test_rules_name_the_figures_of_cells(honest, twin):
    rules = [parse_rule(text, honest) for text in ("Object.cell_auroc_gain>=0.2", "Object.recoverable>=0.5")]
    assert [one.verdict for one in judge(honest.summary, rules, allow_untested=True)] == ["pass", "pass"]
    assert judge(twin.summary, rules, allow_untested=True)[0].verdict == "fail"
    assert parse_rule("overall.recovery_gain>=0", honest).measure == "recovery_gain"


def test_an_audit_without_a_grid_refuses_such_rules_with_the_command(done):
    for text in ("cell_auroc>=0.6", "cells.recovery@outcome:FN>=0.6"):
        with pytest.raises(InputError, match="make one with 'bincam audit --grid'"):
            parse_rule(text, done)


def test_two_audits_are_compared_on_the_figures_that_both_have(honest, twin, done):
    pair = pair_audits(honest, twin)
    assert "cells.auroc_gain" in pair.first.columns
    column = pair.first.columns.index("cells.recovery")
    gain = pair.first.values[:, 0, column] - pair.second.values[:, 0, column]
    assert np.nanmean(gain) > 0.7
    assert not [name for name in pair_audits(honest, done).first.columns if name.startswith("cells.")]


def test_examples_of_a_long_audit_are_of_the_images_of_its_sample(honest, monkeypatch):
    every = dict(enumerate(honest.images["row"][honest.images["skipped"] == ""].tolist()))
    monkeypatch.setattr("bincam.audit.folder.parts.sampled.MOST", len(every) // 2)
    records = CellRecords(open_source(honest.folder).arms[0])
    rows = records.panel.rows.tolist()
    assert len(rows) == len(every) // 2
    for position, row in every.items():
        at = records.position(row)
        assert (at is not None) == (row in rows)
        if at is not None:
            expected = read_image_cells(honest, "scores", position)
            assert np.array_equal(records.stored("scores", at), expected, equal_nan=True)
