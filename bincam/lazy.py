"""Public names of a package, imported on first use, so that importing the package stays cheap."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazily(package: str, where: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's ``__getattr__`` and ``__dir__``.

    No module may have the name of a public function of its package: importing the module would replace the function.

    Args:
        package: The package's ``__name__``.
        where: Public name to the module that defines it, relative to the package or absolute (``bincam. ...``).
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
