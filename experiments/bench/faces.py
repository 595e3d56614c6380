"""Speed of generating faces: sustained images/s, the cost of each stage, memory, and the time to the first image.

CPU time is recorded with wall-clock time, because on a busy machine only the former measures the cost of a face.
``cores_it_got`` is the number of cores that the run actually had.

Run from the repository: ``PYTHONPATH=. python experiments/bench/faces.py --out experiments/bench/faces.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from generating import Stages, children_cpu, machine, rates

from bincam._version import __version__
from bincam.files import write_json

FIRST = (
    "from bincam.faces.labels.sampler import spec; from bincam.faces.render.image import render; render(spec({seed}))"
)


def first_image() -> dict[str, float]:
    """Measure the seconds from starting Python to the first image, with numba's cache warm."""
    took, busy = [], []
    for seed in range(4):
        began, before = time.perf_counter(), children_cpu()
        subprocess.run([sys.executable, "-c", FIRST.format(seed=seed)], check=True)
        took.append(time.perf_counter() - began)
        busy.append(children_cpu() - before)
    return {"first_run_s": round(took[0], 2), "warm_s": round(min(took[1:]), 2), "warm_cpu_s": round(min(busy[1:]), 2)}


def stages(count: int) -> dict[str, float]:
    """Measure the milliseconds of CPU per image in one process, by stage."""
    from bincam.faces.dataset import shards
    from bincam.faces.labels.prevalence import target
    from bincam.faces.labels.sampler import sampler
    from bincam.faces.render.image import render

    drawer = sampler(target(), 0)
    clock = Stages()
    faces = clock("labels", lambda: drawer.faces(0, count))
    specs = [faces[at] for at in range(count)]
    render(specs[0])
    with tempfile.TemporaryDirectory() as folder:
        for at, face in enumerate(specs):
            drawn = clock("draw", lambda face=face: render(face, camera=False))
            noisy = clock("draw and camera", lambda face=face: render(face))
            image = clock("jpeg", lambda noisy=noisy: shards.jpeg(noisy.image, noisy.jpeg_quality))
            mask = clock("mask png", lambda drawn=drawn: shards.parts_png(drawn.parts))
            path = Path(folder) / f"{at}.bin"
            clock("two files", lambda path=path, image=image, mask=mask: _files(path, image, mask))
    clock.seconds["camera"] = clock.seconds.pop("draw and camera") - clock.seconds["draw"]
    return clock.milliseconds(count)


def _files(path: Path, image: bytes, mask: bytes) -> None:
    from bincam.faces.dataset import shards

    shards.write(path.with_suffix(".jpg"), image)
    shards.write(path.with_suffix(".png"), mask)


def sustained(count: int, workers: int) -> dict[str, float]:
    """Measure a complete ``bincam faces make``, including start and tables, with the memory of all its processes."""
    peak = [0]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bincam", "faces", "make", "--out", f"{folder}/set", "--count", str(count)]
        began, before = time.perf_counter(), children_cpu()
        process = subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.DEVNULL)
        watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
        watcher.start()
        if process.wait():
            raise SystemExit("bincam faces make failed")
        took, busy = time.perf_counter() - began, children_cpu() - before
    return {"workers": workers, **rates(count, took, busy), "peak_memory_mib": round(peak[0] / 2**20)}


def _watch(pid: int, peak: list[int]) -> None:
    """Return the proportional set size of a process and its children, in which shared pages count once."""
    while True:
        try:
            parent = psutil.Process(pid)
            total = 0
            for process in [parent, *parent.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
        except psutil.Error:
            return
        peak[0] = max(peak[0], total)
        time.sleep(0.25)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=5000, help="images of the sustained run")
    parser.add_argument("--staged", type=int, default=200, help="images timed stage by stage")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    result = {
        "kind": "bincam-bench-faces",
        "schema": 1,
        "bincam": __version__,
        "machine": machine(),
        "first_image": first_image(),
        "stages_cpu_ms_per_image": stages(arguments.staged),
        "sustained": sustained(arguments.count, arguments.workers),
    }
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
