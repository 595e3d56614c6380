"""The engine that hands parts to processes of a Ray cluster; Ray carries numbers, and the recipe once a machine."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bincam import errors
from bincam.display import counted
from bincam.engines import ray_cluster
from bincam.engines.engine import Recipe
from bincam.engines.parts import pickled, warn_once
from bincam.engines.ray_cluster import Share, check_installed, room_for
from bincam.errors import BincamWarning, InputError

_CALLS = 4
"""Calls for each process at least, so that none waits long for the last one."""
_PARTS = 8
"""Parts of a call on a GPU at most: the processes that read images are started once for a call."""


@dataclass(frozen=True)
class RayEngine:
    """Work in processes of a Ray cluster, or in several processes of this machine.

    Each process takes as many CPUs as torch has threads here (``OMP_NUM_THREADS``), and runs with as many. A process
    that is lost is started again, and its parts are carried out by it or by others. All machines need the same versions
    of bincam and of the packages that results depend on, and the same images and folders under the same paths.

    Attributes:
        address: Of the cluster, ``HOST:PORT``; ``auto`` for the one that this machine is of; None for a cluster of this
            machine alone, which ends with the work.
        actors: Number of processes; None for as many as find room when one CPU is left to reading.
        gpus_per_actor: GPUs of each process, or a part of one; None for 1 where the work runs on GPUs, else 0.

    Raises:
        InputError: Ray is not installed, or a number is impossible.

    Example:
        ``bincam.audit.run(model, data, "audit", engine=RayEngine("auto", actors=8))``

        >>> from bincam.engines import RayEngine
        >>> RayEngine(actors=2)
        RayEngine(address=None, actors=2, gpus_per_actor=None)
    """

    address: str | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None

    def __post_init__(self) -> None:
        """Check."""
        check_installed()
        if self.actors is not None and self.actors < 1:
            raise InputError(f"actors={self.actors}: at least one process")
        gpus = self.gpus_per_actor
        if gpus is not None and not (gpus == 0 or 0 < gpus < 1 or (gpus >= 1 and gpus == int(gpus))):
            raise InputError(f"gpus_per_actor={gpus}: a whole number of GPUs, or a part of one such as 0.5")

    @contextmanager
    def started(self, *, on_gpu: bool) -> Iterator[RayCrew]:
        """Connect to the cluster and see that it has room; processes are started with the work.

        Args:
            on_gpu: The work runs on GPUs.

        Raises:
            InputError: There is no cluster, it is smaller than asked for, or GPUs are asked for of work on CPUs, or the
                reverse.
        """
        import ray
        import torch

        gpus = float(on_gpu) if self.gpus_per_actor is None else self.gpus_per_actor
        if bool(gpus) != on_gpu:
            asked = "on CPUs, which takes no GPU" if gpus else "on GPUs, of which each process needs one or a part"
            raise InputError(f"gpus_per_actor={gpus:g}, but the work runs {asked}")
        share = Share(torch.get_num_threads(), gpus)
        with ExitStack() as own:
            if ray.is_initialized():  # by the caller, whose connection it stays
                there = ray_cluster.machines()
            elif self.address is None:
                there = [ray_cluster.this_machine(on_gpu=on_gpu)]
            else:
                there = ray_cluster.connect(self.address)
                own.callback(ray.shutdown)
            count = room_for(there, share, self.actors)
            if (idle := sum(one.get("GPU", 0) for one in there) - count * gpus) >= 1 and gpus and self.actors is None:
                warnings.warn(
                    f"{counted(int(idle), 'GPU')} of the machines will be idle, because CPUs are left for "
                    f"{counted(count, 'process', 'processes')} of {counted(share.cpus, 'CPU')}; a smaller "
                    "OMP_NUM_THREADS makes room for more",
                    BincamWarning,
                    stacklevel=3,
                )
            yield RayCrew(share, count, own)


@dataclass(frozen=True)
class RayCrew:
    """Processes of a cluster; ``RayEngine.started`` makes one.

    Attributes:
        share: What each process takes.
        count: Number of processes.
        own: What ends with the work.
    """

    share: Share
    count: int
    own: ExitStack = field(repr=False)

    def carry_out(self, recipe: Recipe, numbers: Sequence[int]) -> Iterator[int]:
        """Have parts carried out, see ``Crew``; the connection to the cluster ends with the last one."""
        with self.own:
            yield from self._carried_out(recipe, numbers)

    def _carried_out(self, recipe: Recipe, numbers: Sequence[int]) -> Iterator[int]:
        import ray
        import ray.data
        from ray import cloudpickle

        from bincam.engines import ray_process

        if not numbers:
            return
        content = pickled(recipe, cloudpickle.dumps)
        count = min(self.count, len(numbers))
        if not ray.is_initialized():
            self.own.enter_context(ray_cluster.own_cluster(self.share, count, len(content)))
        together = max(1, min(_PARTS, len(numbers) // (_CALLS * count))) if self.share.gpus else 1
        cloudpickle.register_pickle_by_value(ray_process)
        try:
            with _quiet(ray.data):
                # Without a stated number of blocks all numbers would be one block, and go to one process. Blocks of
                # less than a batch would be joined.
                blocks = -(-len(numbers) // together)
                calls = ray.data.from_items(
                    [{"number": number} for number in numbers], override_num_blocks=blocks
                ).map_batches(
                    ray_process.RayProcess,
                    batch_size=len(numbers) // blocks,
                    compute=ray.data.ActorPoolStrategy(size=count),
                    fn_constructor_args=([ray.put(content)], dict(recipe.versions), self.share.cpus, str(Path.cwd())),
                    num_cpus=self.share.cpus,
                    num_gpus=self.share.gpus or None,
                )
                told = set[str]()
                for row in calls.iter_rows():
                    yield _number_in(json.loads(row["said"]), told)
        finally:
            cloudpickle.unregister_pickle_by_value(ray_process)


def _number_in(said: Mapping[str, Any], told: set[str]) -> int:
    """The number of the part that an answer is of; its notes are warnings, unless they have been told.

    Raises:
        BincamError: It tells a fault.
    """
    if "fault" in said:
        kind: type[Exception] = getattr(errors, said["kind"])
        raise kind(f"on the machine {said['machine']}: {said['fault']}")
    warn_once(said["notes"], told)
    return int(said["number"])


@contextmanager
def _quiet(data: Any) -> Iterator[None]:
    """Switch off the bars and lines of Ray's library, which would be between bincam's own, and its limit of time."""
    context, log = data.DataContext.get_current(), logging.getLogger("ray.data")
    wanted = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        "execution_no_progress_timeout_s": -1,  # of later versions: half an hour, and a part may take longer
    }
    before = {name: getattr(context, name) for name in wanted if hasattr(context, name)}
    level = log.level
    try:
        for name in before:
            setattr(context, name, wanted[name])
        log.setLevel(logging.ERROR)
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        log.setLevel(level)
