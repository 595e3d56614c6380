"""Groups of people in words."""

from __future__ import annotations

from bincam.audit.summary.groups.divisions import TIMES

ERRORS = {"error": "wrong", "fnr": "missed", "fpr": "false alarms"}
"""Words for the errors whose gaps are tested."""


def group_name(column: str, value: str) -> str:
    """Name a group in words: ``Male``, ``not Male``, ``sex: female``, or those of an intersection joined by ×.

    Args:
        column: A division of the summary.
        value: One of its groups.

    >>> group_name("Male", "negative"), group_name("Young*group.sex", "positive*female")
    ('not Male', 'Young × sex: female')
    """
    names = column.split(TIMES) if column.count(TIMES) == value.count(TIMES) else [column]
    values = value.split(TIMES) if len(names) > 1 else [value]
    parts = []
    for name, of_name in zip(names, values, strict=True):
        if not name.startswith("group.") and of_name in ("positive", "negative"):
            parts.append(name if of_name == "positive" else f"not {name}")
        else:
            parts.append(f"{name.removeprefix('group.')}: {of_name}")
    return " × ".join(parts)


def division_name(column: str) -> str:
    """Name a division in words.

    >>> division_name("Young*group.sex")
    'Young × sex'
    """
    return " × ".join(part.removeprefix("group.") for part in column.split(TIMES))
