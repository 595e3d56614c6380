"""Reductions from a grid to a vector that no name reveals: a mean written as two means, as a sum, as a product.

The grid is the nearest tensor with known axes from which the vector is computed by calls that are affine. Where the
vector is the mean of the grid's cells, the head is as any other behind mean pooling. Otherwise the folded head has one
weight for every channel and cell.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.grids.layout import layout_of
from bincam.models.grids.token_grid import Layout
from bincam.models.head_structure.affinity import affine
from bincam.models.head_structure.claim import HeadPath, classify, descendants
from bincam.models.head_structure.fold import cells_of
from bincam.models.tracing.trace import NO_CALL, Call, Trace

_MAXIMA = {"max", "amax", "adaptive_max_pool1d", "adaptive_max_pool2d", "max_pool1d", "max_pool2d"}
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Reduction:
    """A grid, and the calls from it to the logits.

    Attributes:
        source: The call that made the grid.
        layout: Its axes.
        path: The path from the vector, if the vector is the mean or maximum of the cells; otherwise the path from the
            grid, of pooling ``flatten``.
    """

    source: Call
    layout: Layout
    path: HeadPath


def reduction_of(trace: Trace, terminal: Call) -> Reduction | None:
    """Find the grid that a call reduces.

    Args:
        trace: The traced pass.
        terminal: The call whose output has no grid although its input seems to have one.

    Returns:
        The reduction; None if no tensor with known axes reaches the call through affine calls or maxima alone.
    """
    chain = [terminal]
    found: tuple[Call, Layout] | None = None
    while affine(trace, chain[-1]) or chain[-1].name in _MAXIMA:
        parents = set(trace.live_parents(chain[-1]))
        if len(parents) != 1 or NO_CALL in parents:
            break
        source = trace.calls[parents.pop()]
        if not any(tensor is source.output for tensor in chain[-1].inputs):  # another of several outputs, or a view
            break
        layout = _layout(trace, source)
        if layout is not None and (found is None or source.output.ndim == 4):
            found = source, layout
        if source.output.ndim >= 4 and found is not None:
            break
        chain.append(source)
    if found is None:
        return None
    source, layout = found
    between = _between(trace, source)
    if between is None:
        return None
    cells = cells_of(layout, source.output)[0]
    for call in between:
        name = _pooling(call.output, cells, [step for step in between if step.index <= call.index], trace)
        if name:
            rest = [step for step in between if step.index > call.index]
            return Reduction(source, layout, classify(trace, call, name, None, rest))
    return Reduction(source, layout, classify(trace, source, "flatten", None, between))


def joint_reduction(trace: Trace, source: Call, layout: Layout, pooling: str) -> Reduction | None:
    """Describe several reductions of one grid together, as of separate heads that pool it one by one.

    Args:
        trace: The traced pass.
        source: The call that made the grid.
        layout: The grid's axes.
        pooling: ``mean`` if all of them are means, else ``flatten``.

    Returns:
        The reduction from the grid; None if another tensor reaches the logits too.
    """
    between = _between(trace, source)
    return None if between is None else Reduction(source, layout, classify(trace, source, pooling, None, between))


def _between(trace: Trace, source: Call) -> list[Call] | None:
    """The calls from a grid to the logits; None if the logits depend on another tensor too."""
    after = descendants(trace, source)
    between = _ancestors(trace, after - {source.index})
    if any(parent not in after for call in between for parent in trace.live_parents(call)):
        return None
    return between


def _ancestors(trace: Trace, within: set[int]) -> list[Call]:
    """The calls of a set that the logits depend on, in order."""
    needed, pending = {trace.last}, [trace.last]
    while pending:
        for parent in trace.live_parents(trace.calls[pending.pop()]):
            if parent in within and parent not in needed:
                needed.add(parent)
                pending.append(parent)
    return [trace.calls[index] for index in sorted(needed & within)]


def _layout(trace: Trace, call: Call) -> Layout | None:
    if call.output.ndim not in (3, 4) or not call.output.is_floating_point():
        return None
    try:
        return layout_of(trace, call, call.output)
    except UnsupportedError:
        return None


def _pooling(output: Tensor, cells: Tensor, steps: list[Call], trace: Trace) -> str:
    """``mean`` or ``max`` if a tensor is that of the cells, else empty."""
    if output.numel() != len(cells) or not output.is_floating_point():
        return ""
    vector = output.flatten()
    if all(affine(trace, step) for step in steps) and _equal(vector, cells.mean(1), cells):
        return "mean"
    maxima = all(step.name in _MAXIMA or affine(trace, step) for step in steps)
    return "max" if maxima and _equal(vector, cells.amax(1), cells) else ""


def _equal(vector: Tensor, expected: Tensor, cells: Tensor) -> bool:
    return bool(((vector - expected).abs() <= _TOLERANCE * cells.abs().amax(1) + 1e-12).all())
