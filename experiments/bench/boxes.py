"""Cost of boxes at every threshold: bincam's one pass against the public loop, and the number of levels.

    python experiments/bench/boxes.py [--rounds N] [--out FILE]

writes ``experiments/bench/boxes.json``. 64 random maps of 7 x 7 and of 14 x 14 cells, enlarged to 224 x 224 pixels, two
true boxes each, one thread, processor time of interleaved rounds. The public loop is that of the evaluation of weakly
supervised localisation (github.com/clovaai/wsolevaluation): enlarge by cubic interpolation, scale to 8 bits, and for
each of 1,000 thresholds cut, find contours, box the largest (first version) or all (second version), and overlap.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from race import machine, milliseconds, race, ratios, write

from bincam.metrics import clean_overlaps, clovaai_overlaps, components_at, inclusive_iou
from bincam.metrics.localization.boxes.protocols.clovaai import THRESHOLDS, clovaai_scores, inclusive
from bincam.resample import upsample

SIZE = (224, 224)
COUNT = 64
TRUTH = [[40, 60, 150, 170], [20, 20, 70, 60]]
GRIDS = ((7, 7), (14, 14))


def random_maps(grid: tuple[int, int]) -> torch.Tensor:
    return torch.randn(COUNT, 1, *grid, generator=torch.Generator().manual_seed(0))


def public_loop(cells: NDArray[Any], *, several: bool) -> list[float]:
    scores = clovaai_scores(cells, SIZE)
    image = (scores * 255).astype(np.uint8)
    known = inclusive(TRUTH).astype(int)
    boxes, counts = [], []
    for threshold in THRESHOLDS:
        _, cut = cv2.threshold(image, int(threshold * np.max(image)), 255, cv2.THRESH_BINARY)
        contours = cv2.findContours(cut, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        if len(contours) == 0:
            boxes.append((0, 0, 0, 0))
            counts.append(1)
            continue
        if not several:
            contours = [max(contours, key=cv2.contourArea)]
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            boxes.append((x, y, min(x + w, SIZE[1] - 1), min(y + h, SIZE[0] - 1)))
        counts.append(len(contours))
    best = inclusive_iou(boxes, known).max(1)
    ends = np.cumsum([0, *counts])
    return [max(best[a:b]) for a, b in pairwise(ends)]


def against_the_loop(grid: tuple[int, int], rounds: int) -> dict[str, Any]:
    """Both curves of every map, at 100 and at 1,000 levels, against one version of the loop at a time."""
    maps = random_maps(grid)
    cells, truth = maps[:, 0].double().numpy(), [[TRUTH]] * COUNT
    own = clovaai_overlaps(maps, truth, SIZE)
    cuts = (THRESHOLDS * 255).astype(int)
    for n in range(COUNT):  # what is raced gives the same numbers
        assert public_loop(cells[n], several=False) == own.one[n, 0, cuts].tolist()
        assert public_loop(cells[n], several=True) == own.several[n, 0, cuts].tolist()
    runners: dict[str, Callable[[], object]] = {
        "clean, 1,000 levels": lambda: clean_overlaps(maps, truth, SIZE, np.arange(1000) / 1000),
        "clean, 100 levels": lambda: clean_overlaps(maps, truth, SIZE),
        "clovaai, both versions": lambda: clovaai_overlaps(maps, truth, SIZE),
        "public loop, first version": lambda: [public_loop(one, several=False) for one in cells],
        "public loop, second version": lambda: [public_loop(one, several=True) for one in cells],
    }
    seconds = race(runners, rounds, clock=time.process_time)
    return {
        "milliseconds_per_map": {name: round(value / COUNT, 3) for name, value in milliseconds(seconds).items()},
        "loop_over": {
            name: {version: ratios(seconds, name)[f"public loop, {version} version"] for version in ("first", "second")}
            for name in list(runners)[:3]
        },
    }


def levels(grid: tuple[int, int], rounds: int) -> dict[str, Any]:
    """The same maps at 10 to 5,000 levels: the pass alone, and with all that a curve needs."""
    maps = random_maps(grid)
    pixels, truth = [upsample(one[0].relu(), SIZE).numpy() for one in maps], [[TRUTH]] * COUNT
    counts = (10, 100, 1000, 5000)
    alone = race(
        {f"{n}": lambda n=n: [components_at(one, np.arange(n) / n, TRUTH) for one in pixels] for n in counts},
        rounds,
        clock=time.process_time,
    )
    whole = race(
        {f"{n}": lambda n=n: clean_overlaps(maps, truth, SIZE, np.arange(n) / n) for n in counts},
        rounds,
        clock=time.process_time,
    )
    return {
        "pass_over_100_levels": ratios(alone, "100"),
        "curves_over_100_levels": ratios(whole, "100"),
        "pass_milliseconds_per_map": {n: round(value / COUNT, 3) for n, value in milliseconds(alone).items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "boxes.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    results: dict[str, Any] = {"machine": {**machine(), "opencv": cv2.__version__}, "maps": COUNT}
    for grid in GRIDS:
        key = f"{grid[0]}x{grid[1]}"
        results[key] = {**against_the_loop(grid, options.rounds), "levels": levels(grid, 3 * options.rounds)}
        print(key, results[key], flush=True)
        write(options.out, results)


if __name__ == "__main__":
    main()
