"""Choice of attributes, groups, regions, masks, reference images and training counts, with their defaults."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from bincam.audit.settings import RegionsChoice, Settings
from bincam.audit.summary.groups.divisions import columns_of, indivisible
from bincam.cam import Explainer
from bincam.data import AttributeTable, Regions, load_masks
from bincam.errors import InputError, nearest
from bincam.models import AttributeClassifier

MOST_NAMED = 40
"""Names that a note lists; an audit of CelebA has as many attributes."""


def common(
    of_model: Sequence[str], of_data: Sequence[str], wanted: Sequence[str] | None, sets: Collection[str] = ()
) -> tuple[tuple[str, ...], list[str], list[str]]:
    """Choose the attributes to audit, in the model's order, and list those that only one of the two has.

    Args:
        of_model: The model's outputs.
        of_data: The data's columns of labels.
        wanted: The attributes that are asked for; None for all.
        sets: Names of sets, which the user may have meant too.

    Raises:
        InputError: Model and data share none, or a wanted one is not among them.
    """
    shared = tuple(name for name in of_model if name in of_data)
    if not shared:
        raise InputError(
            f"model and data have no attribute in common; the model has {', '.join(of_model[:5])}, ..., the data "
            f"{', '.join(of_data[:5])}, ..."
        )
    for name in wanted or ():
        if name not in shared:
            where = "the data has no labels of it" if name in of_model else "the model has no output for it"
            unknown = nearest(name, (*shared, *sets)) if name not in of_model and name not in of_data else ""
            raise InputError(f"attribute {name!r} cannot be audited: {where}{unknown}")
    chosen = shared if wanted is None else tuple(name for name in shared if name in wanted)
    return (
        chosen,
        [name for name in of_model if name not in of_data],
        [name for name in of_data if name not in of_model],
    )


def choose_split(table: AttributeTable, split: str) -> AttributeTable:
    """Choose the images of a split.

    Raises:
        InputError: The split has no images; the message says how to audit all of them.
    """
    try:
        return table.split(split)
    except InputError as error:
        raise InputError(
            f"{error}; audit every image with --split all (split=None), or, if a column states the splits, name it "
            "with --split-column (split=)"
        ) from None


def count_landmarks(
    model: AttributeClassifier, table: AttributeTable, regions: Regions | None, notes: list[str]
) -> None:
    """Note how many images lack landmarks, where face crops or regions need them.

    Raises:
        InputError: All do, and the model needs face crops.
    """
    cropped, drawn = model.card.fit == "face", regions is not None and regions.needs_landmarks
    lacking = table.without_landmarks()
    if not lacking or not (cropped or drawn):
        return
    text = f"{lacking:,} of {len(table):,} images lack landmarks (all five points are needed)"
    if cropped and lacking == len(table):
        raise InputError(f"{table.source or table.root}: {text}, but the model's card states fit 'face'")
    cannot = "they cannot be cropped as the model needs it" if cropped else "they have no region, so no energy"
    notes.append(f"{text}: {cannot}")


def choose_groups(table: AttributeTable, wanted: Sequence[str] | None) -> list[str]:
    """Choose the group columns to keep.

    Raises:
        InputError: A column is missing in the data, or has a single value or too many.
    """
    for name in wanted or ():
        if name not in table.groups:
            raise InputError(f"{table.source}: no group column {name!r}{nearest(name, table.groups)}")
        _check_division(table, (name,))
    return list(table.groups if wanted is None else wanted)


def check_slices(table: AttributeTable, wanted: Sequence[str] | None) -> None:
    """Refuse columns that divide nothing, before the pass over the images and not after it.

    Args:
        table: The audited images, with the audited attributes and the kept groups.
        wanted: Group columns, attributes, sets of outputs, and intersections of them.

    Raises:
        InputError: A column or attribute is missing, or has a single value or too many; or an intersection has too
            many combinations.
    """
    for name in wanted or ():
        _check_division(table, columns_of(name, (*table.groups, *table.names, *table.one_of)))


def _check_division(table: AttributeTable, columns: Sequence[str]) -> None:
    values = {name: _values(table, name) for name in columns}
    if reason := indivisible(values, f" in the {len(table)} audited images"):
        raise InputError(reason)


def _values(table: AttributeTable, name: str) -> set[str]:
    if name in table.groups:
        return {str(value) for value in table.groups[name].tolist()} - {""}
    if name not in table.names:
        return {output for output in table.one_of[name] if (table.labels[:, table.index(output)] == 1).any()}
    labels = table.labels[:, table.index(name)]
    return {"positive" if label else "negative" for label in labels[~np.isnan(labels)].tolist()}


def choose_regions(
    model: AttributeClassifier, table: AttributeTable, choice: RegionsChoice, notes: list[str]
) -> Regions | None:
    """Return the chosen regions, or by default those that suit the model's crop."""
    regions = _usual_regions(model, table, notes) if choice == "auto" else choice
    if regions is None:
        return None
    if regions.source == Regions.published().source and model.card.fit != "face":
        notes.append(
            f"the published cells are made for face crops, but the model's card states fit {model.card.fit!r}: in its "
            "images they are in other places"
        )
    if regions.needs_landmarks and table.landmarks is None:
        raise InputError(f"{regions.source}: these regions follow a face's landmarks, and the data has none")
    without = [name for name in table.names if name not in regions]
    if without:
        notes.append(f"no region, so no energy: {_some(without)}")
    if not (regions.per_image or regions.needs_landmarks):  # other regions are counted image by image
        masks = zip(table.names, regions.masks(table.names, model.card.input_size), strict=True)
        outside = [name for name, mask in masks if mask is not None and not mask.any()]
        if outside:
            notes.append(f"the region is outside of the image, so no energy: {_some(outside)}")
    return regions


