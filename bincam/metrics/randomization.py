"""The model-parameter randomisation test: dependence of a method's maps on the learned parameters.

Adebayo et al. 2018, Sanity Checks for Saliency Maps, arXiv 1810.03292, cascading randomisation: the model's parameters
are randomised from the head downwards, and after each stage the maps are compared with the original ones. Maps that do
not change depend on the image or on the position in the frame, not on the model.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from scipy import stats
from torch import Tensor, nn

from bincam.cam import Explainer, Side
from bincam.errors import InputError
from bincam.models.borrowing.borrow import outside_grad_modes
from bincam.stats.formatting import number, percent

BOUND = 0.3  # of the mean |Spearman|, which the upper confidence bound must not reach
LEVEL = 0.95  # of the one-sided confidence bound
DEFINED = 0.5  # minimum share of maps with a defined correlation


@dataclass(frozen=True)
class Randomisation:
    """Similarity between the maps of a model and those of its randomised copies.

    Attributes:
        stages: Layers randomised at each stage, in addition to the stages before; the first is nearest to the output.
        correlation: ``(draws, stages, B, A)``, Spearman's correlation over the cells; NaN where a map is constant or
            not finite, before or after.
        mean: ``(stages,)``, mean of |correlation| over an image's attributes, then over draws and images; NaN where no
            correlation is defined.
        upper: ``(stages,)``, the largest of the draws' one-sided 95 % bounds of the mean, at most 1; NaN where a
            draw has none.
        undefined: ``(stages,)``, the share of correlations that are NaN.
        chance: Approximate mean |correlation| of maps with independent cells on this grid, √(2 / π(hw - 1)).
            Neighbouring cells are correlated, so unrelated maps exceed it. Below 9 cells it exceeds the bound of 0.3.
        passed: True if the method depends on the parameters: at the last stage, with all parameters randomised, the
            upper bound is below 0.3 and at least half of the correlations are defined. A constant map has no
            correlation, so a method whose maps are constant fails.
        reason: Why the test was not passed; else empty.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import randomisation
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> test = randomisation(Explainer(model), torch.rand(1, 3, 16, 16))
        >>> test.passed, test.reason
        (False, 'fewer than two images have a correlation, or all have the same, which gives no bound')
    """

    stages: tuple[str, ...]
    correlation: Tensor
    mean: Tensor
    upper: Tensor
    undefined: Tensor
    chance: float
    passed: bool
    reason: str


def randomisation(
    explainer: Explainer,
    images: Tensor,
    side: Side | Literal["any"] = "predicted",
    labels: Tensor | None = None,
    *,
    stages: int = 4,
    draws: int = 2,
    seed: int = 0,
) -> Randomisation:
    """Randomise the model from the head downwards, and compare the maps for the sides of the original model.

    Parameters are randomised by permuting the entries of each, which removes what was learned and preserves the scale
    of every layer. Deviations from the paper: there, parameters are drawn again as before training, which requires
    every layer's initialisation; its SSIM is omitted; and signed maps are compared on their own grid by the magnitude
    of the correlation, because a map with its sign inverted still depends on what was learned. Statistics of
    normalisation layers, which are not parameters, are not changed.

    The sampling unit of the bound is the image: |correlation| is averaged over an image's attributes, Student's t over
    the images gives the bound of each draw, and the largest is reported.

    Args:
        explainer: Explainer with the method to test. Its model is borrowed: its parameters are exchanged for the time
            of the call, never written to, and restored also after an exception.
        images: ``(B, C, H, W)``; a bound needs at least two.
        side: As for the explainer; ``predicted`` is the prediction of the original model at every stage.
        labels: As for the explainer.
        stages: Number of parts into which the layers with parameters are divided, of which the first is the head
            alone; fewer if the model has fewer such layers.
        draws: Number of random models per stage.
        seed: Seed of the permutations; the global random state is neither read nor changed.

    Returns:
        The correlations and the verdict.

    Raises:
        InputError: ``stages`` or ``draws`` is below 1, or the model has no parameters.

    Example:
        Grad-CAM on a model whose weights are random anyway:

        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import randomisation
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(
        ...     *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)),
        ...     *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)),
        ... )
        >>> test = randomisation(Explainer(model), torch.rand(8, 3, 16, 16), stages=2)
        >>> test.stages, test.correlation.shape
        (('5', '2 to 0 (2)'), torch.Size([2, 2, 8, 2]))
        >>> test.passed == bool(test.upper[-1] < 0.3)
        True
    """
    if stages < 1 or draws < 1:
        raise InputError(f"stages={stages}, draws={draws}; at least one of each is needed")
    groups = _stages(explainer, images, stages)
    original = explainer(images, side, labels)
    asked = ("true", original.side) if side in ("predicted", "true") else (side, None)
    of_sets: dict[str, Any] = {"like": original} if original.sets else {}  # the outputs that were explained, too
    correlations = []
    with outside_grad_modes(), explainer.unchecked(), _exchanged(explainer.model) as pairs:
        for draw in range(draws):
            generator = torch.Generator().manual_seed(seed + draw)
            for copy, parameter in pairs:
                copy.copy_(parameter)
            for _, modules in groups:
                for module in modules:
                    _permute(module, generator)
                correlations.append(spearman(original.maps, explainer(images, *asked, **of_sets).maps))
    correlation = torch.stack(correlations).reshape(draws, len(groups), *original.maps.shape[:2])
    return _judge(tuple(name for name, _ in groups), correlation.cpu(), original.maps[0, 0].numel())


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Compute Spearman's rank correlation over the cells of each pair of maps, with ties at their mean rank.

    Args:
        one: ``(B, A, h, w)``.
        other: The same shape.

    Returns:
        ``(B, A)``, float64, in [-1, 1]; NaN where a map is constant or has a cell that is not finite.

    Example:
        >>> import torch
        >>> from bincam.metrics import spearman
        >>> first = torch.tensor([[[[1.0, 2.0], [3.0, 9.0]]]])
        >>> spearman(first, -first).tolist()
        [[-1.0]]
    """
    a, b = _mean_ranks(one), _mean_ranks(other)  # (B, A, hw), centred
    product = (a * b).sum(-1) / (a.square().sum(-1) * b.square().sum(-1)).sqrt()  # 0/0 for constants
    finite = one.flatten(2).isfinite().all(-1) & other.flatten(2).isfinite().all(-1)
    return torch.where(finite, product, torch.nan).clamp(-1, 1)


