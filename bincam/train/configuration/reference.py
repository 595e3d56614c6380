"""Reference of the configuration's keys, generated from the models so that it cannot become outdated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from bincam.train.configuration.config import TrainConfig, section_of
from bincam.train.configuration.sections import ArmConfig


def document() -> str:
    """Write the reference of the configuration as a Markdown table with one row per field."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    lines += [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _rows(TrainConfig, "")]
    return "\n".join(lines) + "\n"


def _rows(section: type[BaseModel], prefix: str) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is not None and name != "arms":
            rows += _rows(inner, f"{prefix}{name}.")
            continue
        default = "required" if field.is_required() else f"`{_plain(field.default)}`"
        bounds = [f"{sign} {value}" for sign, value in _bounds(field.metadata)]
        choices = " / ".join(_choices(field.annotation))
        meaning = "; ".join(filter(None, [choices, field.description or "", ", ".join(bounds)]))
        rows.append((f"{prefix}{name}", default, meaning.replace("|", "\\|")))
    return rows


def _bounds(metadata: Sequence[Any]) -> list[tuple[str, Any]]:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    return [(sign, getattr(m, key)) for m in metadata for key, sign in signs.items() if hasattr(m, key)]


def _choices(annotation: Any) -> list[str]:
    inner = getattr(annotation, "__args__", ())
    return [str(a) for a in inner if isinstance(a, str)] + [c for a in inner if a is not None for c in _choices(a)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, ArmConfig):
        return {} if value.loss is None else {"loss": value.loss.name}
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else value
