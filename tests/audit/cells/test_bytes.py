"""Audits with a prediction grid again, interrupted and with other workers; and audits without one, as they were."""

import json

import pytest

from bincam.audit.folder import writer
from bincam.audit.pipeline.runner import run
from tests.audit.cells.conftest import audited
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import reader
from tests.audit.planted_cells import cell_settings

pytestmark = NOTES_ALLOWED


def test_with_other_workers_the_bytes_are_the_same(masked, root, honest, tmp_path):
    assert digests(audited(0, masked, root, tmp_path / "again", sample=12, workers=2).folder) == digests(honest.folder)


def test_interrupted_and_resumed_the_bytes_are_the_same(masked, root, honest, tmp_path, monkeypatch):
    out, settings = tmp_path / "cut", cell_settings(root, sample=12)
    written = writer.AuditWriter.write_shard

    def stopping(self, number, shard):
        if number == 1:
            raise KeyboardInterrupt
        written(self, number, shard)

    with monkeypatch.context() as cut:
        cut.setattr(writer.AuditWriter, "write_shard", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(reader(0), masked, out, settings)
    assert len(list((out / "cells").iterdir())) == 1
    run(reader(0), masked, out, settings, resume=True)
    assert digests(out) == digests(honest.folder)


def test_without_a_grid_nothing_is_written_that_was_not_before(done, honest):
    content = json.loads((done.folder / "manifest.json").read_text())
    assert "cells" not in content
    assert "hidden" not in json.loads((done.folder / "sample.json").read_text())
    assert "cells" not in done.summary
    assert not [name for name in done.schema.names if name.startswith("cells.")]
    assert not (done.folder / "cells").exists()
    own = [name for name in honest.schema.names if not name.startswith("cells.")]
    assert honest.records(own).equals(done.records(own))
