"""YAML as text: numbers of YAML 1.2, and a document is refused in a line whatever is in it."""

from __future__ import annotations

import re
from typing import Any

LARGEST = 100_000
"""Values that a document's aliases may stand for; a few hundred bytes can stand for billions."""

_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
"""Floats of YAML 1.2, such as ``1e-4``, that PyYAML reads as text because it follows YAML 1.1."""


def parse_yaml(text: str) -> Any:
    """Parse YAML text, with ``1e-4`` as a number.

    Raises:
        yaml.YAMLError: The text is not YAML, holds a scalar that has no value (the date 9999-99-99, a number of
            thousands of digits), or its aliases contain themselves or stand for more than ``LARGEST`` values.
        RecursionError: It is nested too deeply.

    Example:
        >>> from bincam.yaml_text import dump_yaml, parse_yaml
        >>> parse_yaml("lr: 1e-4")
        {'lr': 0.0001}
        >>> parse_yaml(dump_yaml({"lr": 0.0001}))
        {'lr': 0.0001}
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """A safe loader whose errors are all YAML's, and name the place."""

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except (yaml.YAMLError, RecursionError):
                raise
            except Exception as error:  # a constructor applies int(), datetime() and others to any text
                reason = (
                    str(error) if isinstance(error, ValueError) and str(error) else f"no {node.tag.rpartition(':')[2]}"
                )
                raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark) from None

    loader: Any = _with_exponents(Loader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _stands_for(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _stands_for(node: Any, counted: dict[int, int | None]) -> int:
    """Count the values that a node stands for, those of its aliases as often as they are named."""
    import yaml

    key = id(node)
    if key in counted:
        known = counted[key]
        if known is None:
            raise yaml.constructor.ConstructorError(None, None, "an alias that contains itself", node.start_mark)
        return known
    counted[key] = None
    inner = node.value if isinstance(node.value, list) else []
    parts = [part for entry in inner for part in (entry if isinstance(entry, tuple) else (entry,))]
    total = 1 + sum(_stands_for(part, counted) for part in parts)
    if total > max(LARGEST, 2 * len(counted)):
        raise yaml.constructor.ConstructorError(
            None, None, f"aliases that stand for more than {LARGEST:,} values", node.start_mark
        )
    counted[key] = total
    return total


def item_lines(text: str, key: str) -> list[int]:
    r"""Return the lines, from 1, of the items of a list under a key of a document that ``parse_yaml`` reads.

    Args:
        text: YAML text, whose top level is a mapping.
        key: Of the list.

    Returns:
        Empty where there is no such list.

    >>> item_lines("# two rules\nrules:\n- a<1\n- b<2", "rules")
    [3, 4]
    """
    import yaml

    node = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    items = {name.value: value.value for name, value in pairs if isinstance(name.value, str)}.get(
        key
    )  # the last counts
    return [item.start_mark.line + 1 for item in items] if isinstance(items, list) else []


def yaml_problem(error: Exception) -> tuple[int | None, str]:
    """Name the line and the reason of what ``parse_yaml`` raised.

    >>> try:
    ...     parse_yaml("a: [1")
    ... except Exception as error:
    ...     yaml_problem(error)
    (1, "expected ',' or ']', but got '<stream end>'")
    """
    if isinstance(error, RecursionError):
        return None, "nested too deeply"
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "no text"
    return (mark.line + 1 if mark else None), str(reason)


def dump_yaml(value: Any) -> str:
    """Format a value as YAML that ``parse_yaml`` reads back as the same value; keys keep their order.

    Example:
        >>> from bincam.yaml_text import dump_yaml
        >>> print(dump_yaml({"seed": 0, "names": ["Smiling", "Bald"]}), end="")
        seed: 0
        names:
        - Smiling
        - Bald
    """
    import yaml

    return str(yaml.dump(value, Dumper=_with_exponents(yaml.SafeDumper), sort_keys=False, allow_unicode=True))


def _with_exponents(base: Any) -> Any:
    """A subclass of a PyYAML loader or dumper that resolves what ``_EXPONENT`` matches as a float."""
    derived: Any = type(base.__name__, (base,), {})
    derived.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, [*"-+0123456789"])
    return derived
