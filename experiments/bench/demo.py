"""Cost of ``bincam demo`` from scratch, by its steps, and of the report of its audits.

    python experiments/bench/demo.py [--data orl] [--seed N] [--folder DIR] [--beside REVISION]

writes ``experiments/bench/demo-<data>.json``: seconds of each step that the command names, the peak memory of all its
processes together (shared pages are counted in each), and seconds and bytes of the report of two stored audits alone.
The renderer's compiled code may be cached already; on a fresh clone the demo takes half a minute more. With
``--beside`` the demo of another revision runs just before, with the same packages, and both findings are written down.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from race import machine, write

HERE = Path(__file__).parent


@contextmanager
def watched(process: psutil.Process) -> Iterator[list[float]]:
    """Largest resident memory of a process and its descendants in MiB, sampled twice a second."""
    peak, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.5):
            total = 0
            try:
                for one in (process, *process.children(recursive=True)):
                    total += one.memory_info().rss
            except psutil.Error:  # the process has just ended
                continue
            peak[0] = max(peak[0], total / 2**20)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def demo(out: Path, data: str, seed: int, checkout: Path | None = None) -> tuple[dict[str, float], float]:
    """Return the seconds by step, and the peak in MiB; of the package in a checkout, if stated."""
    environment = os.environ if checkout is None else os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", "bincam", "demo", "--out", str(out), "--data", data, "--seed", str(seed)]
    began = time.perf_counter()
    steps: list[tuple[str, float]] = [("start", 0.0)]
    pipes: Any = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, text=True, env=environment, cwd=checkout) as running:
        assert running.stderr is not None
        with watched(psutil.Process(running.pid)) as peak:
            for line in running.stderr:
                print(line, end="", file=sys.stderr)
                if line[1:3] == "/4":
                    steps.append((line[4:].strip(), time.perf_counter() - began))
    if running.returncode:
        raise SystemExit(f"bincam demo ended with {running.returncode}")
    ends = [at for _, at in steps[1:]] + [time.perf_counter() - began]
    seconds = {name: round(end - at, 1) for (name, at), end in zip(steps, ends, strict=True)}
    return seconds | {"everything": round(ends[-1], 1)}, round(peak[0], 1)


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Check out a revision in a temporary folder."""
    git = ["git", "-C", str(HERE)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "checkout"
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(place), revision], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(place)], check=True)


def findings(out: Path) -> list[str]:
    """Return the headlines of a demo's contrast."""
    stated: list[str] = json.loads((out / "contrast" / "contrast.json").read_text())["findings"]
    return stated


def beside(revision: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Time the demo of another revision."""
    out = folder / "before"
    with checked_out(revision) as checkout:
        seconds, peak = demo(out, options.data, options.seed, checkout)
    return {"commit": revision, "seconds": seconds, "peak_mib": peak, "findings": findings(out)}


def main() -> None:
    """Run, time, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="faces")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="Where the demo is made and kept; new, to be timed from nothing.")
    parser.add_argument("--beside", metavar="REVISION", help="Another revision whose demo is timed as well.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        former = beside(options.beside, Path(own), options) if options.beside else None
        out = options.folder or Path(own) / "demo"
        seconds, peak = demo(out, options.data, options.seed)
        page = out / "timed.html"
        command = [sys.executable, "-m", "bincam", "report", str(out / "contrast"), "--out", str(page)]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        report = {"seconds": round(time.perf_counter() - began, 1), "megabytes": round(page.stat().st_size / 1e6, 1)}
        page.unlink()
        stated = findings(out)
    result: dict[str, Any] = {"machine": machine(), "seed": options.seed, "seconds": seconds, "peak_mib": peak}
    result |= {"report": report}
    if former is not None:
        ratio = seconds["everything"] / former["seconds"]["everything"]
        result |= {"findings": stated, "before": former, "over_before": round(ratio, 3)}
    write(HERE / f"demo-{options.data}.json", result)
    print(result)


if __name__ == "__main__":
    main()
