"""A study's folder: settings that must agree, the audit it rests on, and what is not a study."""

import json

import pytest

from bincam.audit.folder.reader import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.errors import InputError
from bincam.studies.folder import StudyFolder, study_folder
from tests.audit.synthetic import make_audit


@pytest.fixture
def audit(tmp_path):
    return open_audit(make_audit(tmp_path / "audit", images=24, shard_images=12))


def test_a_study_is_finished_once_it_has_a_summary(audit):
    folder = study_folder(audit, "zoom")
    study = StudyFolder.begin(folder, "zoom", {"plan": "short"}, audit=audit)
    with pytest.raises(InputError, match="unfinished; finish it with 'bincam zoom --resume'"):
        StudyFolder.open(folder, "zoom", audit=audit)
    study.write_summary({"images": 24})
    opened = StudyFolder.open(folder, "zoom", audit=audit)
    assert opened == study
    assert opened.summary["images"] == 24


def test_a_study_is_resumed_with_equal_settings_alone(audit):
    folder = study_folder(audit, "zoom")
    begun = StudyFolder.begin(folder, "zoom", {"plan": "short", "limit": None}, audit=audit)
    with pytest.raises(InputError, match="already contains a study; resume it with --resume"):
        StudyFolder.begin(folder, "zoom", {"plan": "short", "limit": None}, audit=audit)
    assert StudyFolder.begin(folder, "zoom", {"plan": "short", "limit": None}, audit=audit, resume=True) == begun
    with pytest.raises(InputError, match=r"begun with different limit \(None, now 5\)"):
        StudyFolder.begin(folder, "zoom", {"plan": "short", "limit": 5}, audit=audit, resume=True)


def test_other_measurements_than_the_audits_are_refused_and_another_summary_is_not(audit):
    folder = study_folder(audit, "sets")
    StudyFolder.begin(folder, "sets", {}, audit=audit).write_summary({})
    summary = json.loads((audit.folder / "summary.json").read_text())
    AuditWriter(audit.folder, audit.manifest).write_summary(summary | {"later": 1})
    assert StudyFolder.open(folder, "sets", audit=open_audit(audit.folder)).finished

    other = open_audit(make_audit(audit.folder.parent / "other", images=24, shard_images=12, seed=1))
    with pytest.raises(InputError, match="rests on other measurements than the audit's"):
        StudyFolder.open(folder, "sets", audit=other)
    with pytest.raises(InputError, match="rests on other measurements than the audit's"):
        StudyFolder.begin(folder, "sets", {}, audit=other, resume=True)


def test_studies_do_not_change_the_audits_digest(audit):
    before = audit.digest
    StudyFolder.begin(study_folder(audit, "zoom"), "zoom", {}, audit=audit).write_summary({})
    assert open_audit(audit.folder).digest == before


def test_what_is_no_study_is_refused_in_a_line(tmp_path):
    (tmp_path / "photo.png").touch()
    with pytest.raises(InputError, match=r"contains other files \(photo.png"):
        StudyFolder.begin(tmp_path, "zoom", {})
    with pytest.raises(InputError, match="is a file, not a folder"):
        StudyFolder.begin(tmp_path / "photo.png", "zoom", {})
    with pytest.raises(InputError, match="no zoom study; 'bincam zoom' makes one"):
        StudyFolder.open(tmp_path, "zoom")
    StudyFolder.begin(tmp_path / "sets", "sets", {})
    with pytest.raises(InputError, match="expected a bincam-study-zoom file"):
        StudyFolder.open(tmp_path / "sets", "zoom")
    (tmp_path / "sets" / "study.json").write_text('{"kind": "bincam-study-sets", "schema": 1, "settings": 3}')
    with pytest.raises(InputError, match="'settings' and 'audit' are missing or damaged"):
        StudyFolder.open(tmp_path / "sets", "sets")
