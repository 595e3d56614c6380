"""Sections of a model card: intended use, limits, errors by class and by group, and how far maps may be relied on."""

from __future__ import annotations

from collections.abc import Sequence

from bincam._version import __version__
from bincam.markdown import plain, table
from bincam.report.model_card.metadata import data_name, model_name
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes import map_checks
from bincam.report.sections.first_screen.people import people_part
from bincam.report.sections.words.definitions import LIMITS, OF_MAPS
from bincam.report.view.parts import Cell
from bincam.report.view.people import PeoplePart
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, counted, images, interval, listed, shown
from bincam.stats.outcomes import class_name

MOST_NAMED = 60
"""Attributes that the section on intended use lists."""

_NOT_OF_MODELS = "Intended use"
"""The limit in the page's list that is about the page, not about the model."""


def introduction(arms: Sequence[Arm]) -> str:
    """Write the title, and what the card was made from."""
    arm = arms[-1]
    compared = f" The figures of {plain(arms[0].phrase)}, on the same images, stand beside them." if arms[1:] else ""
    data = arm.audit.manifest.data
    people = arm.summary.get("identities")
    of_people = f" of {counted(people, 'person', 'people')}" if people else ""
    number = counted(arm.summary.get("images") or data.images, "image")
    return (
        f"# {plain(model_name(arm))}\n\n"
        f"Measured by an audit with bincam {__version__} on {number}{of_people} of {plain(data_name(arm))} "
        f"({plain(data.split or 'all')} split).{compared} Brackets are {100 * arm.summary.get('level', 0.95):g} % "
        "intervals, over people where they are known; † marks figures of too few images or people to rely on.\n"
    )


def intended_use(arm: Arm, attributes: Sequence[str]) -> str:
    """Write what the model answers, on which images, and that its purpose is for its makers to state."""
    manifest = arm.audit.manifest
    answers = []
    if attributes:
        more = len(attributes) - MOST_NAMED
        names = ", ".join(plain(name) for name in attributes[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        answers.append(f"for {counted(len(attributes), 'attribute')}, whether an image has it or not: {names}")
    for name, members in manifest.one_of.items():
        answers.append(f"which of {counted(len(members), 'output')} of {plain(name)} an image shows")
    size = manifest.image_size
    seen = f"Images are brought to {size[0]} × {size[1]} pixels" if size else "Images are brought to the model's size"
    fit = manifest.model.card.get("fit")
    decided = ""
    if attributes:
        moved = [name for name in attributes if manifest.thresholds.get(name)]
        decided = (
            " An image is decided to have an attribute where the logit is at least 0"
            + (f", but for {listed([f'{plain(n)} ({manifest.thresholds[n]:.3g})' for n in moved])}" if moved else "")
            + "."
        )
    return (
        "## Intended use\n\n"
        f"The model says, {'; and '.join(answers)}.\n\n"
        f"{seen}{f' (fit: {plain(str(fit))})' if fit else ''}.{decided}\n\n"
        "The purpose that it was made for, and uses that are ruled out, are not part of an audit: whoever publishes "
        "the model states them here.\n"
    )


def limits(arms: Sequence[Arm], attributes: Sequence[str], people: PeoplePart | None) -> str:
    """Write what may not be relied on: undecided attributes, groups, maps, and what every such audit leaves open."""
    lines = []
    for arm in arms:
        whose = f" ({arm.name})" if arms[1:] else ""
        small = [
            name
            for name in attributes
            if arm.rate(name, "minority_error").small or arm.rate(name, "majority_error").small
        ]
        undefined = [name for name in attributes if not arm.rate(name, "error").defined]
        for names, why in (
            (small, "too few images or people of a class to rely on"),
            (undefined, "no error is defined"),
        ):
            if names:
                lines.append(f"{listed(names)}{whose}: {why}.")
        if skipped := arm.audit.unmeasured.get("skipped"):
            lines.append(f"Left out, because they could not be read: {counted(skipped, 'image')}{whose}.")
        lines += [f"{doubt['attribute']}{whose}: {doubt['text']}" for doubt in arm.summary.get("doubts") or ()]
        lines += [f"{note[0].upper()}{note[1:]}{whose}." for note in arm.summary.get("notes") or ()]
        lines += map_checks.notes(arm, arm.phrase if arms[1:] else "the model", attributes)
    lines += people.notes if people else ["Errors were not compared between groups of people."]
    lines += [f"{one.term}. {one.text}" for one in LIMITS if one.term != _NOT_OF_MODELS and one is not OF_MAPS]
    if attributes:
        lines.append(f"{OF_MAPS.term}. {OF_MAPS.text}")
    return "## Limits\n\n" + "".join(f"- {plain(line)}\n" for line in lines)


def errors_by_class(arms: Sequence[Arm], attributes: Sequence[str]) -> str:
    """Write the tables of errors: of attributes by class, and of sets of outputs."""
    several = len(arms) > 1
    parts = ["## Errors by class\n"]
    if attributes:
        rows = []
        for name in attributes:
            for arm in arms:
                missed, alarms, auroc = (arm.rate(name, rate) for rate in ("fnr", "fpr", "auroc"))
                rarer = "neither" if arm.tied(name) else class_name(arm.minority(name))
                rows.append(
                    [name, *([arm.name] if several else []), rarer, *_figures(missed), *_figures(alarms),
                     _figure(auroc, "number")]
                )  # fmt: skip
        heads = [
            "attribute",
            *(["model"] if several else []),
            "rarer class",
            "missed",
            "of",
            "false alarms",
            "of",
            "AUROC",
        ]
        parts.append(
            "Missed: share of the images with the attribute that the model denies it. False alarms: share of those "
            "without it that the model gives it.\n"
        )
        parts.append(table(heads, rows))
    of_sets = [
        [name, *([arm.name] if several else []), *(_figure(Estimate.from_json(entry["rates"][rate]), "percent")
         for rate in ("accuracy", "minority_error", "majority_error")),
         images(Estimate.from_json(entry["rates"]["accuracy"]))]
        for arm in arms
        for name, entry in (arm.summary.get("sets") or {}).items()
    ]  # fmt: skip
    if of_sets:
        heads = ["set of outputs", *(["model"] if several else []), "accuracy", "error, rarer outputs",
                 "error, other outputs", "of"]  # fmt: skip
        parts.append(table(heads, of_sets))
    return "\n".join(parts)


def errors_by_group(people: PeoplePart | None) -> str:
    """Write what was found between groups of people, and the greatest differences."""
    if people is None or not people.sentences:
        return "## Errors by group\n\nNo groups of people were audited.\n"
    lines = "".join(f"- {plain(sentence)}\n" for sentence in people.sentences)
    if people.table is None:
        return f"## Errors by group\n\n{lines}"
    rows = [[_cell(cell) for cell in row] for row in people.table.rows]
    return f"## Errors by group\n\n{lines}\n{table(people.table.heads, rows)}\n{plain(people.table.caption)}\n"


def groups(arms: Sequence[Arm], attributes: Sequence[str]) -> PeoplePart | None:
    """Compare the errors between groups for the card; None where nothing was divided by groups."""
    return people_part(arms, attributes, {})


def _figures(estimate: Estimate) -> tuple[str, str]:
    return _figure(estimate, "percent"), images(estimate)


def _figure(estimate: Estimate, kind: Kind) -> str:
    return f"{shown(estimate, kind)}{'†' * estimate.small} {interval(estimate, kind)}".strip()


def _cell(cell: Cell) -> str:
    return f"{cell.text}{'†' * cell.small} {cell.interval}".strip()
