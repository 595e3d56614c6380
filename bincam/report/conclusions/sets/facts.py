"""What the rules of conclusions read of a set of outputs: figures of an audit or a contrast, without its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bincam.report.conclusions.facts import AttributeFacts, Pair, avoids_region, certainly_above
from bincam.report.reading.audited_model import Arm
from bincam.report.reading.contrast import Contrast
from bincam.report.sections.attributes import map_checks
from bincam.report.sections.sets.tables import confusions
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted


@dataclass(frozen=True)
class SetFacts:
    """What the verdict on a set is made from.

    Attributes:
        name: The set.
        outputs: Number of its outputs.
        models: The audited models in a sentence, one or two.
        accuracy: Accuracy of each model.
        errors: Mean miss rates of each model, of the outputs that are rarer than one in K and of the others; undefined
            where no output is rarer.
        missed: Outputs that are certain to be missed more often than tolerated, of one model: name, miss rate, and what
            they are taken for; the most certain first.
        left_out: Outputs that too few images or people are labelled with, of one model.
        accuracy_change: Accuracy of the first minus that of the second model; undefined for one model.
        change: Errors of the first minus those of the second model; None for one model.
    """

    name: str
    outputs: int
    models: tuple[str, ...]
    accuracy: tuple[Estimate, ...]
    errors: tuple[Pair, ...]
    missed: tuple[tuple[str, Estimate, str], ...] = ()
    left_out: tuple[str, ...] = ()
    accuracy_change: Estimate | None = None
    change: Pair | None = None


def facts_of_audit(arm: Arm, name: str, tolerated: float) -> SetFacts:
    """Read the facts of a set of one audited model.

    Args:
        arm: The audited model.
        name: The set.
        tolerated: The error that is tolerated.
    """
    entry: Mapping[str, Any] = arm.summary["sets"][name]
    of_outputs = output_facts(arm, name)
    rates = {output.name: output.errors.minority for output in of_outputs}
    missed = [
        (output.name, rates[output.name], output.taken_for)
        for output in of_outputs
        if certainly_above(rates[output.name], tolerated)
    ]
    return SetFacts(
        name=name,
        outputs=len(of_outputs),
        models=("the model",),
        accuracy=(Estimate.from_json(entry["rates"]["accuracy"]),),
        errors=(_pair(entry["rates"]),),
        missed=tuple(sorted(missed, key=lambda one: -one[1].low)),
        left_out=tuple(output for output, rate in rates.items() if rate.small or not rate.defined),
    )


def facts_of_contrast(contrast: Contrast, name: str) -> SetFacts:
    """Read the facts of a set that both models of a contrast have."""
    entry: Mapping[str, Any] = contrast.document["sets"][name]
    arms = (contrast.first, contrast.second)
    by_arm = [{rate: figures[arm.key] for rate, figures in entry["rates"].items()} for arm in arms]
    differences = {rate: of["difference"] for rate, of in entry["differences"].items()}
    return SetFacts(
        name=name,
        outputs=len(entry["outputs"]),
        models=tuple(arm.phrase for arm in arms),
        accuracy=tuple(Estimate.from_json(rates["accuracy"]) for rates in by_arm),
        errors=tuple(map(_pair, by_arm)),
        accuracy_change=Estimate.from_json(differences["accuracy"]),
        change=_pair(differences),
    )


def output_facts(arm: Arm, name: str) -> list[AttributeFacts]:
    """Read what the action on each output of a set is chosen from; there is no threshold to move."""
    entry: Mapping[str, Any] = arm.summary["sets"][name]
    passed = bool(arm.gate and arm.gate.get("verdict") == "pass")
    result = []
    for output, figures in entry["outputs"].items():
        gain = Estimate.from_json(
            (figures.get("measures", {}).get(f"{arm.method}.gain") or {}).get("outcome:TP") if passed else None
        )
        result.append(
            _of_output(
                name,
                output,
                Pair(*(Estimate.from_json(figures["rates"][rate]) for rate in ("fnr", "fpr"))),
                taken_for(entry, output, figures["images"]),
                elsewhere=avoids_region(gain),
                shows_the_image=map_checks.shows_the_image(arm, output),
            )
        )
    return result


def compared_outputs(
    contrast: Contrast, name: str
) -> tuple[list[AttributeFacts], list[AttributeFacts], dict[str, Pair]]:
    """Read the facts of each output of both models of a contrast, of the same images, and the paired changes.

    There are none in contrasts of earlier versions, which state no outputs; and no changes of large sets.
    """
    entry: Mapping[str, Any] = contrast.document["sets"][name]
    by_output: Mapping[str, Any] = entry.get("by_output") or {}
    models = []
    for arm in (contrast.first, contrast.second):
        table = {**entry, "confusion": entry["confusion"][arm.key]} if by_output else entry
        models.append(
            [
                _of_output(
                    name,
                    output,
                    Pair(*(Estimate.from_json(figures[rate][arm.key]) for rate in ("fnr", "fpr"))),
                    taken_for(table, output, figures["images"]),
                )
                for output, figures in by_output.items()
            ]
        )
    changes = {
        output: Pair(*(Estimate.from_json(figures["differences"][rate]) for rate in ("fnr", "fpr")))
        for output, figures in by_output.items()
        if "differences" in figures
    }
    return models[0], models[1], changes


def taken_for(entry: Mapping[str, Any], output: str, images: int) -> str:
    """Write what an output is most often taken for; empty where it is never taken for another.

    Args:
        entry: With the ``outputs`` and the ``confusion`` of one model.
        output: The output.
        images: Number of its images.

    >>> entry = {"outputs": {"a": {}, "b": {}, "c": {}}, "confusion": {"counts": [[5, 1, 3], [0, 9, 0], [0, 0, 9]]}}
    >>> taken_for(entry, "a", 9), taken_for(entry, "b", 9)
    ('taken for c in 3 of 9 images', '')
    """
    names = list(entry["outputs"])
    here = [(count, -predicted) for true, predicted, count in confusions(entry) if names[true] == output]
    if not here:
        return ""
    count, place = max(here)
    return f"taken for {names[-place]} in {count:,} of {counted(images, 'image')}"


def _of_output(of_set: str, output: str, errors: Pair, confused: str, **further: Any) -> AttributeFacts:
    classes = (f"labelled {output}", "labelled otherwise")
    return AttributeFacts(output, classes, errors, taken_for=confused, of_set=of_set, **further)


def _pair(rates: Mapping[str, Any]) -> Pair:
    minority, majority = (Estimate.from_json(rates.get(f"{part}_error")) for part in ("minority", "majority"))
    return Pair(minority, majority)


def sets_of(arms: Sequence[Arm], contrast: Contrast | None) -> list[str]:
    """Return the names of the sets that a page is about."""
    return list((contrast.document.get("sets") if contrast else arms[0].summary.get("sets")) or ())
