"""Changes of maps between the two images of pairs, against the known change of the logit and its known place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bincam.errors import InputError
from bincam.metrics.localization.cells.foreground import foreground
from bincam.metrics.localization.cells.ranking import cell_auroc
from bincam.metrics.localization.energy import region_measures

LEAST = 0.1
"""Logit units by which a pair's logit has to change to be judged: 2.5 points of a probability of one half."""


@dataclass(frozen=True)
class MapChanges:
    """What N pairs of images show of one kind of map; all fields are ``(N,)``, NaN where undefined.

    With Δz the change of the logit from the original to the edited image, ΔS that of the map, s the sign of Δz and w_i
    the share of cell i in the mask of the pixels that were edited:

    Attributes:
        change: Δz.
        inside: Σ w ΔS, in the unit of the maps: over pairs, a map that is about the logit ranks them as Δz does.
        held: s ΣΔS, in logit units; divided by |Δz|, the share of the change that the map's change holds. NaN for
            maps in another unit.
        held_inside: s Σ w ΔS, the part of ``held`` that is where the image was edited; NaN as ``held``.
        toward: Share of (sΔS)⁺, the change of the map that points to where the logit went, inside the mask.
        absolute: Share of |ΔS| inside the mask.
        auroc: P(|ΔS_in| > |ΔS_out|) over the cells of the mask's foreground and the others.
        area: The mask's share of the image: what ``toward`` and ``absolute`` are of an even map.
        reach: The largest share of a cell in the mask: what no map of this grid exceeds in ``toward`` and ``absolute``.
        other: Index of another pair that is judged too, of another person, and of another attribute if the pairs are of
            several: in aligned faces an attribute is at the same place in all. -1 without one.
        other_held_inside: s' Σ w ΔS' of that pair's map with this pair's mask.
        other_change: Its |Δz'|.
        other_toward: As ``toward``, of that pair's map with this pair's mask.
        other_absolute: Likewise.
        other_auroc: Likewise.
        judged: True where |Δz| is at least ``least`` and map and logits are finite; all measures are of these pairs.
        still: True where |Δz| is below ``least``: such pairs are counted, and left out.
        placed: True where the mask has a foreground, see ``bincam.metrics.foreground``; False without a mask, and for
            one that is empty or covers everything, where measures of a place are NaN.

    Example:
        >>> import torch
        >>> from bincam.metrics import map_changes
        >>> before, after = torch.zeros(1, 2, 2), torch.tensor([[[3.0, 1.0], [0.0, 0.0]]])
        >>> mask = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])  # the first cell was edited
        >>> changes = map_changes(before, after, torch.zeros(1), torch.tensor([4.0]), mask, torch.ones(2, 2))
        >>> changes.held.item(), changes.held_inside.item(), changes.toward.item(), changes.auroc.item()
        (4.0, 3.0, 0.75, 1.0)
    """

    change: Tensor
    inside: Tensor
    held: Tensor
    held_inside: Tensor
    toward: Tensor
    absolute: Tensor
    auroc: Tensor
    area: Tensor
    reach: Tensor
    other: Tensor
    other_held_inside: Tensor
    other_change: Tensor
    other_toward: Tensor
    other_absolute: Tensor
    other_auroc: Tensor
    judged: Tensor
    still: Tensor
    placed: Tensor


