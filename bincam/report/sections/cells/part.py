"""The page's part about prediction grids: figures over all attributes, and a card per attribute and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.reading.audited_model import Arm
from bincam.report.sections.cells.examples import RULE, CellRecords, examples
from bincam.report.sections.cells.sentences import (
    auroc_sentence,
    missed_sentence,
    other_pooling,
    pooled_better,
    row_of,
    size_sentence,
)
from bincam.report.sections.cells.tables import Named, dilution_table, hidden_table, null_table, pooling_table
from bincam.report.sections.context import Drawing, slug
from bincam.report.sections.words.wording import marked
from bincam.report.view.cells import CellCard, CellsPart
from bincam.report.view.parts import Definition, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, counted, listed, significant

DEFINITIONS = (
    Definition(
        "Prediction grid",
        "What the head says of every single cell of the features that it pools. In the frozen reading the mean of the "
        "cells is the logit; in the pointwise reading the head is applied to each cell alone, and it is not. The cells "
        "of an object are those of which its mask covers at least half; where there is none, the fullest (an object "
        "smaller than a cell). Cells see more of the image than their square, so neighbours of an object may name it "
        "too.",
    ),
    Definition(
        "Cell AUROC, recovery and their nulls",
        "Cell AUROC: the probability that a cell on the object scores higher than one elsewhere in the image; its null "
        "takes the scores of another image with the attribute, of another person. Recovery: some cell on the object "
        "says what is true; its chance is the share of all places of the mask inside the grid where that holds, and "
        "its false alarm the same in images without the attribute, in their own region or in the mask of another "
        "image. These have no published definition.",
    ),
)
CLAIMS = {
    "frozen": "the mean of the cells is the logit",
    "pointwise": "the head is applied to each cell alone, so that the mean of the cells is not the logit",
}
MASKS = {"object": "the mask of the object itself", "region": "the expected region"}


def cells_part(drawing: Drawing, attributes: Sequence[str]) -> CellsPart | None:
    """Build the page's part about prediction grids; None where no model was audited with one.

    Args:
        drawing: Context of the page; of a contrast with two audits, of which one may be without.
        attributes: The page's yes-or-no attributes, in order.
    """
    arms = [arm for arm in drawing.arms if arm.audit.manifest.has_cells and _summarised(arm)]
    if not arms:
        return None
    records = [CellRecords(arm) for arm in arms]
    sets = dict(arms[0].summary.get("sets") or {}) if len(drawing.arms) == 1 else {}
    overall = [
        table
        for title, entries, of_set in (
            ("All attributes", [(arm.name, arm.summary["cells"]) for arm in arms if attributes], False),
            *((f"Outputs of {name}", [("", entry["cells"])], True) for name, entry in sets.items() if "cells" in entry),
        )
        if entries and (table := null_table(title, entries, of_set=of_set)).rows
    ]
    cards = [_card(name, _entries(arms, name), records, drawing) for name in attributes]
    for owner, entry in sets.items():
        for name, output in entry["outputs"].items():
            if "cells" in output:
                cards.append(_card(name, [("", output["cells"])], records, drawing, owner=owner))
    return CellsPart(
        lead=_lead(arms, attributes, sets),
        overall=overall,
        cards=cards,
        findings=_findings(arms, attributes, sets, many=len(drawing.arms) > 1),
        rule=RULE,
        definitions=DEFINITIONS,
    )


def _summarised(arm: Arm) -> bool:
    """Whether the summary has figures of the cells."""
    return "cells" in arm.summary or any("cells" in entry for entry in (arm.summary.get("sets") or {}).values())


def _entries(arms: Sequence[Arm], attribute: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [(arm.name, arm.entry(attribute)["cells"]) for arm in arms]


def _card(
    name: str, entries: Named, records: Sequence[CellRecords], drawing: Drawing, owner: str | None = None
) -> CellCard:
    many = len(entries) > 1
    sentences = []
    for model, entry in entries:
        prefix = f"{model}: " if many else ""
        mask = entry.get("mask")
        if mask is None:
            sentences.append(f"{prefix}there is no mask of an object and no region, so its cells cannot be told apart.")
        else:
            own = (size_sentence(entry), auroc_sentence(entry), missed_sentence(entry))
            sentences += [f"{prefix}{text}" for text in own]
        if pooled := other_pooling(name, entry.get("poolings")):
            sentences.append(f"{prefix}{pooled}")
    masked = any(entry.get("mask") for _, entry in entries)
    tables: list[Table | None] = [
        null_table("Figures beside their nulls", entries, of_set=owner is not None) if masked else None,
        pooling_table(entries),
        dilution_table(entries),
        hidden_table(entries),
    ]
    groups, legend = examples(name, records, drawing) if masked else ([], "")
    return CellCard(
        name=name if owner is None else f"{owner}: {name}",
        anchor=f"cells-{slug(name if owner is None else f'{owner}-{name}')}",
        figures=_headline(entries) if masked else [("mask", "none")],
        sentences=[text if many or text.startswith(name) else text[0].upper() + text[1:] for text in sentences],
        tables=[table for table in tables if table is not None and table.rows],
        groups=groups,
        legend=legend,
    )


def _headline(entries: Named) -> list[tuple[str, str]]:
    figures = []
    kind: Kind
    for label, measure, part, kind in (
        ("cell AUROC less null", "auroc", "difference", "difference"),
        ("missed, evidence there", "recoverable", "figure", "percent"),
        ("by chance", "recoverable", "null", "percent"),
    ):
        found = [Estimate.from_json((row_of(entry, measure) or {}).get(part)) for _, entry in entries]
        texts = [marked(one, kind) for one in found]
        figures.append((label, " → ".join(texts)))
    return figures


def _lead(arms: Sequence[Arm], attributes: Sequence[str], sets: Mapping[str, Any]) -> list[str]:
    sentences = []
    for arm in arms:
        cells = arm.audit.manifest.cells
        assert cells is not None
        h, w = cells.shape
        what = counted(len(cells.rows), "output" if arm.audit.one_of else "attribute")
        masks = list(cells.masks.values())
        kinds = [f"{MASKS[kind]} for {masks.count(kind)} of {what}" for kind in MASKS if kind in masks]
        whose = f"{arm.name}: " if len(arms) > 1 else ""
        gap = _gap(arm) if cells.reading == "pointwise" else ""
        text = f"{whose}{h} × {w} cells, {cells.reading}: {CLAIMS[cells.reading]}{gap}. "
        text += f"The object is {listed(kinds)}." if kinds else "No attribute has a mask."
        if attributes and "cells" in arm.summary:
            entry = arm.summary["cells"]
            text += f" {size_sentence(entry, several=len(attributes) > 1)}" if entry["masked"] else ""
        sentences.append(text)
        if attributes and (better := pooled_better({name: arm.entry(name)["cells"] for name in attributes})):
            sentences.append(f"{whose}{better}")
    for name, entry in sets.items():
        if pooled := other_pooling(name, entry.get("cells", {}).get("poolings"), of_set=True):
            sentences.append(pooled)
    return sentences


def _gap(arm: Arm) -> str:
    gap = (arm.summary.get("cells") or {}).get("gap")
    return "" if gap is None else f" (by {significant(gap, 2)} logits on average)"


def _findings(arms: Sequence[Arm], attributes: Sequence[str], sets: Mapping[str, Any], *, many: bool) -> list[str]:
    """One sentence of each model, and of each set, for the first screen."""
    found = []
    for arm in arms:
        if attributes and "cells" in arm.summary:
            whose = f"{arm.phrase[0].upper()}{arm.phrase[1:]}: " if many else ""
            found.append(missed_sentence(arm.summary["cells"], whose, several=len(attributes) > 1))
    return [*found, *(missed_sentence(entry["cells"], f"{name}: ") for name, entry in sets.items() if "cells" in entry)]