def _mean_ranks(maps: Tensor) -> Tensor:
    values = maps.detach().double().nan_to_num().flatten(2).contiguous()
    ordered = values.sort(-1).values
    low = torch.searchsorted(ordered, values, right=False)
    high = torch.searchsorted(ordered, values, right=True)
    ranks = (low + high).double() / 2
    return ranks - ranks.mean(-1, keepdim=True)


def _judge(stages: tuple[str, ...], correlation: Tensor, cells: int) -> Randomisation:
    size = correlation.abs()
    per_image = size.nanmean(-1)  # (draws, stages, B)
    mean = per_image.transpose(0, 1).flatten(1).nanmean(-1)
    upper = torch.stack([_upper(per_image[:, stage]) for stage in range(len(stages))])
    undefined = size.isnan().double().transpose(0, 1).flatten(1).mean(-1)
    chance = min(1.0, math.sqrt(2 / math.pi / (cells - 1))) if cells > 1 else math.nan
    reason = ""
    if undefined[-1] > 1 - DEFINED:
        reason = (
            f"{percent(undefined[-1].item(), 0)} of the maps are constant or not finite, before or after, so "
            "nothing shows that they depend on the parameters"
        )
    elif math.isnan(upper[-1].item()):
        reason = "fewer than two images have a correlation, or all have the same, which gives no bound"
    elif upper[-1] >= BOUND:
        reason = f"with all parameters random the maps keep a |Spearman| of up to {number(upper[-1].item())}"
        if chance >= BOUND / 2:
            reason += f"; with {cells} cells unrelated maps have about {number(chance)}"
            reason += ", so the test cannot be passed on this grid" if chance >= BOUND else ""
    return Randomisation(stages, correlation, mean, upper, undefined, chance, not reason, reason)


