"""The head of a page: its title, the questions that it answers, and the audited models and data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from bincam.report.reading.audited_model import Arm, common
from bincam.report.sections.words import sentences
from bincam.stats.formatting import counted, listed


def title(arms: Sequence[Arm], sets: Collection[str] = ()) -> str:
    """State what was audited: which models, for what, on which images."""
    manifest = arms[0].audit.manifest
    attributes = common(arms)
    what = [*([_one(attributes, "attribute")] if attributes else []), *([_one(list(sets), "set")] if sets else [])]
    images = f"{counted(manifest.data.images, 'image')} of {Path(manifest.data.source).name or manifest.data.source}"
    if len(arms) > 1:
        start = arms[0].name[:1].upper() + arms[0].name[1:]
        return f"{start} and {arms[1].name}: {listed(what) or 'outputs'} on {images}"
    return f"{arms[0].audit.folder.resolve().name}: {listed(what)} on {images}"


def _one(names: Sequence[str], noun: str) -> str:
    """Name the only one, or count several."""
    return names[0] if len(names) == 1 else counted(len(names), noun)


def question(arms: Sequence[Arm], *, sets: bool, outputs: bool = False) -> str:
    """State the questions that the page answers.

    Args:
        arms: The audited models.
        sets: True if the page shows sets of outputs.
        outputs: True if it shows outputs that the models state differently.
    """
    questions = []
    if common(arms):
        questions.append(
            "For each attribute: how often does the model misclassify the minority and the majority class, where in "
            "the image is the evidence for its predictions, and how much of their support is not located in the image?"
        )
    if sets:
        questions.append("For each set of outputs: which is taken for which, and how often are the rarer ones missed?")
    if outputs:
        questions.append("Of outputs that the models state differently: how often is each missed, or a false alarm?")
    if len(arms) > 1:
        questions.append("What does balancing change?" if arms[0].role else "How do the two models differ?")
    return " ".join(questions)


def subject(arms: Sequence[Arm], sets: Collection[str]) -> list[tuple[str, str]]:
    """List the audited models and data as pairs of name and value; of the sets, those on the page."""
    manifest = arms[0].audit.manifest
    data = manifest.data
    identities = arms[0].audit.images["identity"]
    people = len(set(identities[identities != ""]))
    models = [arm.audit.manifest.model.source for arm in arms]
    images = f"{data.images:,}" + (f" of {counted(people, 'person', 'people')}" if people else "")
    size = manifest.image_size
    seen = "images" if manifest.views is None else f"the mean over {counted(len(manifest.views), 'view')}"
    pixels = f", on {seen} of {size[0]} × {size[1]} pixels" if size else ""
    attributes = common(arms)
    maps = len(arms) == 1 or attributes
    return [
        ("Models" if len(arms) > 1 else "Model", listed(models)),
        ("Images", f"{images}, {data.split or 'all'} split"),
        ("Data", data.source),
        *([("Attributes", f"{len(attributes)}")] if attributes or not manifest.one_of else []),
        *(
            ("Set", f"{name}, {counted(len(members), 'output')}")
            for name, members in manifest.one_of.items()
            if name in sets
        ),
        *([("Maps", f"{arms[0].method}, evidence for {sentences.explained(arms[0])}{pixels}")] if maps else []),
    ]
