"""What bincam makes of a model: its kind and grid, checked against the model itself, or the reason of a refusal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import BincamError

A = 3
"""Outputs of every model of the sweep."""

Size = tuple[int, int]


GLOBAL = {"caformer_s18", "efficientvim_m1", "levit_128s", "levit_conv_128s"}
"""Backbones whose mixing over the whole image outweighs, with random weights, what a cell keeps of its own place: which
cell is which cannot be measured on their maps, and the identity alone is checked."""


@dataclass(frozen=True)
class Case:
    """A model of the sweep.

    Attributes:
        family: The module of timm, the family of torchvision, or the class of Hugging Face.
        source: ``timm``, ``torchvision`` or ``huggingface``.
        model: The variant.
        make: The model, for an image size ``(H, W)``.
        sizes: Image sizes; the first is the one that CI tries.
        output: As for ``Explainer``.
    """

    family: str
    source: str
    model: str
    make: Callable[[Size], nn.Module]
    sizes: tuple[Size, ...]
    output: str | int | None = None


@dataclass(frozen=True)
class Outcome:
    """What comes of one case at one size.

    Attributes:
        result: The kind, ``refused``, ``traceback`` or ``cannot be made``.
        pooling: As in the anatomy.
        grid: ``(h, w)``.
        layer: The explained tensor.
        reason: Of the kind, or of the refusal.
        faults: What does not hold of that which is claimed; empty where all is well.
    """

    result: str
    pooling: str = ""
    grid: Size | None = None
    layer: str = ""
    reason: str = ""
    faults: tuple[str, ...] = ()


DRAWS = 3
"""Draws of random weights, of which one has to show the places: with some, distant pixels outweigh a cell's own."""


def seeded(make: Callable[[Size], nn.Module], size: Size, seed: int = 0) -> nn.Module:
    """Make a model in evaluation mode with random weights."""
    torch.manual_seed(0)
    with cheap_initialisation():
        model = make(size)
    return randomised(model, seed)


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every weight anew: no zeros, no ones, and activations of the order of one.

    Norms scale by about one and shift; scales of residual branches, which start near zero, are about 0.7.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                # Tables of positions and tokens have no fan: their size is that of what they are added to.
                std = 0.3 if parameter.shape[0] == 1 else max(1, parameter[0].numel()) ** -0.5
                parameter.normal_(0, std, generator=generator)
                _focus(parameter)
            else:
                parameter.normal_(0, 0.1, generator=generator)
        for module in model.modules():
            weight = getattr(module, "weight", None)
            if "norm" in type(module).__name__.lower() and isinstance(weight, Tensor) and weight.ndim == 1:
                weight.add_(1)
        for name, parameter in model.named_parameters():
            last = name.rsplit(".", 1)[-1].lower()
            if "gamma" in last or "scale" in last or "lambda" in last:
                parameter.add_(0.7)
    return model.eval()


