"""Audits again, interrupted and resumed: the bytes are the same, and another audit is not resumed."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bincam.audit import open_audit
from bincam.audit.folder import writer
from bincam.audit.pipeline.runner import run
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.pipeline.whole_audit import whole_audit  # noqa: F401  # a fixture
from tests.audit.planted import reader
from tests.cli.conftest import typed_command  # noqa: F401  # a fixture
from tests.folders import taken_elsewhere

ROOT = Path(__file__).parents[3]
pytestmark = NOTES_ALLOWED


@pytest.mark.parametrize("workers", [0, 2])
def test_an_audit_again_gives_the_same_bytes_with_any_number_of_workers(pictures, done, settings, tmp_path, workers):
    run(reader(0), pictures, tmp_path / "again", settings.replace(workers=workers))
    assert digests(tmp_path / "again") == digests(done.folder)


KILLED = """
import os, signal, sys
import bincam.torchvision_ops
import numpy, torch
torch.set_num_threads(1)
from bincam.audit import Settings, run
from bincam.data import celeba
from tests.audit.planted import reader, regions

saved, save = [], numpy.save

def killing(file, array, **options):
    saved.append(file)
    if len(saved) == 3:  # half of the third shard's maps are on disk, under a hidden name
        file.write(bytes(100))
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(file, array, **options)

numpy.save = killing
data = celeba(sys.argv[1], variant="aligned")
run(reader(0), data, sys.argv[2], Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0))
"""


@pytest.mark.slow  # a process of its own imports everything anew
def test_killed_and_resumed_the_bytes_are_the_same(pictures, done, settings, tmp_path):
    out = tmp_path / "killed"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, pictures.source, str(out)]
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    assert list((out / "maps" / "grad_cam").glob(".*"))
    with pytest.raises(InputError, match="unfinished audit: 2 of 4 shards"):
        open_audit(out)
    with pytest.raises(InputError, match="resume it with --resume"):
        run(reader(0), pictures, out, settings)
    run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == digests(done.folder)


def test_what_a_kill_leaves_at_the_beginning_and_at_the_end_is_cleared_away(
    pictures, done, settings, tmp_path, monkeypatch
):
    out = tmp_path / "audit"
    (out / "references").mkdir(parents=True)
    for name in (".manifest-x1.json", "references/.mean-x2.json"):
        (out / name).write_text("{")
    with monkeypatch.context() as killed:
        killed.setattr(writer, "remove_tree", lambda _: None)  # as if killed right after the summary
        run(reader(0), pictures, out, settings)
    assert list(out.glob("state/*"))
    run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == digests(done.folder)


@pytest.mark.parametrize("resume", [False, True])
def test_an_audit_that_another_process_writes_is_refused(pictures, settings, tmp_path, resume, command):
    out = tmp_path / "audit"
    with taken_elsewhere(out), pytest.raises(InputError, match="another process is writing this folder"):
        run(reader(0), pictures, out, settings, resume=resume)
    assert not list(out.iterdir())
    if not resume:
        return
    run(reader(0), pictures, out, settings)
    before = digests(out)
    (out / ".relabel-ab12cd34.csv").touch()
    in_work = out / "studies" / "zoom" / ".summary-ab12cd34.json"  # by a process that has taken that folder
    in_work.parent.mkdir(parents=True)
    in_work.touch()
    with taken_elsewhere(out):
        assert "another process is writing" in command("summarise", out).mistake
    run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == before | {"studies/zoom/.summary-ab12cd34.json": hashlib.sha256().hexdigest()}


def test_resuming_a_whole_audit_gives_it_back_untouched(pictures, settings, tmp_path, monkeypatch):
    out = tmp_path / "audit"
    run(reader(0), pictures, out, settings)
    before = digests(out)
    monkeypatch.setattr(writer.AuditWriter, "write_shard", None)
    assert run(reader(0), pictures, out, settings, resume=True).summary is not None
    assert digests(out) == before


def test_data_read_the_same_way_in_other_words_are_the_same_data(pictures, settings, tmp_path):
    out = tmp_path / "audit"
    run(reader(0), replace(pictures, reading={"variant": "aligned"}), out, settings)
    before = digests(out)
    run(reader(0), replace(pictures, reading={}), out, settings, resume=True)
    assert digests(out) == before
    with pytest.raises(InputError, match="begun with different data"):
        run(reader(0), pictures.take(range(8, 32)), out, settings, resume=True)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"side": "positive"}, "side"),
        ({"batch_size": 8}, "batch_size"),
        ({"regions": None}, "regions"),
        ({"trunk": "eager"}, "trunk"),
    ],
)
def test_other_settings_are_not_resumed(pictures, done, settings, changed, named):
    with pytest.raises(InputError, match=f"begun with different {named}"):
        run(reader(0), pictures, done.folder, settings.replace(**changed), resume=True)


def test_another_model_is_not_resumed(pictures, done, settings):
    with pytest.raises(InputError, match="begun with different model"):
        run(reader(1), pictures, done.folder, settings, resume=True)


def test_a_folder_with_something_else_is_refused(pictures, settings, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"contains other files \(notes\.txt"):
        run(reader(0), pictures, tmp_path, settings)
    with pytest.raises(InputError, match="is a file"):
        run(reader(0), pictures, tmp_path / "notes.txt", settings)


def test_without_a_reference_of_an_attribute_the_bytes_are_the_same_too(pictures, settings, tmp_path, monkeypatch):
    """0/0 has another sign bit than the NaN that is read from a file."""
    labels = pictures.labels.copy()
    labels[pictures.splits != "test", 0] = 0
    table = replace(pictures, labels=labels)
    run(reader(0), table, tmp_path / "whole", settings)
    write = writer.AuditWriter.write_shard

    def killed(self, number, shard):
        if number == 1:
            raise KeyboardInterrupt
        write(self, number, shard)

    with monkeypatch.context() as killing:
        killing.setattr(writer.AuditWriter, "write_shard", killed)
        with pytest.raises(KeyboardInterrupt):
            run(reader(0), table, tmp_path / "resumed", settings)
    resumed = run(reader(0), table, tmp_path / "resumed", settings, resume=True)
    records = resumed.records(["attribute", "midpoint.bias_share"])
    assert records.loc[records["attribute"] == resumed.attributes[0], "midpoint.bias_share"].isna().all()
    assert digests(tmp_path / "resumed") == digests(tmp_path / "whole")
