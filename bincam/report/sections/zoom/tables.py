"""Tables of a zoom study: oracles beside what they are worth, and what depends on the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import NONE, Kind, counted

Column = tuple[str, tuple[str, ...], Kind]
ORACLES: tuple[Column, ...] = (
    ("own crop", ("own_crop",), "percent"),
    ("one-crop", ("one_crop",), "percent"),
    ("best view", ("oracles", "best_view"), "percent"),
    ("some view right", ("oracles", "right"), "percent"),
    ("some view wrong", ("oracles", "wrong"), "percent"),
    ("null", ("oracles", "null"), "percent"),
    ("right less null", ("oracles", "excess"), "points"),
)
SENSITIVITY: tuple[Column, ...] = (
    ("all", ("sensitivity", "all"), "percent"),
    ("minority", ("sensitivity", "minority"), "percent"),
    ("majority", ("sensitivity", "majority"), "percent"),
    ("views of the whole", ("not_strict",), "percent"),
)


def tables(summary: Mapping[str, Any]) -> list[Table]:
    """Make both tables, a row per question."""
    entries: Mapping[str, Any] = summary["questions"]
    sets = [name for name, entry in entries.items() if len(entry["outputs"]) > 1]
    wrong = ["at least one view gives the wrong answer"] if len(sets) < len(entries) else []
    wrong += ["of a set, at least one view gives the true answer of another image"] if sets else []
    views = counted(summary["plan"]["views"], "view")
    return [
        Table(
            "Some view is right: what that is worth",
            f"Share of images, of {views} each. Own crop: the image as the model is used. One-crop: S = 256/224 "
            "of the input at the centre anchor. Best view: chosen on these very images. Null: what some view right "
            f"would be if labels were drawn independently of the images. Some view wrong: {'; '.join(wrong)}.",
            ["Question", *(text for text, _, _ in ORACLES)],
            [[Cell(name, None), *_cells(entry, ORACLES)] for name, entry in entries.items()],
        ),
        Table(
            "Framing sensitivity",
            "Share of images of which some views give one answer and others another, of all images and of those whose "
            "true answer is of the minority or of the majority. Views of the whole: the share of right views among "
            "those that show the whole image or all of one axis. No view right: the hard set, which 'bincam zoom "
            "--hard' writes.",
            ["Question", *(text for text, _, _ in SENSITIVITY), "no view right", "blank frame"],
            [
                [
                    Cell(name, None),
                    *_cells(entry, SENSITIVITY),
                    Cell(f"{entry['hard']:,}", None, note=f"of {entry['labelled']:,} labelled images"),
                    Cell(summary["blank"][name]["answer"] or NONE, None),
                ]
                for name, entry in entries.items()
            ],
        ),
    ]


def figure(entry: Mapping[str, Any], path: Sequence[str]) -> Estimate:
    """Return an estimate of a question by its keys; undefined where there is none."""
    value: Any = entry
    for key in path:
        value = (value or {}).get(key)
    return Estimate.from_json(value)


def _cells(entry: Mapping[str, Any], columns: Sequence[Column]) -> list[Cell]:
    return [estimate_cell(figure(entry, path), kind) for _, path, kind in columns]
