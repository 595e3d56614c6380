"""The claim that the calls between a pooling and the logits permit, if the numbers confirm it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bincam.models.grids.token_grid import Layout, Order
from bincam.models.head_structure.affinity import affine
from bincam.models.head_structure.fold import Fold, Head, MeanHead, cells_of, fold_affine, fold_normalised
from bincam.models.tracing.trace import Call, Trace

# Calls of a normalisation, whether written as one function or as steps.
_FUSED_NORMS = {"layer_norm", "rms_norm", "group_norm", "normalize", "cosine_similarity", "fast_layer_norm"}
_NORM_STEPS = {
    "pow", "square", "mul", "div", "truediv", "true_divide", "rsqrt", "sqrt", "reciprocal", "norm", "linalg_norm",
    "linalg_vector_norm", "vector_norm", "var", "std", "var_mean", "std_mean", "clamp", "clamp_min", "clip", "maximum",
    "max", "abs", "float_power", "multiply", "divide", "inner", "rpow", "einsum",
}  # fmt: skip
_STATISTICS = {"rsqrt", "sqrt", "norm", "linalg_norm", "linalg_vector_norm", "vector_norm", "std", "std_mean"}
_STATISTICS |= _FUSED_NORMS
# Calls of which several can cancel: log-odds of a softmax or sigmoid are differences of its inputs.
CANCELLING = {
    "softmax", "log_softmax", "logsumexp", "sigmoid", "logsigmoid", "log_sigmoid", "logit", "log", "log2", "log1p",
    "exp", "expm1", "div", "truediv", "true_divide", "divide", "special_logit", "special_expit", "rtruediv", "rdiv",
    "reciprocal",
}  # fmt: skip

OF_CELL_SCORES = {"top_pool": "top", "noisy_or_pool": "noisy_or", "pcam_pool": "pcam"}
"""Calls of ``bincam.models.poolings.cell_pooling``, which pool a head's scores of every cell, and their poolings."""
_NOT_LINEAR = {
    "logsumexp": "log-sum-exp pooling is not linear in the features",
    "top": "the mean of each output's best cells is not linear in the features",
    "noisy_or": "noisy-or pooling is not linear in the features",
    "pcam": "probabilistic CAM pooling weights cells by their own scores, so it is not linear in the features",
}

NOT_CANCELLING = "is not affine, and does not cancel in the logits"
"""Part of the reason of a head with a softmax whose normaliser remains in each of its scores."""


@dataclass(frozen=True)
class HeadPath:
    """The path from the pooled tensor to the logits.

    Attributes:
        terminal: The call that reads the pooled tensor.
        pooling: Kind of pooling; ``means`` if separate calls average the same tensor.
        order: Order of the tensor's axes, if the pooling determines it.
        kind: The claim that the calls after the pooling permit.
        reason: Reason for the kind.
        calls: The calls after the pooling.
        proof: What the numbers have to confirm: an affine head, steps that cancel to one, or a normalisation.
        source: The call that makes the tensor to explain, where it is not the terminal's first input.
        one_cell: Whether a grid of one cell is pooled, so that another tensor is explained.
    """

    terminal: Call
    pooling: str
    order: Order | None
    kind: Literal["exact", "conditional", "diagnostic"]
    reason: str
    calls: tuple[Call, ...] = ()
    proof: Literal["affine", "cancelling", "norm"] = "affine"
    source: Call | None = None
    one_cell: bool = False

    @property
    def inverse(self) -> bool:
        """True if a logit is taken back from a probability, whose rounding near 1 it amplifies."""
        return any(call.name in ("logit", "special_logit", "log1p") for call in self.calls)


