"""Measure calibration figures of simulated audits against their truth.

    python -m experiments.statistics.calibration --runs 1000
    python -m experiments.statistics.calibration --table

By cell, in ``calibration.json``: means of the plug-in and the debiased calibration error and of the null; the share of
runs in which perfect calibration is rejected at .05; the shares in which the lower bound is at most, and the upper
bound at least, the true error; the coverage of signed error, slope and intercept, of those runs in which slopes are
neither small nor undefined; and the verdicts of the rule ``ece<=0.05``. An interrupted run resumes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from bincam.stats.calibration import BINS, bin_index
from bincam.stats.calibration_error import BinSums, calibration_error
from bincam.stats.clusters import Clusters
from bincam.stats.recalibration import recalibrate, signed_error
from experiments.statistics import campaign, population
from experiments.statistics.population import Design

FILE = Path(__file__).parent / "calibration.json"
BOUND = 0.05

SCORES = ((0.8, 0.5), (0.95, 0.1))
"""AUROC and share of positives."""

MODELS = ((1.0, 0.0), (1.0, 0.8), (1.5, 0.0))
"""Slope and intercept by which the calibrated logit is changed: calibrated, shifted, too sure."""

SINGLE = (100, 1000)
DESIGNS = [
    *(Design(n, 1, varying=False, icc=0.0) for n in SINGLE),
    *(Design(people, labels=labels) for people in (20, 100) for labels in ("image", "person")),  # type: ignore[arg-type]
]


def cells() -> Iterator[tuple[str, Design, float, float, float]]:
    """Yield the name, design, AUROC, slope and intercept of every cell."""
    for design in DESIGNS:
        for auroc, prevalence in SCORES:
            of_scores = Design(design.people, design.images, design.varying, design.labels, prevalence, design.icc)
            for slope, intercept in MODELS if prevalence == 0.5 else MODELS[:1]:
                name = f"{of_scores.name}, AUROC {auroc:g}, slope {slope:g}, intercept {intercept:g}"
                yield name, of_scores, auroc, slope, intercept


def measure(name: str, design: Design, auroc: float, slope: float, intercept: float, runs: int) -> dict[str, Any]:
    """Simulate one cell."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    about = (auroc, design.prevalence, slope, intercept)
    truth, signed_truth = population.calibration_error(*about), population.signed_calibration_error(*about)
    rows: list[dict[str, float]] = []
    for run in range(runs):
        person = population.draw_people(design, rng)
        label = population.draw_labels(design, person, rng)
        z = slope * population.draw_scores(design, person, label, auroc, rng) + intercept
        p, clusters = expit(z), Clusters(person, known=design.images > 1)
        error = calibration_error(BinSums.of(p, label, bin_index(p), person, BINS), seed=run)
        signed, fit = signed_error(p, label, clusters), recalibrate(z, label, clusters)
        usable = fit.slope.status == "ok"
        rows.append(
            {
                "plug_in": error.value,
                "debiased": error.debiased,
                "null_mean": error.null_mean,
                "rejected": error.p <= 0.05,
                "low_holds": error.low <= truth + 1e-9,
                "high_holds": error.high >= truth - 1e-9,
                "high": error.high,
                "pass": error.high <= BOUND,
                "fail": error.low > BOUND,
                "signed": signed.low <= signed_truth <= signed.high,
                "slope": fit.slope.low <= 1 / slope <= fit.slope.high if usable else math.nan,
                "intercept": fit.intercept.low <= -intercept / slope <= fit.intercept.high if usable else math.nan,
            }
        )
    return {
        "runs": runs,
        "truth": round(truth, 4),
        "slopes": sum(math.isfinite(row["slope"]) for row in rows),
        **{key: _mean([row[key] for row in rows]) for key in rows[0]},
    }


def _mean(values: list[float]) -> float | None:
    finite = [float(value) for value in values if math.isfinite(value)]
    return round(float(np.mean(finite)), 4) if finite else None


def main() -> None:
    """Run the command."""
    arguments = campaign.options(__doc__, FILE).parse_args()
    measures = {cell[0]: partial(measure, *cell, arguments.runs) for cell in cells()}
    campaign.carry_out(arguments, measures, table)


def table(results: dict[str, Any]) -> str:
    """Make a Markdown table of all cells."""
    lines = [
        "| cell | true | plug-in | debiased | null | rejected | low ≤ true, true ≤ high | pass, fail ≤ .05 | signed | "
        "slope | intercept |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, at in ((cell[0], results.get(cell[0])) for cell in cells()):
        if at:
            percents = [_percent(at[key]) for key in ("rejected", "low_holds", "high_holds", "pass", "fail")]
            figures = [f"{at[key]:.3f}" for key in ("truth", "plug_in", "debiased", "null_mean")]
            covered = [_percent(at[key]) for key in ("signed", "slope", "intercept")]
            bounds, verdicts = f"{percents[1]}, {percents[2]}", f"{percents[3]}, {percents[4]}"
            lines.append(f"| {' | '.join([name, *figures, percents[0], bounds, verdicts, *covered])} |")
    return "\n".join(lines) + "\n"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
