"""Processes of an engine as they are, but in this process: ``RayProcess`` is called as Ray calls it, without Ray."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from bincam.engines import Recipe
from bincam.engines.ray_process import RayProcess


def answers(recipe: Recipe, numbers: Sequence[int], versions: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """What a process that has just begun answers."""
    process = RayProcess(pickle.dumps(recipe), versions or recipe.versions, 1, str(Path.cwd()))
    return [json.loads(one["said"][0]) for one in process({"number": numbers})]


class Others:
    """An engine of two processes: one gets the last part, and the other one all of them."""

    @contextmanager
    def started(self, *, on_gpu: bool) -> Iterator[Others]:
        assert not on_gpu
        yield self

    def carry_out(self, recipe: Recipe, numbers: Sequence[int]) -> Iterator[int]:
        assert len(numbers) > 1
        for part in ([numbers[-1]], list(numbers)):
            told = answers(recipe, part)
            assert sorted(said["number"] for said in told) == part
        yield from numbers


@pytest.fixture(autouse=True)
def settings_of_the_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore what a process sets for itself, and keeps until its end."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
