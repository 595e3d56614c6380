"""The columns of prediction grids, per image and attribute: measures of one image, and nulls from others.

Measures are of images with the attribute and a mask, NaN elsewhere. ``image_columns`` needs one batch; ``null_columns``
needs other images too, so it is for as many images as are kept together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bincam.cam.prediction_grid.grid import PredictionGrid
from bincam.metrics.localization.cells.foreground import Foreground
from bincam.metrics.localization.cells.partners import absent_outputs, donors, partners
from bincam.metrics.localization.cells.placements import independent_chance, recovery_chance
from bincam.metrics.localization.cells.ranking import cell_auroc
from bincam.metrics.localization.cells.sides import cell_shares, recovery

Columns = dict[str, Tensor]
OF_IMAGE = (
    *("auroc", "inside", "outside", "contrast", "recovery", "chance", "independent_chance"),
    *("foreground", "fallback", "gap"),
)
"""Columns of ``image_columns``."""
NULLS = ("null_auroc", "false_alarm", "absent_alarm")
"""Columns of ``null_columns``."""


def image_columns(grid: PredictionGrid, masks: Foreground, labels: Tensor) -> Columns:
    """Measure the cells of each image with its own mask.

    Args:
        grid: Of B images.
        masks: The foreground of these images, or of masks that all share.
        labels: ``(B, A)``: 1, 0 or NaN.

    Returns:
        ``(B, A)`` by the names of ``OF_IMAGE``. ``foreground`` is the share k/n of the cells, against which errors are
        plotted (dilution); ``gap`` is z less the mean of the cells, of every image.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import foreground, image_columns
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> grid = Explainer(model, names=["Smiling"])(torch.rand(2, 3, 4, 4)).grid()
        >>> masks = foreground(torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 4)[None], torch.ones(4, 4))
        >>> columns = image_columns(grid, masks, torch.tensor([[1.0], [0.0]]))
        >>> columns["foreground"].tolist(), columns["auroc"].isnan().tolist()
        ([[0.5], [nan]], [[False], [True]])
    """
    has = (labels.to(grid.scores.device) == 1) & masks.defined.to(grid.scores.device)
    scores = torch.where(has[..., None, None], grid.scores, torch.nan)
    yes = torch.where(has[..., None, None], grid.yes, torch.nan)
    shares = cell_shares(yes, masks)
    nan = torch.full_like(grid.logits, torch.nan)
    return {
        "auroc": cell_auroc(scores, masks),
        "inside": shares.inside,
        "outside": shares.outside,
        "contrast": shares.contrast,
        "recovery": recovery(yes, masks),
        "chance": recovery_chance(yes, masks),
        "independent_chance": independent_chance(yes, masks),
        "foreground": torch.where(has, masks.share.to(nan), nan),
        "fallback": torch.where(has, masks.fallback.to(nan), nan),
        "gap": grid.gap,
    }


def null_columns(
    grid: PredictionGrid,
    masks: Foreground,
    labels: Tensor,
    people: Sequence[str] | None = None,
    *,
    own_region: bool | Sequence[bool],
    present: dict[str, Tensor] | None = None,
    seed: int = 0,
) -> Columns:
    """Measure what other images, labels and masks give in place of an image's own.

    Args:
        grid: Of N images.
        masks: The foreground of these images, or of masks that all share.
        labels: ``(N, A)``: 1, 0 or NaN.
        people: N names, empty where unknown; None if none is known.
        own_region: Whether images without an attribute have a region of it too, of all attributes or of each; otherwise
            the mask of a positive image of another person is used.
        present: Name of a set to ``(N, K)`` booleans: outputs that are in the image although they are not its label.
        seed: Of the choices.

    Returns:
        ``(N, A)`` by the names of ``NULLS``. ``null_auroc``: cell AUROC of the image's mask with the scores of another
        image with the attribute. ``false_alarm``: recovery of yes-or-no attributes on images without them; of outputs
        in sets, whether some foreground cell names the wrong output with the highest mean raw score. ``absent_alarm``:
        of outputs in sets, the same of one drawn from those that are not in the image. Choices are the same for the
        same images in the same order.

    Example:
        Cells whose score is the same in every image, whatever it shows: a template.

        >>> import torch
        >>> from bincam.cam import PredictionGrid
        >>> from bincam.metrics import foreground, image_columns, null_columns
        >>> scores = torch.tensor([[1.0, 2.0], [-3.0, -4.0]]).expand(4, 1, 2, 2)
        >>> grid = PredictionGrid(("Hat",), "frozen", scores, scores.mean((2, 3)), torch.zeros(1))
        >>> top, labels = foreground(torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]), torch.ones(2, 2)), torch.ones(4, 1)
        >>> own, null = image_columns(grid, top, labels), null_columns(grid, top, labels, own_region=True)
        >>> own["auroc"].mean().item(), null["null_auroc"].mean().item()
        (1.0, 1.0)
    """
    device = grid.scores.device
    truth = labels.to(device)
    own = masks.expanded(grid.scores)
    known = truth.numpy(force=True)
    has = (truth == 1) & own.defined
    other = torch.from_numpy(partners(np.where(known == 1, 1.0, np.nan), people, seed=seed)).to(device)
    column = torch.arange(truth.shape[1], device=device).expand(truth.shape)
    of_another = torch.where((has & (other >= 0))[..., None, None], grid.scores[other.clamp(min=0), column], torch.nan)
    yes = grid.yes
    alarm = _false_alarm(yes, own, truth, people, own_region=own_region, seed=seed)
    absent = torch.full_like(alarm, torch.nan)
    if grid.places is not None:
        for owner in grid.members:
            columns = [place for place, name in enumerate(grid.sets) if name == owner]
            part = own[:, columns]
            wanted = has[:, columns]
            asked = (present or {}).get(owner)
            best, drawn = _wrong_outputs(grid, owner, columns, known[:, columns], asked, seed)
            alarm[:, columns] = _names(grid.winners(owner), best, wanted, part)
            absent[:, columns] = _names(grid.winners(owner), drawn, wanted, part)
    return {"null_auroc": cell_auroc(of_another, own), "false_alarm": alarm, "absent_alarm": absent}


def _false_alarm(
    yes: Tensor,
    own: Foreground,
    truth: Tensor,
    people: Sequence[str] | None,
    *,
    own_region: bool | Sequence[bool],
    seed: int,
) -> Tensor:
    """Recovery on images without the attribute, ``(N, A)``."""
    without = truth == 0
    in_own = torch.tensor(own_region, device=truth.device).expand(truth.shape[1:])
    of_own = recovery(torch.where((without & in_own)[..., None, None], yes, torch.nan), own)
    if bool(in_own.all()):
        return of_own
    known, masked = truth.numpy(force=True), own.defined.numpy(force=True)
    lent = torch.from_numpy(donors(known, masked, people, seed=seed)).to(truth.device)
    column = torch.arange(truth.shape[1], device=truth.device).expand(truth.shape)
    at = lent.clamp(min=0), column
    of_lent = recovery(torch.where((without & (lent >= 0))[..., None, None], yes, torch.nan), own[at])
    return torch.where(in_own, of_own, of_lent)


def _wrong_outputs(
    grid: PredictionGrid, owner: str, columns: list[int], labels: np.ndarray, present: Tensor | None, seed: int
) -> tuple[Tensor, Tensor]:
    """Of each image, the wrong output with the highest mean raw score, and one drawn from those that are absent."""
    assert grid.places is not None
    members = grid.members[owner]
    count = members.shape[1]
    places = grid.places[:, columns].numpy(force=True)
    true = np.full(len(labels), -1)
    rows, at = np.nonzero(labels == 1)
    true[rows] = places[rows, at]
    among = torch.from_numpy(true).to(members.device)
    right = torch.nn.functional.one_hot(among.clamp(min=0), count).bool()
    best = members.mean((-2, -1)).masked_fill(right, -torch.inf).argmax(1)
    drawn = absent_outputs(true, count, present=None if present is None else present.numpy(force=True), seed=seed)
    return torch.where(among >= 0, best, -1), torch.from_numpy(drawn).to(members.device)


def _names(winners: Tensor, output: Tensor, wanted: Tensor, masks: Foreground) -> Tensor:
    """Whether some foreground cell names an output of each image, ``(N, k)``."""
    said = (winners == output[:, None, None]).to(masks.share)
    said = torch.where(((winners < 0) | (output < 0)[:, None, None]), torch.nan, said)
    every = said[:, None].expand(-1, wanted.shape[1], -1, -1)
    return recovery(torch.where(wanted[..., None, None], every, torch.nan), masks)
