"""The native methods: pure functions from features and gradients to evidence maps.

All take features F ``(B, C, h, w)``, the gradient g = dz/dF ``(B, A, C, h, w)`` and the side σ ``(B, A)``, and return S
``(B, A, h, w)``: signed evidence for the *positive* class, neither rectified nor rescaled, on F's grid. It is in logit
units, except for ``grad_cam_pp``, whose weights are ratios of derivatives.
If a mean-pooled vector separates F from the logits, the gradient is the same in every cell; it is then passed as
``(B, A, C, 1, 1)`` or ``(1, A, C, 1, 1)``, and no array of size A · C · hw is allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.errors import InputError, nearest


def cam(features: Tensor, weight: Tensor, spread: Tensor | float = 1.0) -> Tensor:
    """CAM: S = Σ_c w_c d F_c, the head's own contribution of every cell.

    Zhou et al. 2016, arXiv 1512.04150, equation 2. Deviations: signed, and multiplied by the share d of a cell in the
    pooled vector, so that z = b + ΣS.

    Args:
        features: ``(B, C, h, w)``.
        weight: The folded head, ``(A, C)``; ``(B, A, C)`` if it differs between images; ``(A, C, h, w)`` or
            ``(B, A, C, h, w)`` for a head that reads the flattened grid.
        spread: d: 1/(hw) under mean pooling; ``(B, C, h, w)``, one at the maximum, under max pooling; ``(B, 1, h, w)``,
            the attention weights, under attention pooling.

    Returns:
        ``(B, A, h, w)``.
    """
    if weight.ndim == 5:
        return torch.einsum("bachw,bchw->bahw", weight, features)
    if weight.ndim == 4:
        return torch.einsum("achw,bchw->bahw", weight, features)
    if isinstance(spread, Tensor) and spread.shape[1] > 1:
        return _weigh(weight, features * spread)
    return _weigh(weight, features) * spread


def grad_cam(features: Tensor, gradients: Tensor, side: Tensor) -> Tensor:
    """Grad-CAM: S = Σ_c mean_ij(g_c) F_c.

    Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2. Deviation: no ReLU, which is left to display.

    Args:
        features: ``(B, C, h, w)``.
        gradients: ``(B, A, C, h, w)``.
        side: Not used: the map for the negative class is -S.

    Returns:
        ``(B, A, h, w)``.
    """
    del side
    return _weigh(gradients.mean((-2, -1)), features)


def hirescam(features: Tensor, gradients: Tensor, side: Tensor) -> Tensor:
    """HiResCAM: S = Σ_c g_c ⊙ F_c.

    Draelos and Carin 2020, arXiv 2011.08891, equation 5. Deviation: no ReLU.

    Args:
        features: ``(B, C, h, w)``.
        gradients: ``(B, A, C, h, w)``.
        side: Not used: the map for the negative class is -S.

    Returns:
        ``(B, A, h, w)``.
    """
    del side
    if _constant(gradients):
        return _weigh(gradients[..., 0, 0], features)
    return torch.einsum("bachw,bchw->bahw", gradients.expand(len(features), *gradients.shape[1:]), features)


def elementwise(features: Tensor, gradients: Tensor, side: Tensor) -> Tensor:
    """Element-wise Grad-CAM: σ Σ_c relu(σ g_c ⊙ F_c), only the products that support the side.

    As in pytorch-grad-cam's ``GradCAMElementWise`` (Gildenblat), which has no paper. With a constant gradient
    relu(g F) = relu(g) relu(F) + relu(-g) relu(-F), so two contractions suffice.

    Args:
        features: ``(B, C, h, w)``.
        gradients: ``(B, A, C, h, w)``.
        side: ``(B, A)``, the side whose evidence is kept.

    Returns:
        ``(B, A, h, w)``, with the side's sign in every cell.
    """
    g = _for_side(gradients, side)
    if _constant(g):
        weights = g[..., 0, 0]
        kept = _weigh(weights.relu(), features.relu())
        if bool((features < 0).any()):
            kept = kept + _weigh((-weights).relu(), (-features).relu())
        return _signed(kept, side)
    return _signed((g * features.unsqueeze(1)).relu_().sum(2), side)


def grad_cam_pp(features: Tensor, gradients: Tensor, side: Tensor) -> Tensor:
    """Grad-CAM++: σ Σ_c w_c F_c with w_c = Σ_ij a relu(σg) and a = g² / (2g² + ΣF · g³), all on σg.

    Chattopadhay et al. 2018, arXiv 1710.11063, equations 7 and 19 under their exponential. Deviations, both as in
    pytorch-grad-cam: 1e-6 is added to the denominator, and a = 0 where g = 0.

    Args:
        features: ``(B, C, h, w)``.
        gradients: ``(B, A, C, h, w)``.
        side: ``(B, A)``, the explained side.

    Returns:
        ``(B, A, h, w)``.
    """
    g = _for_side(gradients, side)
    cells = features.shape[-2] * features.shape[-1]
    total = features.sum((-2, -1))[:, None, :, None, None]  # (B, 1, C, 1, 1)
    square = g.square()
    alpha = torch.where(g != 0, square / (2 * square + total * square * g + 1e-6), 0)
    weights = (g.relu() * alpha).sum((-2, -1))  # (B, A, C)
    return _signed(_weigh(weights * cells if _constant(g) else weights, features), side)


def xgrad_cam(features: Tensor, gradients: Tensor, side: Tensor) -> Tensor:
    """XGrad-CAM: S = Σ_c (Σ_ij g_c ⊙ F_c / ΣF_c) F_c.

    Fu et al. 2020, arXiv 2008.02312, equation 9. Deviation, as in pytorch-grad-cam: 1e-7 is added to ΣF_c. A channel
    that sums to almost zero (possible before an activation) gets a very large weight; this is a property of the method,
    not of the model.

    Args:
        features: ``(B, C, h, w)``.
        gradients: ``(B, A, C, h, w)``.
        side: Not used: the map for the negative class is -S.

    Returns:
        ``(B, A, h, w)``.
    """
    del side
    total = features.sum((-2, -1)).unsqueeze(1)  # (B, 1, C)
    if _constant(gradients):
        weighted = gradients[..., 0, 0] * total
    else:
        weighted = torch.einsum("bachw,bchw->bac", gradients.expand(len(features), *gradients.shape[1:]), features)
    return _weigh(weighted / (total + 1e-7), features)


def layer_cam(features: Tensor, gradients: Tensor, side: Tensor) -> Tensor:
    """LayerCAM: σ Σ_c relu(σ g_c) ⊙ F_c.

    Jiang et al. 2021, IEEE TIP 30, equations 6 and 7. Deviation: no final ReLU.

    Args:
        features: ``(B, C, h, w)``.
        gradients: ``(B, A, C, h, w)``.
        side: ``(B, A)``, the side whose gradients are kept.

    Returns:
        ``(B, A, h, w)``.
    """
    return _signed(hirescam(features, _for_side(gradients, side).relu(), side), side)


def _constant(gradients: Tensor) -> bool:
    return gradients.shape[-2:] == (1, 1)


def _weigh(weights: Tensor, features: Tensor) -> Tensor:
    """Compute Σ_c w_c F_c: ``(A, C)`` or ``(B or 1, A, C)`` and ``(B, C, h, w)`` to ``(B, A, h, w)``."""
    maps = weights @ features.flatten(2)  # (B, A, hw)
    return maps.reshape(*maps.shape[:2], *features.shape[-2:])


def _for_side(gradients: Tensor, side: Tensor) -> Tensor:
    return gradients * side[:, :, None, None, None]


def _signed(kept: Tensor, side: Tensor) -> Tensor:
    return kept * side[:, :, None, None]


Function = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A function of features, gradients and side that returns S."""


