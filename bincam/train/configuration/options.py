"""Named choices with keyword options, checked before anything is computed: losses and resamplings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bincam.errors import InputError, nearest

T = TypeVar("T", bound=Callable[..., Any])


def choose(kind: str, name: str, registry: Mapping[str, T], options: Mapping[str, Any]) -> T:
    """Look up a choice by name and check the options it is to be called with.

    Args:
        kind: What the registry contains, for messages: "loss" or "resampling".
        name: A key of the registry.
        registry: Callables whose first parameter is data and whose other parameters are options.
        options: Values by parameter name. A parameter annotated as a mapping accepts numbers by attribute, one whose
            default is None accepts None.

    Raises:
        InputError: The name or an option is unknown (the nearest is suggested), or an option is not a finite number.
    """
    if name not in registry:
        raise InputError(f"unknown {kind} {name!r}{nearest(name, registry)}")
    choice = registry[name]
    by_name = parameters(choice)
    for option, value in options.items():
        if option not in by_name:
            raise InputError(f"{kind} {name!r} has no option {option!r}{nearest(option, by_name)}")
        if option == "reduction" or (value is None and by_name[option].default is None):
            continue
        per_attribute = isinstance(value, Mapping) and "Mapping" in by_name[option].annotation  # annotations are text
        for number in value.values() if per_attribute else [value]:
            if not _is_finite_number(number):
                raise InputError(f"option {option!r} of {kind} {name!r}: expected a finite number, got {number!r}")
    return choice


def parameters(choice: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the options of a choice by name: its parameters but for the first, which is data."""
    _, *options = inspect.signature(choice).parameters.values()
    return {parameter.name: parameter for parameter in options}


def require_positive(**values: float) -> None:
    """Refuse values that are not above 0.

    Raises:
        InputError: Names the option and its value.
    """
    for name, value in values.items():
        if not value > 0:
            raise InputError(f"{name}={value}: expected a number above 0")


def require_not_negative(**values: float) -> None:
    """Refuse values below 0.

    Raises:
        InputError: Names the option and its value.
    """
    for name, value in values.items():
        if not value >= 0:
            raise InputError(f"{name}={value}: expected a number that is not negative")


def _is_finite_number(value: Any) -> bool:
    """True for what a float can hold; a whole number may be larger, and makes ``math.isfinite`` raise."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
