"""The figures of one rule of one subject, as the study's summary holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.postprocessing.label_sets import LabelSets, top_k_sets
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.proportions import shares
from bincam.stats.sets.abstaining import head_coverage
from bincam.stats.sets.coverage import attribute_coverage, coverage_by_slice, set_coverage
from bincam.studies.sets.fitted import FittedRule
from bincam.studies.sets.fitting import HEAD
from bincam.studies.sets.scored import OneOf, Scored

ENOUGH = "ok"
"""Status of figures that a worst one is chosen among."""


@dataclass(frozen=True, eq=False)
class Part:
    """The images with one value of a division.

    Attributes:
        column: The division.
        value: The value.
        rows: Indices of its images.
        clusters: Their clusters.
    """

    column: str
    value: str
    rows: NDArray[np.int64]
    clusters: Clusters


def parts_of(judged: Scored) -> list[Part]:
    """List the parts of the judged images by every value of the audit's divisions."""
    result = []
    for division in judged.divisions:
        for code, value in enumerate(division.values):
            rows = np.flatnonzero(division.codes == code)
            codes = np.unique(judged.clusters.codes[rows], return_inverse=True)[1].astype(np.int64)
            result.append(Part(division.column, value, rows, Clusters(codes, judged.clusters.known)))
    return result


def head_figures(
    sets: LabelSets, labels: NDArray[np.float32], minority: int, judged: Scored, parts: Sequence[Part]
) -> dict[str, Any]:
    """Estimate the figures of the sets of a yes-or-no attribute."""
    found = head_coverage(sets.members, labels, judged.clusters, defined=sets.defined)
    rare = int(minority > 0)
    of_parts = (
        (
            part,
            head_coverage(sets.members[part.rows], labels[part.rows], part.clusters, defined=sets.defined[part.rows]),
        )
        for part in parts
    )
    return {
        **_common(found.coverage, found.size, found.empty, found.several),
        "minority_coverage": found.per_class[rare].to_json(),
        "majority_coverage": found.per_class[1 - rare].to_json(),
        **_of_classes(HEAD, found.per_class, found.several_per_class),
        "by_size": {"1": found.answered.to_json()},
        "histogram": list(found.histogram),
        "ties": _ties(sets),
        "unknown": found.unknown,
        "undefined": found.undefined,
        **_of_parts((part, of_part.coverage, of_part.size) for part, of_part in of_parts),
    }


def set_figures(sets: LabelSets, of_set: OneOf, judged: Scored, name: str) -> dict[str, Any]:
    """Estimate the figures of the sets of a set of outputs; it is not divided by itself or by its own outputs."""
    found = set_coverage(sets.members, of_set.true, of_set.rare, judged.clusters, defined=sets.defined)
    own = {name, *of_set.outputs}
    parts = [part for part in parts_of(judged) if not own & set(part.column.split("*"))]
    marks = {str(n): _mark(part.rows, judged.count) for n, part in enumerate(parts)}
    sliced = coverage_by_slice(sets.members, of_set.true, marks, judged.clusters, defined=sets.defined)
    return {
        **_common(found.coverage, found.size, found.empty, found.several),
        "minority_coverage": found.few.to_json(),
        "majority_coverage": found.others.to_json(),
        **_of_classes(of_set.outputs, found.per_class, found.several_per_class),
        "by_size": {str(size): figure.to_json() for size, figure in found.by_size.items()},
        "histogram": found.histogram.tolist(),
        "ties": _ties(sets),
        "unknown": found.unknown,
        "undefined": found.undefined,
        **_of_parts((part, *sliced[str(n)]) for n, part in enumerate(parts)),
    }


def top_k_accuracy(of_set: OneOf, k: int, clusters: Clusters) -> dict[str, Any]:
    """Estimate the share of images whose true output is among the k with the greatest scores."""
    sets = top_k_sets(of_set.scores, k)
    usable = sets.defined & (of_set.true >= 0)
    held = sets.members[np.arange(len(of_set.true)), np.maximum(of_set.true, 0)]
    return shares(np.where(usable, held, np.nan), usable, clusters, LEVEL).estimate().to_json()


def attribute_figures(sets: LabelSets, judged: Scored) -> dict[str, Any]:
    """Estimate the figures of sets of all attributes."""
    found = attribute_coverage(sets.members, judged.labels, judged.clusters, defined=sets.defined)
    worst = _worst(dict(zip(judged.attributes, found.recall, strict=True)))
    return {
        "size": found.size.to_json(),
        "false_negative_rate": found.false_negative_rate.to_json(),
        "recall": _named(judged.attributes, found.recall),
        "worst_recall": worst,
        "false_alarms": _named(judged.attributes, found.false_alarms),
        "histogram": np.bincount(sets.sizes[sets.defined], minlength=sets.members.shape[1] + 1).tolist(),
        "ties": _ties(sets),
        "without_true": found.without_true,
        "undefined": found.undefined,
    }


def rule_entry(rule: FittedRule, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Join a fitted rule and the figures of its sets."""
    return {"fitted": rule.to_json(), **figures}


def _common(coverage: Estimate, size: Estimate, empty: Estimate, several: Estimate) -> dict[str, Any]:
    named = {"coverage": coverage, "size": size, "empty": empty, "several": several}
    return {name: figure.to_json() for name, figure in named.items()}


def _of_classes(names: Sequence[str], covered: Sequence[Estimate], several: Sequence[Estimate]) -> dict[str, Any]:
    return {
        "per_class": _named(names, covered),
        "several_per_class": _named(names, several),
        "worst_class": _worst(dict(zip(names, covered, strict=True))),
    }


def _of_parts(figures: Iterator[tuple[Part, Estimate, Estimate]]) -> dict[str, Any]:
    listed = list(figures)
    sound = [one for one in listed if one[1].status == ENOUGH]
    worst = min(sound, key=lambda one: one[1].value, default=None) if len(sound) > 1 else None
    return {
        "slices": [
            {"column": part.column, "value": part.value, "coverage": coverage.to_json(), "size": size.to_json()}
            for part, coverage, size in listed
        ],
        "worst_slice": None
        if worst is None
        else {"column": worst[0].column, "value": worst[0].value, "coverage": worst[1].to_json()},
    }


def _worst(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    """Find the lowest figure among those of enough images; undefined, with the reason, without any."""
    sound = {name: figure for name, figure in figures.items() if figure.status == ENOUGH}
    if not sound:
        reason = "no class has enough images (20, of 5 people) to be the worst one"
        return {"name": "", **undefined("", images=0).to_json(), "reason": reason, "too_few": True}
    name = min(sound, key=lambda one: sound[one].value)
    few = len(figures) - len(sound)
    return {"name": name, **sound[name].to_json(), **({"left_out": few} if few else {})}


def _named(names: Sequence[str], figures: Sequence[Estimate]) -> dict[str, Any]:
    return {name: figure.to_json() for name, figure in zip(names, figures, strict=True)}


def _ties(sets: LabelSets) -> dict[str, Any]:
    return {"how": sets.ties, "tied": sets.tied, "kept": sets.kept}


def _mark(rows: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    marks = np.zeros(count, bool)
    marks[rows] = True
    return marks
