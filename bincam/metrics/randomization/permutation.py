"""Random parameters: those of a borrowed model, permuted module by module from the output on, and restored."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from bincam.errors import InputError


@dataclass(frozen=True)
class CalledModules:
    """The modules of a model that own parameters, in the order of a forward pass.

    Attributes:
        names: Name of every module; ``model`` for the model itself.
        last_first: The modules, the one that is called last first.
        calls: When each was called, if it was.
        done: When the output of each module of the model was there, by name.
    """

    names: dict[nn.Module, str]
    last_first: tuple[nn.Module, ...]
    calls: dict[nn.Module, int]
    done: dict[str, int]

    @classmethod
    def of(cls, model: nn.Module, run: Callable[[], object]) -> CalledModules:
        """Note the order in which modules are called.

        A module that is never called follows its registered neighbour, and one that is called several times counts by
        its last call.

        Args:
            model: The model.
            run: Runs a forward pass.

        Raises:
            InputError: The model has no parameters.
        """
        names = {module: name or "model" for name, module in model.named_modules()}
        owners = [module for module in names if any(True for _ in module.parameters(recurse=False))]
        if not owners:
            raise InputError("the model has no parameters to randomise")
        calls: dict[nn.Module, int] = {}
        done: dict[str, int] = {}
        count = itertools.count()

        def begin(module: nn.Module, _: object) -> None:
            calls[module] = next(count)

        def end(module: nn.Module, _: object, __: object) -> None:
            done[names[module]] = next(count)

        hooks = [module.register_forward_pre_hook(begin) for module in owners]
        hooks += [module.register_forward_hook(end) for module in names]
        try:
            run()
        finally:
            for hook in hooks:
                hook.remove()
        keys, position = {}, -1
        for index, module in enumerate(owners):
            position = calls.get(module, position)
            keys[module] = (position, index)
        return cls(names, tuple(sorted(owners, key=keys.__getitem__, reverse=True)), calls, done)

    def below(self, layer: str) -> bool:
        """Return True if any of the modules has been called when a layer's output is there.

        Of a layer that is no module, such as a function, nothing is known but that the last module is the head.
        """
        if layer in self.done:
            return any(call < self.done[layer] for call in self.calls.values())
        return len(self.last_first) > 1

    def groups(self, count: int) -> list[tuple[str, tuple[nn.Module, ...]]]:
        """Divide the modules into at most ``count`` groups with a name, the head alone in the first; all for one."""
        head, below = self.last_first[:1], self.last_first[1:]
        parts = min(count - 1, len(below)) if count > 1 else 0
        groups = [head] if parts else [self.last_first]
        groups += [below[i * len(below) // parts : (i + 1) * len(below) // parts] for i in range(parts)]
        return [(_name([self.names[module] for module in group]), group) for group in groups]


def _name(modules: Sequence[str]) -> str:
    return modules[0] if len(modules) == 1 else f"{modules[0]} to {modules[-1]} ({len(modules)})"


@contextmanager
def exchanged(model: nn.Module) -> Iterator[list[tuple[nn.Parameter, nn.Parameter]]]:
    """Replace every parameter by a copy, and restore the original parameters afterwards.

    The copies exist during the whole exchange and are written in place, so that caches that identify weights by address
    and number of writes notice every change.

    Yields:
        Each copy with its original; a parameter that several modules share has one copy.
    """
    owners = [
        (module._parameters, name, parameter)  # noqa: SLF001  # setattr may run a module's own code
        for module in model.modules()
        for name, parameter in module._parameters.items()  # noqa: SLF001  # named_parameters leaves out shared ones
        if parameter is not None
    ]
    copies = {p: nn.Parameter(p.detach().clone(), requires_grad=p.requires_grad) for _, _, p in owners}
    try:
        for parameters, name, parameter in owners:
            parameters[name] = copies[parameter]
        yield [(copy, parameter) for parameter, copy in copies.items()]
    finally:
        for parameters, name, parameter in owners:
            parameters[name] = parameter


def permute(module: nn.Module, generator: torch.Generator) -> None:
    """Permute the entries of each of a module's own parameters."""
    for parameter in module.parameters(recurse=False):
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
