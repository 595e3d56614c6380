"""The operations between the explained features and the logits, and the claims that they permit.

================ ============================================= ==================================================
kind             order                                         claim
================ ============================================= ==================================================
exact            pool → affine layers                          z = bias + ΣS to float precision
conditional      mean → LayerNorm, RMSNorm or division by the  the same with this image's own statistics, or its own
                 length → affine layers; attention pooling →   attention weights, fixed
                 affine layers
diagnostic       anything else (an MLP after pooling, a class  none; the gap is measured for every image
                 token, log-sum-exp pooling)
================ ============================================= ==================================================

The order is read off the calls. Affinity and normalisations are proved by numbers (``affinity``, ``fold``), so that it
does not matter how a head is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch.fx
from torch import Tensor, nn

from bincam.errors import BincamError, InputError, UnsupportedError
from bincam.models.borrowing.borrow import at_precision, evaluating, outside_grad_modes, own_rng, unwrap
from bincam.models.borrowing.one_image import check_one_image
from bincam.models.grids.layout import layout_of
from bincam.models.grids.placement import prove
from bincam.models.grids.spread import spreads_as_claimed
from bincam.models.head_structure.branches import SeveralPooledError, advice
from bincam.models.head_structure.claim import HeadPath, confirm, number_of_features
from bincam.models.head_structure.fold import Fold, Head, MeanHead, mean_weight
from bincam.models.head_structure.norm import Norm, norm_scale
from bincam.models.head_structure.path import SHAPING, bottlenecks, covers_grid, walk
from bincam.models.head_structure.reduction import Reduction, joint_reduction, reduction_of
from bincam.models.layers import Layer, attention_input, dotted_name, layer_at, listed, named_layer
from bincam.models.tracing.eager import check_followable, eager
from bincam.models.tracing.repeats import refuse_copies, refuse_repeated
from bincam.models.tracing.trace import NO_CALL, Place, Trace, record

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
_TRIES = 8
"""Earlier tensors that are tried where the cells of a tensor are not places in the image."""
RECTIFIERS = {"relu", "leaky_relu", "prelu"}
"""Activations with a(x) = a'(x) x: the output is the gradient times the input."""


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
        open_stops: Whether gradients have to pass ``detach`` to reach the logits.

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
    open_stops: bool = False

    @property
    def decomposes(self) -> bool:
        """True if the head determines the contribution of every cell."""
        return self.weight is not None


