"""Calls of a forward pass that draw random numbers: their names, and passes in which the draws are extreme.

A unit that is dropped once in a hundred passes leaves most pairs of passes equal. With all draws at their lowest and
then at their highest value, every such unit is dropped in one pass and kept in the other.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bincam.models.tracing.trace import call_name

Extreme = Literal["low", "high"] | None
_DROPOUTS = {
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout",
}  # fmt: skip
_UNIFORM = {"rand", "rand_like", "bernoulli"}
_OTHERS = {
    "randn", "randn_like", "randint", "randint_like", "randperm", "normal", "uniform", "log_normal", "cauchy",
    "exponential", "geometric", "random", "multinomial", "poisson", "gumbel_softmax", "rrelu", "binomial",
}  # fmt: skip


class RandomCalls(TorchFunctionMode):
    """A mode that notes the calls that draw random numbers, and may replace the draws by extreme ones.

    Args:
        model: The model whose pass is watched.
        extreme: ``low``: dropout drops everything, and uniform and binary draws are 0; ``high``: it drops nothing, and
            they are 1. None leaves them as they are.

    Attributes:
        found: The calls, with the module that made each, without repetition.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam.models.borrowing.random_calls import RandomCalls
        >>> model = nn.Sequential(nn.Dropout(0.5), nn.Flatten())
        >>> with RandomCalls(model) as calls:
        ...     _ = model.train()(torch.ones(1, 3))
        >>> calls.found
        ["dropout in Dropout '0'"]
    """

    def __init__(self, model: nn.Module, extreme: Extreme = None) -> None:
        super().__init__()
        self.found: list[str] = []
        self._model = model
        self._extreme = extreme
        self._modules: list[str] = []
        self._handles: list[Any] = []

    def __enter__(self) -> RandomCalls:
        for name, module in self._model.named_modules():
            label = f"{type(module).__name__} {name!r}" if name else "the model"

            def enter(_: nn.Module, __: object, label: str = label) -> None:
                self._modules.append(label)

            def leave(_: nn.Module, __: object, ___: object) -> None:
                self._modules.pop()

            self._handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
        super().__enter__()  # type: ignore[no-untyped-call]  # torch's is not typed
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._modules = [], []
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch's is not typed

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        name = call_name(func)
        if name in _DROPOUTS:
            if not (args[2] if len(args) > 2 else kwargs.get("training", True)):
                return func(*args, **kwargs)
        elif name not in _UNIFORM and name not in _OTHERS:
            return func(*args, **kwargs)
        module = self._modules[-1] if self._modules else "the model"
        if (call := f"{name} in {module}") not in self.found:
            self.found.append(call)
        result = func(*args, **kwargs)
        if self._extreme is None or not isinstance(result, Tensor):
            return result
        if name in _DROPOUTS:
            source = args[0] if args else kwargs["input"]
            return torch.zeros_like(result) if self._extreme == "low" else source.clone()
        if name in _UNIFORM and result.is_floating_point():
            highest = 1.0 if name == "bernoulli" else 1 - 2**-24
            return result.fill_(0.0 if self._extreme == "low" else highest)
        return result
