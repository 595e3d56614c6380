"""What the benchmarks of generators share: processor time of child processes and of stages, rates, and the machine."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Stages:
    """Processor time of named stages of this process, summed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work of a stage."""
        began = time.process_time()
        result = work()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began
        return result

    def milliseconds(self, count: int) -> dict[str, float]:
        """Return the milliseconds per image of ``count`` images."""
        return {name: round(1000 * seconds / count, 3) for name, seconds in self.seconds.items()}


def rates(count: int, seconds: float, busy: float) -> dict[str, float]:
    """Return what ``count`` images cost in wall-clock and in processor time."""
    return {
        "images": count,
        "seconds": round(seconds, 2),
        "images_per_second": round(count / seconds, 1),
        "cpu_ms_per_image": round(1000 * busy / count, 3),
        "cores_it_got": round(busy / seconds, 2),
    }


def children_cpu() -> float:
    """Return the CPU seconds of all ended child processes and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def machine() -> dict[str, Any]:
    """Describe the machine, and its load as the measurement begins."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
