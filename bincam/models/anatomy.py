"""The operations between the explained features and the logits, and the claims that they permit.

================ ============================================= ==================================================
kind             order                                         claim
================ ============================================= ==================================================
exact            pool → affine layers                          z = bias + ΣS to float precision
conditional      pool → LayerNorm or RMSNorm → affine layers;  the same with this image's own statistics, or its own
                 attention pooling → affine layers             attention weights, fixed
diagnostic       anything else (an MLP after pooling, a class  none; the gap is measured for every image
                 token, log-sum-exp pooling)
================ ============================================= ==================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bincam.errors import BincamError, InputError, UnsupportedError
from bincam.models.borrow import evaluating, outside_grad_modes, own_rng, unwrap
from bincam.models.layers import Layer, attention_input, dotted_name, layer_at, named_layer
from bincam.models.layout import layout_of
from bincam.models.path import HeadPath, walk
from bincam.models.trace import NO_CALL, Cut, Place, Trace, record

Kind = Literal["exact", "conditional", "diagnostic"]

ACTIVATIONS = {
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "hardswish",
    "hardtanh",
}
RECTIFIERS = {"relu", "leaky_relu", "prelu"}
"""Activations with a(x) = a'(x) x: the output is the gradient times the input."""


@dataclass(frozen=True)
class Norm:
    """The normalisation between a pooled vector and an affine head, whose statistics a conditional claim fixes.

    Attributes:
        center: Whether the mean is subtracted (LayerNorm) or not (RMSNorm).
        eps: Added to the variance.
    """

    center: bool
    eps: float


@dataclass(frozen=True)
class Anatomy:
    """Structure of a model's head: kind, explained layer, and the folded head.

    ``resolve`` makes it.

    Attributes:
        kind: The claim that the structure permits.
        reason: Reason for the kind, as text.
        pooling: ``mean``, ``max``, ``logsumexp``, ``attention``, ``flatten``, ``token``, ``mixed`` or ``other``.
        layer: The tensor that is explained.
        pooled: The tensor that the head pools, as its pooling reads it; None if it was not found.
        at_pooled: Whether ``layer`` and ``pooled`` are the same tensor.
        vector: Place of the pooled vector, or None.
        weight: ``(A, C)``, or ``(A, C, h, w)`` for ``flatten``: the folded head, for exact and conditional kinds. For a
            head with a normalisation it includes the scale γ and, with centring, has its mean over C removed.
        bias: ``(A,)``: the folded constant.
        norm: The normalisation whose statistics are fixed, or None.
        rectified: Whether the explained tensor is the input of a ReLU-like activation whose output is pooled.
        pre_activation: Whether ``layer`` is that input.

    Example:
        >>> import torch
        >>> from bincam import models
        >>> model = models.build("resnet10t", ["Bald"], pooling="attention", input_size=(64, 64))
        >>> anatomy = models.resolve(model, torch.zeros(1, 3, 64, 64), read=lambda logits: logits)
        >>> anatomy.kind, anatomy.pooling, tuple(anatomy.weight.shape)
        ('conditional', 'attention', (1, 512))
    """

    kind: Kind
    reason: str
    pooling: str
    layer: Layer
    pooled: Layer | None = None
    at_pooled: bool = False
    vector: Place | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    norm: Norm | None = None
    rectified: bool = False
    pre_activation: bool = False

    @property
    def decomposes(self) -> bool:
        """True if the head determines the contribution of every cell."""
        return self.weight is not None


def resolve(
    model: nn.Module,
    images: Tensor,
    read: Callable[[Any], Tensor],
    layer: str | nn.Module | None = None,
) -> Anatomy:
    """Find layer, pooling, folded head and kind by tracing one forward pass.

    The kind follows from the calls between the pooled tensor and the logits, and is then checked numerically: a head
    that appears affine but does not reproduce the logits is called diagnostic.

    Args:
        model: Any eager classifier; compiled and parallel wrappers are opened.
        images: ``(1, C, H, W)`` on the model's device; its values matter only for the check.
        read: Function from the model's return value to logits ``(B, A)``.
        layer: A submodule or its dotted name; ``"pre_activation"`` for the input of the last activation; None for the
            tensor that is pooled, or, with a class token, the normalised input of the last attention.

    Returns:
        The anatomy at this input size.

    Raises:
        InputError: ``layer`` is not in the model, or the model rejects images of this shape.
        UnsupportedError: The structure is not recognised; the message says which argument helps.

    Example:
        >>> import torch
        >>> from bincam import models
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64))
        >>> anatomy = models.resolve(model, torch.zeros(1, 3, 64, 64), read=lambda logits: logits)
        >>> anatomy.kind, anatomy.reason, anatomy.layer.layout.grid
        ('exact', 'mean pooling, then affine layers', (2, 2))
    """
    model = unwrap(model)
    requested = None if layer is None or layer == "pre_activation" else dotted_name(model, layer)
    with evaluating(model), own_rng(images.device), outside_grad_modes():
        try:
            trace = record(model, images, read)
        except BincamError:
            raise
        except (RuntimeError, AssertionError) as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"the model does not take images of shape {tuple(images.shape)}: {message}") from error
        try:
            head = _head(model, images, read, trace)
        except UnsupportedError as error:
            if requested is None:
                raise
            head = Anatomy("diagnostic", str(error), "other", named_layer(trace, requested))
    if requested is not None:
        named = named_layer(trace, requested)
        return replace(head, layer=named, at_pooled=head.at_pooled and named.place == head.layer.place)
    if layer == "pre_activation":
        return _before_activation(trace, head)
    return head


