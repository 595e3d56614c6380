"""Modules that run several times in one forward pass, on parts or on changed copies of an image.

An encoder that runs on an image and on its mirror image, or on its two halves, has no output of which one map could be
drawn: each run sees other places. A module that runs again on what came of its earlier run, as a shared activation
does, has one: its last output.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.tracing.trace import NO_CALL, Trace

FLIPS = (
    "an average over mirrored images can be explained by bincam.cam.flips, with the model that runs once for an image"
)


def last_runs(trace: Trace, name: str) -> list[int]:
    """Calls that made a module's outputs on which the logits depend, without those that another of them depends on.

    Args:
        trace: The traced pass.
        name: Dotted name of a module.

    Returns:
        One call for a module with one place in the pass; several where it runs side by side. The module's last call if
        the logits depend on none.
    """
    used = trace.ancestors(trace.last)
    runs = [call for call in dict.fromkeys(trace.runs.get(name, [])) if call in used and trace.calls[call].live]
    earlier = {ancestor for call in runs for ancestor in trace.ancestors(call) - {call}}
    return [call for call in runs if call not in earlier] or [trace.layers[name]]


def repeated(trace: Trace, name: str) -> bool:
    """True if a module runs side by side in one pass."""
    return len(last_runs(trace, name)) > 1


def refuse_repeated(trace: Trace, name: str, others: Callable[[], str]) -> None:
    """Refuse to explain a module that runs side by side.

    Args:
        trace: The traced pass.
        name: Dotted name of the module.
        others: Lists the layers that can be explained, as a phrase; finding them takes time.

    Raises:
        UnsupportedError: It does.
    """
    count = len(last_runs(trace, name))
    if count > 1:
        raise UnsupportedError(
            f"layer {name!r} runs {count} times in one pass, on parts or copies of the image, so no single map shows "
            f"where its evidence is; {others()}; {FLIPS}"
        )


def refuse_copies(trace: Trace, tensor: Tensor, what: str, others: Callable[[], str]) -> None:
    """Refuse to explain a tensor that has several rows for an image.

    Raises:
        UnsupportedError: Its first axis is not that of the images.
    """
    if len(tensor) != len(trace.images):
        raise UnsupportedError(
            f"{what} has {len(tensor)} rows for {len(trace.images)} image(s), of parts or copies of it, so no single "
            f"map shows where its evidence is; {others()}; {FLIPS}"
        )


def several_pooled(trace: Trace, sources: Collection[int]) -> str:
    """State why the logits pool several tensors, where that is a module that runs side by side; else empty.

    Args:
        trace: The traced pass.
        sources: Calls that made the pooled tensors.
    """
    inside = [trace.calls[source].module for source in sources if source != NO_CALL]
    if len(inside) != len(sources):
        return ""
    modules = [
        name
        for name in trace.runs
        if all(module == name or module.startswith(f"{name}.") or not name for module in inside)
        and repeated(trace, name)
    ]
    if not modules:
        return ""
    name = min(modules, key=len)
    return (
        f"because module {name!r} runs {len(last_runs(trace, name))} times in one pass, on parts or copies of the image"
    )
