"""Measure how often tests find a difference: where there is none, and where there is one that they should find.

    python -m experiments.statistics.differences --column after --runs 1000
    python -m experiments.statistics.differences --table

Size: the share of audits without a difference in which p ≤ .05, of those in which a test was made. Power: the share of
audits in which it is found if the true difference is the median of those that the test called detectable, where it
should be .8. Results are added to ``differences.json`` cell by cell, so an interrupted run resumes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bincam.stats.clusters import Clusters
from bincam.stats.hypotheses.hypothesis_tests import Test, difference_test, mcnemar, paired_test
from experiments.statistics import campaign, population
from experiments.statistics.population import Design

FILE = Path(__file__).parent / "differences.json"
LEVEL = 0.05
RATES = (0.05, 0.2, 0.5)
PEOPLE = (10, 20, 40, 100)
DIVISIONS = (("image", 0.5), ("image", 0.1), ("person", 0.5), ("person", 0.25))
"""What decides the group of an image, and the share of the first group."""

DESIGNS = [
    Design(people, labels=labels, prevalence=share, icc=icc)  # type: ignore[arg-type]
    for people in PEOPLE
    for labels, share in DIVISIONS
    for icc in (0.1, 0.5)
]
TESTS = ("two groups", "three groups", "McNemar", "paired")


def draw(test: str, design: Design, rate: float, difference: float, rng: np.random.Generator) -> Test:
    """Simulate an audit, and test it. The difference is added to the first group's, or the first model's, rate."""
    person = population.draw_people(design, rng)
    clusters = Clusters(person, known=True)
    if test == "McNemar":
        wrong = population.draw_errors(design, person, (rate + difference, rate), rng)
        return mcnemar(wrong[:, 0], wrong[:, 1], clusters)
    if test == "paired":
        shares = [population.draw_measure(design, person, "share", rng) for _ in range(2)]
        return paired_test(shares[0] - shares[1] + difference, clusters)
    group = 1 - population.draw_labels(design, person, rng).astype(int)
    if test == "three groups":
        group = group * (1 + population.draw_labels(design, person, rng).astype(int))
    drawn = population.draw_errors(design, person, (rate + difference, rate), rng)
    return difference_test(np.where(group == 0, drawn[:, 0], drawn[:, 1]), group, clusters)


def cells() -> Iterator[tuple[str, str, Design, float]]:
    """Yield the name, test, design and rate of every cell."""
    for test in TESTS:
        for design in DESIGNS:
            if test in ("McNemar", "paired") and (design.labels, design.prevalence) != DIVISIONS[0]:
                continue  # they compare no groups
            if test == "three groups" and design.prevalence != 0.5:
                continue
            for rate in RATES if test in ("two groups", "McNemar") else RATES[1:2]:
                yield f"{test}/{design.name}, rate {rate:g}", test, design, rate


def measure(name: str, test: str, design: Design, rate: float, runs: int, power: bool) -> dict[str, Any]:
    """Simulate one cell."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    p, detectable = [], []
    for _ in range(runs):
        result = draw(test, design, rate, 0.0, rng)
        if math.isfinite(result.p):
            p.append(result.p)
            if power:
                detectable.append(result.detectable(LEVEL))
    cell: dict[str, Any] = {"runs": runs, "tested": len(p), "size": _share(p)}
    if power and p and test != "three groups":
        difference = float(np.median(detectable))
        cell["detectable"] = round(difference, 4) if math.isfinite(difference) else None
        if rate + difference < 0.98:
            results = [draw(test, design, rate, difference, rng).p for _ in range(max(runs // 4, 50))]
            cell["power"] = _share([value for value in results if math.isfinite(value)])
    return cell


def _share(p: list[float]) -> float | None:
    return round(float(np.mean(np.array(p) <= LEVEL)), 4) if p else None


def main() -> None:
    """Run the command."""
    parser = campaign.options(__doc__, FILE)
    parser.add_argument("--column", default="after", help="key of the results, such as before or after")
    parser.add_argument("--size-only", action="store_true", help="do not measure the power")
    arguments = parser.parse_args()
    measures = {cell[0]: partial(measure, *cell, arguments.runs, not arguments.size_only) for cell in cells()}
    campaign.carry_out(arguments, measures, table, column=arguments.column)


def table(results: dict[str, Any]) -> str:
    """Make Markdown tables: size in percent, before and after, and power."""
    lines: list[str] = []
    columns = [name for name in ("before", "after") if name in results]
    for test in TESTS:
        rows: dict[tuple[str, float, float], list[str]] = {}
        for name, _, design, rate in (cell for cell in cells() if cell[1] == test):
            kind = f"{design.labels}, {design.prevalence:.0%} in the first"
            found = [results[column].get(name) for column in columns]
            text = " → ".join("–" if not at or at["size"] is None else f"{100 * at['size']:.1f}" for at in found)
            last = found[-1] or {}
            if last.get("tested", 0) < last.get("runs", 0) // 2:
                text += "*"
            if last.get("power") is not None:
                text += f" ({100 * last['power']:.0f} at {100 * last['detectable']:.0f})"
            rows.setdefault((kind, design.icc, rate), []).append(text)
        lines += ["", f"{test}", "", "| groups by | ICC | rate | " + " | ".join(f"{n} people" for n in PEOPLE) + " |"]
        lines.append("|---|---|---|" + "---|" * len(PEOPLE))
        lines += [f"| {k[0]} | {k[1]:g} | {k[2]:g} | " + " | ".join(row) + " |" for k, row in rows.items()]
    return "\n".join(lines).strip() + "\n"


if __name__ == "__main__":
    main()
