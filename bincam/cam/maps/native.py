"""Native methods: which tensors a pass has to keep, the evidence of one layer, and whether maps sum to the logit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bincam.cam.decompose import Decomposition
from bincam.cam.maps.evidence import Pass, evidence
from bincam.cam.maps.lost_gradient import lost_gradients
from bincam.cam.maps.methods import Method
from bincam.cam.model.borrowed_model import BorrowedModel, Start
from bincam.cam.prediction_grid.cells import readings
from bincam.cam.requests.combination import Combination
from bincam.errors import InputError, UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.models.tracing.gradient_modes import lost_gradient


class NoEvidenceError(InputError):
    """Nothing of the explained layer reaches the logits of any image, as in a network whose activations all died."""


def kept_and_start(method: Method | None, anatomy: Anatomy, *, cells: bool = False) -> tuple[bool, Start]:
    """Decide whether to keep the tensors that the head pools, and where the gradient has to start.

    Args:
        method: The native method; None for one of pytorch-grad-cam.
        anatomy: Structure of the model.
        cells: Whether the head will be applied to every cell.
    """
    keep = anatomy.pooled is not None and (anatomy.decomposes or anatomy.pooling == "mean")
    keep = keep or (cells and bool(readings(anatomy)))
    if method is None or method.name in ("cam", "fullgrad"):
        return keep, None
    if anatomy.at_pooled and anatomy.kind == "exact":
        return keep, None
    if anatomy.at_pooled and anatomy.pooling == "mean" and anatomy.vector is not None:
        return keep, "vector"
    return keep, "layer"


def signed_evidence(
    model: BorrowedModel,
    batch: Tensor,
    method: Method,
    *,
    anatomy: Anatomy,
    passed: Pass,
    sigma: Tensor,
    columns: Combination,
    decomposition: Decomposition | None,
    chunk: int | None,
    other_layer: Callable[[Anatomy], str],
) -> Tensor | None:
    """Compute S by a native method at one layer.

    Args:
        model: The model, while it is borrowed.
        batch: ``(B, C, H, W)``, from ``BorrowedModel.running``.
        method: The method.
        anatomy: Structure of the model.
        passed: The forward pass.
        sigma: σ, ``(B, A)``.
        columns: The explained combinations of outputs.
        decomposition: Of the head, if it has one.
        chunk: Number of attributes differentiated together, or None to choose.
        other_layer: Advice which layer to explain where the gradient is zero.

    Returns:
        ``(B, A, h, w)``; None if the graph ends where it may be opened.

    Raises:
        UnsupportedError: The method needs a decomposition that the head does not have, or gradients are lost.
        NoEvidenceError: Nothing of the layer reaches the logits.
    """
    if method.name == "cam":
        if decomposition is None:
            raise UnsupportedError(
                f"cam needs a head with an additive decomposition, but {anatomy.reason}; use another method"
            )
        return decomposition.evidence
    assert method.function is not None
    signed = evidence(method.function, anatomy, passed, sigma, columns, chunk)
    everything = torch.ones(len(columns.owners), dtype=torch.bool, device=sigma.device)
    zero = everything if signed is None else ~signed.flatten(2).any(-1).any(0)
    if passed.leaf is not None and bool(zero.any()):
        _, start = kept_and_start(method, anatomy)
        lost = lost_gradients(model, batch, anatomy, start, passed, columns.part(zero))
        if lost is not None and not anatomy.open_stops:
            return None
        if lost is not None:
            raise UnsupportedError(f"layer {anatomy.layer.name!r} has no map: {lost_gradient(model.given, lost)}")
    if signed is None:
        raise NoEvidenceError(
            f"the gradient at layer {anatomy.layer.name!r} is zero in every cell of every image: nothing of it "
            f"reaches the logits (above the last attention only the class token does); {other_layer(anatomy)}"
        )
    return signed


def completes(method_name: str, anatomy: Anatomy) -> bool:
    """Decide by method, layer, pooling and head whether maps, prefix and bias sum to the logit.

    Args:
        method_name: Of any method but FullGrad, whose sum is known by its own computation.
        anatomy: Structure of the model.
    """
    if method_name == "cam":
        return anatomy.decomposes
    if anatomy.kind != "exact":
        return False
    if anatomy.pre_activation:
        return method_name in ("hirescam", "xgrad_cam") and anatomy.rectified
    if method_name in ("hirescam", "xgrad_cam"):  # XGrad-CAM's weights are chosen so that its sum is HiResCAM's
        return anatomy.at_pooled
    return method_name == "grad_cam" and anatomy.at_pooled and anatomy.pooling == "mean"
