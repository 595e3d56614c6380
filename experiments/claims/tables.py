"""The table of the claims: published, small networks on generated faces, a strong one, and photographs.

    PYTHONPATH=. python -m experiments.claims.tables

writes ``tables.md`` from JSON files alone: those of the finished pairs, and ``experiments/contrast/faces.json``. What
is not finished says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bincam.compare.published import published
from bincam.files import atomic, read_json
from experiments.claims.campaign import HERE, Job, jobs
from experiments.claims.claims import CLAIMS, ENERGY, GRAD, HIRES, HIRES_ENERGY, UNMEASURED, Claim, World
from experiments.claims.empty_maps import MAPS, read
from experiments.claims.measures import CLASSES
from experiments.claims.run import finished
from experiments.claims.source import energy, figures, majority_share
from experiments.contrast.findings import ARMS, mean, over_demos
from experiments.scenes.over_seeds import OPEN, number, table

SMALL = HERE.parent / "contrast" / "faces.json"
GROUPS = (("over 95 %", 0.95, 1.0), ("90 to 95 %", 0.9, 0.95), ("75 to 90 %", 0.75, 0.9), ("up to 75 %", 0.5, 0.75))
"""Attributes by the majority's share of the training labels."""
AGGREGATED = ("errors", "measures", "predicted", "imbalance")


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Attributes:
        title: Of the column.
        world: Its figures; None where nothing is finished.
        count: What they are means over.
    """

    title: str
    world: World | None
    count: str


def of_pairs(results: Sequence[Mapping[str, Any]]) -> World | None:
    """Merge the figures of finished pairs: mean and range; None without any."""
    if not results:
        return None
    world: dict[str, Any] = over_demos([{key: one["figures"][key] for key in AGGREGATED} for one in results])
    world["opposite"] = {
        column: {arm: _negative(found) for arm, found in arms.items()} for column, arms in world["imbalance"].items()
    }
    return world


def _negative(found: Mapping[str, float | None]) -> dict[str, float | None]:
    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return {"mean": minus(found["mean"]), "low": minus(found["high"]), "high": minus(found["low"])}


def collected(out: Path, data: str) -> tuple[Job | None, list[dict[str, Any]]]:
    """Read the finished pairs of the largest plan that has any, and say which plan it is."""
    done = [(job, found) for job in jobs() if job.data == data and (found := finished(job, out)) is not None]
    if not done:
        return None, []
    largest = max((job for job, _ in done), key=lambda job: job.count * job.epochs)
    return largest, [found for job, found in done if job.plan == largest.plan]


def columns(out: Path, small: Path) -> list[Column]:
    """Read all columns but the published one."""
    found = read_json(small, kind="bincam-experiment-contrast", schema=2)
    listed = [Column("faces small", found, f"{len(found['demos'])} seeds")]
    for data, title, counted in (("faces", "faces strong", "seed"), ("orl", "ORL", "fold")):
        _, results = collected(out, data)
        audited = data != "faces" or bool(results)
        known = results if audited else on_validation(out)
        count = f"{len(known)} {counted}{'' if len(known) == 1 else 's'}"
        listed.append(Column(title, of_pairs(known), count if audited else f"{count}, validation images, not audited"))
    return listed


def unaudited(out: Path) -> list[Mapping[str, Any]]:
    """Read the empty maps of pairs whose models are trained."""
    return [found for job in jobs() if (found := read(out.parent / "empty", job.name)) is not None]


def on_validation(out: Path) -> list[dict[str, Any]]:
    """Return what is known before any audit, in the form of finished pairs: errors, and empty maps."""
    layers = {f"{GRAD}.empty": MAPS[0], f"{HIRES}.empty": MAPS[1]}
    return [
        {
            "figures": {
                "errors": {
                    f"{side}_error": {arm: one["arms"][arm]["errors"][side]["value"] for arm in ARMS}
                    for side in CLASSES
                },
                "measures": {},
                "predicted": {
                    column: {
                        side: {arm: one["arms"][arm]["empty"][name][side]["value"] for arm in ARMS} for side in CLASSES
                    }
                    for column, name in layers.items()
                },
                "imbalance": {},
            }
        }
        for one in unaudited(out)
    ]


def cell(claim: Claim, column: Column) -> str:
    """Say what becomes of a claim in a column."""
    if column.world is None:
        return OPEN
    verdict = claim.verdict(column.world)
    return verdict if verdict == UNMEASURED else f"**{verdict}**: {claim.shown(column.world)}"


def overall(claim: Claim, listed: Sequence[Column]) -> str:
    """Say what becomes of a claim over the columns: where it holds, if not everywhere.

    >>> claim = CLAIMS[0]
    >>> def column(title, minority):
    ...     rates = {"minority_error": minority, "majority_error": 0.1}
    ...     figures = {name: {"unbalanced": {"mean": x, "low": x, "high": x}} for name, x in rates.items()}
    ...     return Column(title, {"errors": figures}, "1 seed")
    >>> overall(claim, [column("here", 0.5), column("there", 0.6)])
    'holds'
    >>> overall(claim, [column("here", 0.5), column("there", 0.1), Column("nowhere", None, "")])
    'depends: holds on here; fails on there'
    """
    verdicts = {column.title: claim.verdict(column.world) for column in listed if column.world is not None}
    known = {title: verdict for title, verdict in verdicts.items() if verdict != UNMEASURED}
    if not known:
        return UNMEASURED if verdicts else OPEN
    if len(set(known.values())) == 1:
        return next(iter(known.values()))
    parts = []
    for verdict in ("holds", "fails", "depends"):
        titles = [title for title, one in known.items() if one == verdict]
        if titles:
            words = "varies with the seed" if verdict == "depends" else verdict
            parts.append(f"{words} on {' and '.join(titles)}")
    return f"depends: {'; '.join(parts)}"


def claims_table(listed: Sequence[Column]) -> str:
    """Make the table of claims."""
    head = ["claim", "published", "criterion"]
    head += [f"{column.title} ({column.count})" if column.world else column.title for column in listed]
    stated = figures()
    rows = []
    for claim in CLAIMS:
        quoted = "; ".join(f"{name} {number(stated[name])}" for name in claim.published) or "no figure"
        rows.append(
            [claim.text, quoted, claim.criterion, *(cell(claim, column) for column in listed), overall(claim, listed)]
        )
    return table([*head, "verdict"], rows)


def by_imbalance(results: Sequence[Mapping[str, Any]]) -> str:
    """Make the table of the majority's maps by imbalance: published energies, ours, and empty maps."""
    head = ["majority's share", "attributes: published, here"]
    head += [f"{method} energy, {arm}: published, here" for method in ("Grad-CAM", "HiResCAM") for arm in ARMS]
    head += [f"empty maps of {method}, {arm}" for method in ("Grad-CAM", "HiResCAM") for arm in ARMS]
    rows = []
    for title, low, high in GROUPS:
        theirs = [row for row in published().values() if low < majority_share(row) <= high]
        ours = [
            [one for one in result["figures"]["attributes"].values() if low < one["majority_share"] <= high]
            for result in results
        ]
        row = [title, f"{len(theirs)}, {'/'.join(str(len(one)) for one in ours) or OPEN}"]
        for key, column in (("gradcam", ENERGY), ("hirescam", HIRES_ENERGY)):
            for arm in ARMS:
                known = float(np.mean([energy(one, key, arm, "majority") for one in theirs])) if theirs else None
                row.append(f"{'–' if known is None else number(known)}, {over_pairs(ours, column, arm)}")
        for method in (GRAD, HIRES):
            row += [over_pairs(ours, f"{method}.empty", arm) for arm in ARMS]
        rows.append(row)
    return table(head, rows)


