"""Coverage of figures at stated rates, and of differences between groups.

    python -m experiments.statistics.operating --runs 1000
    python -m experiments.statistics.operating --table

Three families: sensitivity at a stated specificity and the reverse; predictive values at a stated prevalence; the
equalised-odds difference between groups that do not differ, and with a planted gap. For the last, the percentile
interval of a bootstrap over people is counted as well (``bootstrap``), which an auditor might try first.

Results are added to ``operating.json`` cell by cell, so an interrupted run resumes. With 1,000 runs the standard error
of a coverage of 95 % is 0.7 points.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate, estimate
from bincam.stats.rates.equalised_odds import equalised_odds_difference
from bincam.stats.rates.operating_point import rate_at
from bincam.stats.rates.predictive_value import predictive_values
from experiments.statistics import campaign
from experiments.statistics.population import Design, draw_labels, draw_people, draw_scores, separation

FILE = Path(__file__).parent / "operating.json"

AUROC = 0.9
STATED = (0.9, 0.95)
PREVALENCES = (0.01, 0.3)
ALARMS = 0.1
"""The false-positive rate at which predictive values and groups are simulated."""
GAP = 0.15
"""The planted difference of the true-positive rate."""
GROUPS = (2, 4)
RESAMPLES = 400

DESIGNS = [
    *(
        Design(people, labels=labels, icc=icc, prevalence=prevalence)
        for people in (20, 40, 100)
        for labels, icc in (("image", 0.1), ("image", 0.5), ("person", 0.5))
        for prevalence in (0.5, 0.2)
    ),
    *(
        Design(images, images=1, varying=False, icc=0.0, prevalence=prevalence)
        for images in (200, 1000)
        for prevalence in (0.5, 0.1)
    ),
]
Figure = tuple[str, float, Estimate]


def drawn(design: Design, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], Clusters]:
    """Draw people, labels and scores, which are 0 on average in negatives and d in positives."""
    person = draw_people(design, rng)
    labels = draw_labels(design, person, rng)
    logits = draw_scores(design, person, labels, AUROC, rng)
    d = separation(AUROC)
    scores = (logits - math.log(design.prevalence / (1 - design.prevalence))) / d + d / 2
    clusters = Clusters(person, known=True) if design.images > 1 else Clusters.of([""] * len(person))
    return person, labels, scores, clusters


def operating(design: Design, rng: np.random.Generator) -> Iterator[Figure]:
    """Estimate sensitivities and specificities at stated rates."""
    _, labels, scores, clusters = drawn(design, rng)
    for measure in ("sensitivity", "specificity"):
        for stated in STATED:
            truth = float(stats.norm.cdf(separation(AUROC) - stats.norm.ppf(stated)))
            point = rate_at(measure, stated, scores, labels, clusters)
            yield f"{measure} at {stated:g}", truth, point.estimate


def predictive(design: Design, rng: np.random.Generator) -> Iterator[Figure]:
    """Estimate predictive values at stated prevalences."""
    _, labels, scores, clusters = drawn(design, rng)
    cut = stats.norm.isf(ALARMS)
    sensitivity = float(stats.norm.sf(cut - separation(AUROC)))
    for p in PREVALENCES:
        values = predictive_values((scores >= cut).astype(float), labels, clusters, p)
        yield f"PPV at {p:g}", sensitivity * p / (sensitivity * p + ALARMS * (1 - p)), values.ppv
        right = (1 - ALARMS) * (1 - p)
        yield f"NPV at {p:g}", right / (right + (1 - sensitivity) * p), values.npv


def groups(design: Design, rng: np.random.Generator) -> Iterator[Figure]:
    """Estimate equalised-odds differences between groups of people, without and with a gap."""
    person, labels, scores, clusters = drawn(design, rng)
    cut = stats.norm.isf(ALARMS)
    for number in GROUPS:
        codes = rng.integers(0, number, design.people)[person]
        for truth in (0.0, GAP):
            lower = stats.norm.sf(cut - separation(AUROC)) - truth  # the first group's true-positive rate
            cuts = np.where((codes == 0) & (labels > 0), separation(AUROC) + stats.norm.isf(lower), cut)
            predicted = (scores >= cuts).astype(float)
            names = [str(code) for code in range(number)]
            result = equalised_odds_difference(predicted, labels, codes, names, clusters, permutations=RESAMPLES)
            name = f"{number} groups, " + (f"gap {truth:g}" if truth else "no gap")
            yield name, truth, result.estimate
            if not result.estimate.defined:
                continue
            at_or_below = Estimate.of_value(float(result.p <= 0.05))  # the share of tests that find something
            yield f"{name}: p at most 0.05", 1.0, replace(at_or_below, low=result.p, high=result.p)
            weights = _times_drawn(clusters.count, rng)
            sound = [names.index(group) for group in result.compared]
            ends = np.nanquantile(_resampled(predicted, labels, codes, sound, clusters, weights), [0.025, 0.975])
            yield f"{name}: bootstrap", truth, estimate(result.estimate.value, *ends, len(labels), None, "bootstrap")


def _times_drawn(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw clusters with replacement, and count how often each is drawn: ``(count, RESAMPLES)``."""
    return rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).T.astype(float)


