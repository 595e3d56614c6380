"""The summary: figures of a planted place and its twin, and agreement with the functions it rests on."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.stats import Clusters, oracles
from bincam.studies.zoom import Subject, open_zoom, run_zoom
from tests.studies.zoom import planted
from tests.studies.zoom.planted import shaded, shades


def deviations(summary, definition="centred"):
    rows = summary["questions"]["Object"]["positions"][definition]["accuracy"]["deviations"]
    return np.array([[[cell[end] for end in ("value", "low", "high")] for cell in row] for row in rows])


def test_a_planted_corner_is_found_and_its_twin_has_none(study, tmp_path):
    found = deviations(study.summary)
    assert np.unravel_index(found[..., 0].argmax(), (3, 3)) == (0, 0)
    assert found[0, 0, 1] > 0.05
    assert (found.reshape(9, 3)[1:, 0] < 0).all()
    seen = deviations(study.summary, "visible")
    assert np.unravel_index(seen[..., 0].argmax(), (3, 3)) == (0, 0)

    audit, model, table = planted.audited(tmp_path, everywhere=True)
    flat = run_zoom(Subject.of_audit(audit, model, table), planted.plan()).summary
    assert (deviations(flat)[..., 0] == 0).all()
    assert flat["questions"]["Object"]["own_crop"]["value"] == 1


def test_oracles_are_those_of_the_stored_answers(study):
    entry = study.summary["questions"]["Object"]
    answers, true = study.answers("Object")
    expected = oracles(answers, true, Clusters.of(study.images["identity"]))
    for name in ("best_view", "right", "wrong", "null", "excess"):
        assert entry["oracles"][name]["value"] == pytest.approx(getattr(expected, name).value)
    assert entry["one_crop"] is None  # this plan does not have it
    assert entry["own_crop"]["value"] == 1
    assert entry["hard"] == int((answers != true[:, None]).all(1).sum()) == 0
    assert study.summary["exact_match"] is None  # of one question
    assert study.summary["people"] == 15


def test_views_that_are_no_strict_part_are_told_once(study):
    summary = study.summary
    assert summary["plan"]["strict"] == {"24": 0.0, "64": 1.0}
    answers, true = study.answers("Object")
    assert summary["questions"]["Object"]["not_strict"]["value"] == pytest.approx((answers[:, 0] == true).mean())


def test_labels_that_are_shuffled_leave_no_excess(audited, tmp_path):
    _, model, table = audited
    order = np.random.default_rng(1).permutation(len(table))
    twin = planted.relabelled(table, table.labels[order])
    entry = run_zoom(Subject.of_data(model, twin), planted.plan(), tmp_path / "zoom").summary["questions"]["Object"]
    excess = entry["oracles"]["excess"]
    assert excess["low"] <= 0 <= excess["high"]


def test_the_needed_scale_is_of_views_that_show_the_object(tmp_path):
    from bincam.data import write_box_table

    table = planted.pictures(tmp_path / "pictures")
    names = [name for name, label in zip(table.ids, table.labels[:, 0], strict=True) if label]
    write_box_table(tmp_path / "pictures" / "boxes.parquet", [(name, "Object", 1, 1, 8, 8) for name in names])
    seen = run_zoom(Subject.of_data(planted.model(), table), planted.plan(), tmp_path / "zoom")
    centres = seen.centres("Object")
    assert centres is not None
    np.testing.assert_allclose(centres[table.labels[:, 0] == 1], 4.5 / 32)
    assert np.isnan(centres[table.labels[:, 0] == 0]).all()
    scales = seen.summary["questions"]["Object"]["scales_of_object"]
    assert scales["anchors"] == "seen"
    assert [one["images"] for one in scales["curve"]] == [len(names)] * 2
    assert scales["curve"][1]["value"] == 1  # every view that shows the square's centre sees it


def test_several_questions_have_an_exact_match_beside_their_null(tmp_path):
    table = shaded(tmp_path / "data", [10, 120, 250] * 4, ["dark", "grey", "bright"] * 4)
    from dataclasses import replace

    both = replace(table, names=(*table.names, "Wide"), labels=np.concatenate([table.labels, table.labels[:, :1]], 1))
    card = shades().card
    model = shades()
    model.card = card.model_copy(update={"attributes": (*card.attributes, "Wide")})
    inner = model.network

    class Both(type(inner)):
        def forward(self, images):
            import torch

            scores = super().forward(images)
            return torch.cat([scores, scores[:, :1] - scores[:, 1:2]], 1)

    model.network = Both()
    seen = run_zoom(Subject.of_data(model, both, split=None), planted.plan(), tmp_path / "zoom")
    match = seen.summary["exact_match"]
    assert list(seen.summary["questions"]) == ["Wide", "shade"]
    assert match["right"]["value"] == 1
    assert match["null"]["value"] < 1
    again = open_zoom(seen.folder)
    assert again.questions == seen.questions
    assert again.plan == seen.plan


def test_a_broken_file_of_boxes_is_told_and_none_is_not(tmp_path):
    from bincam.errors import BincamWarning
    from bincam.studies.zoom.centres import Centres

    table, card = planted.pictures(tmp_path / "pictures"), planted.model().card
    assert Centres.of(table, card).objects is None
    (tmp_path / "pictures" / "boxes.parquet").write_text("no table")
    with pytest.warns(BincamWarning, match="the scale that an object needs is not measured"):
        assert Centres.of(table, card).objects is None