def map_changes(
    before: Tensor,
    after: Tensor,
    logits_before: Tensor,
    logits_after: Tensor,
    weights: Tensor,
    total: Tensor,
    *,
    in_logits: bool = True,
    attributes: Sequence[str] | None = None,
    people: Sequence[str] | None = None,
    least: float = LEAST,
    seed: int = 0,
) -> MapChanges:
    """Compare the change of maps with the change of the logit, and with the place that was edited.

    Two images that differ in one place and nothing else have the only truth about evidence that needs no definition of
    it: whatever the logit changed by, it changed because of that place. A null takes the map's change of another pair
    with the same mask: what the place gets whatever is edited, because maps are strongest where faces are. *Ours*.

    Args:
        before: ``(N, h, w)``, S of the original images, for the *positive* class whatever was predicted.
        after: ``(N, h, w)``, of the edited images.
        logits_before: ``(N,)``, z.
        logits_after: ``(N,)``.
        weights: Uᵀ1_M of the pixels that were edited, ``(N, h, w)``, see ``bincam.resample.project``; NaN without a
            mask.
        total: Uᵀ1, ``(h, w)``.
        in_logits: Whether the maps are in logit units; if not, ``held`` and ``held_inside`` are NaN.
        attributes: N names: of which attribute each pair and its maps are; None if all are of the same.
        people: N names, empty where unknown: nulls are of another person.
        least: Smallest |Δz| of a pair that is judged, in logit units. Below it a pair says nothing about maps.
        seed: Of the choice of other pairs.

    Returns:
        The changes, float64.

    Raises:
        InputError: Shapes differ, or ``least`` is not above 0.

    Example:
        Two people, an edit of the left half, and maps that change there alone and by half of what the logit does:

        >>> import torch
        >>> from bincam.metrics import map_changes
        >>> left, total = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.ones(2, 2)
        >>> before = torch.zeros(2, 2, 2)
        >>> z = torch.tensor([4.0, -2.0])
        >>> after = z[:, None, None] * left / 4
        >>> changes = map_changes(before, after, torch.zeros(2), z, left.expand(2, 2, 2), total, people=["ann", "bob"])
        >>> (changes.held / z.abs()).tolist(), changes.toward.tolist(), changes.other.tolist()
        ([0.5, 0.5], [1.0, 1.0], [1, 0])
    """
    _check(before, after, logits_before, logits_after, weights, total)
    if not (np.isfinite(least) and least > 0):
        raise InputError(f"least={least:g}; a change that is judged is larger than 0 logit units")
    maps = after.double() - before.double()
    z = (logits_after.double() - logits_before.double()).to(maps.device)
    finite = maps.flatten(1).isfinite().all(1) & z.isfinite()
    still = finite & (z.abs() < least)
    judged = finite & ~still
    signed = torch.where(judged[:, None, None], maps * z.sign()[:, None, None], torch.nan)  # sΔS
    w, t = weights.to(signed), total.to(signed)
    masks = foreground(w[:, None], t)
    placed = masks.defined[:, 0]
    share = torch.where(placed[:, None, None], w / t, torch.nan)  # of each cell in the mask

    def of_maps(change: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        size = change.abs()
        inside = (change * share).sum((1, 2))
        where = [region_measures(each[:, None], w[:, None], t).energy[:, 0] for each in (change, size)]
        return inside, where[0], where[1], cell_auroc(size[:, None], masks)[:, 0]

    def defined(value: Tensor, where: Tensor) -> Tensor:
        return torch.where(where, value, torch.nan)

    other = _others(judged, attributes, people, seed).to(maps.device)
    lent = torch.where((other >= 0)[:, None, None], signed[other.clamp(min=0)], torch.nan)
    lent_change = z[other.clamp(min=0)].abs()
    both = placed & judged & (other >= 0)
    own, others = of_maps(signed), of_maps(lent)
    unit = torch.full_like(z, 1.0 if in_logits else torch.nan)
    here = placed & judged
    return MapChanges(
        change=z,
        inside=own[0] * z.sign(),
        held=signed.sum((1, 2)) * unit,
        held_inside=own[0] * unit,
        toward=defined(own[1], here),
        absolute=defined(own[2], here),
        auroc=own[3],
        area=defined(w.sum((1, 2)) / t.sum(), here),
        reach=defined(share.nan_to_num().flatten(1).amax(1), here),
        other=other,
        other_held_inside=defined(others[0], both) * unit,
        other_change=defined(lent_change, both),
        other_toward=defined(others[1], both),
        other_absolute=defined(others[2], both),
        other_auroc=defined(others[3], both),
        judged=judged,
        still=still,
        placed=placed,
    )


def _others(judged: Tensor, attributes: Sequence[str] | None, people: Sequence[str] | None, seed: int) -> Tensor:
    """Choose another judged pair for each, ``(N,)``; -1 without one."""
    count = len(judged)
    names = [""] * count if attributes is None else list(attributes)
    owners = [""] * count if people is None else list(people)
    if len(names) != count or len(owners) != count:
        raise InputError(f"expected {count} names of attributes and of people, one for each pair")
    attribute = np.unique(names, return_inverse=True)[1]
    person = np.unique([owner or f"\0{row}" for row, owner in enumerate(owners)], return_inverse=True)[1]
    pool = np.random.default_rng(seed).permutation(np.flatnonzero(judged.numpy(force=True)))
    several = len(set(attribute[pool])) > 1
    result = np.full(count, -1)
    for place, row in enumerate(pool):
        rest = np.roll(pool, -place - 1)[:-1]  # in the order of the pool, from the next one on
        suits = person[rest] != person[row]
        if several:
            suits &= attribute[rest] != attribute[row]
        if suits.any():
            result[row] = rest[suits.argmax()]
    return torch.from_numpy(result)


def _check(*arguments: Tensor) -> None:
    before, after, logits_before, logits_after, weights, total = arguments
    n, grid = len(before), before.shape[1:]
    if before.ndim != 3 or 0 in before.shape:
        raise InputError(f"maps of pairs are (N, h, w), got {tuple(before.shape)}")
    for name, given, expected in (
        ("maps of the edited images", after, (n, *grid)),
        ("logits of the originals", logits_before, (n,)),
        ("logits of the edited images", logits_after, (n,)),
        ("weights of the masks", weights, (n, *grid)),
        ("Uᵀ1", total, tuple(grid)),
    ):
        if tuple(given.shape) != tuple(expected):
            raise InputError(f"{name}: expected {tuple(expected)}, got {tuple(given.shape)}")
