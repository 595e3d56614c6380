"""Measure the region of each attribute from mean influence masks.

For each drawn attribute, the mean influence is the fraction of faces in which flipping it changes a pixel, and its
region is the smallest symmetric set of pixels that contains 80 % of it. The regions are written to the package
(``bincam/faces/counterfactuals/assets/regions.npz``), a figure of both with the published 7x7 cells to ``--out``.

Run from the repository: ``PYTHONPATH=. python experiments/faces/regions.py --out experiments/faces``.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.faces.counterfactuals.pairs import influences
from bincam.faces.counterfactuals.regions import FRACTION, from_influence, save
from bincam.faces.geometry.pose import SIZE
from bincam.faces.labels.prevalence import target
from bincam.faces.labels.sampler import sampler
from bincam.faces.labels.spec import DRAWN, FaceSpec
from bincam.generated.workers import start_worker
from bincam.progress import track

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def count(faces: list[FaceSpec]) -> tuple[Counts, Counts]:
    """Count the faces in which each attribute changes each pixel, (39, H, W), and sum their brightness, (H, W)."""
    from bincam.faces.render.image import render

    changed = np.zeros((len(DRAWN), SIZE[1], SIZE[0]), dtype=np.int64)
    light = np.zeros((SIZE[1], SIZE[0]), dtype=np.int64)
    for face in faces:
        masks = influences(face, DRAWN)
        changed += np.stack([masks[name] for name in DRAWN])
        light += render(face, camera=False).image.mean(axis=-1).astype(np.int64)
    return changed, light


def main() -> None:
    """Measure the mean influence, derive the regions, write and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300, help="number of faces, each of a different person")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    faces = sampler(target(), arguments.seed, images_per_person=1).faces(0, arguments.count)
    specs = [faces[row] for row in range(arguments.count)]
    chunks = [specs[start : start + 5] for start in range(0, len(specs), 5)]
    with ProcessPoolExecutor(arguments.workers, get_context("spawn"), start_worker) as pool:
        counts = list(track(pool.map(count, chunks), "influence", total=len(chunks), unit="x5 faces"))
    changed = sum(part for part, _ in counts) / arguments.count
    light = sum(part for _, part in counts) / (255 * arguments.count)
    influence = dict(zip(DRAWN, changed, strict=True))
    masks = {name: from_influence(influence[name]) for name in DRAWN}
    save(masks)
    draw(arguments.out / "regions.png", influence, masks, light)
    for name in DRAWN:
        print(
            f"{name:22} {100 * masks[name].mean():5.1f} % of the image contains {100 * FRACTION:.0f} % of the influence"
        )


def draw(path: Path, influence: dict[str, Floats], masks: dict[str, NDArray[np.bool_]], face: Floats) -> None:
    """Draw the figure with the published cells, moved from their 224-pixel face crop to the aligned image."""
    from region_figure import face_regions

    from bincam.data.regions.regions import Regions

    published = Regions.published()
    cells = {}
    for name in DRAWN:
        if name in published:
            crop = published.mask(name, (224, 224))
            assert crop is not None  # published cells are the same for every image
            cells[name] = np.zeros((SIZE[1], SIZE[0]), dtype=bool)
            cells[name][10:] = crop[: SIZE[1] - 10, 24 : 24 + SIZE[0]]
    path.parent.mkdir(parents=True, exist_ok=True)
    face_regions(DRAWN, influence, masks, cells, face).savefig(path, dpi=110)


if __name__ == "__main__":
    main()
