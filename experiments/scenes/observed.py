"""What a trained classifier says of scenes: logits, cells and maps, beside the cells that each object covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bincam import Explainer, scenes
from bincam.cam.prediction_grid.grid import PredictionGrid, joined_grids
from bincam.metrics import Foreground, foreground
from bincam.models import AttributeClassifier
from bincam.resample import project
from bincam.stats import Clusters
from bincam.stats.clustered.means import group_means
from experiments.scenes.training import normalised

BATCH = 100


@dataclass(frozen=True)
class Observed:
    """A classifier's answers for N scenes.

    Attributes:
        drawn: The scenes.
        grid: Of the ten shapes.
        evidence: S, ``(N, 10, h, w)``, of the side *yes*: gradient times feature in every cell (HiResCAM). With mean
            and maximum pooling its sum and the bias are the logit; Grad-CAM, which averages the gradient over the
            cells first, is for maximum pooling the map of the *cells* instead.
        masks: Uᵀ1_M of every shape, ``(N, 10, h, w)``; zeros where it is not in the scene.
        total: Uᵀ1, ``(h, w)``.
        kind: Claim of the maps, as ``Explanation.kind``.
    """

    drawn: scenes.Scenes
    grid: PredictionGrid
    evidence: Tensor
    masks: Tensor
    total: Tensor
    kind: str

    @property
    def labels(self) -> Tensor:
        """``(N, 10)``: 1 for the shapes in the scene, 0 for others."""
        return torch.from_numpy(self.drawn.present.astype(np.float32))

    @property
    def foreground(self) -> Foreground:
        """The cells of every object."""
        return foreground(self.masks.float(), self.total)


def observe(model: AttributeClassifier, drawn: scenes.Scenes) -> Observed:
    """Explain all ten outputs for scenes."""
    explainer = Explainer(model, method="hirescam", cells=True)
    grids, maps, masks = [], [], []
    kind = ""
    for at in range(0, len(drawn), BATCH):
        found = explainer(normalised(drawn.images[at : at + BATCH], model), "positive")
        grids.append(found.grid())
        maps.append(found.maps)
        parts = drawn.parts[at : at + BATCH, None] == np.arange(1, len(scenes.SHAPES) + 1)[:, None, None]
        masks.append(torch.from_numpy(project(parts, grids[0].shape)).float())
        kind = found.kind
    total = torch.from_numpy(project(np.ones(drawn.parts.shape[1:]), grids[0].shape)).float()
    return Observed(drawn, joined_grids(grids), torch.cat(maps), torch.cat(masks), total, kind)


def mean_over_pairs(values: ArrayLike, bounds: tuple[float, float] = (0.0, 1.0)) -> Mapping[str, Any]:
    """Estimate the mean over images and shapes; the interval takes the shapes of an image as a cluster.

    Args:
        values: ``(N,)`` or ``(N, A)``, NaN where undefined.
        bounds: Of the values.

    Returns:
        The estimate for JSON, with the numbers of ``images`` and of ``pairs`` that have a value; ``value`` is None
        without one.
    """
    x = np.asarray(values, np.float64)
    x = x.reshape(len(x), -1)
    images, pairs = int(np.isfinite(x).any(1).sum()), int(np.isfinite(x).sum())
    counts = {"images": images, "pairs": pairs}
    if not pairs:
        return {"value": None, "low": None, "high": None, "status": "undefined", **counts}
    clusters = Clusters.of([str(row) for row in range(len(x)) for _ in range(x.shape[1])])
    flat = x.reshape(-1, 1)
    found = group_means(flat, np.zeros(len(flat), int), np.ones((1, 1)), clusters, bounds).estimate(0, 0).to_json()
    return {**{name: found[name] for name in ("value", "low", "high", "status")}, **counts}
