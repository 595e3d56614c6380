"""Speed of generating scenes: complete sets with one and two workers, scenes in memory, and the cost of each stage.

A plain rate depends on the machine, so every figure is also a ratio to work that needs no bincam and is measured in the
same run: Pillow drawing, encoding and writing a picture of five ellipses of the same size (``reference``). CPU time is
recorded with wall-clock time; ``cores_it_got`` is the number of cores that a run actually had.

Run from the repository: ``PYTHONPATH=. python experiments/bench/scenes.py --out experiments/bench/scenes.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from generating import Stages, children_cpu, machine, rates
from PIL import Image, ImageDraw

from bincam._version import __version__
from bincam.files import write_json

SIZE = 96


def reference(count: int) -> dict[str, float]:
    """Measure Pillow: noise, five ellipses, a PNG and a mask file per image, in one process."""
    rng = np.random.default_rng(0)
    began, before = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for row in range(count):
            picture = Image.fromarray(rng.integers(90, 110, (SIZE, SIZE, 3), np.uint8))
            mask = Image.new("L", (SIZE, SIZE))
            for part, (x, y) in enumerate(rng.integers(0, SIZE - 24, (5, 2)).tolist(), 1):
                for target, fill in ((picture, (200, 20 * part, 90)), (mask, part)):
                    ImageDraw.Draw(target).ellipse((x, y, x + 22, y + 22), fill=fill)
            picture.save(f"{folder}/{row}.png", compress_level=1)
            mask.save(f"{folder}/{row}-mask.png", compress_level=4)
    return rates(count, time.perf_counter() - began, time.process_time() - before)


def in_memory(count: int) -> dict[str, float]:
    """Measure ``bincam.scenes.draw`` in one process, compiled."""
    from bincam.scenes import draw

    draw(1)
    began, before = time.perf_counter(), time.process_time()
    draw(count, seed=1)
    return rates(count, time.perf_counter() - began, time.process_time() - before)


def sustained(count: int, workers: int) -> dict[str, float]:
    """Measure a complete ``bincam scenes make``, including start and tables."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bincam", "scenes", "make", "--out", f"{folder}/set", "--count", str(count)]
        began, before = time.perf_counter(), children_cpu()
        subprocess.run(
            [*command, "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return {"workers": workers, **rates(count, time.perf_counter() - began, children_cpu() - before)}


def stages(count: int) -> dict[str, float]:
    """Measure the milliseconds of CPU per image in one process, by stage."""
    from bincam.generated.encode import parts_png, rgb_png, write
    from bincam.scenes.sampler import scene
    from bincam.scenes.settings import scene_settings

    clock = Stages()
    settings = scene_settings()
    scene(settings, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            one = clock("draw", lambda number=number: scene(settings, 1, number))
            image = clock("image png", lambda one=one: rgb_png(one.image))
            mask = clock("mask png", lambda one=one: parts_png(one.parts))
            path = Path(folder) / f"{number}"
            clock("two files", lambda path=path, image=image: write(path.with_suffix(".png"), image))
            clock("two files", lambda path=path, mask=mask: write(path.with_suffix(".mask.png"), mask))
    return clock.milliseconds(count)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=6000, help="images of each sustained run")
    parser.add_argument("--staged", type=int, default=1000, help="images timed in one process")
    arguments = parser.parse_args()
    in_memory(1)  # compiles, which belongs to no figure
    described = machine()
    pillow, memory = reference(arguments.staged), in_memory(arguments.staged)
    one, two = (sustained(arguments.count, workers) for workers in (1, 2))
    result = {
        "kind": "bincam-bench-scenes",
        "schema": 1,
        "bincam": __version__,
        "size": SIZE,
        "machine": described,
        "stages_cpu_ms_per_image": stages(arguments.staged),
        "reference_pillow": pillow,
        "in_memory": memory,
        "sustained": [one, two],
        "ratios": {
            "two workers over one": round(two["images_per_second"] / one["images_per_second"], 2),
            "two workers over pillow": round(two["images_per_second"] / pillow["images_per_second"], 2),
            "cpu of a set over cpu of pillow": round(one["cpu_ms_per_image"] / pillow["cpu_ms_per_image"], 2),
            "cpu in memory over cpu of a set": round(memory["cpu_ms_per_image"] / one["cpu_ms_per_image"], 2),
        },
    }
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
