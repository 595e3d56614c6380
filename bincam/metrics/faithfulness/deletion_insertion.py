"""Deletion and insertion: the score of the explained side while the strongest pixels are removed or revealed.

The score is the probability of the explained side, which is fixed by the clean image: σ(side · z), even if the decision
changes. (For a head that returns margins it is the margin's probability.) Values depend on the baseline and on the
model's calibration; compare them with a random order on the same images, which is what a constant map gives.
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
from bincam.one_of import expand

Baseline = Literal["blur", "mean"]
Order = Literal["map", "random"]
BLUR = 10 / 224  # standard deviation of the blurred baseline as a share of the image's shorter side


@dataclass(frozen=True)
class Curve:
    """The score of the explained side while pixels are removed or revealed.

    Attributes:
        attributes: A names.
        fractions: ``(F,)``, shares of the pixels, from 0 to 1.
        scores: ``(B, A, F)``, probabilities; NaN where the side or the map is undefined.
        area: ``(B, A)``, area under the curve by the trapezoid rule.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import deletion
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> explainer, images = Explainer(model), torch.rand(4, 3, 16, 16)
        >>> curve = deletion(explainer, images, explainer(images), steps=2)
        >>> torch.allclose(curve.area, (curve.scores[..., 0] / 2 + curve.scores[..., 1] + curve.scores[..., 2] / 2) / 2)
        True
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
    """Remove the strongest pixels first; a small area means that the map identifies the pixels behind the decision.

    Petsiuk, Das and Saenko 2018, RISE, arXiv 1806.07421. Deviations: the side may be the negative one, pixels are
    ranked by the signed map with ties in random order, and removed pixels become the image's own mean or blur, where
    the paper sets them to 0.

    Args:
        explainer: Explainer of the model; its method is not used.
        images: The clean images, ``(B, C, H, W)``.
        explanation: Explanation of these images.
        attributes: Attributes whose maps are followed; None for all. The cost is ``steps - 1`` forward passes for each,
            and two.
        baseline: Value of removed pixels: the image's ``mean`` per channel, or the ``blur``-red image.
        order: ``map`` removes the strongest pixels first. ``random`` removes pixels in random order, as the control for
            every area; it is the same for all attributes and costs ``steps + 1`` forward passes in all.
        steps: Number of equal steps from the whole image to the whole baseline.
        seed: Seed of the random order, also among equally strong pixels.

    Returns:
        The curve.

    Raises:
        InputError: An attribute, the baseline or the order is unknown, ``steps`` is below 1, or the number or size of
            the images is not that of the explained ones.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import deletion
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        >>> explainer, images = Explainer(model, names=["Smiling", "Bald"]), torch.rand(4, 3, 16, 16)
        >>> explanation = explainer(images)
        >>> curve = deletion(explainer, images, explanation, ["Bald"], steps=4)
        >>> curve.fractions.tolist(), curve.scores.shape
        ([0.0, 0.25, 0.5, 0.75, 1.0], torch.Size([4, 1, 5]))
        >>> control = deletion(explainer, images, explanation, ["Bald"], steps=4, order="random")
        >>> (curve.area - control.area).shape
        torch.Size([4, 1])
    """
    check_same(images, explanation)
    columns = selected_columns(explanation, attributes)
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
    """Reveal the strongest pixels first on a baseline; a large area means that they suffice for the decision.

    Petsiuk, Das and Saenko 2018, arXiv 1806.07421, with the arguments, deviations and errors of ``deletion``; the
    baseline is blurred, as in the paper.

    Returns:
        The curve; its fractions are those of the revealed pixels.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import insertion
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        >>> explainer, images = Explainer(model, names=["Smiling", "Bald"]), torch.rand(4, 3, 16, 16)
        >>> explanation = explainer(images)
        >>> curve = insertion(explainer, images, explanation, steps=4)
        >>> curve.scores.shape, curve.area.shape
        (torch.Size([4, 2, 5]), torch.Size([4, 2]))
    """
    check_same(images, explanation)
    columns = selected_columns(explanation, attributes)
    return _curve(explainer, explanation, columns, images, make_baseline(images, baseline), order, steps, seed)


def selected_columns(explanation: Explanation, attributes: Sequence[str] | None) -> list[int]:
    """Return the columns of attributes in an explanation; the name of a set stands for its explained outputs.

    Raises:
        InputError: An attribute is not explained, or the list is empty.
    """
    names = explanation.attributes
    if attributes is not None:
        attributes = expand(attributes, explanation.one_of)
    for name in attributes or ():
        if name not in names:
            raise InputError(f"attribute {name!r} is not in the explanation{nearest(name, names)}")
    if attributes is not None and not attributes:
        raise InputError("no attribute is given; omit attributes for all")
    return [names.index(name) for name in (names if attributes is None else attributes)]


def check_same(images: Tensor, explanation: Explanation) -> None:
    """Refuse images that cannot be the explained ones.

    Raises:
        InputError: Their number or size differs.
    """
    explained = (len(explanation.maps), *explanation.image_size)
    if images.ndim != 4 or (len(images), *images.shape[2:]) != explained:
        raise InputError(
            f"images have shape {tuple(images.shape)}, but {explained[0]} of {explained[1]} x {explained[2]} pixels "
            "were explained"
        )


def side_score(explainer: Explainer, images: Tensor, explanation: Explanation) -> Tensor:
    """Compute the probability of the side that was explained on the clean images, ``(B, A)``."""
    z = explainer.logits(images, like=explanation).to(explanation.side)
    return probability(explanation.side * z, explanation.head)


def undefined(explanation: Explanation, columns: Sequence[int]) -> Tensor:
    """Find maps with a cell that is not finite, ``(B, A)``; their pixels have no order."""
    return ~explanation.maps[:, list(columns)].flatten(2).isfinite().all(-1)


def make_baseline(images: Tensor, kind: Baseline) -> Tensor:
    """Compute the values of removed pixels, ``(B, C, H, W)``: the image's mean per channel, or the blurred image.

    Raises:
        InputError: The kind is unknown.
    """
    if kind not in get_args(Baseline):
        raise InputError(f"baseline={kind!r}{nearest(kind, get_args(Baseline))}")
    if kind == "mean":
        return images.mean((-2, -1), keepdim=True).expand_as(images)
    from torchvision.transforms.functional import gaussian_blur

    height, width = images.shape[-2:]
    spread = BLUR * min(height, width)
    # Three standard deviations, but no more pixels than the image has for reflection.
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
    """Score images ``(B, C, H, W)`` whose strongest pixels are those of ``strong`` and whose others are of ``weak``."""
    if steps < 1:
        raise InputError(f"steps={steps}; a curve has at least one step")
    if order not in get_args(Order):
        raise InputError(f"order={order!r}{nearest(order, get_args(Order))}")
    fractions = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    scores = torch.full((len(strong), len(columns), steps + 1), torch.nan).to(explanation.side)
    scores[..., 0] = side_score(explainer, weak, explanation)[:, columns]  # both ends are the same in every order
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
    """Yield ranks of the pixels ``(B, H, W)``, each with the columns that they belong to."""
    if order == "random":
        ties = torch.zeros_like(explanation.maps[:, 0])
        yield ranks(ties, explanation.image_size, seed), slice(None)
        return
    for place, column in enumerate(columns):
        yield ranks(explanation.maps[:, column], explanation.image_size, seed), slice(place, place + 1)
