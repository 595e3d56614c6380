"""What is decided of the prediction grid before the first image is read: reading, shape, masks and poolings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.audit.folder.manifest import AuditedCells
from bincam.audit.pipeline.projected_masks import Grid, may_show
from bincam.cam import Explainer
from bincam.cam.prediction_grid.cells import readings, refuse_no_grid
from bincam.cam.prediction_grid.grid import Reading
from bincam.data import Regions
from bincam.errors import InputError
from bincam.models.anatomy import Anatomy
from bincam.postprocessing.cell_pooling import POOLED
from bincam.stats.formatting import listed

OBJECT, REGION = "object", "region"


@dataclass(frozen=True)
class CellPlan:
    """The prediction grid of an audit.

    Attributes:
        reading: ``frozen`` where the head permits it, else ``pointwise``.
        shape: ``(h, w)``.
        masks: ``object`` where the data has object masks of an attribute, else ``region`` where there is one, else
            None; by measured row.
        rows: Names of the rows of which the grid is measured.
        shown: Names of the rows of which images without the attribute have a region too.
    """

    reading: Reading
    shape: Grid
    masks: Mapping[str, str | None]
    rows: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def poolings(self) -> tuple[str, ...]:
        """Poolings of the cells that are kept: none in the pointwise reading, whose mean is not the model's answer."""
        return POOLED if self.reading == "frozen" else ()

    @property
    def own_region(self) -> tuple[bool, ...]:
        """Whether images without the attribute have a region too, by measured row."""
        return tuple(name in self.shown for name in self.rows)

    def facts(self, *, midpoint: bool) -> AuditedCells:
        """Return what the manifest states."""
        return AuditedCells(
            reading=self.reading,
            shape=self.shape,
            rows=list(self.rows),
            masks=dict(self.masks),
            own_region=list(self.shown),
            poolings=list(self.poolings),
            midpoint=midpoint and self.reading == "frozen",
        )

    def weights(self, weights_of: Callable[[str], Tensor | None]) -> Tensor:
        """Choose the weights of each measured row's own mask.

        Args:
            weights_of: ``object`` or ``region`` to weights ``(B, A, h, w)`` or ``(A, h, w)``; None where there is none.

        Returns:
            The same shape; NaN for rows without a mask.
        """
        chosen = {kind: weights_of(kind) for kind in (OBJECT, REGION) if kind in self.masks.values()}
        given = [weights for weights in chosen.values() if weights is not None]
        if not given:
            return torch.full((len(self.rows), *self.shape), torch.nan)
        lead = torch.broadcast_shapes(*(weights[..., : len(self.rows), :, :].shape for weights in given))
        result = torch.full(lead, torch.nan)
        for kind, weights in chosen.items():
            own = [place for place, name in enumerate(self.rows) if self.masks[name] == kind]
            if weights is not None and own:
                result[..., own, :, :] = weights[..., own, :, :].to(result)
        return result


def needs_cells(anatomy: Anatomy, *, sets: bool) -> bool:
    """Decide if an explainer has to apply the head to every cell: without a decomposition, and for raw scores of sets.

    Args:
        anatomy: Of the model.
        sets: Whether outputs of sets are explained.

    Raises:
        UnsupportedError: The model has no prediction grid.
    """
    refuse_no_grid(anatomy)
    return sets or readings(anatomy)[0] == "pointwise"


def refuse_large_alone(rows: Sequence[str], large: Sequence[str], most: int) -> None:
    """Refuse an audit of large sets alone, of which no prediction grid is measured.

    Args:
        rows: Outputs with a row of their own.
        large: Names of the large sets.
        most: Number of outputs above which a set is large.

    Raises:
        InputError: There are no such outputs.

    >>> refuse_large_alone([], ["class"], 20)
    Traceback (most recent call last):
    bincam.errors.InputError: grid: nothing to measure, because set 'class' has more than 20 outputs, whose records are of the predicted and the true output alone; raise --one-of-rows (one_of_rows), or leave out --grid
    """  # noqa: E501
    if rows:
        return
    which = f"set {large[0]!r} has" if len(large) == 1 else f"sets {listed(list(map(repr, large)))} have"
    raise InputError(
        f"grid: nothing to measure, because {which} more than {most} outputs, whose records are of the predicted and "
        "the true output alone; raise --one-of-rows (one_of_rows), or leave out --grid"
    )


def plan_cells(
    explainer: Explainer,
    rows: Sequence[str],
    large: Sequence[str],
    regions: Regions | None,
    sources: Mapping[str, Regions],
    notes: list[str],
) -> CellPlan:
    """Decide what is measured of the prediction grid.

    Args:
        explainer: Of the outputs with a row of their own.
        rows: These outputs.
        large: Rows of large sets, of which no grid is measured.
        regions: The chosen regions, or None.
        sources: Masks that differ from image to image.
        notes: Notes for the user, which are added to.

    Raises:
        UnsupportedError: The model has no prediction grid.
    """
    card = explainer.card
    assert card is not None
    anatomy = explainer.anatomy(card.input_size)
    refuse_no_grid(anatomy)
    assert anatomy.pooled is not None
    masks: dict[str, str | None] = dict.fromkeys(rows)
    for name in rows:
        if OBJECT in sources and may_show(sources[OBJECT], name):
            masks[name] = OBJECT
        elif regions is not None and name in regions:
            masks[name] = REGION
    everywhere = regions is not None and not regions.per_image
    without = [name for name in rows if masks[name] is None]
    if without:
        some = listed(without[:5]) + ("" if len(without) <= 5 else f" and {len(without) - 5} others")
        notes.append(f"no mask of an object and no region, so cells are not told apart: {some}")
    if large:
        notes.append(f"no prediction grid of the rows of large sets: {listed(list(large))}")
    return CellPlan(
        reading=readings(anatomy)[0],
        shape=anatomy.pooled.layout.grid,
        masks=masks,
        rows=tuple(rows),
        shown=tuple(name for name in rows if masks[name] == REGION and everywhere),
    )
