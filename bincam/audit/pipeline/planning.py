"""Planning of an audit: everything is decided and checked before the first image is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from bincam import provenance
from bincam.audit.folder.manifest import AuditedData, AuditedModel
from bincam.audit.folder.parts.sets import is_large
from bincam.audit.pipeline import defaults
from bincam.audit.pipeline.boxes.box_plan import choose_box_table, plan_boxes
from bincam.audit.pipeline.cells.plan import needs_cells, plan_cells, refuse_large_alone
from bincam.audit.pipeline.map_references import check_map_reference
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.projected_masks import Grid
from bincam.audit.pipeline.references import MOST_BYTES, is_affordable
from bincam.audit.pipeline.sets.large import LargeSets
from bincam.audit.pipeline.sets.matching import chosen_sets, match_sets, unmatched_sets
from bincam.audit.pipeline.views import frame_grids, plan_views, view_notes
from bincam.audit.settings import BATCH_SIZE, Settings
from bincam.audit.summary.label_noise import stated_noise
from bincam.audit.summary.stated import Stated
from bincam.cam import Explainer, Explanation
from bincam.data import AttributeTable
from bincam.data.checking.leakage import split_leaks
from bincam.errors import InputError, nearest
from bincam.models import AttributeClassifier
from bincam.models.borrowing.one_image import RUN_ALONE
from bincam.one_of import Sets, check_no_threshold, collapse, expand, set_of, yes_or_no
from bincam.stats.formatting import listed


def make_plan(model: AttributeClassifier, data: AttributeTable, settings: Settings, *, source: str = "") -> Plan:
    """Decide and check everything.

    Args:
        model: The model to audit; it is moved to the device.
        data: The data with all its splits.
        settings: The user's choices.
        source: The user's name of the model.

    Raises:
        InputError: Model and data have no attribute in common, a setting does not fit them, a split is empty, or a
            folder is missing.
        UnsupportedError: A method cannot answer this question about this model, or it has no prediction grid.
    """
    notes: list[str] = []
    card, given = model.card, data
    data = match_sets(card, given)
    wanted = None if settings.attributes is None else expand(settings.attributes, card.one_of)
    names, only_in_model, only_in_data = defaults.common(card.attributes, data.names, wanted, card.one_of)
    if only_in_model:
        lacking = ", ".join(collapse(only_in_model, card.one_of))
        notes.append(f"not audited, because the data has no labels of them: {lacking}")
    if only_in_data:
        lacking = ", ".join(collapse(only_in_data, given.one_of))
        notes.append(f"not audited, because the model has no output for them: {lacking}")
    notes += unmatched_sets(card, given)
    if settings.attributes is not None and not settings.attributes:
        raise InputError("no attribute is selected")
    one_of = chosen_sets(data.one_of, names)
    check_no_threshold(settings.threshold, card.one_of, "threshold")
    for name in settings.threshold:
        if name not in card.attributes:
            raise InputError(f"threshold of {name!r}: the model has no such output{nearest(name, card.attributes)}")
    large = {name: members for name, members in one_of.items() if is_large(members, settings.one_of_rows)}
    of_large = {member for members in large.values() for member in members}
    own_rows = tuple(name for name in names if name not in of_large)
    table = data if settings.split is None else defaults.choose_split(data, settings.split)
    if settings.limit is not None and settings.limit < len(table):
        table = table.subset(settings.limit, seed=settings.seed)
    groups = defaults.choose_groups(table, settings.groups)
    table = replace(table.select(names), groups={name: table.groups[name] for name in groups})
    defaults.check_slices(table, settings.slice_by)
    single = tuple(names[column] for column in yes_or_no(names, one_of))
    _refuse_noise_of_sets(settings, one_of)
    stated_noise(settings.label_noise, single)
    stated = Stated.of(own_rows, settings.specificity, settings.sensitivity, settings.prevalence, one_of)
    model = model.to(settings.device)
    specs = _specs(settings.methods)
    views = plan_views(settings, card, landmarks=table.landmarks is not None, value_range=table.value_range)
    explainers = {spec: make_explainer(model, spec, own_rows, settings) for spec in specs} if own_rows else {}
    best = {spec: make_explainer(model, spec, None, settings) for spec in specs} if large else {}
    grids = frame_grids({spec: _grid((explainers or best)[spec], settings) for spec in specs}, views)
    explainer = next(iter((explainers or best).values()))
    if settings.grid:
        refuse_large_alone(own_rows, list(large), settings.one_of_rows)
        prepare_cells(explainer, own_rows, one_of)
    if RUN_ALONE in explainer.anatomy(card.input_size).reason:
        notes.append(RUN_ALONE)
    of_large_sets = LargeSets.of(large, table.names, table.labels, best) if large else None
    members = of_large_sets.members if of_large_sets else ()
    counts, counts_from = defaults.train_counts(model, table, notes)
    regions = defaults.choose_regions(model, table, settings.regions, notes)
    defaults.count_landmarks(model, table, regions, notes)
    if views is not None:
        drawn = regions is not None and not (regions.per_image or regions.needs_landmarks)
        notes += view_notes(views, [*explainers.values(), *best.values()], card, drawn=drawn)
    sources = defaults.choose_masks(table, settings, regions)
    slots = of_large_sets.names if of_large_sets else ()
    cells = plan_cells(explainer, own_rows, slots, regions, sources, notes) if settings.grid else None
    reference_table = defaults.choose_reference_table(data, settings, explainer, notes)
    fitted_on = defaults.reference_split(data, settings) if reference_table is not None else None
    check_map_reference(settings, explainers, large, reference_table, notes)
    if settings.split and fitted_on:
        notes += split_leaks(given, (settings.split, fitted_on))
    table = table.select(own_rows) if own_rows else table
    if large:
        notes.append(_LARGE.format(listed(list(large)), settings.one_of_rows))
    if reference_table is not None:
        affordable = members if not members or is_affordable(len(members), next(iter(grids.values()))) else ()
        if members and not affordable:
            notes.append(_TOO_LARGE.format(listed(list(large)), len(members), MOST_BYTES >> 20))
        fitted = (*own_rows, *affordable)
        reference_table = reference_table.select(fitted) if fitted else None
    if reference_table is not None and set(members) <= set(reference_table.names):
        for name, outputs in large.items():
            there = (reference_table.labels[:, [reference_table.index(output) for output in outputs]] == 1).any(0)
            if not there.all():
                absent = len(outputs) - int(there.sum())
                notes.append(_WITHOUT_REFERENCE.format(f"{absent:,} of {len(outputs):,}", name))
    boxes, box_table = None, None
    if settings.boxes:
        boxes = plan_boxes(settings, explainers.get(specs[0]), table, sources, grids[specs[0]])
        box_table = choose_box_table(data, settings, notes)
    return Plan(
        settings=settings,
        model=model,
        table=table,
        reference_table=reference_table,
        explainers=explainers,
        grids=grids,
        regions=regions,
        sources=sources,
        audited_model=AuditedModel(
            source=source, digest=provenance.model_digest(model), name=card.name, card=card.model_dump(mode="json")
        ),
        audited_data=AuditedData(
            source=given.source,
            root=str(given.root),
            digest=given.digest(),
            split=settings.split,
            images=len(table),
            images_hash=provenance.images_hash(table),
            **({"options": dict(given.reading)} if given.reading else {}),
        ),
        train_counts=counts,
        train_counts_from=counts_from,
        only_in_model=only_in_model,
        only_in_data=only_in_data,
        notes=tuple(notes),
        stated=stated,
        one_of=one_of,
        large=of_large_sets,
        cells=cells,
        boxes=boxes,
        box_table=box_table,
        views=views,
    )


_LARGE = (
    "the maps of {} are those of the predicted and the true output, because the set has more than {} outputs "
    "(one_of_rows)"
)
_WITHOUT_REFERENCE = (
    "no fitted reference of {} outputs of {}: no reference image has them; the ledger's midpoint and balanced mean of "
    "their rows are NaN"
)
_TOO_LARGE = (
    "no fitted reference of {}: the sums of {:,} outputs on this grid take more than {} MiB; the ledger's midpoint, "
    "mean and balanced mean of their rows are NaN"
)


def _refuse_noise_of_sets(settings: Settings, one_of: Sets) -> None:
    for name in settings.label_noise:
        if name in one_of or set_of(name, one_of) is not None:
            raise InputError(
                f"label noise of {name!r}: wrong labels of a set move an image from one output to another, so two "
                "shares do not state them; state label noise of yes-or-no attributes alone"
            )


def _specs(methods: Sequence[str]) -> list[str]:
    specs = list(dict.fromkeys(spec.strip() for spec in methods))
    if not specs or not all(specs):
        raise InputError("at least one method is needed: NAME or NAME@LAYER")
    return specs


def make_explainer(model: AttributeClassifier, spec: str, names: Sequence[str] | None, settings: Settings) -> Explainer:
    """Make the explainer of some outputs; without names, of the output of each set with the highest score."""
    method, _, layer = spec.partition("@")
    return Explainer(
        model,
        None if names is None else list(names),
        method=method,
        layer=layer or None,
        threshold={name: value for name, value in settings.threshold.items() if name in (names or ())},
        top=1 if names is None else None,
        precision=settings.precision,
        batch_size=_images_per_pass(settings),
        trunk=settings.trunk,
    )


def prepare_cells(explainer: Explainer, own_rows: Sequence[str], one_of: Sets) -> None:
    """Have the explainer of outputs with rows of their own keep what prediction grids are made of, if they need it."""
    card = explainer.card
    assert card is not None
    sets = len(own_rows) > len(yes_or_no(own_rows, one_of))
    explainer.cells = needs_cells(explainer.anatomy(card.input_size), sets=sets)


def _images_per_pass(settings: Settings) -> int | None:
    """The limit of a pass: 1 is a statement about the model, and of views a batch of images has too many."""
    if settings.views is None:
        return 1 if settings.batch_size == 1 else None
    return settings.batch_size or BATCH_SIZE.get(torch.device(settings.device).type, 8)


def _grid(explainer: Explainer, settings: Settings) -> Grid:
    """Return the grid ``(h, w)`` of a method's maps; this also checks that the method supports model and side."""
    maps = explain_noise(explainer, settings, 1).maps
    return int(maps.shape[2]), int(maps.shape[3])


def explain_noise(explainer: Explainer, settings: Settings, images: int) -> Explanation:
    """Explain a number of images of random pixels, for the side of the settings."""
    card = explainer.card
    assert card is not None
    pixels = torch.randn(images, len(card.mean), *card.input_size, generator=torch.Generator().manual_seed(0))
    labels = torch.ones(images, len(explainer.selection.attributes))
    for places in explainer.selection.sets.values():  # of a set exactly one is true
        in_set = [a for a, column in enumerate(explainer.selection.columns) if column in places]
        labels[:, in_set[1:]] = 0
    return explainer(pixels, settings.side, labels)
