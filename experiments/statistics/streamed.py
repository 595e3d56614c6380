"""Coverage of the intervals of long audits, beside those of smaller ones from the same simulated images.

    python -m experiments.statistics.streamed --runs 1000
    python -m experiments.statistics.streamed --table

Long audits differ from smaller ones in three ways: scores are ranked by their bins, slope and intercept are fitted to
bins, and images without people are put into groups (docs/statistics.md). Every simulated audit is estimated in both
ways. Audits of people are those of ``coverage.py``; audits without people have 20,000 independent images, in as many
groups as long audits have. Results are in ``streamed.json``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bincam.audit.summary.streamed.clusters import GROUPS
from bincam.stats import Clusters
from bincam.stats.calibration import bin_index, calibrate
from bincam.stats.clustered.means import group_means, mean_estimate, means_of_totals
from bincam.stats.estimate import Estimate
from bincam.stats.recalibration import unsolvable
from bincam.stats.roc import ranking
from bincam.stats.totals.calibration import ProbabilityTotals, calibration_of_totals
from bincam.stats.totals.ranking import binned_contributions, ranking_of_totals
from bincam.stats.totals.recalibration import BinnedFit, recalibration_of_totals
from bincam.stats.totals.score_bins import BINS, bin_scores, score_bins
from experiments.statistics import campaign, population
from experiments.statistics.figures import AUROCS, truth_of
from experiments.statistics.population import Design

FILE = Path(__file__).parent / "streamed.json"
DESIGNS = (
    *(Design(people, icc=icc) for people in (20, 40, 100) for icc in (0.1, 0.5)),
    Design(40, labels="person"),
    Design(100, labels="person", prevalence=0.1),
    Design(20_000, images=1, varying=False, icc=0.0),
    Design(20_000, images=1, varying=False, icc=0.0, prevalence=0.05),
)
Both = dict[str, tuple[float, Estimate, Estimate]]


def estimated(design: Design, rng: np.random.Generator) -> Both:
    """Estimate the figures of one simulated audit: truth, as a smaller audit does, and as a long one does."""
    person = population.draw_people(design, rng)
    alone = design.images == 1
    clusters = Clusters(person, known=not alone)
    codes, count = (rng.integers(0, GROUPS, len(person)), GROUPS) if alone else (person, design.people)
    label = population.draw_labels(design, person, rng)
    result: Both = {}
    for auroc in AUROCS:
        z = population.draw_scores(design, person, label, auroc, rng).astype(np.float32)
        result |= _of_scores(z, label, auroc, design, clusters, codes, count)
    shapes: tuple[population.Shape, ...] = ("normal", "skewed", "share")
    values = np.stack([population.draw_measure(design, person, shape, rng) for shape in shapes], -1)
    bounds = np.array([-np.inf, -np.inf, 0]), np.array([np.inf, np.inf, 1])
    exact = group_means(values, np.zeros(len(person), int), np.ones((1, 1)), clusters, bounds)
    sums = np.stack([_sums(codes, count, values[:, c]) for c in range(3)], 1)
    sizes = np.repeat(_sums(codes, count, np.ones(len(person)))[:, None], 3, 1)
    value, low, high, images, people, _, _ = means_of_totals(sums, sizes, bounds, independent=alone)
    for c, shape in enumerate(shapes):
        named = None if alone else int(people[c])
        long = mean_estimate(float(value[c]), float(low[c]), float(high[c]), int(images[c]), named, not alone)
        result[f"mean of a {shape} measure"] = (truth_of("mean_of", shape), exact.estimate(0, c), long)
    return result


def _sums(codes: NDArray[np.integer], count: int, values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.bincount(codes, values, count).astype(float)


def _of_scores(
    z: NDArray[np.float32],
    label: NDArray[np.floating],
    auroc: float,
    design: Design,
    clusters: Clusters,
    codes: NDArray[np.integer],
    count: int,
) -> Both:
    y, known = (label > 0).astype(int), clusters.known
    at = score_bins(z)
    negatives, positives = (np.bincount(at[y == side], minlength=BINS) for side in (0, 1))
    table = binned_contributions(negatives, positives)
    placed = np.zeros((count, 2, 2))
    for figure in (0, 1):
        for side in (0, 1):
            placed[:, figure, side] = _sums(codes, count, np.where(y == side, table[figure, side, at], 0))
    sizes = np.stack([_sums(codes, count, y == side) for side in (0, 1)], 1)
    area, precision = ranking_of_totals((negatives, positives), placed, sizes, known=known)
    first = ranking(z, label, clusters)
    prevalence = design.prevalence
    result: Both = {
        f"AUROC {auroc:g}": (auroc, first[0], area),
        f"AP {auroc:g}": (truth_of("average_precision", auroc, prevalence), first[1], precision),
    }
    p = expit(z.astype(float))
    exact = calibrate(p, label, clusters, logits=z)
    ends = [(float(z[y == side].min()), float(z[y == side].max())) for side in (0, 1)]
    reason = unsolvable(int(negatives.sum()), int(positives.sum()), ends[0], ends[1])
    fit = BinnedFit(reason=reason) if reason else BinnedFit.of(bin_scores(), negatives, positives)
    sums = np.zeros((count, 7))
    if not reason:
        x = (z - fit.centre) / fit.scale
        fitted = expit(fit.beta[0] + fit.beta[1] * x)
        w, r = fitted * (1 - fitted), y - fitted
        parts = (r, r * x, w, w * x, w * x * x, np.sqrt(w), np.sqrt(w) * x)
        sums = np.stack([_sums(codes, count, part) for part in parts], 1)
    line = recalibration_of_totals(fit, sums, sizes, known=known)
    bins = bin_index(p)
    by_bin = codes * 15 + bins
    of_bins = [_sums(by_bin, count * 15, part).reshape(count, 15) for part in (np.ones(len(p)), y, p)]
    squared = (p - y) ** 2
    totals = ProbabilityTotals(
        of_bins[0],
        of_bins[1],
        of_bins[2],
        np.stack([_sums(codes, count, p - y < -0.5), _sums(codes, count, p - y > 0.5)], 1),
        _sums(bins, 15, squared),
        _sums(bins, 15, p * (1 - p)),
        _sums(codes, count, squared),
        known,
    )
    long = calibration_of_totals(totals, line)
    return result | {
        f"Brier {auroc:g}": (truth_of("brier", auroc, prevalence), exact.brier, long.brier),
        f"signed error {auroc:g}": (0.0, exact.signed, long.signed),
        f"slope {auroc:g}": (1.0, exact.slope, long.slope),
        f"intercept {auroc:g}": (0.0, exact.intercept, long.intercept),
    }


def measure(design: Design, runs: int) -> dict[str, Any]:
    """Simulate one cell; count by figure how often both intervals contain the truth, and compare their widths."""
    rng = np.random.default_rng(zlib.crc32(design.name.encode()))
    found: dict[str, dict[str, Any]] = {}
    for _ in range(runs):
        for figure, (truth, *both) in estimated(design, rng).items():
            at = found.setdefault(figure, {"truth": round(truth, 5), "inside": [0, 0], "judged": [0, 0], "widths": []})
            for n, estimate in enumerate(both):
                if estimate.defined and np.isfinite(estimate.high - estimate.low):
                    at["judged"][n] += 1
                    at["inside"][n] += bool(estimate.low - 1e-9 <= truth <= estimate.high + 1e-9)
            if both[0].defined and both[1].defined and both[0].high > both[0].low:
                at["widths"].append((both[1].high - both[1].low) / (both[0].high - both[0].low))
    for at in found.values():
        inside, judged = at.pop("inside"), at.pop("judged")
        at["coverage"] = [round(a / b, 4) if b else None for a, b in zip(inside, judged, strict=True)]
        widths = at.pop("widths")
        at["width_ratio"] = round(float(np.nanmedian(widths)), 4) if widths else None
    return {"runs": runs, "figures": found}


def cells() -> Iterator[tuple[str, Design]]:
    """Yield the name and design of every cell."""
    for design in DESIGNS:
        yield design.name, design


def table(results: dict[str, Any]) -> str:
    """Make a Markdown table: coverage in percent, of a smaller audit → of a long one."""
    names = list(results)
    figures = list(dict.fromkeys(figure for name in names for figure in results[name]["figures"]))
    lines = ["| figure | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for figure in figures:
        row = []
        for name in names:
            at = results[name]["figures"].get(figure)
            ends = ["–" if one is None else f"{100 * one:.1f}" for one in at["coverage"]] if at else ["–", "–"]
            row.append(" → ".join(ends))
        lines.append(f"| {figure} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the command."""
    arguments = campaign.options(__doc__, FILE).parse_args()
    measures = {name: partial(measure, design, arguments.runs) for name, design in cells()}
    campaign.carry_out(arguments, measures, table)


if __name__ == "__main__":
    main()
