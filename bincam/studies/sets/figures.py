"""The figures of one rule of one subject, as the study's summary holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.groups.divisions import Slicing
from bincam.postprocessing.label_sets import LabelSets, top_k_sets
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.proportions import shares
from bincam.stats.sets.abstaining import head_coverage, head_coverage_by_part
from bincam.stats.sets.coverage import attribute_coverage, coverage_by_slice, set_coverage
from bincam.studies.sets.fitted import FittedRule
from bincam.studies.sets.fitting import HEAD
from bincam.studies.sets.scored import OneOf, Scored

ENOUGH = "ok"
"""Status of figures that a worst one is chosen among."""


def head_figures(
    sets: LabelSets, labels: NDArray[np.float32], minority: int, judged: Scored, name: str
) -> dict[str, Any]:
    """Estimate the figures of the sets of a yes-or-no attribute; it is not divided by itself."""
    about: dict[str, Any] = {"defined": sets.defined}
    found = head_coverage(sets.members, labels, judged.clusters, **about)
    rare = int(minority > 0)
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
        **_of_slices(
            (division, head_coverage_by_part(sets.members, labels, division.codes, len(division.values),
                                             judged.clusters, **about))
            for division in _dividing(judged, {name})
        ),
    }  # fmt: skip


def set_figures(sets: LabelSets, of_set: OneOf, judged: Scored, name: str) -> dict[str, Any]:
    """Estimate the figures of the sets of a set of outputs; it is not divided by itself or by its own outputs."""
    found = set_coverage(sets.members, of_set.true, of_set.rare, judged.clusters, defined=sets.defined)
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
        **_of_slices(
            (division, _by_part(sets, of_set, division, judged.clusters))
            for division in _dividing(judged, {name, *of_set.outputs})
        ),
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


def _dividing(judged: Scored, own: set[str]) -> list[Slicing]:
    """List the divisions that are not by one of these names."""
    return [division for division in judged.divisions if not own & set(division.columns)]


def _by_part(sets: LabelSets, of_set: OneOf, division: Slicing, clusters: Clusters) -> list[tuple[Estimate, Estimate]]:
    marks = {value: division.codes == code for code, value in enumerate(division.values)}
    found = coverage_by_slice(sets.members, of_set.true, marks, clusters, defined=sets.defined)
    return [found[value] for value in division.values]


def _of_slices(figures: Iterable[tuple[Slicing, list[tuple[Estimate, Estimate]]]]) -> dict[str, Any]:
    listed = [
        (division.column, value, *of_value)
        for division, of_values in figures
        for value, of_value in zip(division.values, of_values, strict=True)
    ]
    sound = [one for one in listed if one[2].status == ENOUGH]
    worst = min(sound, key=lambda one: one[2].value) if len(sound) > 1 else None
    return {
        "slices": [
            {"column": column, "value": value, "coverage": coverage.to_json(), "size": size.to_json()}
            for column, value, coverage, size in listed
        ],
        "worst_slice": worst and {"column": worst[0], "value": worst[1], "coverage": worst[2].to_json()},
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
