"""Resolution of a model: one traced pass, the head that it shows, and the checks of what is claimed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch.fx
from torch import Tensor, nn

from bincam.errors import BincamError, InputError, UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.models.borrowing.borrow import evaluating, in_full_precision, outside_grad_modes, own_rng, unwrap
from bincam.models.borrowing.one_image import check_one_image
from bincam.models.grids.layout import layout_of
from bincam.models.grids.placement import prove
from bincam.models.grids.spread import spreads_as_claimed
from bincam.models.head_structure.activation import before_activation
from bincam.models.head_structure.branches import SeveralPooledError, advice
from bincam.models.head_structure.derivation import head_of
from bincam.models.head_structure.path import SHAPING, bottlenecks
from bincam.models.layers import dotted_name, layer_at, listed, named_layer
from bincam.models.tracing.eager import check_followable, eager
from bincam.models.tracing.trace import Trace, record

_TRIES = 8
"""Earlier tensors that are tried where the cells of a tensor are not places in the image."""


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
            anatomy = in_full_precision(model, images, lambda probe: _resolve(model, probe, read, layer))
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
            head = _proved(trace, head_of(model, images, read, trace))
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
        return before_activation(trace, head)
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