def _some(names: Sequence[str]) -> str:
    """List names; of a great number the first."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED:,} others"


def _usual_regions(model: AttributeClassifier, table: AttributeTable, notes: list[str]) -> Regions | None:
    regions = None
    if model.card.fit == "face":
        regions = Regions.published()
    elif model.card.fit == "stretch" and table.source == "orl":
        regions = Regions.orl()
    elif table.landmarks is not None:
        regions = Regions.face()
    notes.append(
        f"regions: {regions.source}"
        if regions
        else "no regions: the model takes no face crops and the data has no landmarks; give some with --regions"
    )
    return regions


def choose_masks(table: AttributeTable, settings: Settings, regions: Regions | None) -> dict[str, Regions]:
    """Choose the masks that differ from image to image, by name: ``region`` or one of ``MASKS``."""
    sources: dict[str, Regions] = {}
    if regions is not None and (regions.per_image or regions.needs_landmarks):
        sources["region"] = regions
    for name, choice, subfolder in (
        ("object", settings.object_masks, "parts"),
        ("influence", settings.influence_masks, "influence"),
    ):
        if choice == "auto":
            places = ([Path(table.source)] if table.source else []) + [table.root, table.root.parent]
            folder = next((f for place in places if (f := place / "masks" / subfolder).is_dir()), None)
        else:
            folder = choice
        if folder is not None:
            sources[name] = load_masks(folder, table)
    return sources


def reference_split(data: AttributeTable, settings: Settings) -> str | None:
    """Return the name of the reference split: the stated one, else validation, else training; None for none."""
    if settings.reference_split != "auto":
        return settings.reference_split
    return next((name for name in ("validation", "train") if name in data.counts()), None)


def choose_reference_table(
    data: AttributeTable, settings: Settings, explainer: Explainer, notes: list[str]
) -> AttributeTable | None:
    """Choose the images that references are fitted on; None with a note if there are none."""
    without = "; the ledger's midpoint, mean and balanced mean are NaN"
    assert explainer.card is not None
    anatomy = explainer.anatomy(explainer.card.input_size)
    if not anatomy.decomposes:
        notes.append(f"no ledger: {anatomy.reason}")
        return None
    split = reference_split(data, settings)
    if split is None:
        if settings.reference_split == "auto":
            notes.append("the data has neither a validation nor a training split to fit references on" + without)
        return None
    if settings.split in (None, split):
        notes.append(f"the references are fitted on images that are also audited (split {split})")
    try:
        table = data.split(split)
    except InputError as error:
        raise InputError(f"{error}; fit no references with --reference-split none (reference_split=None)") from None
    return (
        table.subset(settings.reference_limit, seed=settings.seed) if settings.reference_limit < len(table) else table
    )


def train_counts(
    model: AttributeClassifier, table: AttributeTable, notes: list[str]
) -> tuple[dict[str, tuple[int, int]], str]:
    """Return the negatives and positives of each attribute in training, and the origin of the counts."""
    of_card = model.card.train_counts
    missing = [name for name in table.names if name not in of_card]
    for members in table.one_of.values():  # counts of a set are compared with one another, so they have one origin
        if any(member in missing for member in members):
            missing += [member for member in members if member not in missing]
    counts = {name: of_card[name] for name in table.names if name not in missing}
    for name in missing:
        labels = table.labels[:, table.index(name)]
        counts[name] = int((labels == 0).sum()), int((labels == 1).sum())
    if not missing:
        return counts, "card"
    which = "" if len(missing) == len(table.names) else f" for {_some(missing)}"
    notes.append(f"no training counts in the model's card{which}: minority and majority are those of the audited data")
    return {name: counts[name] for name in table.names}, "audited data" if not which else f"card; audited data{which}"
