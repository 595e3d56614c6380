"""Structure of the head by the calls of one traced pass, and the fold that its numbers confirm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from bincam.errors import UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.models.grids.layout import layout_of
from bincam.models.head_structure.claim import OF_CELL_SCORES, HeadPath, confirm, number_of_features
from bincam.models.head_structure.fold import Fold, Head, MeanHead, fold_affine, mean_weight
from bincam.models.head_structure.path import covers_grid, walk
from bincam.models.head_structure.reduction import Reduction, joint_reduction, reduction_of
from bincam.models.layers import attention_input, layer_at, listed
from bincam.models.tracing.cut import Place
from bincam.models.tracing.repeats import refuse_copies, refuse_repeated
from bincam.models.tracing.trace import NO_CALL, Trace


def head_of(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], trace: Trace) -> Anatomy:
    """Determine what the head pools, and how, from a traced pass; fold it where it is affine.

    Args:
        model: The traced model.
        images: The traced images.
        read: Function from the model's return value to logits ``(B, A)``.
        trace: The pass.

    Raises:
        UnsupportedError: The structure is not recognised; the message says which argument helps.
    """
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
    of_cells = path.pooling == "logsumexp" or path.pooling in OF_CELL_SCORES.values()
    if of_cells or path.pooling in ("mean", "max", "attention", "flatten"):
        diagnostic = replace(diagnostic, vector=vector)
    head = Head(model, images, read, vector, pool.inputs[0] if whole else pool.output, trace.logits)
    if of_cells and pool.name.endswith("_pool"):  # bincam's own, which leave constants unchanged
        behind = fold_affine(head, head.tests((3.0,)), inverse=path.inverse)
        diagnostic = replace(diagnostic, behind=behind)
    if path.kind == "diagnostic":
        return diagnostic
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