def classify(trace: Trace, terminal: Call, pooling: str, order: Order | None, between: list[Call]) -> HeadPath:
    """Determine the claim that the calls after a pooling permit, if the numbers confirm it."""
    calls = tuple(between)

    def path(
        kind: Literal["exact", "conditional", "diagnostic"],
        reason: str,
        proof: Literal["affine", "cancelling", "norm"] = "affine",
    ) -> HeadPath:
        return HeadPath(terminal, pooling, order, kind, reason, calls, proof)

    if pooling == "token":
        return path("diagnostic", "the head reads a class token, which has no position in the image")
    if pooling == "other":
        return path("diagnostic", f"the grid is reduced by {terminal.name!r}, which is not a known pooling")
    if pooling in _NOT_LINEAR:
        return path("diagnostic", _NOT_LINEAR[pooling])
    bent = [call for call in between if not affine(trace, call)]
    fused = [call for call in bent if call.name in _FUSED_NORMS]
    for call in bent:
        step = call.name in _FUSED_NORMS | _NORM_STEPS | CANCELLING
        if not step or not any(other.name in _STATISTICS | CANCELLING for other in bent):
            return path("diagnostic", f"{call.name!r} in {call.module or 'the head'} after pooling is not affine")
    if len(fused) > 1:
        return path("diagnostic", "several normalisations follow the pooling")
    cancelling = all(call.name in CANCELLING for call in bent)
    if bent and not cancelling:
        name = fused[0].name if fused else "a normalisation"
        if pooling != "mean":
            return path("diagnostic", f"{name} follows {pooling} pooling")
        return path("conditional", f"{name} after pooling: exact with this image's statistics fixed", "norm")
    proof: Literal["affine", "cancelling"] = "cancelling" if bent else "affine"
    if pooling == "attention":
        return path("conditional", "attention pooling: exact with this image's attention weights fixed", proof)
    reason = f"{pooling} pooling, then affine layers" if pooling != "flatten" else "affine in every cell"
    if bent:
        reason += f"; the {bent[0].name} cancels in the logit"
    return path("exact", reason, proof)


def number_of_features(trace: Trace, source: Call) -> str:
    """Name of a call that converts a tensor computed from the source to a Python value; empty if there is none."""
    after = descendants(trace, source)
    return next((name for name, parents in trace.numbers if after.intersection(parents)), "")


def descendants(trace: Trace, source: Call) -> set[int]:
    """Indices of a call and of all calls that depend on it."""
    after = {source.index}
    for index in sorted(trace.calls):
        if index > source.index and after.intersection(trace.live_parents(trace.calls[index])):
            after.add(index)
    return after


def confirm(
    head: Head | MeanHead, path: HeadPath, *, grid: Head, layout: Layout, number: str, reduced: bool = False
) -> Fold | str:
    """Fold a head and check the claim of its path by numbers.

    Args:
        head: The head behind the pooling.
        path: The calls after the pooling, and what the numbers have to confirm.
        grid: The same from the pooled grid.
        layout: The grid's axes.
        number: Name of a call that converts features to a Python value; the computation can depend on it unseen.
        reduced: The pooling was recognised by its numbers.

    Returns:
        The fold; where there is none, the reason.
    """
    tests: list[tuple[Tensor, Tensor]] = []
    if (number or reduced) and path.pooling in ("mean", "max", "flatten"):
        for value, logits in grid.tests((3.0, 0.1) if number else (1.0,), opposite=bool(number)):
            tests.append((_pooled(value, layout, path.pooling).view_as(head.value), logits))
    elif number:
        return f"the head converts features to a Python value ({number!r})"
    if path.proof == "norm":
        fold = fold_normalised(head, list(path.calls), tests)
        name = next((call.name for call in path.calls if "norm" in call.name), "the normalisation")
        reason = f"{name} after pooling does not act on the pooled vector alone"
    else:
        scales = (3.0,) if path.proof == "affine" else (0.3, 1.0, 3.0, 10.0, 30.0, 300.0, 3000.0)
        fold = fold_affine(head, [*tests, *head.tests(scales, opposite=bool(number))], inverse=path.inverse)
        reason = "the folded head does not reproduce the logits, so it is not affine"
        if path.proof == "cancelling":
            names = (call.name for call in path.calls if call.name in CANCELLING)
            reason = f"the {next(names)} of the head {NOT_CANCELLING}"
    if fold is None and number:
        return f"the head computes with a Python value of the features ({number!r})"
    return reason if fold is None else fold


def _pooled(value: Tensor, layout: Layout, pooling: str) -> Tensor:
    """The pooled vector ``(1, K)`` of a grid's value."""
    if pooling == "flatten":
        return value.flatten(1)
    cells = cells_of(layout, value)  # (1, C, cells)
    return cells.mean(-1) if pooling == "mean" else cells.amax(-1)