def _upper(values: Tensor) -> Tensor:
    """Compute the largest of the draws' upper bounds from ``(draws, B)``; NaN if a draw has none.

    Correlations that are all equal, such as those of one image given twice, do not show how much others vary, so no
    bound says that they are small.
    """
    bounds = []
    for draw in values:
        defined = draw[~draw.isnan()]
        n = len(defined)
        varied = n > 1 and (bool((defined != defined[0]).any()) or bool(defined[0] >= BOUND))
        margin = stats.t.ppf(LEVEL, n - 1) * defined.std() / math.sqrt(n) if varied else torch.tensor(torch.nan)
        bounds.append(defined.mean() + margin)
    return torch.stack(bounds).max().clamp(max=1)  # no |correlation| is above 1, but t's bound may be


def _stages(explainer: Explainer, images: Tensor, count: int) -> list[tuple[str, list[nn.Module]]]:
    """Group the modules that own parameters, last called first, and name each group."""
    names = {module: name or "model" for name, module in explainer.model.named_modules()}
    owners = [module for module in names if any(True for _ in module.parameters(recurse=False))]
    if not owners:
        raise InputError("the model has no parameters to randomise")
    ordered = _last_called_first(explainer, images[:1], owners)
    below = ordered[1:]
    parts = min(count - 1, len(below)) if count > 1 else 0
    groups = [ordered[:1]] if parts else [ordered]
    groups += [below[i * len(below) // parts : (i + 1) * len(below) // parts] for i in range(parts)]
    return [(_name([names[module] for module in group]), group) for group in groups]


def _name(modules: Sequence[str]) -> str:
    return modules[0] if len(modules) == 1 else f"{modules[0]} to {modules[-1]} ({len(modules)})"


def _last_called_first(explainer: Explainer, images: Tensor, owners: Sequence[nn.Module]) -> list[nn.Module]:
    """Order modules by their last call in a forward pass; one that is never called follows its registered neighbour."""
    calls: dict[nn.Module, int] = {}
    count = itertools.count()

    def note(module: nn.Module, _: object) -> None:
        calls[module] = next(count)

    hooks = [module.register_forward_pre_hook(note) for module in owners]
    try:
        explainer.logits(images)
    finally:
        for hook in hooks:
            hook.remove()
    keys, position = {}, -1
    for index, module in enumerate(owners):
        position = calls.get(module, position)
        keys[module] = (position, index)
    return sorted(owners, key=keys.__getitem__, reverse=True)


@contextmanager
def _exchanged(model: nn.Module) -> Iterator[list[tuple[nn.Parameter, nn.Parameter]]]:
    """Replace every parameter by a copy, and restore the original parameters afterwards.

    The copies exist during the whole exchange and are written in place, so that caches that identify weights by address
    and number of writes notice every change.

    Yields:
        Each copy with its original; a parameter that several modules share has one copy.
    """
    owners = [
        (module._parameters, name, parameter)  # noqa: SLF001  # setattr may run a module's own code
        for module in model.modules()
        for name, parameter in module._parameters.items()  # noqa: SLF001  # named_parameters leaves out shared ones
        if parameter is not None
    ]
    copies = {p: nn.Parameter(p.detach().clone(), requires_grad=p.requires_grad) for _, _, p in owners}
    try:
        for parameters, name, parameter in owners:
            parameters[name] = copies[parameter]
        yield [(copy, parameter) for parameter, copy in copies.items()]
    finally:
        for parameters, name, parameter in owners:
            parameters[name] = parameter


def _permute(module: nn.Module, generator: torch.Generator) -> None:
    """Permute the entries of each of a module's own parameters."""
    for parameter in module.parameters(recurse=False):
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