def over_pairs(pairs: Sequence[Sequence[Mapping[str, Any]]], column: str, arm: str) -> str:
    """Show the mean over attributes of a measure where the majority is predicted: mean and range over pairs."""
    values = [mean([one["predicted"][column]["majority"][arm]["value"] for one in pair]) for pair in pairs]
    known = [value for value in values if value is not None]
    if not known:
        return "–" if pairs else OPEN
    spread = "" if len(known) == 1 else f" [{number(min(known))}, {number(max(known))}]"
    return number(float(np.mean(known))) + spread


def emptiest(results: Sequence[Mapping[str, Any]], most: int = 10) -> str:
    """Make the table of the attributes whose majority's maps are empty most often, by the first finished pair."""
    if not results:
        return OPEN
    found = results[0]["figures"]["attributes"]

    def share(name: str, column: str, arm: str, side: str = "majority") -> Any:
        return found[name]["predicted"][column][side][arm]

    def value(name: str) -> float:
        return share(name, f"{GRAD}.empty", ARMS[0])["value"] or 0.0

    rows = []
    for name in sorted(found, key=value, reverse=True)[:most]:
        cells = [share(name, f"{method}.empty", arm) for method in (GRAD, HIRES) for arm in ARMS]
        rows.append([name, number(found[name]["majority_share"]), *map(interval, cells)])
    heads = [f"{method}, {arm}" for method in ("Grad-CAM", "HiResCAM") for arm in ARMS]
    return table(["attribute", "majority's share", *heads], rows)


