"""Maps of rescuing views: they are the model's evidence in that very view, and of their study alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bincam.errors import BincamWarning, InputError
from bincam.inference import predict, view_plan
from bincam.models import AttributeClassifier
from bincam.studies.zoom import Subject, open_zoom, rescuing_maps, run_zoom
from bincam.studies.zoom.rescued import find_rescued
from bincam.studies.zoom.rescuing_maps import RECORD, TENSORS, read_rescuing_maps
from tests.audit.conftest import digests
from tests.audit.planted import Eye
from tests.inference.test_prediction import assert_same_state, state_of
from tests.studies.zoom import planted
from tests.studies.zoom.planted import SIDE


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An audit whose model sees the square only where it is enlarged, its model, its data and its study."""
    folder = tmp_path_factory.mktemp("small")
    audit, model, table = planted.audited(folder, side=5)
    return audit, model, table, run_zoom(Subject.of_audit(audit, model, table), planted.plan(), folder / "zoom")


@pytest.fixture
def copied(small, tmp_path):
    return shutil.copytree(small[3].folder, tmp_path / "zoom")


def test_examples_are_those_of_the_rule(small):
    _, _, table, seen = small
    answers, true = seen.answers("Object")
    right = (answers == true[:, None]).mean(1)
    rescued = np.flatnonzero((seen.own_answers("Object") != true) & (right > 0))
    assert set(rescued) == set(np.flatnonzero(table.labels[:, 0]))  # the squares, which the own crop misses
    few, typical, many = find_rescued(seen)
    assert few.share <= typical.share <= many.share
    assert few.row == rescued[0]  # of equals the first
    assert {(one.own, one.true, one.side, one.output) for one in (few, typical, many)} == {("no", "yes", 1, "Object")}
    assert {(one.view.row, one.view.column) for one in (few, typical, many)} == {(0, 0)}  # where the square is


def test_a_map_is_the_evidence_in_its_view(small):
    _, model, table, seen = small
    found = read_rescuing_maps(seen)
    assert found is not None
    assert (found.method, found.kind, found.complete, found.reason) == ("grad_cam", "exact", True, "")
    bias = model.network.head.bias[0].item()
    for one in find_rescued(seen):
        plan = view_plan([one.view], (SIDE, SIDE))
        alone = predict(model, [table.path(one.row)], plan)
        assert found.maps[one].dtype == np.float32
        assert found.maps[one].shape == (8, 8)
        assert found.logits[one] == pytest.approx(float(alone.logits[0, 0, 0]), rel=1e-5)
        assert found.maps[one].sum() + bias == pytest.approx(found.logits[one], rel=1e-5)
        assert np.unravel_index(found.maps[one].argmax(), (8, 8)) < (4, 4)  # the square, upper left in the view too


def test_evidence_for_no_is_of_the_positive_class_too(tmp_path):
    _, model, table = planted.audited(tmp_path, everywhere=True)
    flipped = planted.relabelled(table, np.where(np.arange(len(table)) == 0, 0.0, table.labels[:, 0])[:, None])
    seen = run_zoom(
        Subject.of_data(model, flipped, split="test"), view_plan([(4, 1, 1), (24, 1, 1)], (SIDE, SIDE)), tmp_path / "z"
    )
    (one,) = [one for one in find_rescued(seen) if one.true == "no"]  # red all over, small enough to be taken for none
    found = read_rescuing_maps(seen)
    assert (one.row, one.side) == (0, -1)
    assert found.maps[one].max() > 0  # S is evidence for yes, whatever the answer


def test_a_set_is_explained_by_its_true_output(tmp_path):
    card = planted.shades().card.model_copy(update={"name": "tests.audit.planted:Eye"})
    weight = [[-20.0, 0.0, 0.0], [0.0] * 3, [20.0, 0.0, 0.0]]
    model = AttributeClassifier(Eye(weight, [2.0, 1.0, -5.0]), card).eval()  # by the mean red: dark, grey, bright
    table = planted.shaded(tmp_path / "data", [153, 153, 250], ["dark", "grey", "bright"])
    plan = view_plan([(4, 1, 1), (24, 1, 1), (32, 1, 1)], (SIDE, SIDE))  # beyond the picture it is black
    seen = run_zoom(Subject.of_data(model, table, split=None), plan, tmp_path / "zoom")
    found = read_rescuing_maps(seen)
    assert found.kind == "conditional"
    chosen = {(one.true, one.own, one.output, one.side, one.view.size): one for one in find_rescued(seen)}
    assert list(chosen) == [("dark", "bright", "dark", 1, 4), ("grey", "bright", "grey", 1, 24)]
    for one in chosen.values():
        alone = predict(model, [table.path(one.row)], view_plan([one.view], (SIDE, SIDE)))
        assert found.logits[one] == pytest.approx(alone.logits[0, 0, planted.SHADES.index(one.output)], rel=1e-4)


