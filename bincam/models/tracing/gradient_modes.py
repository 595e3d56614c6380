"""Gradient modes that a model sets inside its forward pass, and gradients that flow in spite of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

_STOPS = {"detach", "detach_", "data"}


def lost_gradient(model: nn.Module, names: Sequence[str]) -> str:
    """State where a gradient is lost, and what to do.

    Args:
        model: The model.
        names: Names of the calls that took a tensor with a graph and returned values without one.
    """
    kinds = [type(module) for module in model.modules()]
    if any("quantiz" in name for name in (*names, *(kind.__module__ for kind in kinds))):
        return "quantised layers have no gradient; explain the float network from which the quantised one was made"
    if names:
        return (
            f"the gradient is lost at {names[0]!r}, which has no derivative in torch; pass layer= with a layer after "
            "it, or write that step with operations that have one"
        )
    return (
        "the gradient is lost on the way to the logits: in a step such as rounding, in a custom autograd function, or "
        "in checkpointing with use_reentrant=True; pass layer= with a layer after it, or set use_reentrant=False"
    )


class GradientModes:
    """Run the calls of a forward pass outside of the modes that the model itself enters.

    ``torch.no_grad`` and ``torch.inference_mode`` in a forward pass save memory and change no value, but end every
    graph. A frozen backbone is explained too: what its features contribute to the logits does not depend on how
    it was trained.

    Attributes:
        enabled: Whether calls run with gradients; if not, the mode that is set applies.
        open_stops: Whether ``detach`` passes gradients. A model may detach a tensor on purpose (a straight-through
            estimator), so this is for graphs that end at it.
        watch: Whether calls that lose a graph are noted in ``lost``.
    """

    def __init__(self, *, enabled: bool = False, open_stops: bool = False, watch: bool = False) -> None:
        self.enabled = enabled
        self.open_stops = open_stops
        self.watch = watch
        self.lost: list[str] = []
        """Names of calls that took a tensor with a graph and returned floating-point values without one."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function with its arguments in the mode described."""
        name = str(getattr(function, "__name__", ""))
        if name.startswith("_set_grad_enabled"):
            return function(*args, **kwargs)
        if name == "__get__":
            name = str(getattr(getattr(function, "__self__", None), "__name__", name))
        if self.enabled and self.open_stops and name in _STOPS and isinstance(args[0], Tensor):
            function, args, kwargs = Tensor.view_as, (args[0], args[0]), {}
        if self.enabled and isinstance(kwargs.get("out"), Tensor):  # torch does not differentiate out=
            out = kwargs["out"]
            kwargs = {key: value for key, value in kwargs.items() if key != "out"}
            return self.call(Tensor.copy_, (out, self.call(function, args, kwargs)), {})
        enabled = self.enabled or torch.is_grad_enabled()
        if torch.is_inference_mode_enabled():  # tensors made in it can never enter a graph
            with torch.inference_mode(False), torch.set_grad_enabled(enabled):
                result = function(*args, **kwargs)
        elif self.enabled and not torch.is_grad_enabled():
            with torch.enable_grad():
                result = function(*args, **kwargs)
        else:
            result = function(*args, **kwargs)
        if self.enabled and self.watch:
            self._note_loss(name, (args, kwargs), result)
        return result

    def _note_loss(self, name: str, arguments: Any, result: Any) -> None:
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        floating = [tensor for tensor in outputs if tensor.is_floating_point() or tensor.is_quantized]
        if not floating or any(tensor.requires_grad for tensor in floating):
            return
        if name != "grad" and any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in tree_leaves(arguments)):
            self.lost.append(name)


class GradientsEverywhere(TorchFunctionMode):
    """A mode in which every call of a forward pass runs with gradients.

    Example:
        >>> import torch
        >>> pixels = torch.ones(1, requires_grad=True)
        >>> with GradientsEverywhere(), torch.no_grad():
        ...     doubled = pixels * 2
        >>> doubled.requires_grad
        True
    """

    def __init__(self, *, open_stops: bool = False, watch: bool = False) -> None:
        super().__init__()
        self.modes = GradientModes(enabled=True, open_stops=open_stops, watch=watch)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        return self.modes.call(func, args, kwargs or {})
