"""Clusters of Ray: connected to or started, and how many processes find room in one."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

from bincam.display import counted
from bincam.errors import InputError

ANSWERS = 10.0
"""Seconds in which the head of a cluster answers."""
STORE = 80_000_000
"""Bytes that Ray shares between the processes of a machine, about the least that it takes."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # else lines of its own among the command's
}


def check_installed() -> None:
    """Refuse to go on without Ray.

    Raises:
        InputError: Ray is not installed.
    """
    if util.find_spec("ray") is None:
        raise InputError("the engine ray needs Ray, which is not installed: pip install 'bincam[ray]'")


@dataclass(frozen=True)
class Share:
    """What one process takes of a machine.

    Attributes:
        cpus: Its threads.
        gpus: GPUs, or a part of one.
    """

    cpus: int
    gpus: float = 0.0

    def __str__(self) -> str:
        return counted(self.cpus, "CPU") + (f" and {self.gpus:g} GPU" if self.gpus else "")

    def places(self, machine: Mapping[str, float]) -> int:
        """The number of processes that find room on a machine, by its ``CPU`` and ``GPU``."""
        by_cpu = int(machine.get("CPU", 0) // self.cpus)
        return min(by_cpu, int(machine.get("GPU", 0) / self.gpus + 1e-9)) if self.gpus else by_cpu


def room_for(machines: Sequence[Mapping[str, float]], share: Share, asked: int | None = None) -> int:
    """Tell how many processes to start.

    A CPU of the cluster is left to what reads and hands out, unless a single process needs it.

    Args:
        machines: ``CPU`` and ``GPU`` of each.
        share: What a process takes.
        asked: Processes that are wanted; as many as find room by default.

    Raises:
        InputError: There is no room for as many, or for any.

    Example:
        >>> from bincam.engines.ray_cluster import Share, room_for
        >>> room_for([{"CPU": 8}, {"CPU": 8}], Share(2))
        7
        >>> room_for([{"CPU": 8, "GPU": 2}], Share(2, 1), 4)
        Traceback (most recent call last):
        bincam.errors.InputError: 4 processes of 2 CPUs and 1 GPU are asked for, but 1 machine with 8 CPUs and 2 GPUs \
has room for 2 (a CPU is left to reading); ask for fewer, add machines, or set OMP_NUM_THREADS, the CPUs of a process
    """
    cpus, gpus = (sum(machine.get(kind, 0) for machine in machines) for kind in ("CPU", "GPU"))
    room = sum(share.places(machine) for machine in machines)
    if room:
        room = max(1, min(room, int((cpus - 1) // share.cpus)))
    if room < (asked or 1):
        there = f"{counted(len(machines), 'machine')} with {counted(int(cpus), 'CPU')}"
        there += f" and {counted(int(gpus), 'GPU')}" if share.gpus else ""
        raise InputError(
            f"{counted(asked or 1, 'process', 'processes')} of {share} {'is' if (asked or 1) == 1 else 'are'} asked "
            f"for, but {there} {'has' if len(machines) == 1 else 'have'} room for {room} (a CPU is left to reading); "
            "ask for fewer, add machines, or set OMP_NUM_THREADS, the CPUs of a process"
        )
    return asked or room


def this_machine(*, on_gpu: bool) -> dict[str, float]:
    """The CPUs that this process may use, and the GPUs of the machine."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not on_gpu:
        return {"CPU": cpus}
    import torch

    return {"CPU": cpus, "GPU": torch.cuda.device_count()}


def connect(address: str) -> list[dict[str, float]]:
    """Connect to a cluster; return ``CPU`` and ``GPU`` of its machines.

    Args:
        address: ``HOST:PORT``, or ``auto`` for the cluster that this machine is of.

    Raises:
        InputError: There is none, or this machine cannot be of it.
    """
    import ray

    if address.startswith("ray://"):
        raise InputError(
            f"{address}: work is not handed out through Ray's client; run the command on a machine of the cluster, "
            "with the address auto"
        )
    if address != "auto":
        _check_answers(address)
    try:
        with _quiet():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(
            f"no Ray cluster can be reached at {address}: {reason.strip().rstrip('.')}; 'ray start --head' begins one, "
            "and one that asks for a token needs RAY_AUTH_MODE=token here"
        ) from None
    return machines()


def _check_answers(address: str) -> None:
    """Refuse an address where nothing listens: Ray would try again for a quarter of an hour."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"{address}: expected the address of a Ray cluster, auto or HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWERS).close()
    except OSError as error:
        raise InputError(
            f"no Ray cluster answers at {address}: {error.strerror or error}; 'ray start --head' begins one, and tells "
            "its address"
        ) from None


def machines() -> list[dict[str, float]]:
    """``CPU`` and ``GPU`` of the machines of the cluster that this process is connected to."""
    import ray

    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


@contextmanager
def own_cluster(share: Share, count: int, to_share: int) -> Iterator[None]:
    """Start a cluster of this machine alone, until the end of the block.

    Args:
        share: What a process takes.
        count: Number of processes.
        to_share: Bytes that all of them read.
    """
    import ray

    # Ray's sockets are deep below its folder, and their paths must be short.
    place = Path(tempfile.mkdtemp(prefix="bincam-", dir="/tmp" if Path("/tmp").is_dir() else None))  # noqa: S108
    gpus: dict[str, Any] = {"num_gpus": -(-share.gpus * count // 1)} if share.gpus else {"num_gpus": 0}
    try:
        with _quiet():
            ray.init(
                address="local",
                num_cpus=share.cpus * count + 1,
                include_dashboard=False,
                object_store_memory=STORE + 2 * to_share,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(place),
                **gpus,
            )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Switch off what Ray sends and says, for what is started within, unless the user has decided on it."""
    before = {name: os.environ.get(name) for name in (*_QUIET, "RAY_AUTH_MODE")}  # the last one Ray itself sets
    os.environ.update({name: value for name, value in _QUIET.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
