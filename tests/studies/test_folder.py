"""A study's folder: settings that must agree, the audit it rests on, and what is not a study."""

import json

import pytest

from bincam.audit.folder.reader import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.errors import BincamWarning, InputError
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


@pytest.fixture
def sealed(tmp_path):
    """The folder of a finished study of a few files, and of another study within it."""
    study = StudyFolder.begin(tmp_path / "zoom", "zoom", {"plan": "short"})
    (study.folder / "views").mkdir()
    (study.folder / "views" / "part.bin").write_bytes(b"measured")
    inner = StudyFolder.begin(study.folder / "test-time", "test-time", {})
    study.write_summary({"images": 24, "share": 0.25})
    inner.write_summary({"images": 24})
    return study.folder


def edited(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: (f / "views" / "part.bin").write_bytes(b"other"), r"part.bin: not the file that the study wrote"),
        (lambda f: (f / "views" / "part.bin").unlink(), r"part.bin: no such file; put the file back, or remove"),
        (lambda f: edited(f / "summary.json", share=0.75), r"summary.json: changed since it was written"),
        (lambda f: edited(f / "summary.json", seal=3), r"summary.json: changed since it was written"),
        (lambda f: edited(f / "summary.json", seal={"files": {}}), r"summary.json: changed since it was written"),
        (lambda f: edited(f / "study.json", settings={"plan": "paper"}), r"study.json: not what the study was begun"),
        (lambda f: edited(f / "study.json", audit="0" * 64), r"study.json: not what the study was begun with"),
    ],
)
def test_a_finished_study_of_which_a_file_was_changed_is_refused(sealed, change, problem):
    assert StudyFolder.open(sealed, "zoom").summary["share"] == 0.25
    change(sealed)
    with pytest.raises(InputError, match=problem):
        StudyFolder.open(sealed, "zoom")


def test_a_finished_study_is_checked_where_it_is_resumed_and_one_within_it_by_itself(sealed):
    edited(sealed / "test-time" / "summary.json", images=1)
    assert StudyFolder.begin(sealed, "zoom", {"plan": "short"}, resume=True).finished
    with pytest.raises(InputError, match=r"changed since it was written; .*'bincam zoom ... --test-time"):
        StudyFolder.begin(sealed / "test-time", "test-time", {}, resume=True)


def test_a_summary_that_was_changed_is_written_anew_as_the_message_says(sealed):
    whole = (sealed / "summary.json").read_bytes()
    edited(sealed / "summary.json", share=0.75)
    (sealed / "summary.json").unlink()
    study = StudyFolder.begin(sealed, "zoom", {"plan": "short"}, resume=True)
    assert not study.finished
    study.write_summary({"images": 24, "share": 0.25})
    assert (sealed / "summary.json").read_bytes() == whole


def test_a_study_of_an_earlier_version_says_that_it_has_no_digests(sealed):
    content = json.loads((sealed / "summary.json").read_text())
    del content["seal"]
    (sealed / "summary.json").write_text(json.dumps(content))
    with pytest.warns(BincamWarning, match="of an earlier bincam, which kept no digests of a study"):
        assert StudyFolder.open(sealed, "zoom").summary["images"] == 24
