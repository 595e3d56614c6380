"""Measure in what share of the faces drawn with an attribute it can be seen: the sampler's ``assets/seen.csv``.

The sampler draws so many more labels that those that are seen have the wanted prevalence. Run this again when the
renderer has changed, from the repository: ``PYTHONPATH=. python experiments/faces/seen.py``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import bincam.faces
from bincam.data import celeba
from bincam.faces.labels.constraints import told
from bincam.faces.labels.spec import ATTRIBUTES
from bincam.files import atomic

OUT = Path(bincam.faces.__file__).parent / "assets" / "seen.csv"


def main() -> None:
    """Make a set at CelebA's prevalences and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bincam.faces.make(folder, arguments.count, seed=77, images_per_person=1, workers=arguments.workers)
        table = celeba(folder)
        drawn = told(np.array([face.labels for face in bincam.faces.specs(folder).values()]))
        seen = table.labels == 1
    asked = drawn.sum(axis=0)
    kept = (drawn & seen).sum(axis=0)
    share = (kept + 2) / (asked + 2)  # a prior of two seen: rare attributes have few faces
    with atomic(OUT) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("attribute,seen\n")
        lines.writelines(f"{name},{value:.3f}\n" for name, value in zip(ATTRIBUTES, share, strict=True))
    for at in np.argsort(share):
        print(f"{ATTRIBUTES[at]:22}{asked[at]:6} drawn {kept[at]:6} seen {share[at]:.3f}")


if __name__ == "__main__":
    main()
