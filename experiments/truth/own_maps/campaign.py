"""The jobs: each world and seed of its network, by method and layer; every job measures all references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bincam.cam import METHODS
from bincam.references import MAP_REFERENCES

WORLDS = ("faces", "scenes")
SEEDS = (0, 1)
CHOSEN_ON = ("faces", 0)
"""The world and seed on which the best reference is chosen; the others judge it."""

FINER: Mapping[str, str] = {"faces": "network.backbone.layer1", "scenes": "network.backbone.layers.8"}
"""A layer of twice as many cells along either axis."""

DEFAULT = ("grad_cam", "pooled")
"""The page's default."""

METHODS_AND_LAYERS = (
    DEFAULT,
    ("grad_cam", "pre_activation"),
    ("layer_cam", "pooled"),
    ("hirescam", "finer"),
)
"""HiResCAM equals Grad-CAM at the pooled tensor, and at the layer before."""


@dataclass(frozen=True)
class Job:
    """The maps of one method at one layer of a trained network.

    Attributes:
        world: A key of ``WORLDS``.
        seed: Of the network.
        method: Of the maps.
        layer: ``pooled``, ``pre_activation`` or ``finer``.
        images: Images that are judged.
        fitted: Images of the reference split.
        followed: Images of which pixels are removed, two attributes each; counted from zero alone but for the default
            method.
    """

    world: str
    seed: int
    method: str
    layer: str
    images: int = 200
    fitted: int = 200
    followed: int = 20

    @property
    def name(self) -> str:
        """Name of the job's file."""
        return f"{self.world}-seed{self.seed}-{self.method}-{self.layer}"

    @property
    def references(self) -> tuple[str, ...]:
        """The references that its maps are counted from."""
        return MAP_REFERENCES if METHODS[self.method].signed else ("zero",)

    def module(self) -> str | None:
        """The layer as the explainer takes it."""
        return {"pooled": None, "finer": FINER[self.world]}.get(self.layer, self.layer)

    def settings(self) -> dict[str, Any]:
        """Return everything that determines the figures but the network."""
        return asdict(self)


def jobs() -> list[Job]:
    """List all jobs, most informative first."""
    return [
        Job(world, seed, method, layer) for method, layer in METHODS_AND_LAYERS for seed in SEEDS for world in WORLDS
    ]
