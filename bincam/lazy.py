"""Public names of a package, loaded on first use, so that importing the package costs nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazily(package: str, where: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``.

    No module may have the name of a public function: importing it would put the module in the function's place.

    Args:
        package: Its ``__name__``.
        where: Public name to the module that defines it: relative to the package, or from ``bincam.`` on.
    """
    top = package.partition(".")[0]

    def load(name: str) -> Any:
        if name in where:
            module = where[name]
            return getattr(
                importlib.import_module(module if module.startswith(f"{top}.") else f"{package}.{module}"), name
            )
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load, lambda: sorted(where)
