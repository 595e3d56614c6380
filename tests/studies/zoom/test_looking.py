"""The pass of a study as another process makes it; ``RayProcess`` is called as Ray calls it, in this process."""

import json
import pickle
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from bincam.engines import Recipe
from bincam.engines.ray_process import RayProcess
from bincam.inference import view_plan
from bincam.studies.zoom import Subject, run_zoom
from bincam.studies.zoom.looking.recipe import ZoomRecipe
from bincam.studies.zoom.looking.shards import missing_shards
from bincam.studies.zoom.view_pass import begin_zoom
from tests.audit.conftest import digests
from tests.audit.planted import SIDE


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """What a process sets for itself, and keeps until its end."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def answers(recipe: Recipe, numbers: Sequence[int]) -> list[dict[str, object]]:
    process = RayProcess(pickle.dumps(recipe), recipe.versions, 1, str(Path.cwd()))
    return [json.loads(one["said"][0]) for one in process({"number": numbers})]


class Others:
    """An engine of two processes that hands out the last parts first, and one of them twice."""

    @contextmanager
    def started(self, *, on_gpu: bool) -> Iterator["Others"]:
        assert not on_gpu
        yield self

    def carry_out(self, recipe: Recipe, numbers: Sequence[int]) -> Iterator[int]:
        for part in ([*numbers][::-1][:1], [*numbers]):
            told = answers(recipe, part)
            assert sorted(said["number"] for said in told) == part
            assert not any(said["notes"] for said in told)
        yield from numbers


def test_shards_of_other_processes_have_the_bytes_of_one_pass(audited, tmp_path):
    audit, model, table = audited
    subject, plan = Subject.of_audit(audit, model, table, limit=25), view_plan("paper", (SIDE, SIDE))
    whole = run_zoom(subject, plan, tmp_path / "whole").folder
    others = run_zoom(subject, plan, tmp_path / "others", engine=Others()).folder
    assert len(list((others / "views").iterdir())) > 1
    assert digests(others) == digests(whole)


def test_a_folder_that_is_not_shared_and_one_begun_anew(audited, tmp_path):
    audit, model, table = audited
    subject, plan = Subject.of_audit(audit, model, table, limit=4), view_plan("short", (SIDE, SIDE))
    study = begin_zoom(subject, plan, tmp_path / "zoom")
    recipe = ZoomRecipe.of(subject, plan, study, 64)
    shutil.rmtree(tmp_path / "zoom")
    (said,) = answers(recipe, [0])
    assert "must be on a file system that all machines share" in str(said["fault"])
    study.lock.release()
    other = Subject.of_audit(audit, model, table, limit=5)
    begin_zoom(other, plan, tmp_path / "zoom")
    (said,) = answers(recipe, [0])
    assert "begun with different limit (5, now 4)" in str(said["fault"])
    assert missing_shards(other, plan, tmp_path / "zoom") == [0]
