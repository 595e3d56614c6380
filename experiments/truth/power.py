"""From which share of the image in a map does the randomisation test see it?

    python -m experiments.truth.power
    python -m experiments.truth.power --table

Maps are mixtures (1 - α)·model + α·image, both of unit variance: noise, of the model drawn anew for each network and
attribute, of the image the same for all of them; smooth over the frame, or independent from cell to cell.
``power.json`` has, by kind, grid, number of images and α, the shares of the verdicts over simulated data sets, the mean
excess, and the smallest α from which on at least 80 % fail.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bincam.files import read_json, write_json
from bincam.metrics import parameter_dependence
from bincam.progress import track

FILE = Path(__file__).parent / "power.json"
KIND, SCHEMA = "bincam-experiment-power", 1
GRIDS = (4, 5, 7, 10, 14)
IMAGES = (20, 64, 128)
SHARES = tuple(round(0.1 * tenth, 1) for tenth in range(10))
ATTRIBUTES, DRAWS, RUNS = 1, 2, 20
KINDS = {"smooth": 0.12, "independent": 0.0}
"""Standard deviation of the smoothing, as a share of the grid's side."""

SEEN = 0.8
"""Share of data sets that fail."""


def draw(
    random: np.random.Generator, images: int, attributes: int, grid: int, smoothness: float
) -> NDArray[np.float64]:
    noise = random.normal(size=(images, attributes, grid, grid))
    maps = gaussian_filter(noise, (0, 0, smoothness * grid, smoothness * grid), mode="wrap")
    return np.asarray(maps / maps.std())


def simulate(kind: str, grid: int, images: int, runs: int = RUNS) -> dict[str, Any]:
    """Simulate data sets of all shares; the maps that are mixed are the same for all."""
    verdicts: dict[float, Counter[str]] = {share: Counter() for share in SHARES}
    excess: dict[float, list[float]] = {share: [] for share in SHARES}
    for run in range(runs):
        random = np.random.default_rng([grid, images, run])
        networks = [draw(random, images, ATTRIBUTES, grid, KINDS[kind]) for _ in range(1 + DRAWS)]
        image = draw(random, images, 1, grid, KINDS[kind])
        for share in SHARES:
            learned, *randomised = ((1 - share) * network + share * image for network in networks)
            found = parameter_dependence(learned, randomised)
            verdicts[share][found.verdict] += 1
            excess[share].append(float(np.mean([draw.value for draw in found.excess_by_draw])))
    rates = {
        str(share): {
            "fail": verdicts[share]["fail"] / runs,
            "pass": verdicts[share]["pass"] / runs,
            "cannot tell": verdicts[share]["cannot tell"] / runs,
            "excess": round(float(np.mean(excess[share])), 4),
        }
        for share in SHARES
    }
    failing = [share for share in SHARES if rates[str(share)]["fail"] < SEEN]
    later = [share for share in SHARES if share > max(failing, default=-1.0)]
    return {
        "kind": kind,
        "grid": grid,
        "images": images,
        "runs": runs,
        "seen_from": later[0] if later else None,
        "shares": rates,
    }


def table(content: dict[str, Any]) -> str:
    """Write the table of the docs: the α from which on the image is seen, by kind, grid and number of images."""
    seen = {(cell["kind"], cell["grid"], cell["images"]): cell["seen_from"] for cell in content["cells"]}
    heads = [f"{kind}, {images} images" for kind in KINDS for images in IMAGES]
    lines = [f"| grid | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for grid in GRIDS:
        cells = [seen[kind, grid, images] for kind in KINDS for images in IMAGES]
        shown = [f"{share:g}".lstrip("0") if share else "not seen" for share in cells]
        lines.append(f"| {grid} × {grid} | {' | '.join(shown)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="print the table of the results that are there")
    if not parser.parse_args().table:
        designs = [(kind, grid, images) for kind in KINDS for grid in GRIDS for images in IMAGES]
        cells = [simulate(*design) for design in track(designs, "power", total=len(designs), unit="designs")]
        content = {"attributes": ATTRIBUTES, "draws": DRAWS, "smoothness": KINDS, "cells": cells}
        write_json(FILE, {"kind": KIND, "schema": SCHEMA, **content})
    print(table(read_json(FILE, kind=KIND, schema=SCHEMA)))


if __name__ == "__main__":
    main()
