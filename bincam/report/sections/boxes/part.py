"""The whole section on boxes: findings, tables, a card per attribute."""

from __future__ import annotations

import numpy as np

from bincam.report.figures.pictured.boxes import box_curves, with_boxes
from bincam.report.figures.pictured.explanation import scale
from bincam.report.figures.pictured.overlays import overlay
from bincam.report.figures.theme import inline
from bincam.report.reading.audited_model import Floats
from bincam.report.sections.attributes.card import ground
from bincam.report.sections.attributes.elsewhere import LOOKS_ELSEWHERE, Elsewhere, elsewhere, finding, sentence
from bincam.report.sections.boxes import sentences
from bincam.report.sections.boxes.audited import ArmBoxes, audited_boxes
from bincam.report.sections.boxes.tables import difference_table, tables
from bincam.report.sections.context import Drawing, slug
from bincam.report.sections.words.wording import marked
from bincam.report.view.boxes import BoxCard, BoxPart
from bincam.report.view.parts import Chart, Definition, Example, Picture
from bincam.stats.formatting import number, significant

SIDE = 168  # pixels of the longer side of a picture
RULE = (
    "Boxes shown are not chosen by hand: of the measured images of an attribute, sorted by IoU at τ = .2 (no box "
    "counts as 0, ties in the order of the data), the last, the middle and the first one are shown."
)
DEFINITIONS = (
    Definition(
        "Box of a map",
        "The evidence for yes is enlarged to the image; what is above the share τ of its maximum is kept, and the box "
        "is that around the largest connected part. IoU is the area that it shares with the box around the object, "
        "over the area that either covers.",
    ),
    Definition(
        "Grid's reach",
        "The best IoU that a map on this grid could have: of the object itself, of its square and square root on the "
        "grid, and of the one cell nearest its centre, each at its best threshold. Where fewer than half of the images "
        "are reached, boxes say nothing about the model.",
    ),
    LOOKS_ELSEWHERE,
)


def boxes_part(drawing: Drawing) -> BoxPart | None:
    """Make the section; None where the audits have no boxes."""
    models = audited_boxes(drawing.arms)
    if not models:
        return None
    names = [name for name in models[0].summary["attributes"] if all(name in m.summary["attributes"] for m in models)]
    many = len(models) > 1
    source = models[0].summary
    more = None
    if drawing.contrast is not None:
        more = difference_table(drawing.contrast.document, models[0].arm.name, models[1].arm.name)
    sample = f"at most {source['sample']:,} of each attribute, a draw" if source["sample"] else "all"
    off = [elsewhere(model.arm) for model in models]
    whose = [model.arm.phrase if many else "the model" for model in models]
    return BoxPart(
        findings=[
            *(sentences.finding(model, named=many) for model in models),
            *(finding(found, of) for found, of in zip(off, whose, strict=True) if found),
        ],
        lead=(
            f"Maps of {source['method']} for yes, whatever was decided, against {source['truth']}. Images with the "
            f"attribute were measured: {sample}."
        ),
        tables=[*tables(models, names), *([more] if more else [])],
        cards=[_card(name, models, [found.get(name) for found in off], drawing) for name in names],
        rule=RULE,
        definitions=DEFINITIONS,
    )


def _card(attribute: str, models: list[ArmBoxes], off: list[Elsewhere | None], drawing: Drawing) -> BoxCard:
    many = len(models) > 1
    first = models[0]
    figures = [
        (label, " → ".join(marked(model.figure(attribute, name), "percent") for model in models))
        for label, name in (("box accuracy", "fixed"), ("constant box", "constant"), ("grid's reach", "reach"))
    ]
    words = [text for model in models for text in sentences.about(model, attribute, named=many)]
    words += [
        f"{model.arm.label}: {sentence(one)}" if many else sentence(one)
        for model, one in zip(models, off, strict=True)
        if one is not None
    ]
    alt = f"{attribute}: share of images whose box has an IoU of at least .5, over the threshold. {' '.join(words)}"
    examples, limit = _examples(attribute, models, drawing)
    svg = inline(box_curves([model.curves(attribute) for model in models]), alt)
    lines = ["Vertical: τ = .2, and the one that was chosen on the reference split."]
    if many:
        lines.append(f"Dashed: {first.arm.name}; solid: {models[1].arm.name}.")
    return BoxCard(
        name=attribute,
        anchor=f"boxes-{slug(attribute)}",
        figures=figures,
        sentences=words,
        chart=Chart(svg, lines),
        limit=significant(limit, 2),
        examples=examples,
    )


def _examples(attribute: str, models: list[ArmBoxes], drawing: Drawing) -> tuple[list[tuple[str, Example]], float]:
    """Draw the best, the median and the worst box of the first model, beside the other's, on one colour scale."""
    rows = models[0].measured(attribute)
    if not len(rows.row):
        return [], 1.0
    order = np.argsort(np.nan_to_num(rows.numbers["cam"], nan=0.0), kind="stable")
    chosen = {"best": order[-1], "median": order[len(order) // 2], "worst": order[0]}
    maps = {at: [_positive(model, attribute, int(rows.row[at])) for model in models] for at in chosen.values()}
    limit = scale([grid for grids in maps.values() for grid in grids if grid is not None])
    return [
        (title, _example(attribute, title, int(rows.row[at]), maps[at], limit, models, drawing))
        for title, at in chosen.items()
    ], limit


def _example(
    attribute: str,
    title: str,
    row: int,
    grids: list[Floats | None],
    limit: float,
    models: list[ArmBoxes],
    drawing: Drawing,
) -> Example:
    image, name = drawing.photographs.get(row), drawing.photographs.name(row)
    stem = f"boxes-{slug(attribute)}/{title}-{slug(name)}"
    pictures: list[Picture | None] = []
    verdicts = []
    true = np.full(4, np.nan)
    size = models[0].arm.audit.manifest.image_size or (224, 224)
    for model, grid in zip(models, grids, strict=True):
        own = model.measured(attribute)
        at = np.flatnonzero(own.row == row)
        if grid is None or not len(at):
            pictures.append(None)
            verdicts.append("not measured")
            continue
        true, found = own.boxes["true_box"][at[0]], own.boxes["box"][at[0]]
        overlap = float(own.numbers["cam"][at[0]])
        verdict = f"IoU {number(overlap)}" if np.isfinite(overlap) else "no box"
        plain = image if image is not None else np.full((*size, 3), 225, np.uint8)
        drawn = with_boxes(overlay(ground(plain, grid), grid, limit), true, found)
        alt = f"{attribute} in {name}, evidence for yes of {model.arm.phrase} with its box and the true one: {verdict}"
        pictures.append(drawing.picture(drawn, SIDE, alt, f"{stem}-{model.arm.name}"))
        verdicts.append(verdict)
    photograph = None
    if image is not None:
        photograph = drawing.picture(with_boxes(image, true, None), SIDE, f"{name} with the true box", stem)
    return Example(photograph, pictures, name, verdicts)


def _positive(model: ArmBoxes, attribute: str, row: int) -> Floats | None:
    """Return S ``(h, w)`` of an image, the evidence for yes; None where it was not audited."""
    grid = model.arm.map_of(row, attribute)
    return None if grid is None else grid * model.arm.side(row, attribute)
