"""The pass: its numbers are the model's, a killed study ends with the same bytes, and nothing is left changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.data.crop import face_matrix
from bincam.errors import InputError
from bincam.inference import predict, view_plan
from bincam.models import AttributeClassifier
from bincam.studies.zoom import Subject, open_zoom, run_zoom
from bincam.studies.zoom.looking import shards
from bincam.studies.zoom.view_shard import shard_images
from tests.audit.conftest import digests
from tests.inference.test_prediction import assert_same_state, state_of
from tests.studies.zoom import planted
from tests.studies.zoom.planted import SIDE, shaded, shades


def test_shards_hold_what_the_model_says(audited, study):
    audit, model, table = audited
    files = [table.path(row) for row in range(len(table))]
    seen = predict(model, files, planted.plan())
    (shard,) = study.shards()
    assert np.array_equal(shard.positive, seen.positive)
    assert np.array_equal(shard.logits, seen.logits.astype(np.float16))
    assert np.array_equal(shard.right[..., 0], seen.positive[..., 0] == (table.labels == 1))
    assert shard.sizes.tolist() == [[SIDE, SIDE]] * len(table)
    records = audit.records(["logit"])["logit"].to_numpy()
    np.testing.assert_allclose(shard.own_logits[:, 0], records, rtol=1e-5)


def test_a_killed_study_ends_with_the_same_bytes(audited, tmp_path, monkeypatch):
    audit, model, table = audited
    subject, plan = Subject.of_audit(audit, model, table, limit=16), view_plan("paper", (SIDE, SIDE))
    assert shard_images(len(plan)) < 15  # two shards
    whole = run_zoom(subject, plan, tmp_path / "whole").folder
    decode, calls = shards.photograph, []

    def killing(file):
        calls.append(file)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return decode(file)

    monkeypatch.setattr(shards, "photograph", killing)
    with pytest.raises(KeyboardInterrupt):
        run_zoom(subject, plan, tmp_path / "killed")
    with pytest.raises(InputError, match="is unfinished; finish it with 'bincam zoom --resume'"):
        open_zoom(tmp_path / "killed", audit=audit)
    monkeypatch.setattr(shards, "photograph", decode)
    resumed = run_zoom(subject, plan, tmp_path / "killed", resume=True).folder
    assert digests(resumed) == digests(whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"plan": "short"}, r"begun with different plan \(own, now short\)"),
        ({"limit": 9}, r"begun with different limit \(None, now 9\)"),
        ({"batch_size": 3}, "begun with different batch_size"),
    ],
)
def test_it_is_not_resumed_with_another_plan(audited, tmp_path, options, message):
    plan, limit = options.pop("plan", planted.PLAN), options.pop("limit", None)
    run_zoom(Subject.of_audit(*audited), planted.plan(), tmp_path / "zoom")
    with pytest.raises(InputError, match=message):
        run_zoom(
            Subject.of_audit(*audited, limit=limit), view_plan(plan, (SIDE, SIDE)), tmp_path / "zoom", resume=True,
            **options,
        )  # fmt: skip


def test_the_model_is_as_before_also_after_an_error(audited, tmp_path, monkeypatch):
    audit, model, table = audited
    model.network.train()
    before = state_of(model)
    run_zoom(Subject.of_audit(audit, model, table), planted.plan(), tmp_path / "zoom")
    assert_same_state(before, state_of(model))
    monkeypatch.setattr(shards, "photograph", lambda _: np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(InputError, match=r"0000.png: an image without pixels"):
        run_zoom(Subject.of_audit(audit, model, table), planted.plan(), tmp_path / "broken")
    assert_same_state(before, state_of(model))
    model.eval()


def test_small_images_and_undefined_views_are_counted(tmp_path):
    table = shaded(
        tmp_path / "data", [0, 128, 255, 255, 250], ["dark", "grey", "bright", "dark", "bright"],
        sizes=[(1, 1), (2, 5), (300, 7), (40, 40), (1, 64)],
    )  # fmt: skip
    subject = Subject.of_data(shades(), table, split=None)
    seen = run_zoom(subject, view_plan("short", (SIDE, SIDE)), tmp_path / "zoom")
    answers, true = seen.answers("shade")
    assert answers.shape == (5, 54)
    assert true.tolist() == [0, 1, 2, 0, 2]
    assert (answers[0] == 0).all()  # black, whatever the view
    blind = int((answers < 0).sum())
    assert blind > 0
    assert seen.summary["undefined_views"] == {"shade": blind}
    assert seen.summary["questions"]["shade"]["oracles"]["undefined_views"] == blind
    shard, place = seen.shard_of(3)
    undefined = answers[3] < 0
    assert np.isnan(shard.logits[place][undefined]).all()
    assert not shard.right[place, undefined].any()
    assert seen.summary["blank"]["shade"]["answer"] == "dark"


def test_a_model_of_another_size_than_its_card_says_so(tmp_path):
    card = shades().card.model_copy(update={"input_size": (SIDE, SIDE)})
    fixed = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3))
    subject = Subject.of_data(
        AttributeClassifier(fixed, card), shaded(tmp_path / "data", [0, 128, 255], list(planted.SHADES)), split=None
    )
    with pytest.raises(InputError, match=r"does not take images of shape"):
        run_zoom(subject, view_plan("short", (SIDE, SIDE)), tmp_path / "zoom")


def test_a_study_needs_a_folder(tmp_path):
    subject = Subject.of_data(shades(), shaded(tmp_path / "data", [0, 128, 255], list(planted.SHADES)), split=None)
    with pytest.raises(InputError, match="needs a folder"):
        run_zoom(subject, view_plan("short", (SIDE, SIDE)))
    with pytest.raises(InputError, match="expected at least 1"):
        run_zoom(subject, view_plan("short", (SIDE, SIDE)), tmp_path / "zoom", batch_size=0)


def faced(tmp_path):
    """A model of face crops, and photographs with landmarks and boxes, of which the last shows nothing."""
    from dataclasses import replace

    from bincam.data import write_box_table

    table = planted.pictures(tmp_path / "pictures", 6)
    points = np.array([[10, 12], [20, 12], [15, 17], [11, 22], [19, 22]], np.float32)
    landmarks = np.stack([points + row for row in range(6)])
    write_box_table(tmp_path / "pictures" / "boxes.parquet", [(name, "Object", 1, 1, 8, 8) for name in table.ids[:4:3]])
    model = planted.model()
    model.card = model.card.model_copy(update={"fit": "face"})
    return model, replace(table, landmarks=landmarks)


def test_faces_are_seen_by_their_landmarks(tmp_path):
    model, table = faced(tmp_path)
    seen = run_zoom(Subject.of_data(model, table), planted.plan(), tmp_path / "zoom")
    files = [table.path(row) for row in range(6)]
    expected = predict(model, files, planted.plan(), landmarks=table.landmarks)
    (shard,) = seen.shards()
    assert np.array_equal(shard.logits, expected.logits.astype(np.float16))
    assert shard.sizes[0, 0] == shard.sizes[0, 1]
    centres = seen.centres("Object")
    assert centres is not None
    square = shard.sizes[0, 0] / 32  # of the crop, in pixels of the image per pixel of the crop
    matrix = face_matrix(table.landmarks[0], 32)
    x0, y0 = np.linalg.solve(matrix[:, :2], np.array([[0, 0], [32, 32]]).T - matrix[:, 2:]).T[0]
    inside = np.array([max(1, x0 + 0.5), max(1, y0 + 0.5)])
    middle = (inside + 8) / 2 - np.array([x0, y0]) - 0.5
    np.testing.assert_allclose(centres[0] * 32 * square, middle, atol=1.5)


def test_a_face_without_landmarks_is_named(tmp_path):
    from dataclasses import replace

    model, table = faced(tmp_path)
    landmarks = table.landmarks.copy()
    landmarks[2] = np.nan
    with pytest.raises(InputError, match=r"0002.png: .*landmark"):
        run_zoom(Subject.of_data(model, replace(table, landmarks=landmarks)), planted.plan(), tmp_path / "zoom")
    with pytest.raises(InputError, match=r"0000.png: .*landmark"):
        run_zoom(Subject.of_data(model, replace(table, landmarks=None)), planted.plan(), tmp_path / "other")


def test_a_hard_set_of_faces_keeps_their_landmarks(tmp_path):
    from bincam.data import load
    from bincam.studies.zoom import write_hard_set

    model, table = faced(tmp_path)
    labels = table.labels.copy()
    labels[1] = 1
    table = planted.relabelled(table, labels)
    seen = run_zoom(Subject.of_data(model, table), planted.plan(), tmp_path / "zoom")
    hard = write_hard_set(seen, tmp_path / "hard", data=table)
    again = load(tmp_path / "hard" / "hard.csv")
    assert 1 in hard.rows
    assert np.array_equal(again.landmarks, table.landmarks[hard.rows])