def _focus(weight: Tensor) -> None:
    """Emphasise the centre of a convolution's kernel, so that a cell responds most to its own pixels."""
    if weight.ndim != 4 or weight.shape[2] % 2 == 0 or weight.shape[3] % 2 == 0:
        return
    rows, columns = (torch.arange(n) - n // 2 for n in weight.shape[2:])
    distance = torch.maximum(rows.abs()[:, None], columns.abs()[None])
    weight.mul_(torch.where(distance == 0, 1.0, 0.05).to(weight) * max(1, weight.shape[2] * weight.shape[3]) ** 0.5)


def settle(model: nn.Module, images: Tensor) -> None:
    """Set the statistics of every batch normalisation to those of a batch, so that signals neither die nor explode."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            model(images)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.eval()
            norm.momentum = momentum


@contextmanager
def cheap_initialisation() -> Iterator[None]:
    """Leave weights as allocated: ``randomised`` fills them, and the libraries' draws take most of a model's time."""
    from torch.nn import init

    names = (
        "trunc_normal_",
        "kaiming_normal_",
        "kaiming_uniform_",
        "xavier_uniform_",
        "xavier_normal_",
        "normal_",
        "uniform_",
    )
    originals = {name: getattr(init, name) for name in names}
    try:
        for name in names:
            setattr(init, name, lambda tensor, *_args, **_options: tensor)
        yield
    finally:
        for name, original in originals.items():
            setattr(init, name, original)


def noise(count: int, size: Size) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(3))


def examine(case: Case, size: Size) -> Outcome:
    """Explain a model with random weights at one size, and check what is claimed."""
    outcome = Outcome("cannot be made")
    for seed in range(DRAWS):
        try:
            model = seeded(case.make, size, seed)
            settle(model, noise(8, size))
        except Exception as error:  # a model that does not take the size is a fault of the table
            return Outcome("cannot be made", reason=_line(error))
        outcome = explained(model, size, case.output, measurable=case.model not in GLOBAL)
        if not outcome.faults:
            break
    return outcome


def explained(model: nn.Module, size: Size, output: str | int | None = None, *, measurable: bool = True) -> Outcome:
    """What ``Explainer`` makes of a model, checked; its places only where they can be measured."""
    images = noise(2, size)
    options: dict[str, Any] = {"output": output} if output is not None else {}
    try:
        explainer = Explainer(model, method="hirescam", **options)
        explanation = explainer(images, "positive")
    except BincamError as error:
        broken = [name for name in advised_layers(str(error)) if not _works(model, size, options, name)]
        return Outcome(
            "refused", reason=str(error), faults=tuple(f"the advised layer {name!r} fails" for name in broken)
        )
    except Exception as error:
        return Outcome("traceback", reason=_line(error), faults=("a traceback",))
    anatomy = explainer.anatomy(size)
    grid = anatomy.layer.layout.grid
    faults = []
    with torch.no_grad():
        raw = model(images)
    expected = raw if output is None else raw[output]
    if not (explanation.logits - expected).abs().max() <= 0.02 * expected.abs().max():
        faults.append("other logits than the model's")
    places = None
    if grid[0] * grid[1] > 1 and measurable:
        proving = explainer if explanation.kind == "diagnostic" else sibling(explainer, "cam")
        places = places_found(lambda batch: proving(batch, "positive").maps, size, grid)
        if places < 0.75:
            faults.append(f"places are found in {places:.2f} of the pairs")
    if explanation.kind != "diagnostic":
        gap = identity_gap(explainer, images, constant=explanation.kind == "exact")
        if not gap <= 1e-3:
            faults.append(f"an identity gap of {gap:.1e}")
    return Outcome(explanation.kind, anatomy.pooling, grid, anatomy.layer.name, explanation.reason, tuple(faults))


def advised_layers(message: str) -> list[str]:
    """The layers that a refusal tells to pass."""
    names = re.findall(r"layer='([^']+)'", message)
    listed = re.search(r"layers with a grid: ([^;]*)", message)
    return names + (listed[1].split(", ") if listed and listed[1] != "none" else [])


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]


def sibling(explainer: Explainer, method: str) -> Explainer:
    """An explainer of the same model by another method, which need not resolve the head's structure once more.

    That takes more than half of an explainer's first call, and comes out the same.
    """
    other = Explainer(explainer.model, method=method)
    other._borrowed = explainer._borrowed
    return other


def _works(model: nn.Module, size: Size, options: dict[str, Any], layer: str) -> bool:
    """True if a layer that a refusal names can be explained, and its map has places."""
    try:
        explainer = Explainer(model, method="hirescam", layer=layer, **options)
        explanation = explainer(noise(2, size), "positive")
    except BincamError:
        return False
    grid = explainer.anatomy(size).layer.layout.grid
    if not explanation.maps.abs().sum() > 0 or explanation.bias is not None:
        return False
    return places_found(lambda batch: explainer(batch, "positive").maps, size, grid) >= 0.75


def identity_gap(explainer: Explainer, images: Tensor, *, constant: bool) -> float:
    """The largest |z - b - p - ΣS|, relative to the mean of Σ|S|; infinite where b should be constant and is not."""
    explanation = sibling(explainer, "cam")(images, "positive")
    parts = explanation.decomposition
    assert parts is not None
    gap = (explanation.logits - parts.bias - parts.prefix - parts.evidence.sum((-2, -1))).abs().max()
    if constant and not torch.equal(parts.bias[0], parts.bias[1]):
        return float("inf")
    return float(gap / parts.evidence.abs().sum((-2, -1)).mean())


def places_found(maps_of: Callable[[Tensor], Tensor], size: Size, grid: Size, count: int = 8) -> float:
    """The share of pairs of cells that are told apart rightly, 1 where every place is found and about 0.5 by chance.

    A patch of noise is laid on the pixels of each of ``count`` cells in turn, and the change of every one of these
    cells in the map is measured: T[p, c], the mean log change of cell c under patches on cell p. Some cells and some
    patches change more than others anyway, so two cells p and q are compared by T[p, p] + T[q, q] - T[p, q] - T[q, p],
    which is positive if each answers most to its own patch. A map drawn in another order, mirrored, or whose cells are
    no places has no reason to be.
    """
    h, w = grid
    if h * w == 1:
        return float("nan")
    generator = torch.Generator().manual_seed(11)
    cells = torch.randperm(h * w, generator=generator)[:count].sort().values.tolist()
    n = len(cells)
    upper = torch.triu_indices(n, n, 1)
    table = torch.zeros(n, n)
    share = 0.0
    for trial, strength in enumerate((2.0, 1.0, 2.0, 1.0, 0.5, 1.0, 2.0, 0.5)):
        batch = (torch.randn(1, 3, *size, generator=generator) * 0.5).repeat(n + 1, 1, 1, 1)
        for number, cell in enumerate(cells):
            row, column = divmod(cell, w)
            patch = batch[
                number,
                :,
                round(row * size[0] / h) : round((row + 1) * size[0] / h),
                round(column * size[1] / w) : round((column + 1) * size[1] / w),
            ]
            patch.copy_(torch.randn(patch.shape, generator=generator) * strength)
        maps = maps_of(batch)
        if maps.shape[-2:] != grid:
            return -1.0
        table += ((maps[:-1] - maps[-1:]).abs().mean(1).flatten(1)[:, cells] + 1e-12).log()
        own = table.diagonal()
        contrast = own[:, None] + own[None] - table - table.T
        share = float((contrast[upper[0], upper[1]] > 0).float().mean())
        if share > (0.9 if trial < 3 else 0.8):
            break
    return share
