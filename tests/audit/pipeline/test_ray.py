"""Audits by processes of a Ray cluster: the bytes of one process, whatever is lost meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from bincam.audit import open_audit
from bincam.audit.pipeline.runner import run
from bincam.engines import RayEngine
from bincam.errors import BincamWarning, InputError, UnsupportedError
from bincam.models import AttributeClassifier
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.pipeline.whole_audit import whole_audit  # noqa: F401  # a fixture
from tests.audit.planted import Eye, reader
from tests.engines.counted import Counted
from tests.engines.ray_nodes import ROOT, Nodes, two_nodes
from tests.storage.server import Server, s3_server  # noqa: F401  # a fixture

pytestmark = [
    NOTES_ALLOWED,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]
PAUSE = 0.4
"""Seconds that the model takes for a batch."""


class SlowEye(Eye):
    """An eye that takes its time, and writes down which process of which machine uses it."""

    def __init__(self, place: Path) -> None:
        super().__init__([[40.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [-1.0, 1.5])
        self.place, self.starter = str(place), os.getpid()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if os.getpid() != self.starter:
            Path(self.place, f"{os.environ.get('BINCAM_TEST_NODE', 'first')}-{os.getpid()}").touch()
            time.sleep(PAUSE)
        return super().forward(images)


def slow(place: Path) -> AttributeClassifier:
    place.mkdir()
    return AttributeClassifier(SlowEye(place), reader(0).card).eval()


def alive(seen: Path) -> bool:
    """True if the process of a file that ``SlowEye`` has written is at work, and not merely not waited for."""
    state = Path("/proc", seen.name.rpartition("-")[2], "status")
    return state.is_file() and "State:\tZ" not in state.read_text()


@pytest.fixture(scope="module", name="nodes")
def running_cluster():
    with two_nodes() as nodes:
        yield nodes


def once(condition: Callable[[], Any], then: Callable[[], None]) -> threading.Thread:
    """Do something when a condition holds, in another thread."""

    def wait() -> None:
        end = time.monotonic() + 60
        while not condition() and time.monotonic() < end:
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


DRIVEN = """
import sys
import bincam.torchvision_ops
import torch
torch.set_num_threads(1)
from pathlib import Path
from bincam.audit import Settings, run
from bincam.data import celeba
from bincam.engines import RayEngine
from tests.audit.pipeline.test_ray import slow
from tests.audit.planted import regions

data = celeba(sys.argv[1], variant="aligned")
chosen = Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0)
run(slow(Path(sys.argv[4])), data, sys.argv[2], chosen, engine=RayEngine(sys.argv[3], actors=2))
"""


def test_a_killed_command_is_resumed_by_any_engine(nodes: Nodes, pictures, done, settings, tmp_path):
    out = tmp_path / "audit"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", DRIVEN, pictures.source, str(out), nodes.address, str(tmp_path / "seen")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    begun = lambda: process.poll() is not None or list(out.glob("records/*.parquet"))  # noqa: E731
    once(begun, process.kill).join()
    said = process.communicate()[1].decode()
    assert process.returncode == -9, said
    with pytest.raises(InputError, match=r"unfinished audit: [123] of 4 shards"):
        open_audit(out)
    once(lambda: not any(map(alive, (tmp_path / "seen").iterdir())), lambda: None).join()
    assert not any(map(alive, (tmp_path / "seen").iterdir()))
    run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == digests(done.folder)


def test_a_cluster_that_is_smaller_than_asked_for(nodes: Nodes, pictures, settings, tmp_path):
    with pytest.raises(
        InputError, match=r"^9 processes of 1 CPU are asked for, but 2 machines with 4 CPUs have room for 3 "
    ):
        run(reader(0), pictures, tmp_path / "audit", settings, engine=RayEngine(nodes.address, actors=9))
    assert not (tmp_path / "audit").exists()


def test_gpus_and_parts_of_gpus_are_given_out_and_faults_are_told(nodes: Nodes):
    """No GPU is needed for this: what a machine says that it has is given out, by a variable that hides all others."""
    engine = RayEngine(nodes.address, gpus_per_actor=0.5)
    with engine.started(on_gpu=True) as crew, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert crew.count == 3
        assert sorted(crew.carry_out(Counted(), range(50))) == list(range(50))
    assert [str(one.message) for one in told if one.category is BincamWarning] == ["on GPU 0"]  # told once
    with (
        engine.started(on_gpu=True) as crew,
        pytest.raises(UnsupportedError, match=r"^on the machine .+: part 7 is of no kind that is known$"),
    ):
        list(crew.carry_out(Counted(fault=7), range(5, 8)))


def test_a_lost_process_and_a_lost_machine(nodes: Nodes, pictures, done, settings, tmp_path):
    seen, out = tmp_path / "seen", tmp_path / "audit"
    model = slow(seen)

    def kill_one() -> None:
        _, _, number = next(seen.glob("first-*")).name.partition("-")
        os.kill(int(number), signal.SIGKILL)

    killed = once(lambda: list(seen.glob("first-*")), kill_one)
    lost = once(lambda: not killed.is_alive() and list(seen.glob("second-*")), nodes.lose_second)
    run(model, pictures, out, settings.replace(workers=1), engine=RayEngine(nodes.address, actors=2))
    lost.join()
    assert len(list(seen.glob("first-*"))) > 1  # the killed process, and one in its place
    assert list(seen.glob("second-*"))
    assert digests(out) == digests(done.folder)


def test_processes_upload_what_they_measure(s3: Server, pictures, done, settings):
    audit = run(reader(0), pictures, "s3://audits/mine", settings, engine=RayEngine())
    assert digests(audit.folder) == digests(done.folder)
    assert s3.objects().keys() == {f"mine/{name}" for name in digests(done.folder)}
    assert not [path for _, path in s3.requests if "begun-0" in path]