def empty_maps(found: Sequence[Mapping[str, Any]]) -> str:
    """Make the table of empty maps and errors on validation images, of every pair that was measured."""
    rows = []
    for one in found:
        for arm in ARMS:
            figures_of = one["arms"][arm]
            cells = [interval(figures_of["errors"][side]) for side in CLASSES]
            cells += [interval(figures_of["empty"][name][side], 4) for name in MAPS for side in CLASSES]
            rows.append([one["name"].rpartition("-")[2], arm, *cells])
    heads = [f"error of the {side}" for side in CLASSES]
    heads += [f"empty, {name}, {side} predicted" for name in MAPS for side in CLASSES]
    return table(["pair", "model", *heads], rows) if rows else OPEN


def regions(results: Sequence[Mapping[str, Any]]) -> str:
    """Name the regions of finished pairs."""
    named = sorted({str(one["figures"].get("regions")) for one in results})
    return " and ".join(f"`{name}`" for name in named) or OPEN


def interval(estimate: Mapping[str, Any], digits: int = 2) -> str:
    """Write an estimate with its interval and number of images."""
    if estimate["value"] is None:
        return "–"
    low, high = ("–" if end is None else number(end, digits) for end in (estimate["low"], estimate["high"]))
    return f"{number(estimate['value'], digits)} [{low}, {high}] of {estimate['images']}"


def document(out: Path, small: Path = SMALL) -> str:
    """Make all tables."""
    listed = columns(out, small)
    (plan, strong), (_, photographs) = collected(out, "faces"), collected(out, "orl")
    measured = unaudited(out)
    done = sum(finished(job, out) is not None for job in jobs())
    if plan is None:
        trained = f"Faces strong: {OPEN}."
    else:
        counts = "/".join(str(one["figures"]["images"]) for one in strong)
        trained = (
            f"Faces strong: {plan.count:,} faces of {plan.size} pixels, {plan.epochs} epochs, {counts} test images, "
            f"seeds {', '.join(str(one['job']['seed']) for one in strong)}."
        )
    tested = sum(one["figures"]["images"] for one in photographs)
    return (
        "\n\n".join(
            [
                "# The claims of arXiv 2403.14435",
                f"{done} of {len(jobs())} pairs are finished. {trained} ORL: {tested} test photographs. Made by "
                "`tables.py`; do not edit.",
                "Figures are means over attributes, then over seeds, with their range; maps are Grad-CAM's before the "
                "last activation unless HiResCAM is named, and energies are of maps scaled as in the source. Of *faces "
                "small* they are by true class, otherwise, as in the source, by predicted class. Regions: published "
                f"and faces small, the source's cells; faces strong, {regions(strong)}; ORL, {regions(photographs)}.",
                claims_table(listed),
                "## The majority's maps by imbalance, faces strong",
                "Where the majority is predicted; mean over the attributes, then over seeds.",
                by_imbalance(strong),
                "## Attributes whose majority's maps are empty most often, faces strong",
                "Of the unbalanced model's Grad-CAM, one seed; share of images, with its interval over people and the "
                "number of images.",
                emptiest(strong),
                "## Empty maps on validation images, last stage trained",
                "Of every pair whose models are trained (`empty_maps.py`), whether or not it was audited: mean over 40 "
                "attributes, interval over people, number of images. Thresholds are 0.",
                empty_maps(measured),
            ]
        )
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=Path, default=HERE / "jobs", help="folder of the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "tables.md")
    options = parser.parse_args()
    text = document(options.jobs)
    with atomic(options.out) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
