"""The expected outcomes as data, and as a page of the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.sweep.outcome import Case, Outcome, Size

EXPECTED = Path(__file__).parent / "expected.json"


def key(case: Case, size: Size) -> str:
    """Name of a case at a size, as in the table of expected outcomes."""
    return f"{case.source} {case.family} {size[0]}x{size[1]}"


def read() -> dict[str, Outcome]:
    """Read the expected outcomes."""
    if not EXPECTED.exists():
        return {}
    raw = json.loads(EXPECTED.read_text("utf-8"))
    return {
        name: Outcome(**{**fields, "grid": fields["grid"] and tuple(fields["grid"]), "faults": tuple(fields["faults"])})
        for name, fields in raw.items()
    }


def write(outcomes: Mapping[str, Outcome]) -> None:
    """Write the expected outcomes."""
    rows = (
        f" {json.dumps(name)}: {json.dumps(asdict(outcome), ensure_ascii=False)}" for name, outcome in outcomes.items()
    )
    EXPECTED.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")
