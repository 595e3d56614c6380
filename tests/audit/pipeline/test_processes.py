"""Audits by several processes of this machine: the bytes of one, and none is left after an interruption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch

from bincam.audit import open_audit
from bincam.audit.pipeline.runner import run
from bincam.engines import ProcessEngine, Recipe
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.pipeline.whole_audit import whole_audit  # noqa: F401  # a fixture
from tests.audit.planted import reader

pytestmark = [NOTES_ALLOWED, pytest.mark.slow]


@pytest.fixture(autouse=True)
def one_thread():
    """Every process has one thread, so that all have the same rounding."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_bytes_are_those_of_one_process(pictures, done, settings, tmp_path):
    audit = run(reader(0), pictures, tmp_path / "audit", settings, engine=ProcessEngine(2))
    assert digests(audit.folder) == digests(done.folder)


class Interrupted:
    """Two processes, and Ctrl-C after the first shard that is written."""

    @contextmanager
    def started(self, *, on_gpu: bool) -> Iterator[Interrupted]:
        with ProcessEngine(2).started(on_gpu=on_gpu) as self.crew:
            yield self

    def carry_out(self, recipe: Recipe, numbers: Sequence[int]) -> Iterator[int]:
        yield next(iter(self.crew.carry_out(recipe, numbers)))
        raise KeyboardInterrupt


def test_an_interrupted_one_is_resumed(pictures, done, settings, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(reader(0), pictures, tmp_path / "audit", settings, engine=Interrupted())
    with pytest.raises(InputError, match=r"unfinished audit: [123] of 4 shards"):
        open_audit(tmp_path / "audit")
    run(reader(0), pictures, tmp_path / "audit", settings, resume=True, engine=ProcessEngine(1))
    assert digests(tmp_path / "audit") == digests(done.folder)


def test_auto_takes_them_for_long_work(pictures, settings, tmp_path, monkeypatch):
    started = []
    usual = ProcessEngine.started

    def noting(self, **given):
        started.append(self)
        return usual(self, **given)

    monkeypatch.setattr(ProcessEngine, "started", noting)
    run(reader(0), pictures, tmp_path / "one", settings, engine="auto")  # with one thread
    assert started == []
    torch.set_num_threads(2)
    run(reader(0), pictures, tmp_path / "few", settings, engine="auto")  # four shards
    assert started == []
    more = settings.replace(shard_images=4)
    run(reader(0), pictures, tmp_path / "two", more.replace(workers=1), engine="auto")
    assert started == [ProcessEngine(2)]
