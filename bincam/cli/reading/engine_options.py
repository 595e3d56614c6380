"""Options that say who carries out the work: this process, several of this machine, or many on a cluster of Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bincam.errors import InputError, nearest

if TYPE_CHECKING:
    from bincam.engines import Engine

ENGINE_PANEL = "Many processes and machines"
_ENGINES = ("local", "ray")


@dataclass(frozen=True)
class EngineOptions:
    """The engine, as typed.

    Attributes:
        engine: ``local`` or ``ray``.
        address: Of a cluster.
        actors: Number of processes.
        gpus_per_actor: GPUs of each.
        processes: Number of processes of this machine; None for as many as is faster.
    """

    engine: Annotated[
        str,
        typer.Option(
            metavar="|".join(_ENGINES),
            help="local measures on this machine; ray in processes that a Ray cluster starts (pip install "
            r"'bincam\[ray]'): docs/scale.md. The files are the same.",
            rich_help_panel=ENGINE_PANEL,
        ),
    ] = "local"
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="The Ray cluster; auto for the one that this machine is of.",
            show_default="this machine alone",
            rich_help_panel=ENGINE_PANEL,
        ),
    ] = None
    actors: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes that hold the model; each takes OMP_NUM_THREADS CPUs.",
            show_default="as many as find room, less a CPU",
            rich_help_panel=ENGINE_PANEL,
        ),
    ] = None
    gpus_per_actor: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="G",
            help="GPUs of each process, or a part of one such as 0.5.",
            show_default="1 where --device is cuda, else 0",
            rich_help_panel=ENGINE_PANEL,
        ),
    ] = None

    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes of this machine that measure, and share OMP_NUM_THREADS.",
            show_default="several for long work on a CPU without --workers (docs/scale.md), else 1",
            rich_help_panel=ENGINE_PANEL,
        ),
    ] = None

    @property
    def count(self) -> int:
        """Number of processes of this machine that measure, as far as it is stated."""
        return self.processes or 1

    def chosen(self, readers: int | None = None) -> Engine | Literal["auto"] | None:
        """Return the engine; None for this process, ``auto`` to leave it to the work.

        Args:
            readers: Processes that read images, where they are stated: then one process measures, unless it is stated
                that several do.

        Raises:
            InputError: It is unknown or not installed, or an option belongs to another one.

        Example:
            >>> EngineOptions().chosen()
            'auto'
            >>> EngineOptions().chosen(readers=4) is None
            True
            >>> EngineOptions(processes=2).chosen(readers=1)
            ProcessEngine(processes=2)
        """
        if self.engine not in _ENGINES:
            raise InputError(
                f"--engine {self.engine}: expected {' or '.join(_ENGINES)}{nearest(self.engine, _ENGINES)}"
            )
        stated = {"--address": self.address, "--actors": self.actors, "--gpus-per-actor": self.gpus_per_actor}
        if self.engine == "local":
            for name, value in stated.items():
                if value is not None:
                    raise InputError(f"{name} is an option of --engine ray; add this, or leave out {name}")
            return self._local(readers)
        if self.processes is not None:
            raise InputError("--processes is an option of --engine local; the processes of Ray are --actors")
        from bincam.engines import RayEngine

        return RayEngine(self.address, self.actors, self.gpus_per_actor)

    def _local(self, readers: int | None) -> Engine | Literal["auto"] | None:
        if self.processes is None:
            return "auto" if readers is None else None
        if self.processes == 1:
            return None
        from bincam.engines import ProcessEngine

        return ProcessEngine(self.processes)
