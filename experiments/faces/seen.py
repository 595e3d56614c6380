"""Measure the fraction of faces drawn with an attribute in which it can be seen: the sampler's ``seen.csv``.

The sampler draws correspondingly more labels, so that the visible ones have the requested prevalence. Run this again
after every change of the renderer, from the repository: ``PYTHONPATH=. python experiments/faces/seen.py``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import bincam.faces
from bincam.data import celeba
from bincam.faces.labels.constraints import labels_from_drawn
from bincam.faces.labels.spec import ATTRIBUTES
from bincam.files import atomic

OUT = Path(bincam.faces.__file__).parent / "labels" / "assets" / "seen.csv"


def main() -> None:
    """Make a set at CelebA's prevalences, count visible labels and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bincam.faces.make(folder, arguments.count, seed=77, images_per_person=1, workers=arguments.workers)
        table = celeba(folder)
        drawn = labels_from_drawn(np.array([face.labels for face in bincam.faces.specs(folder).values()]))
        visible = table.labels == 1
    labelled = drawn.sum(axis=0)
    seen = (drawn & visible).sum(axis=0)
    share = (seen + 2) / (labelled + 2)  # a prior of two seen faces, because rare attributes have few
    with atomic(OUT) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("attribute,seen\n")
        lines.writelines(f"{name},{value:.3f}\n" for name, value in zip(ATTRIBUTES, share, strict=True))
    for column in np.argsort(share):
        print(f"{ATTRIBUTES[column]:22}{labelled[column]:6} drawn {seen[column]:6} seen {share[column]:.3f}")


if __name__ == "__main__":
    main()
