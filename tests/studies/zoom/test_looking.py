"""The pass of a study as another process makes it: the same bytes, and what a machine lacks is told."""

import shutil

from bincam.inference import view_plan
from bincam.studies.zoom import Subject, run_zoom
from bincam.studies.zoom.looking.recipe import ZoomRecipe
from bincam.studies.zoom.looking.shards import missing_shards
from bincam.studies.zoom.view_pass import begin_zoom
from tests.audit.conftest import digests
from tests.audit.planted import SIDE
from tests.engines.other_processes import Others, answers, settings_of_the_process  # noqa: F401  # a fixture


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
