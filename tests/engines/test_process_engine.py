"""Processes of this machine: they share its threads, are started again when lost, and end with the block."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from bincam.engines import ProcessEngine, faster_engine
from bincam.engines.parts import TRIES
from bincam.errors import BincamError, BincamWarning, InputError, UnsupportedError
from tests.engines.counted import Counted
from tests.engines.killed import Killed

ROOT = Path(__file__).parents[2]
NOTES = pytest.mark.filterwarnings("default::bincam.errors.BincamWarning")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(name="threads")
def settable_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.slow  # each process imports torch
def test_parts_are_shared_and_lost_processes_are_started_again(tmp_path, threads):
    threads(4)
    recipe = Killed(tmp_path, times={1: 2})
    with warnings.catch_warnings(record=True) as caught, ProcessEngine(2).started(on_gpu=False) as crew:
        warnings.simplefilter("always")
        assert sorted(crew.carry_out(recipe, [0, 1, 2, 5])) == [0, 1, 2, 5]
        pids = {int(recipe.written(number).read_text()) for number in (0, 1, 2, 5)}
        assert os.getpid() not in pids
        assert list(crew.carry_out(recipe, [])) == []
    assert [str(one.message) for one in caught] == ["2 threads"]  # of each, and told once
    assert not any(map(is_alive, pids))


@NOTES
def test_what_a_part_raises_is_raised_here():
    with ProcessEngine(1).started(on_gpu=False) as crew:
        with pytest.raises(UnsupportedError, match="part 2 is of no kind"):
            list(crew.carry_out(Counted(fault=2), [1, 2, 3]))
        assert list(crew.carry_out(Counted(), [2])) == [2]  # and the process can go on


@pytest.mark.slow  # each process imports torch
def test_a_part_that_loses_its_process_each_time_is_given_up(tmp_path):
    recipe = Killed(tmp_path, times={1: TRIES + 1})
    with ProcessEngine(1).started(on_gpu=False) as crew, pytest.raises(InputError, match="begun-1: its process was"):
        list(crew.carry_out(recipe, [1]))


def test_a_process_that_is_lost_before_it_begins_is_told(tmp_path):
    with ProcessEngine(1).started(on_gpu=False) as crew, pytest.raises(BincamError, match="while it loaded the model"):
        list(crew.carry_out(Killed(tmp_path, opens=False), [0, 1]))


UNGUARDED = """
from bincam.engines import ProcessEngine
from tests.engines.counted import Counted
with ProcessEngine(1).started(on_gpu=False) as crew:
    list(crew.carry_out(Counted(), [0]))
"""


def test_a_script_that_would_run_again_in_every_process_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(script)], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1].startswith("bincam.errors.BincamError: a process ended while it started; what")


@NOTES
def test_processes_end_in_the_middle_of_a_part(tmp_path):
    recipe = Killed(tmp_path, seconds=0)
    with ProcessEngine(1).started(on_gpu=False) as crew:
        assert list(crew.carry_out(recipe, [0])) == [0]
        pid = int(recipe.written(0).read_text())
        parts = crew.carry_out(Killed(tmp_path, seconds=600), [0, 1])
        assert next(parts) == 0  # found written
        began = time.monotonic()
    assert time.monotonic() - began < 60
    assert not is_alive(pid)
    assert not recipe.written(1).exists()


@pytest.mark.parametrize(
    ("count", "device", "parts", "processes"),
    [
        (2, "cpu", 8, 2),
        (2, "cpu", 7, None),
        (1, "cpu", 1000, None),
        (2, "cuda", 1000, None),
        (64, "cpu", 1000, 8),
        (64, "cpu", 31, 7),
        (64, "cpu", 8, 2),
    ],
)
def test_where_processes_are_faster(count, device, parts, processes, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    found = faster_engine(device, None, parts)
    assert found == (None if processes is None else ProcessEngine(processes))


def test_a_model_that_cannot_be_pickled_stays_here(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.warns(BincamWarning, match="^one process does the work, because the model cannot be pickled: "):
        assert faster_engine("cpu", lambda: None, 8) is None


class Refusing(Counted):
    """A recipe that cannot be pickled."""

    def __reduce__(self):
        raise TypeError("cannot pickle a lock")


@dataclass(frozen=True)
class Foreign(Counted):
    """A recipe that can be pickled, and not be made in another process, as of a class that a shell has defined."""

    def __reduce__(self):
        return sys.modules["__main__"].made_here, ()


def made_here():
    """Be found in this process's main module alone."""


def test_what_cannot_be_handed_to_others_is_told(monkeypatch):
    with ProcessEngine(1).started(on_gpu=False) as crew:
        with pytest.raises(InputError, match="cannot be pickled: cannot pickle a lock; do it in one"):
            list(crew.carry_out(Refusing(), [0]))
        monkeypatch.setattr(made_here, "__module__", "__main__")
        monkeypatch.setattr(sys.modules["__main__"], "made_here", made_here, raising=False)
        with pytest.raises(InputError, match=r"cannot be made in another process: .*made_here.*; its class must"):
            list(crew.carry_out(Foreign(), [0]))


def test_impossible_numbers():
    with pytest.raises(InputError, match="processes=0"):
        ProcessEngine(0)
    with pytest.raises(InputError, match="state how many"), ProcessEngine().started(on_gpu=True):
        pytest.fail("started")
