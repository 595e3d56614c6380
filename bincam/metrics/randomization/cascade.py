"""The model-parameter randomisation test: dependence of a method's maps on the learned parameters.

Adebayo et al. 2018, Sanity Checks for Saliency Maps, arXiv 1810.03292: the model's parameters are randomised, from the
head downwards, and the maps are compared with the original ones. Maps that do not change depend on the image or on the
position in the frame, not on the model. How alike maps may remain is not a number that the paper gives; the verdict is
that of ``dependence``, with all parameters random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from bincam.cam import Explainer, Explanation, Side
from bincam.display import counted
from bincam.errors import InputError
from bincam.metrics.randomization.dependence import Outcome, ParameterDependence, parameter_dependence
from bincam.metrics.randomization.permutation import CalledModules, exchanged, permute
from bincam.metrics.randomization.rank_correlation import spearman
from bincam.models.borrowing.borrow import outside_grad_modes


@dataclass(frozen=True)
class Randomisation:
    """Similarity between the maps of a model and those of its randomised copies, and what it says.

    Attributes:
        stages: Layers randomised at each stage, in addition to the stages before; the first is nearest to the output.
        correlation: ``(draws, stages, B, A)``, Spearman's correlation over the cells of the maps as drawn; NaN where a
            map is constant or not finite, before or after.
        mean: ``(stages,)``, mean of |correlation| over an image's attributes, then over draws and images; NaN where no
            correlation is defined. These are figures: with parts of the network as learned, maps share features.
        undefined: ``(stages,)``, the share of correlations that are NaN.
        dependence: The verdict on the last stage, with all parameters randomised, and its figures.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import randomisation
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> test = randomisation(Explainer(model), torch.rand(1, 3, 16, 16))
        >>> test.verdict, test.reason
        ('cannot tell', '1 image; at least 20 are needed')
    """

    stages: tuple[str, ...]
    correlation: Tensor
    mean: Tensor
    undefined: Tensor
    dependence: ParameterDependence

    @property
    def verdict(self) -> Outcome:
        """``pass``, ``fail`` or ``cannot tell``."""
        return self.dependence.verdict

    @property
    def passed(self) -> bool:
        """True if the verdict is ``pass``."""
        return self.dependence.passed

    @property
    def reason(self) -> str:
        """Why the verdict is not ``pass``; else empty."""
        return self.dependence.reason


def randomisation(
    explainer: Explainer,
    images: Tensor,
    side: Side | Literal["any"] = "predicted",
    labels: Tensor | None = None,
    *,
    identities: Sequence[str] | None = None,
    drawn: tuple[Tensor, Tensor] | None = None,
    reference: Literal["zero", "attribute_mean"] = "zero",
    stages: int = 1,
    draws: int = 2,
    seed: int = 0,
    batch_size: int | None = None,
) -> Randomisation:
    """Randomise the model, and compare the maps for the sides of the original model.

    Parameters are randomised by permuting the entries of each, which removes what was learned and preserves the scale
    of every layer. Deviations from the paper: there, parameters are drawn again as before training, which requires
    every layer's initialisation; its SSIM is omitted; signed maps are compared on their own grid by the magnitude of
    the correlation, because a map with its sign inverted still depends on what was learned; and the verdict is
    calibrated, see ``parameter_dependence``. Statistics of normalisation layers, which are not parameters, are not
    changed.

    Args:
        explainer: Explainer with the method to test. Its model is borrowed: its parameters are exchanged for the time
            of the call, never written to, and restored also after an exception.
        images: ``(B, C, H, W)``; a verdict needs at least twenty, and about sixty to be clear.
        side: As for the explainer; ``predicted`` is the prediction of the original model at every stage.
        labels: As for the explainer.
        identities: B names of people, empty for an unknown one; None if each image is of another person.
        drawn: Maps ``(B, A, h, w)`` of the model as it is and their sides ``(B, A)`` (1, -1, NaN), if they were drawn
            before; not for sets of outputs.
        reference: What the maps of all networks are counted from, as ``drawn`` are; see ``Explanation.against``. Fitted
            references are not needed, because each network's mean maps are removed.
        stages: Number of parts into which the layers with parameters are divided. With 1 all are randomised at once,
            which the verdict is about; with more, in the paper's cascade, of which the first is the head alone. Fewer
            if the model has fewer such layers.
        draws: Number of random models per stage.
        seed: Seed of the permutations; the global random state is neither read nor changed.
        batch_size: Number of images that are explained at once; None for all.

    Returns:
        The correlations and the verdict.

    Raises:
        InputError: ``stages``, ``draws`` or ``batch_size`` is below 1, the model has no parameters, or the numbers of
            images, labels and people differ.

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
        >>> test = randomisation(Explainer(model), torch.rand(24, 3, 16, 16), stages=2)
        >>> test.stages, test.correlation.shape
        (('5', '2 to 0 (2)'), torch.Size([2, 2, 24, 2]))
        >>> test.passed == (test.dependence.excess.high < 0.05)
        True
    """
    if stages < 1 or draws < 1:
        raise InputError(f"stages={stages}, draws={draws}; at least one of each is needed")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size={batch_size}; expected at least 1 image")
    for given, what in ((labels, "row of labels"), (identities, "name of a person")):
        if given is not None and len(given) != len(images):
            many = what.replace("row", "rows").replace("name of a person", "names of people")
            raise InputError(f"{counted(len(given), what, many)} for {counted(len(images), 'image')}")
    modules = CalledModules.of(explainer.model, lambda: explainer.logits(images[:1]))
    groups = modules.groups(stages)
    size = batch_size or max(1, len(images))
    parts = [slice(first, first + size) for first in range(0, max(1, len(images)), size)]
    original: list[Explanation] | None = None
    if drawn is None:
        original = [explainer(images[rows], side, None if labels is None else labels[rows]) for rows in parts]
        compared = [part.against(reference) for part in original]
        drawn = torch.cat([part.maps for part in compared]), torch.cat([part.side for part in original])
    maps, sides = drawn
    layer = ""
    correlations, random_maps = [], []
    with outside_grad_modes(), explainer.unchecked(), exchanged(explainer.model) as copies:
        for draw in range(draws):
            generator = torch.Generator().manual_seed(seed + draw)
            for copy, parameter in copies:
                copy.copy_(parameter)
            for _, group in groups:
                for module in group:
                    permute(module, generator)
                again = []
                with explainer.held():
                    for number, rows in enumerate(parts):
                        asked = ("true", sides[rows]) if side in ("predicted", "true") else (side, None)
                        explained = explainer(images[rows], *asked, **_of_sets(original[number] if original else None))
                        again.append(explained.against(reference).maps)
                        layer = explained.layer
                correlations.append(spearman(maps.to(again[0].device), torch.cat(again)))
            random_maps.append(torch.cat(again))
    found = parameter_dependence(
        maps.double().numpy(force=True),
        [each.double().numpy(force=True) for each in random_maps],
        identities,
        sides.nan_to_num(0).long().numpy(force=True),
    )
    if not modules.below(layer) and found.excess_by_draw:
        reason = f"no parameters below {layer}, so the maps' features are the same in every random network"
        found = replace(found, verdict="cannot tell", reason=reason)
    correlation = torch.stack(correlations).reshape(draws, len(groups), *maps.shape[:2]).cpu()
    likeness = correlation.abs()
    return Randomisation(
        stages=tuple(name for name, _ in groups),
        correlation=correlation,
        mean=likeness.nanmean(-1).transpose(0, 1).flatten(1).nanmean(-1),
        undefined=likeness.isnan().double().transpose(0, 1).flatten(1).mean(-1),
        dependence=found,
    )


def _of_sets(original: Explanation | None) -> dict[str, Any]:
    """The outputs that were explained, where they are chosen by their scores."""
    return {"like": original} if original is not None and original.sets else {}