@dataclass(frozen=True)
class Method:
    """A native method and the questions that it can distinguish.

    Attributes:
        name: Name for ``Explainer``.
        function: Function of features, gradients and side; None for ``cam``, which reads the head and no gradient, and
            for ``fullgrad``, which reads the whole network.
        needs_gradient: True if it differentiates wherever the head alone does not determine the gradient.
        knows_side: True if the negative side gets another map than the positive one.
        knows_attribute: True if different attributes get different maps.
        signed: True if the map contains evidence against the side, with its sign.

    Example:
        >>> from bincam.cam import METHODS
        >>> list(METHODS)
        ['cam', 'grad_cam', 'hirescam', 'elementwise', 'grad_cam_pp', 'xgrad_cam', 'layer_cam', 'fullgrad']
        >>> [name for name, method in METHODS.items() if not method.signed]
        ['elementwise', 'grad_cam_pp', 'layer_cam']
    """

    name: str
    function: Function | None
    needs_gradient: bool = True
    knows_side: bool = True
    knows_attribute: bool = True
    signed: bool = True


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("cam", None, needs_gradient=False),
        Method("grad_cam", grad_cam),
        Method("hirescam", hirescam),
        Method("elementwise", elementwise, signed=False),
        Method("grad_cam_pp", grad_cam_pp, signed=False),
        Method("xgrad_cam", xgrad_cam),
        Method("layer_cam", layer_cam, signed=False),
        Method("fullgrad", None),
    )
}
"""The native methods by name."""


def find(name: str, others: tuple[str, ...] = ()) -> Method:
    """Find a native method by name.

    Args:
        name: The name.
        others: Further names to suggest in the message.

    Raises:
        InputError: There is no native method of this name.
    """
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}{nearest(name, (*METHODS, *others))}")
    return METHODS[name]