def test_killed_while_maps_are_made_it_ends_with_the_same_bytes(small, tmp_path, monkeypatch):
    audit, model, table, seen = small
    subject, before = Subject.of_audit(audit, model, table), state_of(model)
    whole = digests(seen.folder)

    def killing(*_):
        raise KeyboardInterrupt

    for name in ("write_tensors", "write_json"):  # before the maps, and between them and what they are of
        with monkeypatch.context() as patch:
            patch.setattr(rescuing_maps, name, killing)
            with pytest.raises(KeyboardInterrupt):
                run_zoom(subject, planted.plan(), tmp_path / name)
        assert not (tmp_path / name / RECORD).exists()
        with pytest.raises(InputError, match="is unfinished"):
            open_zoom(tmp_path / name)
        assert digests(run_zoom(subject, planted.plan(), tmp_path / name, resume=True).folder) == whole
    assert_same_state(before, state_of(model))


def unseal(folder):
    """Leave out the digests of the study's files, as earlier versions did."""
    summary = json.loads((folder / "summary.json").read_text())
    del summary["seal"]
    (folder / "summary.json").write_text(json.dumps(summary))


def test_a_study_of_an_earlier_version_gets_maps(small, copied):
    audit, model, table, seen = small
    unseal(copied)
    (copied / RECORD).unlink()
    (copied / TENSORS).unlink()
    with pytest.warns(BincamWarning, match="of an earlier bincam, which kept no digests"):
        assert read_rescuing_maps(open_zoom(copied)) is None
    with pytest.warns(BincamWarning, match="of an earlier bincam"):
        run_zoom(Subject.of_audit(audit, model, table), planted.plan(), copied, resume=True)
    found, expected = digests(copied), digests(seen.folder)
    assert found.keys() == expected.keys()
    assert {name for name in found if found[name] != expected[name]} == {"summary.json"}  # without a seal


@pytest.mark.filterwarnings("ignore:.*of an earlier bincam:bincam.errors.BincamWarning")
def test_maps_of_something_else_are_refused(copied):
    unseal(copied)
    stated = json.loads((copied / RECORD).read_text())
    (copied / RECORD).write_text(json.dumps(stated | {"study": "another"}))
    with pytest.raises(InputError, match=r"maps of another study .*; remove .*rescued.json, and 'bincam zoom"):
        read_rescuing_maps(open_zoom(copied))
    (copied / RECORD).write_text(json.dumps(stated | {"maps": "0" * 64}))
    with pytest.raises(InputError, match=r"not the maps that rescued.json states"):
        read_rescuing_maps(open_zoom(copied))
    (copied / RECORD).write_text(json.dumps(stated | {"explained": {}}))
    with pytest.raises(InputError, match=r"damaged \(KeyError"):
        read_rescuing_maps(open_zoom(copied))
    moved = [entry | {"row": entry["row"] + 1} for entry in stated["explained"]["entries"]]
    (copied / RECORD).write_text(json.dumps(stated | {"explained": stated["explained"] | {"entries": moved}}))
    assert read_rescuing_maps(open_zoom(copied)).maps == {}  # of no example of this study


def test_a_model_without_maps_says_why(tmp_path):
    table = planted.shaded(tmp_path / "data", [110, 128, 146, 150], ["dark", "bright", "bright", "grey"])
    seen = run_zoom(
        Subject.of_data(planted.shades(), table, split=None), view_plan([(16, 1, 1), (32, 1, 1)], (SIDE, SIDE)),
        tmp_path / "zoom",
    )  # fmt: skip
    assert find_rescued(seen)
    found = read_rescuing_maps(seen)
    assert found.maps == {}
    assert found.reason
    assert not (seen.folder / TENSORS).exists()


def test_without_rescued_images_there_is_nothing_to_explain(small, tmp_path):
    audit, model, table, _ = small
    subject = Subject.of_audit(audit, model, table)
    seen = run_zoom(replace(subject), view_plan([(24, 1, 1)], (SIDE, SIDE)), tmp_path / "zoom")
    assert find_rescued(seen) == ()
    found = read_rescuing_maps(seen)
    assert (found.maps, found.reason) == ({}, "")
