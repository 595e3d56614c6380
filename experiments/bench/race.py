"""Time several functions against each other in one run: interleaved rounds, medians, ratios.

A machine's speed drifts over seconds, but affects interleaved runs equally. So a ratio is taken within each round, and
the median of these ratios is reported.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch


def race(
    runners: dict[str, Callable[[], object]],
    rounds: int = 5,
    warm: int = 1,
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Run every function once per round, in turn.

    Args:
        runners: Name to function.
        rounds: How often.
        warm: Untimed runs of each before.
        device: Synchronised around each run where it is a GPU.
        clock: Seconds; ``time.process_time`` on a machine that is busy with other work.

    Returns:
        Seconds per round, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for name, run in runners.items():
        for _ in range(warm):
            run()
        seconds[name] = []
    for _ in range(rounds):
        for name, run in runners.items():
            _wait(device)
            begin = clock()
            run()
            _wait(device)
            seconds[name].append(clock() - begin)
    return seconds


def ratios(seconds: dict[str, list[float]], base: str) -> dict[str, float]:
    """Return the median over the rounds of each function's time relative to the base."""
    return {
        name: round(median(own / other for own, other in zip(values, seconds[base], strict=True)), 3)
        for name, values in seconds.items()
    }


def milliseconds(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return the median per function."""
    return {name: round(1000 * median(values), 2) for name, values in seconds.items()}


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def machine(device: str = "cpu") -> dict[str, Any]:
    """Describe the machine and the versions of a measurement."""
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else _cpu(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    flags = "avx512_bf16" if "avx512_bf16" in info.read_text() else "no avx512_bf16"
    return f"{names[0] if names else platform.machine()}, {flags}"


def write(path: Path, value: dict[str, Any]) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")
