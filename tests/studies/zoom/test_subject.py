"""The subject: only the audited model and data, thresholds of the audit, and draws."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from bincam.audit import Settings, run
from bincam.errors import BincamWarning, InputError
from bincam.models import AttributeClassifier
from bincam.studies.zoom import Subject, run_zoom
from tests.studies.zoom import planted
from tests.studies.zoom.planted import shaded, shades


def test_another_model_is_refused(audited):
    audit, model, table = audited
    other = planted.network()
    with torch.no_grad():
        other.head.bias.add_(1)
    with pytest.raises(InputError, match="the model is not the audited one"):
        Subject.of_audit(audit, AttributeClassifier(other, model.card), table)


def test_other_labels_and_other_files_are_refused(audited, tmp_path):
    _, model, _ = audited
    audit, _, own = planted.audited(tmp_path)
    Subject.of_audit(audit, AttributeClassifier(model.network, model.card), own)
    labels = own.labels.copy()
    labels[0] = 1 - labels[0]
    with pytest.raises(InputError, match="the data is not what was audited"):
        Subject.of_audit(audit, model, planted.relabelled(own, labels))
    own.path(4).write_bytes(own.path(5).read_bytes())
    with pytest.raises(InputError, match="missing or differ from those that were audited"):
        Subject.of_audit(audit, model, own)


def test_thresholds_are_those_of_the_audit(audited, tmp_path):
    _, model, table = audited
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        audit = run(model, table, tmp_path / "audit", Settings(gate_images=0, threshold={"Object": 1e6}))
    subject = Subject.of_audit(audit, model, table)
    assert subject.model.card.thresholds == {"Object": 1e6}
    seen = run_zoom(subject, planted.plan())
    assert seen.folder == audit.folder / "studies" / "zoom"
    assert not seen.answers("Object")[0].any()


def test_skipped_images_are_left_out(tmp_path):
    table = planted.pictures(tmp_path / "pictures")
    table.path(2).write_bytes(b"no image")
    model = planted.model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        audit = run(model, table, tmp_path / "audit", Settings(gate_images=0, on_error="skip"))
    seen = run_zoom(Subject.of_audit(audit, model, table), planted.plan())
    assert seen.summary["skipped"] == 1
    assert seen.summary["images"] == len(table) - 1
    assert "0002.png" not in seen.images["image"].tolist()


def test_a_limit_draws_the_same_images_again(audited):
    audit, model, table = audited
    first, second = (Subject.of_audit(audit, model, table, limit=9, seed=3) for _ in range(2))
    assert first.table.ids == second.table.ids
    assert len(first.table) == 9
    assert first.table.labels.sum() == 3  # a third of the images has the object
    with pytest.raises(InputError, match="limit=0"):
        Subject.of_audit(audit, model, table, limit=0)


def test_questions_of_sets_have_their_rare_outputs(tmp_path):
    table = shaded(tmp_path, [0, 0, 0, 128, 255], ["dark", "dark", "dark", "grey", "bright"])
    (question,) = Subject.of_data(shades(), table, split=None).questions
    assert question.is_set
    assert question.rare == (False, True, True)
    assert question.answers_named == ("dark", "grey", "bright")
    unknown = planted.relabelled(table, np.where(np.arange(5)[:, None] == 0, np.nan, table.labels))
    (again,) = Subject.of_data(shades(), unknown, split=None).questions
    positive = np.eye(3, dtype=bool)[[0, 0, 0, 1, 2]][:, None]
    assert again.answers(positive, np.zeros_like(positive), unknown.labels)[1].tolist() == [-1, 0, 0, 1, 2]
