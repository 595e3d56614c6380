"""Seconds of ``bincam report`` in this checkout and in another one, in turn, and whether they write the same page.

    python experiments/bench/report.py OTHER_CHECKOUT CONTRAST_OR_AUDIT [--rounds 3]

writes ``experiments/bench/report.json``: wall and processor seconds of each (all processes of the command together,
start included), and the median of the ratios of the rounds. The pages are compared without empty groups, which bear
matplotlib's running numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def timed(checkout: Path, source: Path, page: Path) -> tuple[float, float]:
    """Return the wall and the processor seconds of one report."""

    def processor() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    command = [sys.executable, "-m", "bincam", "report", str(source.resolve()), "--out", str(page)]
    began, before = time.perf_counter(), processor()
    subprocess.run(
        command, check=True, cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - began, processor() - before


def content(page: Path) -> str:
    """Return a page without empty groups."""
    return re.sub(r'<g id="[^"]*"/>\s*', "", page.read_text(encoding="utf-8"))


def main() -> None:
    """Run, compare, write."""
    from race import machine, write

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of another commit, such as a git worktree")
    parser.add_argument("source", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "report.json")
    options = parser.parse_args()
    checkouts = {"other": options.other.resolve(), "this": ROOT}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        pages = {name: Path(folder, f"{name}.html") for name in checkouts}
        for _ in range(options.rounds):
            for name, checkout in checkouts.items():
                seconds[name].append(timed(checkout, options.source, pages[name]))
        same = content(pages["other"]) == content(pages["this"])
        size = pages["this"].stat().st_size
    ratios = [
        [own / other for own, other in zip(*pair, strict=True)]
        for pair in zip(seconds["this"], seconds["other"], strict=True)
    ]
    commits = {
        name: subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=checkout, check=True, capture_output=True, text=True
        ).stdout.strip()
        for name, checkout in checkouts.items()
    }
    result = {
        "machine": machine(),
        "commits": commits,
        "rounds": options.rounds,
        "seconds": {name: round(median(wall for wall, _ in values), 2) for name, values in seconds.items()},
        "processor_seconds": {name: round(median(used for _, used in values), 2) for name, values in seconds.items()},
        "ratio": round(median(wall for wall, _ in ratios), 3),
        "processor_ratio": round(median(used for _, used in ratios), 3),
        "same_page": same,
        "megabytes": round(size / 1e6, 1),
    }
    write(options.out, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
