"""Measure how often the intervals of simulated audits contain the truth.

    python -m experiments.statistics.coverage --column after --runs 1000 --processes 2
    python -m experiments.statistics.coverage --column after --cells "rates/20 people"
    python -m experiments.statistics.coverage --table

Results are added to ``coverage.json`` cell by cell, so an interrupted run resumes; cells with fewer than
``--runs`` are measured anew. With 1,000 runs the standard error of a coverage of 95 % is 0.7 points.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.statistics import campaign
from experiments.statistics.figures import FAMILIES
from experiments.statistics.population import Design

HERE = Path(__file__).parent
FILE = HERE / "coverage.json"

PEOPLE = (10, 20, 40, 100)
DESIGNS = [
    *(
        Design(people, labels=labels, icc=icc)
        for people in PEOPLE
        for labels in ("image", "person")
        for icc in (0.1, 0.5)
    ),
    *(Design(people, varying=False) for people in (20, 100)),
]


def cells() -> Iterator[tuple[str, str, Design]]:
    """Yield the name, family and design of every cell."""
    for family in FAMILIES:
        for design in DESIGNS:
            yield f"{family}/{design.name}", family, design


def measure(family: str, design: Design, runs: int) -> dict[str, Any]:
    """Simulate one cell, and count by figure how often its interval contains the truth."""
    rng = np.random.default_rng([zlib.crc32(design.name.encode()), zlib.crc32(family.encode())])
    total: dict[str, dict[str, Any]] = {}
    for _ in range(runs):
        for figure, (truth, estimate, evidence) in FAMILIES[family](design, rng).items():
            at = total.setdefault(
                figure,
                {
                    "truth": truth,
                    "below": 0,
                    "above": 0,
                    "no_interval": 0,
                    "point": 0,
                    "small": 0,
                    "evidence": 0,
                    "widths": [],
                },
            )
            at["evidence"] += evidence
            at["small"] += estimate.small
            if not estimate.defined or (math.isnan(estimate.low) and math.isnan(estimate.high)):
                at["no_interval"] += 1
                continue
            at["below"] += truth < estimate.low - 1e-9  # NaN is no bound
            at["above"] += truth > estimate.high + 1e-9
            at["point"] += estimate.low == estimate.high
            if math.isfinite(estimate.high - estimate.low):
                at["widths"].append(estimate.high - estimate.low)
    for at in total.values():
        judged = runs - at["no_interval"]
        at["coverage"] = round(1 - (at["below"] + at["above"]) / judged, 4) if judged else None
        widths = at.pop("widths")
        at["width"] = round(float(np.median(widths)), 4) if widths else None
        at["evidence"] = round(at["evidence"] / runs, 1)
        at["truth"] = round(at["truth"], 5)
    return {"runs": runs, "figures": total}


def main() -> None:
    """Run the command."""
    parser = campaign.options(__doc__, FILE)
    parser.add_argument("--column", default="after", help="key of the results, such as before or after")
    arguments = parser.parse_args()
    measures = {cell[0]: partial(measure, *cell[1:], arguments.runs) for cell in cells()}
    campaign.carry_out(arguments, measures, table, column=arguments.column, indent=None)


def table(results: dict[str, Any]) -> str:
    """Make a Markdown table of each family: coverage in percent by figure, labels and people."""
    lines: list[str] = []
    columns = [name for name in ("before", "after") if name in results]
    for family in FAMILIES:
        designs = [design for design in DESIGNS if any(f"{family}/{design.name}" in results[c] for c in columns)]
        figures = list(
            dict.fromkeys(
                figure
                for c in columns
                for design in designs
                for figure in results[c].get(f"{family}/{design.name}", {"figures": {}})["figures"]
            )
        )
        kinds = list(dict.fromkeys((d.labels, d.icc, d.varying) for d in designs))
        for labels, icc, varying in kinds:
            of_kind = [d for d in designs if (d.labels, d.icc, d.varying) == (labels, icc, varying)]
            sizes = "numbers of images vary" if varying else "10 images each"
            lines += ["", f"{family}: labels by {labels}, ICC {icc:g}, {sizes}", ""]
            lines.append("| figure | " + " | ".join(f"{d.people} people" for d in of_kind) + " |")
            lines.append("|---|" + "---|" * len(of_kind))
            for figure in figures:
                row = []
                for design in of_kind:
                    found = [
                        results[c].get(f"{family}/{design.name}", {}).get("figures", {}).get(figure) for c in columns
                    ]
                    row.append(" → ".join("–" if at is None else _cell(at) for at in found))
                lines.append(f"| {figure} | " + " | ".join(row) + " |")
    return "\n".join(lines).strip() + "\n"


def _cell(at: dict[str, Any]) -> str:
    """Show a coverage in percent; a star marks fewer than three people of evidence on average."""
    if at["coverage"] is None:
        return "none"
    return f"{100 * at['coverage']:.1f}" + ("*" if at["evidence"] < 3 else "")


if __name__ == "__main__":
    main()