def _resampled(
    predicted: NDArray[Any],
    labels: NDArray[Any],
    codes: NDArray[Any],
    sound: list[int],
    clusters: Clusters,
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    largest = np.zeros(weights.shape[1])
    for side in (1, 0):
        rates = []
        for code in sound:
            member = (labels == side) & (codes == code)
            ones = np.bincount(clusters.codes, member * predicted, clusters.count) @ weights
            with np.errstate(invalid="ignore"):  # a resample without an image of the group
                rates.append(ones / (np.bincount(clusters.codes, member, clusters.count) @ weights))
        largest = np.maximum(largest, np.max(rates, 0) - np.min(rates, 0))
    return largest


FAMILIES = {"operating": operating, "predictive": predictive, "groups": groups}


def measure(family: str, design: Design, runs: int) -> dict[str, Any]:
    """Simulate one cell, and count by figure how often its interval contains the truth."""
    rng = np.random.default_rng([zlib.crc32(design.name.encode()), zlib.crc32(family.encode())])
    total: dict[str, dict[str, Any]] = {}
    for _ in range(runs):
        for name, truth, figure in FAMILIES[family](design, rng):
            start = {
                "truth": round(truth, 5),
                "ok": 0,
                "small": 0,
                "undefined": 0,
                "below": 0,
                "above": 0,
                "widths": [],
            }
            at = total.setdefault(name, start)
            at[figure.status] += 1
            if figure.status != "ok":  # no gate relies on it
                continue
            if name.endswith("0.05"):
                at["below"] += int(figure.value < truth)  # counts tests without a finding
                continue
            low, high = np.nan_to_num([figure.low], nan=0)[0], np.nan_to_num([figure.high], nan=1)[0]
            at["below"] += int(truth < low - 1e-9)
            at["above"] += int(truth > high + 1e-9)
            at["widths"].append(high - low)
    for at in total.values():
        widths = at.pop("widths")
        at["width"] = round(float(np.median(widths)), 4) if widths else None
        at["coverage"] = round(1 - (at["below"] + at["above"]) / at["ok"], 4) if at["ok"] else None
    return {"runs": runs, "figures": total}


def table(results: dict[str, Any]) -> str:
    """Make a Markdown table of each family: in percent, the coverage of the intervals with status ok."""
    lines: list[str] = []
    for family in FAMILIES:
        cells = [design for design in DESIGNS if f"{family}/{design.name}" in results]
        names = list(dict.fromkeys(name for design in cells for name in results[f"{family}/{design.name}"]["figures"]))
        lines += ["", f"| {family} | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        for design in cells:
            figures = results[f"{family}/{design.name}"]["figures"]
            lines.append(f"| {design.name} | " + " | ".join(_cell(figures.get(name)) for name in names) + " |")
    return "\n".join(lines).strip() + "\n"


def _cell(at: dict[str, Any] | None) -> str:
    """Show a coverage in percent, in parentheses where fewer than a tenth of the runs have status ok."""
    if at is None or at["coverage"] is None:
        return "–"
    text = f"{100 * at['coverage']:.1f}"
    return f"({text})" if at["ok"] < 0.1 * (at["ok"] + at["small"] + at["undefined"]) else text


def main() -> None:
    """Run the command."""
    arguments = campaign.options(__doc__, FILE).parse_args()
    measures = {
        f"{family}/{design.name}": partial(measure, family, design, arguments.runs)
        for family in FAMILIES
        for design in DESIGNS
    }
    campaign.carry_out(arguments, measures, table)


if __name__ == "__main__":
    main()
