"""The card of a set of outputs: confusion table, outputs, mean maps and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.sets import slots
from bincam.audit.summary.sets.entry import TOP
from bincam.audit.summary.sets.records import SetRecords
from bincam.report.figures.audited.confusion import confusion
from bincam.report.figures.pictured.explanation import scale
from bincam.report.figures.pictured.overlays import overlay
from bincam.report.figures.theme import inline
from bincam.report.reading.audited_model import Arm, Floats
from bincam.report.sections.attributes.card import EXAMPLE_SIDE, MAP_SIDE, SHOWN, describe, ground
from bincam.report.sections.context import Drawing, slug
from bincam.report.sections.sets.confidence import confidence_chart, confidence_sentences
from bincam.report.sections.sets.tables import confusions, confusions_table, groups_table, outputs_table
from bincam.report.sections.words import wording
from bincam.report.view.parts import Chart, Example, Picture
from bincam.report.view.sets import OutputMaps, SetCard
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, listed, number, percent, significant, stated
from bincam.stats.outcomes import OUTCOMES
from bincam.stats.sets.scores import log_odds

EXAMPLES = 4
HALF = 0.5
MOST_NAMED = 8


def set_card(records: SetRecords, drawing: Drawing) -> SetCard:
    """Build the card of a set of the only model on the page."""
    arm, name = drawing.arms[0], records.name
    entry = arm.summary["sets"][name]
    probability = taken_with(records)
    maps, limit = _mean_maps(records, arm, drawing)
    uncertain, errors, example_limit = _examples(records, probability, arm, drawing)
    by_group = groups_table(arm, name)
    return SetCard(
        name=name,
        anchor=f"set-{slug(name)}",
        lead=lead(entry),
        figures=_headline(entry),
        sentences=sentences(entry, records, probability),
        confusion=None if records.large else _confusion(name, entry),
        confidence=confidence_chart(name, entry, drawing),
        outputs=outputs_table(arm, name),
        confusions=confusions_table(entry) if records.large else None,
        maps=maps,
        limit=significant(limit, 2),
        uncertain=uncertain,
        errors=errors,
        example_limit=significant(example_limit, 2),
        tables=[] if by_group is None else [by_group],
        warnings=_warnings(entry),
    )


def taken_with(records: SetRecords) -> NDArray[np.float64]:
    """Compute the probability of the predicted output ``(N,)``; NaN where the set is undefined."""
    from scipy.special import expit

    z, predicted = log_odds(records.scores), records.predicted
    return np.where(predicted < 0, np.nan, expit(z[np.arange(len(z)), predicted]))


def lead(entry: Mapping[str, Any]) -> str:
    """State the number of outputs, and which are the minority."""
    K, minority = len(entry["outputs"]), entry["minority"]
    labels = "training labels" if entry["minority_from"] == "card" else "audited labels"
    start = f"Exactly one of {K:,} outputs is true; the one with the highest score is predicted."
    if not minority:
        return f"{start} No output is rarer than one in {K:,} in the {labels}, so there is no minority."
    named = listed(minority) if len(minority) <= MOST_NAMED else f"{len(minority):,} outputs"
    return f"{start} Rarer than one in {K:,} in the {labels}, and so its minority: {named}."


def _headline(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    rates = {name: Estimate.from_json(rate) for name, rate in entry["rates"].items()}
    shown = [("accuracy", "accuracy"), ("minority error", "minority_error"), ("majority error", "majority_error")]
    return [(label, wording.marked(rates[rate], "percent")) for label, rate in shown]


def sentences(entry: Mapping[str, Any], records: SetRecords, probability: NDArray[np.float64]) -> list[str]:
    """Write the results in words."""
    rates = {name: Estimate.from_json(rate) for name, rate in entry["rates"].items()}
    result = [
        f"Accuracy: {stated(rates['accuracy'], 'percent')}; balanced over the outputs: "
        f"{stated(rates['balanced_accuracy'], 'percent')}."
    ]
    if f"top{TOP}_accuracy" in rates:
        top = stated(rates[f"top{TOP}_accuracy"], "percent")
        result.append(f"The true output is among the {TOP} with the highest scores in {top}.")
    if rates["minority_error"].defined:
        text = f"Mean miss rate of the minority: {stated(rates['minority_error'], 'percent')}"
        if rates["majority_error"].defined:
            text += f", of the other outputs: {stated(rates['majority_error'], 'percent')}"
        result.append(f"{text}.")
    result.append(f"Macro AUROC, each output against the others: {stated(rates['macro_auroc'])}.")
    result += confidence_sentences(entry)
    if cells := confusions(entry):
        outputs = list(entry["outputs"])
        true, predicted, count = max(cells, key=lambda cell: (cell[2], -cell[0], -cell[1]))
        of = counted(entry["outputs"][outputs[true]]["images"], "image")
        result.append(f"Most frequent confusion: {outputs[true]} taken for {outputs[predicted]}, {count:,} of {of}.")
    below = np.isfinite(probability) & (probability < HALF)
    if below.any():
        lowest = int(np.nanargmin(probability))
        output = records.outputs[records.predicted[lowest]]
        share = percent(float(below.sum() / np.isfinite(probability).sum()))
        result.append(
            f"In {counted(int(below.sum()), 'image')} ({share}) the predicted output has p < ½; the lowest is "
            f"{output}, taken with p = {number(float(probability[lowest]))}."
        )
    return result


def _confusion(name: str, entry: Mapping[str, Any]) -> Chart:
    outputs, counts = list(entry["outputs"]), entry["confusion"]["counts"]
    right = int(np.trace(np.array(counts)))
    label = f"Confusion table of {name}: {right:,} of {counted(entry['images'], 'image')} on the diagonal"
    return Chart(inline(confusion(counts, outputs), label), [f"{label}. Rows are true, columns predicted outputs."])


def _warnings(entry: Mapping[str, Any]) -> list[str]:
    result = []
    if entry["unknown"]:
        result.append(f"{counted(entry['unknown'], 'image')} without a known label excluded from all rates.")
    if entry["undefined"]:
        result.append(
            f"{counted(entry['undefined'], 'image')} with a score that is not finite excluded from all rates."
        )
    lacking = [output for output, figures in entry["outputs"].items() if not figures["images"]]
    if lacking:
        named = listed(lacking) if len(lacking) <= MOST_NAMED else counted(len(lacking), "output")
        result.append(f"No image of {named}, whose miss rate is undefined; means over outputs leave it out.")
    return result


def _mean_maps(records: SetRecords, arm: Arm, drawing: Drawing) -> tuple[list[OutputMaps], float]:
    names = slots(records.name) if records.large else records.outputs
    means, counts = arm.means
    order = [OUTCOMES.index(outcome) for outcome in SHOWN]
    grids = {name: means[arm.index(name)][order] for name in names}
    limit = scale([grid for of_name in grids.values() for grid in of_name])
    rows = []
    for name in names:
        numbers = [counted(int(n), "image") for n in counts[arm.index(name)][order]]
        pictures: list[Picture | None] = []
        for outcome, grid, count in zip(SHOWN, grids[name], numbers, strict=True):
            if not np.isfinite(grid).any():
                pictures.append(None)
                continue
            alt = f"{name}, {outcome}, mean of {count}: {describe(grid, drawing.explained)}"
            image = overlay(ground(drawing.face, grid), grid, limit)
            pictures.append(drawing.picture(image, MAP_SIDE, alt, f"{slug(records.name)}/{slug(name)}-mean-{outcome}"))
        shown = name.removeprefix(f"{records.name}: ")
        anchor = f"set-{slug(records.name)}-{slug(name)}"
        rows.append(OutputMaps(shown, anchor, pictures, numbers, drawing.outline(arm, name)))
    return rows, limit


def _examples(
    records: SetRecords, probability: NDArray[np.float64], arm: Arm, drawing: Drawing
) -> tuple[list[Example], list[Example], float]:
    """Choose the images with the lowest p of the predicted output below one half, and the most certain errors."""
    below = np.flatnonzero(np.isfinite(probability) & (probability < HALF))
    uncertain = below[np.argsort(probability[below], kind="stable")][:EXAMPLES]
    wrong = np.flatnonzero(records.wrong == 1)
    certain = wrong[np.argsort(-probability[wrong], kind="stable")][:EXAMPLES]
    maps = {int(at): _maps_of(records, int(at), arm) for at in (*uncertain, *certain)}
    limit = scale([grid for pair in maps.values() for grid in pair if grid is not None])

    def made(chosen: NDArray[np.integer], kind: str) -> list[Example]:
        return [_example(records, int(at), probability, maps[int(at)], limit, kind, arm, drawing) for at in chosen]

    return made(uncertain, "uncertain"), made(certain, "error"), limit


def _maps_of(records: SetRecords, at: int, arm: Arm) -> tuple[Floats | None, Floats | None]:
    """The maps of the predicted and, where it is another one, of the true output."""
    predicted, true = int(records.predicted[at]), int(records.true[at])
    rows = slots(records.name) if records.large else (records.outputs[predicted], records.outputs[max(true, 0)])
    image = int(arm.sample_rows[at])
    other = None if true in (-1, predicted) else arm.map_of(image, rows[1])
    return arm.map_of(image, rows[0]), other


def _example(
    records: SetRecords,
    at: int,
    probability: NDArray[np.float64],
    maps: Sequence[Floats | None],
    limit: float,
    kind: str,
    arm: Arm,
    drawing: Drawing,
) -> Example:
    row = int(arm.sample_rows[at])
    image, name = drawing.photographs.get(row), drawing.photographs.name(row)
    predicted, true = records.outputs[int(records.predicted[at])], int(records.true[at])
    p = float(probability[at])
    said = f"{predicted}, taken with p = {number(p)}" if p < HALF else f"{predicted}, p = {number(p)}"
    is_true = "label unknown" if true < 0 else "right" if records.outputs[true] == predicted else "wrong"
    captions = [f"{said}: {is_true}"]
    if maps[1] is not None:
        captions.append(f"true: {records.outputs[true]}")
    pictures: list[Picture | None] = []
    for output, grid in zip((predicted, records.outputs[true]), maps[: len(captions)], strict=False):
        if grid is None:
            pictures.append(None)
            continue
        alt = f"{output} in {name}: {describe(grid, drawing.explained)}"
        stem = f"{slug(records.name)}/{kind}-{slug(output)}-{slug(name)}"
        pictures.append(drawing.picture(overlay(ground(image, grid), grid, limit), EXAMPLE_SIDE, alt, stem))
    photograph = None
    if image is not None:
        alt = f"{name}, as the model sees it" + (", face hidden" if drawing.photographs.hide_faces else "")
        photograph = drawing.picture(image, EXAMPLE_SIDE, alt, f"{slug(records.name)}/{kind}-{slug(name)}")
    return Example(photograph, pictures, name, captions)
