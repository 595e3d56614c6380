"""A batch after its forward pass: its maps by any method, and the explanation that they make."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from bincam.cam.decompose import Decomposition, decompose, full_precision
from bincam.cam.explanation import Explanation
from bincam.cam.maps import bridge, fullgrad
from bincam.cam.maps.evidence import Pass
from bincam.cam.maps.methods import Method
from bincam.cam.maps.native import completes, signed_evidence
from bincam.cam.model.borrowed_model import BorrowedModel, Start
from bincam.cam.prediction_grid.cells import cell_scores, readings
from bincam.cam.prediction_grid.reading import explained_grid
from bincam.cam.requests.combination import Combination
from bincam.cam.requests.request import Request
from bincam.cam.requests.targets import Side
from bincam.errors import UnsupportedError
from bincam.models.anatomy import Anatomy

_FIXED = "log-odds of a set: exact with this image's weights of the alternatives fixed"


@dataclass(frozen=True)
class Batch:
    """What is known of a batch before its maps, while the model is borrowed.

    Attributes:
        model: The model.
        images: ``(B, C, H, W)``, from ``BorrowedModel.running``.
        casting: Likewise, the context of forward passes.
        anatomy: Structure of the model.
        passed: The forward pass.
        request: What is asked.
        columns: The explained combinations of outputs.
        logits: ``(B, A)``, their scores.
        sigma: σ, ``(B, A)``.
        decomposition: Of the head, if it has one.
    """

    model: BorrowedModel
    images: Tensor
    casting: torch.autocast
    anatomy: Anatomy
    passed: Pass
    request: Request
    columns: Combination
    logits: Tensor
    sigma: Tensor
    decomposition: Decomposition | None


def asked_batch(
    model: BorrowedModel, images: Tensor, casting: torch.autocast, anatomy: Anatomy, passed: Pass, request: Request
) -> Batch:
    """Work out what is asked of a batch from its scores; the arguments are those of ``Batch``."""
    columns = request.combination(request.deciding(full_precision(passed.scores.detach())))
    logits = columns.explained()
    sigma = request.sides(columns, logits)
    decomposition = decompose(anatomy, passed.kept, columns) if anatomy.decomposes else None
    return Batch(model, images, casting, anatomy, passed, request, columns, logits, sigma, decomposition)


def batch_evidence(model: BorrowedModel, images: Tensor, ask: Callable[[], Request]) -> Tensor:
    """Compute the head's own evidence for the positive class, ``(B, A, h, w)``, without maps of any method.

    Args:
        model: The model.
        images: ``(B, C, H, W)``.
        ask: What is asked; before the forward pass, outputs may have no names to ask about.

    Raises:
        UnsupportedError: The head has no additive decomposition.
    """
    with model.running(images) as (batch, casting):
        anatomy = model.anatomy(batch)
        if not anatomy.decomposes:
            raise UnsupportedError(f"no reference can be fitted: {anatomy.reason}")
        anatomy, passed = model.resolved_pass(batch, casting, lambda _: (True, None))
        columns = ask().combination(full_precision(passed.scores.detach()))
        return decompose(anatomy, passed.kept, columns).evidence


def batch_maps(
    batch: Batch,
    method: Method | None,
    name: str,
    *,
    side: Side | Literal["any"],
    chunk: int | None,
    cut: Callable[[Anatomy], tuple[bool, Start]],
    other_layer: Callable[[Anatomy], str],
) -> tuple[Batch, Tensor, Tensor | None]:
    """Compute the maps of a batch.

    Args:
        batch: The batch.
        method: The native method; None for one of pytorch-grad-cam.
        name: Its name.
        side: The requested side.
        chunk: Number of attributes differentiated together, or None to choose.
        cut: As for ``BorrowedModel.resolved_pass``.
        other_layer: Advice which layer to explain where the gradient is zero.

    Returns:
        The batch, of another pass where gradients had to be let through what the model detaches; σS,
        ``(B, A, h, w)``; and the constant that completes them, ``(B, A)``, or None.

    Raises:
        UnsupportedError: The method cannot answer this question about this model.
        InputError: Nothing of the layer reaches the logits.
    """
    model, images = batch.model, batch.images
    constant = batch.decomposition.bias if batch.decomposition else None
    if method is None:
        question = bridge.Question(side, batch.request.attributes, batch.columns, batch.logits, batch.sigma)
        # In full precision: pytorch-grad-cam converts activations to numpy, which has little half precision.
        return batch, bridge.run(model.module, model.read, images, batch.anatomy, name, question), constant
    if side == "any":
        raise UnsupportedError(f"{name} distinguishes the sides; ask for one of them")
    if method.name == "fullgrad":
        with batch.casting:
            located, constant = fullgrad.maps(model.module, model.read, images, batch.columns)
        return batch, batch.sigma[..., None, None] * located, constant
    evidence_of = partial(
        signed_evidence,
        model,
        images,
        method,
        sigma=batch.sigma,
        columns=batch.columns,
        decomposition=batch.decomposition,
        chunk=chunk,
        other_layer=other_layer,
    )
    signed = evidence_of(anatomy=batch.anatomy, passed=batch.passed)
    if signed is None:  # gradients pass what the model detaches
        anatomy = model.open_stops(images)
        with batch.casting:
            passed = model.forward(images, anatomy, *cut(anatomy))
        batch = replace(batch, anatomy=anatomy, passed=passed)
        signed = evidence_of(anatomy=anatomy, passed=passed)
        assert signed is not None
    return batch, batch.sigma[..., None, None] * signed, constant


def batch_explanation(batch: Batch, name: str, maps: Tensor, constant: Tensor | None, *, cells: bool) -> Explanation:
    """Make the explanation of a batch.

    Args:
        batch: As ``batch_maps`` returns it, like ``maps`` and ``constant``.
        name: Name of the method.
        maps: σS, ``(B, A, h, w)``.
        constant: ``(B, A)``, or None.
        cells: Whether to keep the prediction grids.
    """
    model, anatomy, request, columns = batch.model, batch.anatomy, batch.request, batch.columns
    by_fullgrad = name == "fullgrad"
    conditional = columns.conditional and anatomy.kind == "exact"
    in_sets = any(columns.owners)
    owners = dict.fromkeys(owner for owner in columns.owners if owner is not None)
    explanation = Explanation(
        attributes=request.attributes,
        logits=batch.logits,
        side=batch.sigma,
        threshold=request.thresholds.to(batch.logits),
        maps=maps,
        decomposition=batch.decomposition,
        bias=constant,
        method=name,
        layer="input" if by_fullgrad else anatomy.layer.name,
        kind="conditional" if conditional else anatomy.kind,
        reason=f"{anatomy.reason}; {_FIXED}" if columns.conditional and anatomy.decomposes else anatomy.reason,
        complete=fullgrad.completes(model.module, model.read, batch.images[:1])
        if by_fullgrad
        else completes(name, anatomy),
        head=model.head if model.card is None else model.card.head,
        image_size=(int(batch.images.shape[2]), int(batch.images.shape[3])),
        sets=columns.owners if in_sets else (),
        versus=request.versus if in_sets else None,
        alternatives=columns.alternatives() if in_sets else None,
        odds=columns.odds() if in_sets and request.versus is not None else None,
        predicted=request.decided(columns) if in_sets else None,
        outputs=columns.outputs if columns.outputs.ndim == 2 else None,
        rivals=columns.rivals,
        names=request.selection.names if columns.outputs.ndim == 2 else (),
        scores=columns.scores if in_sets else None,
        members={owner: tuple(request.selection.names[c] for c in columns.sets[owner]) for owner in owners},
        pooling=anatomy.pooling,
        pooled_cells=0 if anatomy.pooled is None else math.prod(anatomy.pooled.layout.grid),
        pointwise="pointwise" in readings(anatomy),
    )
    if not cells:
        return explanation
    grids = {
        reading: explained_grid(
            explanation,
            cell_scores(anatomy, batch.passed.kept, reading),
            columns,
            reading,
            raw=not model.centred,
        )
        for reading in readings(anatomy)
    }
    return replace(explanation, grids=grids)
