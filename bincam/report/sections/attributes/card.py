"""Cards of the attributes: sentences, mean maps, examples, charts and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bincam.report.figures.pictured.examples import choose
from bincam.report.figures.pictured.explanation import backdrop, scale
from bincam.report.figures.pictured.overlays import Pixels, overlay
from bincam.report.reading.audited_model import Arm, Floats, minority_share
from bincam.report.sections.attributes import map_checks
from bincam.report.sections.attributes.charts import charts
from bincam.report.sections.attributes.map_reference import maps_and_shares
from bincam.report.sections.attributes.people import noise_table, people_table
from bincam.report.sections.attributes.slices import slice_table
from bincam.report.sections.attributes.stated import group_difference_table, stated_table
from bincam.report.sections.context import Drawing, slug
from bincam.report.sections.contrast_tables import difference_table
from bincam.report.sections.relabel import IN_CARD, suspects
from bincam.report.sections.words import sentences, wording
from bincam.report.view.parts import Example, Picture
from bincam.report.view_model import Card, ExampleGroup, MapRow
from bincam.stats.formatting import MINUS, counted, listed, number, percent, significant
from bincam.stats.outcomes import OUTCOMES

SHOWN = ("TP", "FN", "FP", "TN")
"""Their order on the page: first the images that have the attribute, then those that lack it."""

MEANINGS = {
    "TP": "present, predicted present",
    "FN": "present, predicted absent",
    "FP": "absent, predicted present",
    "TN": "absent, predicted absent",
}
CHECK, MISS = "check", "miss"
MISSED = "FN"
"""The most certain errors, whose labels may be wrong."""
MAP_SIDE, EXAMPLE_SIDE = 144, 96  # pixels of the longer side


def card(attribute: str, drawing: Drawing) -> Card:
    """Build the card of an attribute."""
    arms = drawing.arms
    first = arms[0]
    maps, limit = _mean_maps(attribute, drawing)
    groups, further, example_limit = _examples(attribute, drawing)
    contrast = drawing.contrast
    tables = [
        difference_table(contrast, attribute) if contrast else None,
        stated_table(attribute, arms),
        slice_table(attribute, arms),
        group_difference_table(attribute, arms),
        people_table(attribute, arms),
        noise_table(attribute, arms),
    ]
    return Card(
        name=attribute,
        anchor=f"attribute-{slug(attribute)}",
        lead=_lead(first, attribute),
        figures=_headline(attribute, arms),
        sentences=[
            *(contrast.sentences(attribute) if contrast else sentences.sentences(first, attribute)),
            *map_checks.own_maps(arms, attribute),
        ],
        outline=drawing.outline(first, attribute),
        maps=maps,
        counted=maps_and_shares(arms, attribute),
        limit=significant(limit, 2),
        example_limit=significant(example_limit, 2),
        groups=groups,
        checks=further[CHECK],
        misses=further[MISS],
        misses_title=_misses_title(attribute, len(further[MISS]), drawing),
        charts=charts(attribute, drawing),
        tables=[table for table in tables if table is not None],
        warnings=_warnings(attribute, drawing),
    )


def _lead(arm: Arm, attribute: str) -> str:
    """State the prevalence, and which class is the minority."""
    negatives, positives = arm.train_counts(attribute)
    labels = wording.labels_counted(arm, [attribute])
    counts = f"{positives:,} positive, {negatives:,} negative"
    if arm.tied(attribute):
        return f"Both classes are equally frequent in the {labels}, so neither is a minority: {counts}."
    which = sentences.has(arm, attribute, True)
    share = percent(minority_share(arm, attribute))
    return f"{share} of the {labels} are in the minority class ({which} {attribute}); {counts}."


def _headline(attribute: str, arms: Sequence[Arm]) -> list[tuple[str, str]]:
    """Three figures for the closed card; with two arms, each from the first to the second."""
    tied = arms[0].tied(attribute)
    rarer, other = (f"error, {w} it" for w in ("with", "without")) if tied else ("minority error", "majority error")
    lines = (
        (rarer, [arm.rate(attribute, "minority_error") for arm in arms]),
        (other, [arm.rate(attribute, "majority_error") for arm in arms]),
        (
            "bias share, “no”" if tied else "bias share, majority",
            [arm.measure(attribute, "bias_share", "predicted:majority") for arm in arms],
        ),
    )
    return [(label, " → ".join(wording.marked(rate, "percent") for rate in rates)) for label, rates in lines]


def _warnings(attribute: str, drawing: Drawing) -> list[str]:
    arms = drawing.arms
    names: dict[str, list[str]] = {}
    for arm in arms:
        counts = arm.entry(attribute).get("counts", {})
        unknown, broken = int(counts.get("unknown") or 0), int(counts.get("nan_logit") or 0)
        few = [name for name in ("minority", "majority") if arm.rate(attribute, f"{name}_error").small]
        for applies, text in (
            (unknown, f"{counted(unknown, 'image')} without a known label excluded from all rates."),
            (broken, f"{counted(broken, 'image')} without a finite logit excluded."),
            (few, f"Too few images for a reliable error of the {listed(few)} class{'es' * (len(few) > 1)}."),
        ):
            if applies:
                names.setdefault(text, []).append(arm.phrase)
    result = [
        text if len(models) == len(arms) else f"{models[0][0].upper()}{models[0][1:]}: {text[0].lower()}{text[1:]}"
        for text, models in names.items()
    ]
    if not any(drawing.outline(arm, attribute) or arm.measure(attribute, "gain", "all").defined for arm in arms):
        result.append("This attribute has no expected region, so gain, energy and lift are undefined.")
    elif any(_below_a_cell(arm, attribute) for arm in arms):
        result.append(
            "Of the expected region less than one cell of the maps is inside or outside, so its gain is undefined."
        )
    return result


def _below_a_cell(arm: Arm, attribute: str) -> bool:
    """Return True where energy is defined and gain is not."""
    energy, gain = (arm.measure(attribute, name, "all") for name in ("energy", "gain"))
    return energy.defined and not gain.defined


def _mean_maps(attribute: str, drawing: Drawing) -> tuple[list[MapRow], float]:
    """Draw rows of mean maps on one scale: one per arm, then the difference of two."""
    order = [OUTCOMES.index(outcome) for outcome in SHOWN]
    rows: list[tuple[str, Floats, list[str]]] = []
    for arm in drawing.arms:
        means, counts = arm.means
        index = arm.index(attribute)
        rows.append((arm.name, means[index][order], [counted(int(n), "image") for n in counts[index][order]]))
    if len(rows) == 2 and rows[0][1].shape == rows[1][1].shape:
        rows.append((f"{rows[0][0]} {MINUS} {rows[1][0]}", rows[0][1] - rows[1][1], [""] * len(SHOWN)))
    limit = scale([grid for _, grids, _ in rows for grid in grids])
    return [_map_row(attribute, name, grids, counts, limit, drawing) for name, grids, counts in rows], limit


def _map_row(attribute: str, name: str, grids: Floats, counts: Sequence[str], limit: float, drawing: Drawing) -> MapRow:
    pictures: list[Picture | None] = []
    for outcome, grid, count in zip(SHOWN, grids, counts, strict=True):
        if not np.isfinite(grid).any():
            pictures.append(None)
            continue
        grey = ground(drawing.face, grid)
        alt = (
            f"{attribute}, {name}, {outcome}"
            + (f", mean of {count}" if count else "")
            + f": {describe(grid, drawing.explained)}"
        )
        pictures.append(
            drawing.picture(overlay(grey, grid, limit), MAP_SIDE, alt, f"{slug(attribute)}/mean-{name}-{outcome}")
        )
    return MapRow(name, pictures, counts)


def ground(image: Pixels | None, grid: Floats) -> Pixels:
    """Return the background of a map: the image, or light grey where there is none."""
    if image is not None:
        return backdrop(image)
    height, width = (round(MAP_SIDE * n / max(grid.shape)) for n in grid.shape)
    return np.full((height, width, 3), 225, np.uint8)


def describe(grid: Floats, explained: str) -> str:
    """Describe a signed map in words: where it is strongest for and against, and how strong."""
    values = np.nan_to_num(grid)
    parts = []
    for word, peak, at in (("for", values.max(), values.argmax()), ("against", values.min(), values.argmin())):
        if (peak > 0) == (word == "for") and peak != 0:
            row, column = divmod(int(at), values.shape[1])
            where = sentences.place((row + 0.5) / values.shape[0], (column + 0.5) / values.shape[1])
            parts.append(f"strongest {word} {explained} {where} ({number(float(peak))})")
    return ", ".join(parts) or "zero everywhere"


def _misses_title(attribute: str, shown: int, drawing: Drawing) -> str:
    """Write how many of the misses are shown."""
    every = int((drawing.arms[0].column(attribute, "outcome") == MISSED).sum())
    of = f" of {drawing.arms[0].phrase}" if len(drawing.arms) > 1 else ""
    return (
        f"The {shown} worst of {every:,} misses{of}" if shown < every else f"All {counted(every, 'miss', 'misses')}{of}"
    )


def _examples(attribute: str, drawing: Drawing) -> tuple[list[ExampleGroup], dict[str, list[Example]], float]:
    first = drawing.arms[0]
    outcomes = first.column(attribute, "outcome")
    distance = np.abs(first.column(attribute, "logit") - first.column(attribute, "threshold"))
    chosen = {outcome: first.rows[choose(distance, outcomes == outcome)].tolist() for outcome in SHOWN}
    chosen[CHECK] = [suspect.row for suspect in suspects(attribute, drawing.arms, IN_CARD)]
    chosen[MISS] = first.rows[furthest(distance, outcomes == MISSED, drawing.misses)].tolist()
    maps = {row: [arm.map_of(row, attribute) for arm in drawing.arms] for rows in chosen.values() for row in rows}
    limit = scale([grid for grids in maps.values() for grid in grids if grid is not None])
    groups = []
    for outcome in SHOWN:
        examples = [_example(attribute, outcome, row, maps[row], limit, drawing) for row in chosen[outcome]]
        count = int((outcomes == outcome).sum())
        groups.append(ExampleGroup(outcome, MEANINGS[outcome], counted(count, "image"), examples))
    further = {
        kind: [_example(attribute, kind, row, maps[row], limit, drawing) for row in chosen[kind]]
        for kind in (CHECK, MISS)
    }
    return groups, further, limit


def furthest(distance: NDArray[np.float64], inside: NDArray[np.bool_], count: int) -> list[int]:
    """Choose the images furthest from the threshold within an outcome, the furthest first; ties in the data's order.

    >>> furthest(np.array([1.0, 3.0, np.nan, 3.0]), np.array([True, True, True, True]), 2)
    [1, 3]
    """
    rows = np.flatnonzero(inside & np.isfinite(distance))
    return [int(row) for row in rows[np.argsort(-distance[rows], kind="stable")][:count]]


def _example(
    attribute: str, outcome: str, row: int, grids: Sequence[Floats | None], limit: float, drawing: Drawing
) -> Example:
    image, name = drawing.photographs.get(row), drawing.photographs.name(row)
    maps: list[Picture | None] = []
    verdicts = []
    for arm, grid in zip(drawing.arms, grids, strict=True):
        verdicts.append(_verdict(arm, attribute, row))
        if grid is None:
            maps.append(None)
            continue
        grey = ground(image, grid)
        alt = f"{attribute} in {name}, evidence of {arm.phrase}: {describe(grid, drawing.explained)}"
        stem = f"{slug(attribute)}/{outcome}-{slug(name)}"
        maps.append(drawing.picture(overlay(grey, grid, limit), EXAMPLE_SIDE, alt, f"{stem}-{arm.name}"))
    photograph = None
    if image is not None:
        alt = f"{name}, as the model sees it" + (", face hidden" if drawing.photographs.hide_faces else "")
        photograph = drawing.picture(image, EXAMPLE_SIDE, alt, f"{slug(attribute)}/{outcome}-{slug(name)}")
    return Example(photograph, maps, name, verdicts)


def _verdict(arm: Arm, attribute: str, row: int) -> str:
    """Describe a model's prediction for an image: its outcome, and the logit minus the threshold."""
    position = arm.position(row)
    if position is None:
        return "not audited"
    margin = float(arm.column(attribute, "logit")[position] - arm.column(attribute, "threshold")[position])
    outcome = str(arm.column(attribute, "outcome")[position]) or "label unknown"
    return f"{outcome} {number(margin, signed=True)}" if math.isfinite(margin) else outcome