def _head(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], trace: Trace) -> Anatomy:
    path = walk(trace)
    pool = path.terminal
    if pool.parents[0] == NO_CALL:
        raise UnsupportedError("the logits are a function of the raw pixels alone; there is no layer to explain")
    source = trace.calls[pool.parents[0]]
    tensor = pool.inputs[0]
    layout = layout_of(trace, source, tensor, path.order)
    pooled = layer_at(trace, pool, "input", layout)
    # The gradient starts at the call that makes the tensor, because other calls than the pooling may read it too.
    layer = replace(pooled, place=Place(source.index, source.name, "output"))
    diagnostic = Anatomy("diagnostic", path.reason, path.pooling, layer, pooled=pooled, at_pooled=True)
    if path.pooling == "token":
        return replace(diagnostic, layer=attention_input(trace, pool), at_pooled=False)
    vector = Place(pool.index, pool.name, "output")
    if path.pooling in ("mean", "max", "logsumexp", "attention", "flatten"):
        diagnostic = replace(diagnostic, vector=vector)
    if path.kind == "diagnostic":
        return diagnostic
    return _fold(model, images, read, trace, path, diagnostic)


def _fold(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], trace: Trace, path: HeadPath, base: Anatomy
) -> Anatomy:
    """Fold the affine layers into one weight and bias, and check that they reproduce the logits."""
    norm_call = path.norm
    start = base.vector if norm_call is None else Place(norm_call.index, norm_call.name, "output")
    assert start is not None
    matrix, bias = _affine(model, images, read, start)  # (A, K), (A,)
    pool = path.terminal
    vector = pool.output.flatten(1)  # (1, K)
    norm = None
    if norm_call is not None:
        gamma, beta = norm_call.argument(2, "weight"), norm_call.argument(3, "bias")
        center = norm_call.name == "layer_norm"
        eps = norm_call.argument(4 if center else 3, "eps")
        beta = beta if center else None
        norm = Norm(center, float(eps) if eps is not None else torch.finfo(vector.dtype).eps)
        bias = bias if beta is None else bias + matrix @ beta.flatten()
        matrix = matrix if gamma is None else matrix * gamma.flatten()
        if center:
            matrix = matrix - matrix.mean(-1, keepdim=True)
        if not torch.equal(norm_call.inputs[0].flatten(1), vector):
            return replace(base, reason=f"{norm_call.name} after pooling does not act on the pooled vector alone")
    scale = norm_scale(vector, norm)  # (1, 1)
    predicted = bias + (vector * scale) @ matrix.T
    size = (vector * scale).abs() @ matrix.abs().T + bias.abs()
    if not bool(((predicted - trace.logits).abs() <= 1e-4 * size + 1e-6).all()):
        return replace(base, reason="the folded head does not reproduce the logits, so it is not affine")
    weight = matrix
    if path.pooling == "flatten":
        weight = matrix.unflatten(-1, pool.inputs[0].shape[1:])  # (A, *layout without batch)
        weight = base.layer.layout.grid_of(weight)  # (A, C, h, w)
    return replace(base, kind=path.kind, weight=weight.contiguous(), bias=bias, norm=norm)


def norm_scale(vector: Tensor, norm: Norm | None) -> Tensor:
    """Compute the reciprocal of the statistic by which a normalisation divides.

    Args:
        vector: ``(B, C)``, the pooled vectors.
        norm: The normalisation; None gives 1.

    Returns:
        ``(B, 1)``.
    """
    if norm is None:
        return torch.ones_like(vector[:, :1])
    centered = vector - vector.mean(-1, keepdim=True) if norm.center else vector
    return torch.rsqrt(centered.square().mean(-1, keepdim=True) + norm.eps)


def _affine(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], start: Place) -> tuple[Tensor, Tensor]:
    """The matrix ``(A, K)`` and constant ``(A,)`` of an affine function from a cut to the logits."""
    cut = Cut(None, start, value=0.0)
    with torch.no_grad(), cut:
        logits = read(model(images))  # (1, A); at zero the logits are the constant
    assert cut.leaf is not None
    leaf = cut.leaf
    one_hot = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
    rows = [torch.autograd.grad(logits, leaf, unit[None], retain_graph=True)[0] for unit in one_hot]
    return torch.stack(rows).flatten(1), logits[0].detach()


def _before_activation(trace: Trace, head: Anatomy) -> Anatomy:
    """Move the explained layer to the input of the activation that makes the pooled tensor."""
    if head.pooled is None or head.pooling == "token":
        raise UnsupportedError(f"layer='pre_activation' needs a pooled tensor, but here {head.reason}; pass layer=")
    call = trace.calls[trace.calls[head.pooled.place.call].parents[0]]
    transparent = {"dropout", "contiguous", "identity", "to"}
    while call.name in transparent:
        call = trace.calls[trace.live_parents(call)[0]]
    if call.name not in ACTIVATIONS:
        raise UnsupportedError(
            f"layer='pre_activation': the pooled tensor of this model comes from {call.name!r} in "
            f"{call.module or 'the model'}, not from an activation; omit layer, or name a layer"
        )
    layer = Layer(
        f"input of {call.name} in {call.module or 'the model'}",
        Place(call.index, call.name, "input"),
        head.pooled.layout,
        head.pooled.channels,
    )
    return replace(head, layer=layer, at_pooled=False, pre_activation=True, rectified=call.name in RECTIFIERS)