def resolve(
    model: nn.Module,
    images: Tensor,
    read: Callable[[Any], Tensor],
    layer: str | nn.Module | None = None,
    *,
    alone: bool = False,
    checked: bool = True,
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
        alone: Every image will be run in a batch of its own: the pass may then depend on the batch, and ``reason``
            states that it does.
        checked: Check that the pass is a function of one image. False only where this is known, as of a copy of a model
            with other weights.

    Returns:
        The anatomy at this input size.

    Raises:
        InputError: ``layer`` is not in the model, or the model rejects images of this shape.
        UnsupportedError: The structure is not recognised; the message says which argument helps. Or the pass is random
            in evaluation mode, or mixes the images of a batch.

    Example:
        >>> import torch
        >>> from bincam import models
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64))
        >>> anatomy = models.resolve(model, torch.zeros(1, 3, 64, 64), read=lambda logits: logits)
        >>> anatomy.kind, anatomy.reason, anatomy.layer.layout.grid
        ('exact', 'mean pooling, then affine layers', (2, 2))
    """
    model = unwrap(model)
    check_followable(model)
    with evaluating(model), eager(model), own_rng(images.device), outside_grad_modes():
        try:
            anatomy = _resolve_precisely(model, images, read, layer)
        except Exception:
            if checked:  # a pass that is no function of one image is a better reason than what follows from it
                _check_alone(model, images, read, alone=alone)
            raise
        if not checked:
            return anatomy
        places = {"pooled": anatomy.pooled.place if anatomy.pooled else None, "layer": anatomy.layer.place}
        remark = check_one_image(model, images, read, places, alone=alone)
    return replace(anatomy, reason=f"{anatomy.reason}; {remark}") if remark else anatomy


def _check_alone(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], *, alone: bool) -> None:
    """Check the logits of a model that cannot be resolved.

    Raises:
        UnsupportedError: They are not a function of one image.
    """
    try:
        check_one_image(model, images, read, alone=alone)
    except UnsupportedError:
        raise
    except Exception:  # the caller raises the error of the model
        return


def _resolve_precisely(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], layer: str | nn.Module | None
) -> Anatomy:
    """Resolve a model of half precision in float32, so that rounding is not taken for a head that is not affine."""
    if not any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        return _resolve(model, images, read, layer)
    try:
        with at_precision(model, torch.float32):
            return _resolve(model, images.float(), read, layer)
    except UnsupportedError:
        raise
    except (InputError, RuntimeError):  # the model demands its own precision
        return _resolve(model, images, read, layer)


def _resolve(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], layer: str | nn.Module | None) -> Anatomy:
    requested = None if layer is None or layer == "pre_activation" else dotted_name(model, layer)
    with evaluating(model), eager(model), own_rng(images.device), outside_grad_modes():
        try:
            trace = record(model, images, read)
        except BincamError:
            raise
        except (RuntimeError, AssertionError) as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            exported = "; export it with dynamic batch size (dynamic_shapes=), or give the eager nn.Module"
            raise InputError(
                f"the model does not take images of shape {tuple(images.shape)}: {message}"
                + (exported if isinstance(model, torch.fx.GraphModule) and "uard" in message else "")
            ) from error
        trace.proved = lambda layers: [proof.holds for proof in prove(model, images, read, layers, logits=False)]
        trace.usable = lambda layers: [proof.holds and proof.reaches for proof in prove(model, images, read, layers)]
        try:
            head = _proved(trace, _head(model, images, read, trace))
            if head.kind == "exact" and head.at_pooled and head.weight is not None:
                checked = (head.layer, head.pooling, head.weight)
                if not spreads_as_claimed(model, images, read, *checked):
                    reason = "the logits depend on single cells otherwise than through the pooling"
                    head = replace(head, kind="diagnostic", reason=reason, weight=None, bias=None)
        except SeveralPooledError as error:
            if requested is None:
                raise UnsupportedError(advice(model, images, read, trace, error)) from None
            reason = f"{error}, and the map covers what passes through {requested!r} alone"
            head = Anatomy("diagnostic", reason, "other", named_layer(trace, requested))
        except UnsupportedError as error:
            if requested is None:
                raise UnsupportedError(_with_candidates(str(error), trace)) from None
            head = Anatomy("diagnostic", str(error), "other", named_layer(trace, requested))
        if requested is not None:
            named = head.layer if requested == head.layer.name else named_layer(trace, requested)
            return replace(head, layer=named, at_pooled=head.at_pooled and named.place == head.layer.place)
    if layer == "pre_activation":
        return _before_activation(trace, head)
    return head


def _with_candidates(message: str, trace: Trace) -> str:
    """Name the layers that can be passed, where a refusal tells to pass one and names none."""
    return f"{message}; {listed(trace)}" if message.endswith("layer=") else message


def _proved(trace: Trace, head: Anatomy) -> Anatomy:
    """Return the anatomy if its cells are places in the image, else that of the last earlier tensor whose cells are."""
    if head.layer.layout.grid == (1, 1) or trace.proved([head.layer])[0]:
        return head
    h, w = head.layer.layout.grid
    reason = f"the {h}x{w} cells of {head.layer.name!r} do not respond to their own places in the image"
    earlier = (call for call in bottlenecks(trace, before=head.layer.place.call) if call.name not in SHAPING)
    for call in itertools.islice(earlier, _TRIES):
        with suppress(UnsupportedError):
            layer = layer_at(trace, call, "output", layout_of(trace, call, call.output))
            if layer.layout.grid != (1, 1) and trace.proved([layer])[0]:
                return Anatomy("diagnostic", reason, "other", layer, pooled=layer, at_pooled=True)
    raise UnsupportedError(f"{reason}; pass layer=; {listed(trace)}")


def _head(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], trace: Trace) -> Anatomy:
    path = walk(trace)
    pool = path.terminal
    if path.source is not None:
        reduction = None if path.one_cell else reduction_of(trace, pool)
        if reduction is not None and reduction.path.kind != "diagnostic":
            return _regrouped(model, images, read, trace, reduction)
        layer = layer_at(trace, path.source, "output", layout_of(trace, path.source, path.source.output))
        return Anatomy("diagnostic", path.reason, path.pooling, layer, pooled=layer, at_pooled=True)
    if pool.parents[0] == NO_CALL:
        raise UnsupportedError("the logits are a function of the raw pixels alone; there is no layer to explain")
    source = trace.calls[pool.parents[0]]
    refuse_copies(trace, pool.inputs[0], "the tensor that is pooled", lambda: listed(trace))
    try:
        layout = layout_of(trace, source, pool.inputs[0], path.order)
    except UnsupportedError:
        reduction = reduction_of(trace, pool)
        if reduction is None:
            _refuse_copied(trace)
            raise
        return _regrouped(model, images, read, trace, reduction)
    if path.pooling in ("other", "mixed", "means"):
        joint = "mean" if path.pooling == "means" else "flatten"
        path = replace(path, pooling="other" if path.pooling == "other" else "mixed")
        reduction = (
            reduction_of(trace, pool) if path.pooling == "other" else joint_reduction(trace, source, layout, joint)
        )
        if reduction is not None and reduction.path.kind != "diagnostic":
            return _regrouped(model, images, read, trace, reduction)
    pooled = layer_at(trace, pool, "input", layout)
    layer = pooled
    if len(source.outputs) == 1 and source.returns:
        # The gradient starts at the call that makes the tensor, because other calls than the pooling may read it too.
        layer = replace(pooled, place=Place(source.index, source.name, "output"))
    if layout.grid == (1, 1):
        one_cell = (
            "; the grid is one cell at this input size, which has no place in the image (larger images give it more)"
        )
        path = replace(path, reason=path.reason + one_cell)
    diagnostic = Anatomy("diagnostic", path.reason, path.pooling, layer, pooled=pooled, at_pooled=True)
    if path.pooling == "token":
        return replace(diagnostic, layer=attention_input(trace, pool), at_pooled=False)
    whole = covers_grid(pool)
    vector = Place(pool.index, pool.name, "input" if whole else "output")
    if path.pooling in ("mean", "max", "logsumexp", "attention", "flatten"):
        diagnostic = replace(diagnostic, vector=vector)
    if path.kind == "diagnostic":
        return diagnostic
    head = Head(model, images, read, vector, pool.inputs[0] if whole else pool.output, trace.logits)
    grid = Head(model, images, read, layer.place, pool.inputs[0], trace.logits)
    fold = confirm(head, path, grid=grid, layout=layout, number=number_of_features(trace, source))
    return _with_fold(diagnostic, path, fold, pool.inputs[0].shape[1:])


def _refuse_copied(trace: Trace) -> None:
    """Refuse a model that runs on parts or copies of an image: a better reason than a tensor without a grid."""
    for name in sorted(trace.runs, key=len):
        refuse_repeated(trace, name, lambda: listed(trace))
    calls = (trace.calls[index] for index in sorted(trace.ancestors(trace.last)))
    first = next((call for call in calls if call.live and call.name == "conv2d"), None)
    if first is not None:  # later ones may run on windows
        refuse_copies(trace, first.output, f"the output of {first.module or 'a convolution'}", lambda: listed(trace))


def _regrouped(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], trace: Trace, reduction: Reduction
) -> Anatomy:
    """The anatomy of a head whose reduction is recognised by its numbers."""
    path, source, layout = reduction.path, reduction.source, reduction.layout
    layer = layer_at(trace, source, "output", layout)
    base = Anatomy("diagnostic", path.reason, path.pooling, layer, pooled=layer, at_pooled=True)
    head: Head | MeanHead
    at_grid = Head(model, images, read, layer.place, source.output, trace.logits)
    separate = path.terminal is source and path.pooling == "mean"
    if path.pooling != "flatten" and not separate:
        base = replace(base, vector=Place(path.terminal.index, path.terminal.name, "output"))
    if path.kind == "diagnostic":
        return base
    number = number_of_features(trace, source)
    if path.pooling == "flatten":
        fold = confirm(at_grid, path, grid=at_grid, layout=layout, number=number)
        shape = source.output.shape[1:]
        if isinstance(fold, Fold) and (mean := mean_weight(fold.weight.unflatten(-1, shape), layout)) is not None:
            reason = path.reason.replace("affine in every cell", "mean pooling, then affine layers")
            path = replace(path, reason=reason, pooling="mean")
            fold, base = replace(fold, weight=mean), replace(base, pooling="mean")
        elif isinstance(fold, Fold) and layout.prefix:
            return replace(base, reason="tokens without a position and cells of the grid have different weights")
        return _with_fold(base, path, fold, shape)
    if separate:
        head = MeanHead(at_grid, layout)
        fold = confirm(head, path, grid=at_grid, layout=layout, number=number, reduced=True)
        return _with_fold(base, path, fold, ())
    assert base.vector is not None
    vector = path.terminal.output
    head = Head(model, images, read, base.vector, vector, trace.logits)
    fold = confirm(head, path, grid=at_grid, layout=layout, number=number, reduced=True)
    return _with_fold(base, path, fold, vector.shape[1:])


def _with_fold(base: Anatomy, path: HeadPath, fold: Fold | str, shape: Sequence[int]) -> Anatomy:
    """Add a folded head to an anatomy; without one it stays diagnostic, with the reason."""
    if isinstance(fold, str):
        return replace(base, reason=fold)
    weight = fold.weight
    if path.pooling == "flatten":
        weight = base.layer.layout.grid_of(weight.unflatten(-1, tuple(shape)))  # (A, C, h, w)
    return replace(
        base,
        kind=path.kind,
        reason=path.reason,
        weight=weight.contiguous(),
        bias=fold.bias,
        norm=fold.norm,
        open_stops=fold.open_stops,
    )


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


__all__ = ["ACTIVATIONS", "RECTIFIERS", "Anatomy", "Kind", "Norm", "norm_scale", "resolve"]
