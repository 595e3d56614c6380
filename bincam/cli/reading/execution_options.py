"""Options that say how an audit is carried out: device and precision, processes, and what an unreadable image does."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from bincam.cli.reading.option_groups import EXECUTION_PANEL, LARGEST_SEED, Device
from bincam.errors import InputError

_TRUNKS = ("eager", "folded", "compiled")
"""Those of ``bincam.models.trunk.trunk``, which imports torch."""


@dataclass(frozen=True)
class ExecutionOptions:
    """How the work is done, as typed; its fields have the names of ``Settings``.

    Attributes:
        seed: Of all random draws.
        device: Torch device.
        precision: ``fp32`` or ``bf16``.
        trunk: How the network runs below the explained tensor.
        batch_size: Images per forward pass; None takes the device's.
        workers: Processes that read images; None takes the device's.
        on_error: ``raise`` or ``skip``.
    """

    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of all random draws.", rich_help_panel=EXECUTION_PANEL)
    ] = 0
    device: Device = "cpu"
    precision: Annotated[str, typer.Option(help="fp32 or bf16.", rich_help_panel=EXECUTION_PANEL)] = "fp32"
    trunk: Annotated[
        str,
        typer.Option(
            metavar="|".join(_TRUNKS),
            help="How the network runs below the explained tensor: as it is, with batch normalisation folded into the "
            "convolutions, or also compiled, which takes up to half a minute and pays from some hundred images on.",
            rich_help_panel=EXECUTION_PANEL,
        ),
    ] = "folded"
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Images per forward pass.",
            show_default="8 on a CPU, 64 on a GPU",
            rich_help_panel=EXECUTION_PANEL,
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that read images for one that measures; 0 reads there.",
            show_default="1 on a CPU, 0 where several processes measure; for a GPU one per core, up to 8",
            rich_help_panel=EXECUTION_PANEL,
        ),
    ] = None
    on_error: Annotated[
        str,
        typer.Option(
            help="raise stops at an image that cannot be read; skip leaves it out and counts it.",
            rich_help_panel=EXECUTION_PANEL,
        ),
    ] = "raise"

    def values(self, processes: int = 1) -> dict[str, Any]:
        """Return the options by the names of ``Settings``, with the workers that suit the device.

        Args:
            processes: Number of processes that measure.

        Raises:
            InputError: ``--on-error`` or ``--precision`` is none of those known.

        >>> ExecutionOptions().values()["workers"], ExecutionOptions(workers=3).values()["workers"]
        (1, 3)
        >>> ExecutionOptions().values(processes=2)["workers"]
        0
        """
        if self.on_error not in ("raise", "skip") or self.precision not in ("fp32", "bf16"):
            raise InputError(
                f"--on-error is raise or skip, --precision fp32 or bf16; got {self.on_error} and {self.precision}"
            )
        stated = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**stated, "workers": self._workers(processes) if self.workers is None else self.workers}

    def _workers(self, processes: int) -> int:
        """The default number of reading processes: a CPU that also runs the model has one core to spare."""
        if self.device.partition(":")[0] == "cpu":
            return int(processes == 1)
        return max(1, min((os.cpu_count() or 1) // processes, 8))
