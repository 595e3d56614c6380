"""Audits whose shards are all there: their summary is written or made anew without measuring an image."""

import json
import shutil

import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader as folder_reader
from bincam.audit.folder import writer
from bincam.audit.pipeline import aggregate
from bincam.audit.pipeline.runner import run
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.pipeline.whole_audit import whole_audit  # noqa: F401  # a fixture
from tests.audit.planted import reader
from tests.cli.conftest import typed_command  # noqa: F401  # a fixture

pytestmark = NOTES_ALLOWED
STATED = {
    "slice_by": ("Other",),
    "specificity": (0.8,),
    "sensitivity": (0.7,),
    "prevalence": {"Object": 0.2},
    "label_noise": {"Object": (0.1, 0.1)},
}


@pytest.fixture
def copied(done, tmp_path, monkeypatch):
    """A copy of a whole audit, which may measure no shard."""
    shutil.copytree(done.folder, tmp_path / "copy")
    monkeypatch.setattr(writer.AuditWriter, "write_shard", None)
    return tmp_path / "copy"


def test_a_missing_summary_is_written_again_by_resuming_and_by_summarise(pictures, done, settings, copied, command):
    (copied / "summary.json").unlink()
    with pytest.raises(InputError, match=f"no summary.json; 'bincam summarise {copied}' writes it"):
        open_audit(copied)
    outcome = command("summarise", copied)
    assert outcome.code == 0, outcome.err
    assert digests(copied) == digests(done.folder)
    (copied / "summary.json").unlink()
    run(reader(0), pictures, copied, settings, resume=True)
    assert digests(copied) == digests(done.folder)


@pytest.mark.parametrize("step", ["write_images", "write_sample", "write_relabel", "write_summary"])
def test_killed_after_the_last_shard_the_audit_is_finished(
    pictures, done, settings, tmp_path, monkeypatch, command, step
):
    out = tmp_path / "audit"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(writer.AuditWriter, step, killed)
        with pytest.raises(KeyboardInterrupt):
            run(reader(0), pictures, out, settings)
    monkeypatch.setattr(writer.AuditWriter, "write_shard", None)
    if step == "write_summary":
        assert command("summarise", out).code == 0
    else:  # what needs the images is refused, with the command that works
        mistake = command("summarise", out).mistake
        assert "all shards are there" in mistake
        assert "--resume' writes them without measuring the images again" in mistake
        run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == digests(done.folder)


def test_a_shard_that_was_swapped_before_the_audit_was_finished_is_measured_again(
    pictures, done, settings, tmp_path, monkeypatch
):
    out = tmp_path / "audit"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(writer.AuditWriter, "write_images", killed)
        with pytest.raises(KeyboardInterrupt):
            run(reader(0), pictures, out, settings)
    swapped = folder_reader.records_file(out, 2)
    shutil.copy(folder_reader.records_file(out, 1), swapped)
    with pytest.raises(InputError, match=rf"part-00002.parquet: no longer the file.*remove {swapped}"):
        run(reader(0), pictures, out, settings, resume=True)
    swapped.unlink()
    run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == digests(done.folder)


def test_an_audit_without_a_shard_is_not_summarised(copied, command):
    (copied / "summary.json").unlink()
    folder_reader.records_file(copied, 3).unlink()
    assert "3 of 4 shards" in command("summarise", copied).mistake


@pytest.mark.parametrize("name", STATED)
@pytest.mark.parametrize("finished", [True, False])
def test_settings_of_the_summary_alone_may_change(pictures, settings, copied, name, finished):
    unchanged = {file: sha for file, sha in digests(copied).items() if file not in ("manifest.json", "summary.json")}
    if not finished:
        (copied / "summary.json").unlink()
    changed = settings.replace(**{name: STATED[name]})
    resumed = run(reader(0), pictures, copied, changed, resume=True)
    stated = json.loads(json.dumps(resumed.manifest.to_json()[name]))
    assert stated == json.loads(json.dumps({"prevalence": {"Object": [0.2]}}.get(name, STATED[name])))
    after = digests(copied)
    assert {file: after[file] for file in unchanged} == unchanged
    summary = resumed.summary
    told = {
        "slice_by": {entry["column"] for entry in summary["slices"]} == {"Other"},
        "label_noise": "label_noise" in summary["attributes"]["Object"],
        **{key: summary["stated"][key] == stated for key in ("specificity", "sensitivity", "prevalence")},
    }
    assert told[name]
    run(reader(0), pictures, copied, changed, resume=True)  # again: nothing is left to do
    assert digests(copied) == after
    before = resumed.summary
    run(reader(0), pictures, copied, settings, resume=True)
    assert open_audit(copied).summary != before


def test_a_restated_audit_has_the_bytes_of_one_begun_so(pictures, settings, copied, tmp_path, monkeypatch):
    run(reader(0), pictures, copied, settings.replace(**STATED), resume=True)
    monkeypatch.undo()
    run(reader(0), pictures, tmp_path / "new", settings.replace(**STATED))
    assert digests(copied) == digests(tmp_path / "new")


def test_impossible_settings_leave_the_finished_audit(pictures, settings, copied, monkeypatch):
    before = digests(copied)
    with pytest.raises(InputError, match="cannot slice by"):
        run(reader(0), pictures, copied, settings.replace(slice_by=["agee"]), resume=True)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(aggregate, "summarise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(reader(0), pictures, copied, settings.replace(slice_by=["Other"]), resume=True)
    assert digests(copied) == before


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"sample": 3}, "sample"), ({"one_of_rows": 5}, ""), ({"seed": 2}, "seed")],
)
def test_settings_of_other_files_are_refused_with_their_names(pictures, settings, copied, changed, named):
    before = digests(copied)
    changed = settings.replace(**changed, slice_by=["Other"])
    if named:
        with pytest.raises(InputError, match=f"begun with different {named}"):
            run(reader(0), pictures, copied, changed, resume=True)
        assert digests(copied) == before
    else:  # without sets it changes nothing
        run(reader(0), pictures, copied, changed, resume=True)
