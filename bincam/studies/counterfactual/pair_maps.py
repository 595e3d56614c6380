"""Maps of both images of pairs, by CAM methods and by references that only ask the model again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics.perturbation.occlusion import occlusion
from bincam.metrics.perturbation.rise import rise
from bincam.models import AttributeClassifier
from bincam.studies.counterfactual.loaded_pairs import LoadedPairs
from bincam.units import unit

OCCLUSION, RISE, BRIGHTNESS = "occlusion", "rise", "brightness"
REFERENCES = (OCCLUSION, RISE)
"""Maps that read neither features nor gradients."""

WITHOUT_GRID = (*REFERENCES, BRIGHTNESS)
"""Kinds of maps that are drawn on the grid of a method. ``brightness`` is a control that does not ask the model."""


@dataclass(frozen=True)
class PairMaps:
    """Maps of N pairs, each of its own attribute, for the positive class.

    Attributes:
        before: ``(N, h, w)``, of the originals.
        after: ``(N, h, w)``, of the edited images.
        complete: Whether maps and a constant add up to the logit.
    """

    before: NDArray[np.floating]
    after: NDArray[np.floating]
    complete: bool


@dataclass
class MapSource:
    """One kind of map of a model; explainers are made once, because each looks at the model's structure.

    Attributes:
        model: The model.
        spec: ``METHOD``, ``METHOD@LAYER``, ``occlusion``, ``rise`` or ``brightness``.
        grid: ``(h, w)``, of references and the control; None of methods, which have their own.
        masks: Number of masks of RISE.
        seed: Of these masks.
        batch_size: Images per forward pass.
    """

    model: AttributeClassifier
    spec: str
    grid: tuple[int, int] | None = None
    masks: int = 500
    seed: int = 0
    batch_size: int = 32
    _explainers: dict[str, Explainer] = field(init=False, default_factory=dict, repr=False)

    @property
    def passes(self) -> int:
        """Forward passes per image; of methods one, and gradients where they need them."""
        if self.spec == OCCLUSION:
            assert self.grid is not None
            return self.grid[0] * self.grid[1] + 1
        return {RISE: self.masks, BRIGHTNESS: 0}.get(self.spec, 1)

    def of(self, pairs: LoadedPairs, attributes: Sequence[str]) -> PairMaps:
        """Compute the maps of pairs.

        Args:
            pairs: N pairs.
            attributes: N names: the edited attribute of each.

        Raises:
            InputError: The method or layer is unknown.
            UnsupportedError: The method cannot answer for the positive class of one attribute of this model.
        """
        if self.spec == BRIGHTNESS:
            dark = _brightness(pairs.originals, self.grid), _brightness(pairs.edited, self.grid)
            return PairMaps(dark[0][pairs.original].numpy(), dark[1].numpy(), complete=False)
        if self.spec in REFERENCES:
            columns = torch.tensor([self.model.card.attributes.index(name) for name in attributes])
            before = self._referred(pairs.originals)[pairs.original, columns]
            after = self._referred(pairs.edited)[torch.arange(len(columns)), columns]
            return PairMaps(before.numpy(), after.numpy(), complete=False)
        maps: dict[int, tuple[Tensor, Tensor]] = {}
        complete = True
        for name in dict.fromkeys(attributes):
            rows = [row for row, other in enumerate(attributes) if other == name]
            both = torch.cat([pairs.originals[pairs.original[rows]], pairs.edited[rows]])
            explanation = self.explainer(name)(both, side="positive")
            of_name = explanation.maps[:, 0].float().cpu()
            maps |= {row: (of_name[at], of_name[at + len(rows)]) for at, row in enumerate(rows)}
            complete &= explanation.complete
        before, after = (torch.stack([maps[row][end] for row in range(len(attributes))]) for end in (0, 1))
        return PairMaps(before.numpy(), after.numpy(), complete)

    def logits(self, images: Tensor) -> Tensor:
        """Compute all outputs' logits, ``(B, all outputs)``, float64."""
        return self.explainer("").logits(images).double().cpu()

    def explainer(self, attribute: str) -> Explainer:
        """Return the explainer of one attribute; of all without a name."""
        if attribute not in self._explainers:
            method, _, layer = ("grad_cam" if self.spec in WITHOUT_GRID else self.spec).partition("@")
            self._explainers[attribute] = Explainer(
                self.model,
                [attribute] if attribute else None,
                method=method,
                layer=layer or None,
                batch_size=self.batch_size,
            )
        return self._explainers[attribute]

    def _referred(self, images: Tensor) -> Tensor:
        assert self.grid is not None
        explainer = self.explainer("")
        parts = []
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            if self.spec == OCCLUSION:
                parts.append(occlusion(explainer, batch, self.grid))
            else:
                parts.append(rise(explainer, batch, self.grid, masks=self.masks, seed=self.seed))
        return torch.cat(parts).cpu()


def _brightness(images: Tensor, grid: tuple[int, int] | None) -> Tensor:
    """Average normalised pixels over channels and cells, ``(B, h, w)``: a map that has seen no model."""
    assert grid is not None
    return torch.nn.functional.adaptive_avg_pool2d(images.mean(1), grid)


def in_logits(spec: str, *, complete: bool) -> bool:
    """Decide whether the sum of a map's change is in logit units, and can be compared with the logit's.

    Args:
        spec: The kind of map.
        complete: Whether its maps and a constant add up to the logit.

    >>> [in_logits(spec, complete=False) for spec in ("layer_cam@layer4", "grad_cam_pp", "occlusion", "rise")]
    [True, False, True, False]
    """
    return spec == OCCLUSION if spec in WITHOUT_GRID else unit(spec, complete=complete) == "logit"


def check_specs(specs: Sequence[str]) -> tuple[str, ...]:
    """Check names of kinds of maps, as far as this takes no model.

    Raises:
        InputError: None is named, one is named twice, or there are only references, whose grid a method sets.

    >>> check_specs(["grad_cam", "occlusion"])
    ('grad_cam', 'occlusion')
    """
    for spec in specs:
        if list(specs).count(spec) > 1:
            raise InputError(f"method {spec!r} is named twice")
    if all(spec in WITHOUT_GRID for spec in specs):
        raise InputError(
            f"methods {', '.join(specs) or 'none'}: name a CAM method as well, such as grad_cam; "
            f"{', '.join(WITHOUT_GRID)} are drawn on the grid of the first one"
        )
    return tuple(specs)
