"""Deletion and insertion: does the decision go where the map says its evidence is?

The score is the probability of the explained side, whose sign is fixed by the clean image: σ(side · z), also where a
changed image is decided otherwise. (For a head that gives margins it is the margin's probability.) The values depend on
the baseline and on the model's calibration; compare them with those of a random order on the same images, which is what
a constant map gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

import bincam.torchvision_ops  # noqa: F401  # must stand before torchvision
from bincam.cam import Explainer, Explanation
from bincam.errors import InputError, nearest
from bincam.metrics.faithfulness.pixel_ranking import ranks, strongest
from bincam.models.heads import probability

Baseline = Literal["blur", "mean"]
Order = Literal["map", "random"]
BLUR = 10 / 224  # standard deviation of the blurred baseline, of the image's shorter side


@dataclass(frozen=True)
class Curve:
    """The score of the explained side while pixels are removed or revealed.

    Attributes:
        attributes: A names.
        fractions: ``(F,)``, of the pixels, from 0 to 1.
        scores: ``(B, A, F)``, probabilities; NaN where the side or the map is undefined.
        area: ``(B, A)``, under the curve, by the trapezoid rule.
    """

    attributes: tuple[str, ...]
    fractions: Tensor
    scores: Tensor
    area: Tensor


def deletion(
    explainer: Explainer,
    images: Tensor,
    explanation: Explanation,
    attributes: Sequence[str] | None = None,
    *,
    baseline: Baseline = "mean",
    order: Order = "map",
    steps: int = 10,
    seed: int = 0,
) -> Curve:
    """Remove the strongest pixels first; a small area says that the map found what carried the decision.

    Petsiuk, Das and Saenko 2018, RISE, arXiv 1806.07421. Deviations: the side may be the negative one,
    pixels are ranked by the signed map and equals in random order, and removed pixels take the image's own mean or
    blur; in the paper they are 0.

    Args:
        explainer: Of the model; its method is not used.
        images: ``(B, C, H, W)``, the clean ones.
        explanation: Of these images.
        attributes: Whose maps to follow; None for all. The cost is ``steps - 1`` forward passes for each, and two.
        baseline: What a removed pixel becomes: ``mean`` of the image, per channel, or the image, blurred.
        order: ``map`` removes the strongest pixels first. ``random`` takes the pixels as they come from the seed, the
            control that every area is to be compared with; it is the same for all attributes and costs ``steps + 1``
            forward passes in all.
        steps: Equal steps from the whole image to none of it.
        seed: Of the random order, whole or among equally strong pixels.

    Returns:
        The curve.

    Raises:
        InputError: An unknown attribute, baseline or order, no step, or images of another number or size than the
            explained ones.
    """
    check_same(images, explanation)
    columns = chosen(explanation, attributes)
    return _curve(explainer, explanation, columns, make_baseline(images, baseline), images, order, steps, seed)


def insertion(
    explainer: Explainer,
    images: Tensor,
    explanation: Explanation,
    attributes: Sequence[str] | None = None,
    *,
    baseline: Baseline = "blur",
    order: Order = "map",
    steps: int = 10,
    seed: int = 0,
) -> Curve:
    """Reveal the strongest pixels first on a baseline; a large area says that they suffice for the decision.

    Petsiuk, Das and Saenko 2018, as ``deletion``, with its arguments and errors. There, too, the baseline is blurred.

    Returns:
        The curve; its fractions are those of the pixels revealed.
    """
    check_same(images, explanation)
    columns = chosen(explanation, attributes)
    return _curve(explainer, explanation, columns, images, make_baseline(images, baseline), order, steps, seed)


def chosen(explanation: Explanation, attributes: Sequence[str] | None) -> list[int]:
    """Columns of attributes in an explanation.

    Raises:
        InputError: One is not explained, or none is asked for.
    """
    names = explanation.attributes
    for name in attributes or ():
        if name not in names:
            raise InputError(f"attribute {name!r} is not among the explained{nearest(name, names)}")
    if attributes is not None and not attributes:
        raise InputError("no attribute is given; leave attributes out for all")
    return [names.index(name) for name in (names if attributes is None else attributes)]


def check_same(images: Tensor, explanation: Explanation) -> None:
    """Refuse images that cannot be those that were explained.

    Raises:
        InputError: Their number or size is another.
    """
    wanted = (len(explanation.maps), *explanation.image_size)
    if images.ndim != 4 or (len(images), *images.shape[2:]) != wanted:
        raise InputError(
            f"images have shape {tuple(images.shape)}, but {wanted[0]} of {wanted[1]} x {wanted[2]} pixels "
            "were explained"
        )


def side_score(explainer: Explainer, images: Tensor, explanation: Explanation) -> Tensor:
    """The probability that the model gives to the side explained on the clean images, ``(B, A)``."""
    z = explainer.logits(images).to(explanation.side)
    return probability(explanation.side * z, explanation.head)


def undefined(explanation: Explanation, columns: Sequence[int]) -> Tensor:
    """Where a map has a cell that is not finite, ``(B, A)``: it has no order of pixels."""
    return ~explanation.maps[:, list(columns)].flatten(2).isfinite().all(-1)


def make_baseline(images: Tensor, kind: Baseline) -> Tensor:
    """What removed pixels become: the image's mean per channel, or the image, blurred; ``(B, C, H, W)``.

    Raises:
        InputError: Another kind.
    """
    if kind not in get_args(Baseline):
        raise InputError(f"baseline={kind!r}{nearest(kind, get_args(Baseline))}")
    if kind == "mean":
        return images.mean((-2, -1), keepdim=True).expand_as(images)
    from torchvision.transforms.functional import gaussian_blur

    height, width = images.shape[-2:]
    spread = BLUR * min(height, width)
    # Three standard deviations, and no further than the image can be mirrored.
    kernel = [2 * min(int(3 * spread + 0.5), side - 1) + 1 for side in (width, height)]
    blurred: Tensor = gaussian_blur(images, kernel, [spread, spread])
    return blurred


def _curve(
    explainer: Explainer,
    explanation: Explanation,
    columns: Sequence[int],
    strong: Tensor,
    weak: Tensor,
    order: Order,
    steps: int,
    seed: int,
) -> Curve:
    """Score images ``(B, C, H, W)`` whose strongest pixels are of one kind and whose others are of another."""
    if steps < 1:
        raise InputError(f"steps={steps}; a curve has at least one step")
    if order not in get_args(Order):
        raise InputError(f"order={order!r}{nearest(order, get_args(Order))}")
    fractions = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    scores = torch.full((len(strong), len(columns), steps + 1), torch.nan).to(explanation.side)
    scores[..., 0] = side_score(explainer, weak, explanation)[:, columns]  # the ends are the same for every order
    scores[..., -1] = side_score(explainer, strong, explanation)[:, columns]
    for ranked, place in _orders(explanation, columns, order, seed):
        for step in range(1, steps):
            changed = torch.where(strongest(ranked.to(strong.device), step / steps)[:, None], strong, weak)
            scores[:, place, step] = side_score(explainer, changed, explanation)[:, columns][:, place]
    scores = scores.masked_fill(undefined(explanation, columns)[..., None], torch.nan)
    area = torch.trapezoid(scores, fractions.to(scores))
    return Curve(tuple(explanation.attributes[c] for c in columns), fractions, scores, area)


def _orders(
    explanation: Explanation, columns: Sequence[int], order: Order, seed: int
) -> Iterator[tuple[Tensor, slice]]:
    """Ranks of the pixels ``(B, H, W)``, and which of the columns they are for."""
    if order == "random":
        yield ranks(torch.zeros_like(explanation.maps[:, 0]), explanation.image_size, seed), slice(None)  # all tie
        return
    for place, column in enumerate(columns):
        yield ranks(explanation.maps[:, column], explanation.image_size, seed), slice(place, place + 1)
