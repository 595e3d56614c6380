"""A Ray cluster of two machines that the test starts on this one, with a folder, a port and a token of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# Before anything imports Ray, which reads them once: else it would take the user's token, or write one.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
ROOT = Path(__file__).parents[2]
QUICK = {"RAY_health_check_initial_delay_ms": "0", "RAY_health_check_period_ms": "500"}
"""A lost machine is known as lost after seconds and not after half a minute."""


@dataclass(frozen=True)
class Nodes:
    """Two machines of two CPUs and, as they say, a GPU each.

    A process of the second one has ``BINCAM_TEST_NODE`` in its environment.

    Attributes:
        address: Of the cluster.
        second: The second machine's process, the head of its process group.
    """

    address: str
    second: subprocess.Popen[bytes]

    def lose_second(self) -> None:
        """End the second machine at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.second.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(options: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    usual = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", **QUICK}
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=2", "--num-gpus=1"]
    with log.open("wb") as file:
        return subprocess.Popen(
            [*command, "--object-store-memory=80000000", "--disable-usage-stats", "--block", *options],
            env=os.environ | usual | environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """Start both machines, and end them afterwards whatever has become of them."""
    place = Path(tempfile.mkdtemp(prefix="bt-", dir="/tmp"))  # sockets below it need short names
    address = f"127.0.0.1:{_free_port()}"
    started: list[subprocess.Popen[bytes]] = []
    try:
        port = address.rpartition(":")[2]
        head = ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={place / 'r'}"]
        started.append(_start(head, place / "head.log"))
        _wait_for(place / "head.log", started[0])
        started.append(_start([f"--address={address}"], place / "second.log", BINCAM_TEST_NODE="second"))
        _wait_for(place / "second.log", started[1])
        yield Nodes(address, started[1])
    finally:
        for process in reversed(started):
            for end in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, end)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(3)
        shutil.rmtree(place, ignore_errors=True)


def _wait_for(log: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if b"Ray runtime started" in log.read_bytes():
            return
        time.sleep(0.1)
    raise TimeoutError(log.read_text())
