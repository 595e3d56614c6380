"""The study at test time: answers of each method, views chosen on other images, and an interrupted study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bincam.data import AttributeTable
from bincam.errors import InputError
from bincam.inference import choose_views, mean_probability, predict, predict_mirrored, view_plan, zoom_memo
from bincam.studies.at_test_time import run_test_time, study
from bincam.studies.zoom.subject import Subject
from tests.audit import planted
from tests.audit.conftest import digests

SIZE = (planted.SIDE, planted.SIDE)
PLAN = view_plan([(32, 1, 1), (64, 0, 0), (64, 2, 2), (48, 1, 1)], SIZE)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> AttributeTable:
    return planted.write_pictures(tmp_path_factory.mktemp("pictures"), 60)


@pytest.fixture
def subject(data: AttributeTable) -> Subject:
    return Subject.of_data(planted.reader(0, bias=-0.6), data, limit=20)


def run(subject: Subject, folder: Path, table: AttributeTable, **changes: Any) -> dict[str, Any]:
    given = {"methods": ["views", "flip"], "data": table, "plan": PLAN, "count": 2} | changes
    return run_test_time(subject, folder, given.pop("methods"), **given)


def answers(subject: Subject, positive: np.ndarray) -> np.ndarray:
    return positive[:, subject.columns[0]].astype(int)


def test_figures_are_those_of_the_methods_themselves(subject: Subject, data: AttributeTable, tmp_path: Path) -> None:
    summary = run(subject, tmp_path / "s", data)
    model, card = subject.model, subject.model.card
    files = [subject.table.path(row) for row in range(len(subject.table))]
    reference = data.split("validation")
    of_reference = predict(model, [reference.path(row) for row in range(len(reference))], PLAN)
    labels = np.stack([reference.labels[:, reference.index(name)] for name in card.attributes], 1)
    views = choose_views(of_reference, labels, card, 2)
    assert summary["methods"]["views"]["views"] == sorted([list(PLAN.views[view]) for view in views])
    assert summary["methods"]["views"]["reference"] == {"split": "validation", "images": 20}
    mirrored = predict_mirrored(model, files)
    true = subject.table.labels[:, subject.table.index("Object")]
    before = answers(subject, mirrored.positive[:, 0])
    for name, averaged in {
        "flip": mean_probability(mirrored, card),
        "views": mean_probability(predict(model, files, PLAN), card, views),
    }.items():
        entry = summary["questions"]["Object"][name]
        after = answers(subject, averaged.positive)
        assert entry["error"]["after"]["value"] == pytest.approx(float((after != true).mean()))
        assert entry["error"]["before"]["value"] == pytest.approx(float((before != true).mean()))
        assert entry["changed"]["value"] == pytest.approx(float((before != after).mean()))


def test_adaptation_is_that_of_its_function_and_the_model_is_as_before(
    subject: Subject, data: AttributeTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bincam.studies.at_test_time.methods.ADAPTATION_VIEWS", 4)
    before = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
    random = torch.get_rng_state()
    summary = run(subject, tmp_path / "s", data, methods=["zoom-memo", "memo"], limit=18)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in subject.model.state_dict().items())
    table = subject.table.subset(18, seed=0)
    files = [table.path(row) for row in range(18)]
    parts = [
        zoom_memo(subject.model, files[:16], views=4, seed=0),
        zoom_memo(subject.model, files[16:], views=4, seed=1),
    ]
    after = np.concatenate([answers(subject, part.after.positive[:, 0]) for part in parts])
    true = table.labels[:, table.index("Object")]
    entry = summary["questions"]["Object"]["zoom-memo"]
    assert entry["error"]["after"]["value"] == pytest.approx(float((after != true).mean()))
    assert "Lowering entropy" in entry["sentence"]
    assert summary["images"] == 18
    assert summary["methods"]["memo"]["unadapted"] == 0


def test_an_interrupted_study_ends_with_the_same_files_and_repeats_only_what_is_missing(
    subject: Subject, data: AttributeTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = run(subject, tmp_path / "whole", data)
    run(subject, tmp_path / "again", data)
    (tmp_path / "again" / "summary.json").unlink()
    (tmp_path / "again" / "flip-00001.json").unlink()
    asked: list[range] = []
    of_crop = study.own_crop
    monkeypatch.setattr(study, "own_crop", lambda request: asked.append(request.rows) or of_crop(request))
    assert run(subject, tmp_path / "again", data, resume=True) == summary
    assert not asked, "the crop's answers were there"
    assert digests(tmp_path / "again") == digests(tmp_path / "whole")
    assert run(subject, tmp_path / "again", data, resume=True) == summary
    with pytest.raises(InputError, match="resume it with --resume"):
        run(subject, tmp_path / "again", data)
    with pytest.raises(InputError, match="begun with different methods"):
        run(subject, tmp_path / "again", data, methods=["flip"], resume=True)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"methods": ["memmo"]}, "unknown method at test time 'memmo'.*memo"),
        ({"methods": []}, "no method at test time is named"),
        ({"count": 0}, "count=0: expected at least 1"),
        ({"limit": 0}, "limit=0: expected at least 1"),
        ({"seed": -1}, "seed=-1"),
        ({"data": None}, "leave out the method 'views'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_pass(
    subject: Subject, data: AttributeTable, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        run(subject, tmp_path / "s", data, **changes)
    assert not (tmp_path / "s").exists()


def test_views_are_not_chosen_on_images_that_are_judged(data: AttributeTable, tmp_path: Path) -> None:
    of_all = Subject.of_data(planted.reader(0), data, split=None, limit=4)
    with pytest.raises(InputError, match="other images than those that are judged"):
        run(of_all, tmp_path / "s", data)
    of_validation = Subject.of_data(planted.reader(0), data, split="validation", limit=4)
    with pytest.raises(InputError, match="other images than those that are judged"):
        run(of_validation, tmp_path / "s", data)
    assert run(of_validation, tmp_path / "s", data, methods=["flip"])["images"] == 4
