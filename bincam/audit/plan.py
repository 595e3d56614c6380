"""What an audit will do, decided and checked before the first image is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from bincam import __version__
from bincam.audit import provenance
from bincam.audit.columns import MASKS
from bincam.audit.places import Grid
from bincam.cam import Explainer, Side
from bincam.cam.engine import Precision
from bincam.cam.targets import SIDES
from bincam.data import AttributeTable, Regions
from bincam.data.dataset import OnError
from bincam.errors import InputError, nearest
from bincam.models import AttributeClassifier

SHARD = 256
"""Images per shard, or the next multiple of the batch size: a resumed run then has the same batches."""

RegionsChoice = Regions | Literal["auto", "published", "face"] | None


@dataclass(frozen=True)
class Settings:
    """What a user chooses.

    Attributes:
        split: Of the data; None audits every image.
        attributes: Which to audit; None for all that model and data share.
        methods: Specs, ``NAME`` or ``NAME@LAYER``; the first is the primary one.
        side: Which class is explained.
        threshold: In logit units, by attribute; the card's, else 0, for the rest.
        regions: Where evidence is expected. ``auto``: the published cells for a model of square face crops, else face
            regions where the data has landmarks, else none.
        object_masks: Folder with object masks; ``auto`` takes the data's own ``masks/parts``; None for none.
        influence_masks: Folder with influence masks; ``auto`` takes ``masks/influence``.
        groups: Columns of the data by which results will be sliced; None keeps all.
        limit: Audit a stratified subset of so many images.
        reference_split: Of the data, for the fitted references; ``auto``: validation, else training; None fits none.
        reference_limit: A stratified subset of so many images is enough.
        seed: Of both subsets.
        batch_size: Images per forward pass.
        workers: Processes that read.
        device: Where the model runs.
        precision: ``fp32`` or ``bf16``.
        on_error: ``raise`` on an image that cannot be read, or ``skip`` and count it.
    """

    split: str | None = "test"
    attributes: Sequence[str] | None = None
    methods: Sequence[str] = ("grad_cam",)
    side: Side = "predicted"
    threshold: Mapping[str, float] = field(default_factory=dict)
    regions: RegionsChoice = "auto"
    object_masks: Path | Literal["auto"] | None = "auto"
    influence_masks: Path | Literal["auto"] | None = "auto"
    groups: Sequence[str] | None = None
    limit: int | None = None
    reference_split: str | None = "auto"
    reference_limit: int = 2048
    seed: int = 0
    batch_size: int = 32
    workers: int = 0
    device: str = "cpu"
    precision: Precision = "fp32"
    on_error: OnError = "raise"


@dataclass(frozen=True)
class Plan:
    """Everything that the pass needs.

    Attributes:
        settings: As chosen.
        model: On its device.
        table: Of the audited images, with the audited attributes.
        reference_table: Of the images that references are fitted on, or None.
        explainers: By method's spec.
        grids: Of the methods' maps.
        regions: The chosen ones, or None.
        sources: Masks that differ from image to image.
        facts: What the manifest says, but for the references.
        notes: What the user should be told.
    """

    settings: Settings
    model: AttributeClassifier
    table: AttributeTable
    reference_table: AttributeTable | None
    explainers: Mapping[str, Explainer]
    grids: Mapping[str, Grid]
    regions: Regions | None
    sources: Mapping[str, Regions]
    facts: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def moving(self) -> bool:
        """Whether the regions differ from image to image."""
        return "region" in self.sources

    @property
    def masks(self) -> tuple[str, ...]:
        """Of ``MASKS``, those that are there."""
        return tuple(name for name in MASKS if name in self.sources)

    @property
    def shard_images(self) -> int:
        """Images per shard."""
        return -(-SHARD // self.settings.batch_size) * self.settings.batch_size


def make_plan(model: AttributeClassifier, data: AttributeTable, settings: Settings, *, source: str = "") -> Plan:
    """Decide and check everything.

    Args:
        model: To be audited; it is moved to the device.
        data: With all its splits.
        settings: What the user chose.
        source: What the user called the model.

    Raises:
        InputError: Model and data have no attribute in common, a setting makes no sense, a split is empty, or a folder
            is missing.
        UnsupportedError: A method cannot answer this question about this model.
    """
    notes: list[str] = []
    if settings.batch_size < 1 or (settings.limit is not None and settings.limit < 1):
        raise InputError(f"at least one image is audited, got batches of {settings.batch_size}, limit {settings.limit}")
    if settings.side not in SIDES:
        raise InputError(f"unknown side {settings.side!r}{nearest(settings.side, SIDES)}")
    names, only_in_model, only_in_data = common(model.card.attributes, data.names, settings.attributes)
    if only_in_model:
        notes.append(f"not audited, for the data has no labels of them: {', '.join(only_in_model)}")
    if only_in_data:
        notes.append(f"not audited, for the model has no output for them: {', '.join(only_in_data)}")
    if settings.attributes is not None and not settings.attributes:
        raise InputError("no attribute is selected")
    table = data if settings.split is None else data.split(settings.split)
    if settings.limit is not None and settings.limit < len(table):
        table = table.subset(settings.limit, seed=settings.seed)
    groups = _groups(table, settings.groups)
    table = replace(table.select(names), groups={name: table.groups[name] for name in groups})
    model = model.to(settings.device).eval()
    explainers = {spec: _explainer(model, spec, names, settings) for spec in _specs(settings.methods)}
    grids = {spec: _grid(explainer, settings) for spec, explainer in explainers.items()}
    regions = _regions(model, table, settings.regions, notes)
    sources = _sources(table, settings, regions)
    reference_table = _reference_table(data, settings, next(iter(explainers.values())), notes)
    if reference_table is not None:
        reference_table = reference_table.select(names)
    plan = Plan(
        settings=settings,
        model=model,
        table=table,
        reference_table=reference_table,
        explainers=explainers,
        grids=grids,
        regions=regions,
        sources=sources,
        facts={},
        notes=(),
    )
    facts = _facts(plan, data, source, notes) | {"only_in_model": only_in_model, "only_in_data": only_in_data}
    return replace(plan, facts=facts, notes=tuple(notes))


def _facts(plan: Plan, data: AttributeTable, source: str, notes: list[str]) -> dict[str, Any]:
    """What the manifest says about a plan, but for the references that are yet to be fitted."""
    settings, card, table = plan.settings, plan.model.card, plan.table
    names = table.names
    first = next(iter(plan.explainers.values()))
    counts, counts_from = _train_counts(plan.model, table, notes)

    def described(regions: Regions | None) -> dict[str, str] | None:
        return regions and {"source": regions.source, "digest": provenance.regions_digest(regions, names)}

    return {
        "version": __version__,
        "versions": provenance.versions(),
        "model": {
            "source": source,
            "digest": provenance.model_digest(plan.model),
            "name": card.name,
            "card": card.model_dump(mode="json"),
        },
        "data": {
            "source": data.source,
            "root": str(data.root),
            "digest": data.digest(),
            "split": settings.split,
            "images": len(table),
            "images_hash": provenance.images_hash(table),
        },
        "attributes": list(names),
        "methods": list(plan.explainers),
        "side": settings.side,
        "thresholds": dict(zip(names, first.selection.thresholds.tolist(), strict=True)),
        "head": card.head,
        "regions": described(plan.regions),
        "masks": {name: plan.sources[name].source if name in plan.sources else None for name in MASKS},
        "masks_digest": {name: described(plan.sources.get(name)) for name in MASKS},
        "references_from": None
        if plan.reference_table is None
        else {
            "split": sorted(plan.reference_table.counts()),
            "images": len(plan.reference_table),
            "digest": plan.reference_table.digest(),
        },
        "train_counts": counts,
        "train_counts_from": counts_from,
        "logit_shift": {name: card.logit_shift[name] for name in names if name in card.logit_shift},
        "grid": {spec: list(grid) for spec, grid in plan.grids.items()},
        "image_size": list(card.input_size),
        "limit": settings.limit,
        "seed": settings.seed,
        "shard_images": plan.shard_images,
        "batch_size": settings.batch_size,
        "precision": settings.precision,
        "device": torch.device(settings.device).type,
        "on_error": settings.on_error,
    }


def common(
    of_model: Sequence[str], of_data: Sequence[str], wanted: Sequence[str] | None
) -> tuple[tuple[str, ...], list[str], list[str]]:
    """The attributes to audit, in the model's order, and those that only one of the two has.

    Raises:
        InputError: There is none, or a wanted one is not among them.
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
            unknown = nearest(name, shared) if name not in of_model and name not in of_data else ""
            raise InputError(f"attribute {name!r} cannot be audited: {where}{unknown}")
    chosen = shared if wanted is None else tuple(name for name in shared if name in wanted)
    return (
        chosen,
        [name for name in of_model if name not in of_data],
        [name for name in of_data if name not in of_model],
    )


def _groups(table: AttributeTable, wanted: Sequence[str] | None) -> list[str]:
    for name in wanted or ():
        if name not in table.groups:
            raise InputError(f"{table.source}: no group column {name!r}{nearest(name, table.groups)}")
    return list(table.groups if wanted is None else wanted)


def _specs(given: Sequence[str]) -> list[str]:
    specs = list(dict.fromkeys(spec.strip() for spec in given))
    if not specs or not all(specs):
        raise InputError("at least one method is needed: NAME or NAME@LAYER")
    return specs


def _explainer(model: AttributeClassifier, spec: str, names: Sequence[str], settings: Settings) -> Explainer:
    method, _, layer = spec.partition("@")
    return Explainer(
        model,
        list(names),
        method=method,
        layer=layer or None,
        threshold={name: value for name, value in settings.threshold.items() if name in names},
        precision=settings.precision,
    )


def _grid(explainer: Explainer, settings: Settings) -> Grid:
    """The grid of a method's maps; asking for it tells whether the method can answer at all."""
    card = explainer.card
    assert card is not None
    probe = torch.randn(1, len(card.mean), *card.input_size, generator=torch.Generator().manual_seed(0))
    maps = explainer(probe, settings.side, torch.ones(1, len(explainer.selection.attributes))).maps
    return int(maps.shape[2]), int(maps.shape[3])


def _regions(
    model: AttributeClassifier, table: AttributeTable, choice: RegionsChoice, notes: list[str]
) -> Regions | None:
    """The regions that were chosen, or that suit the model's crop."""
    face = model.card.fit == "face"
    regions: Regions | None
    if choice == "auto":
        regions = Regions.published() if face else Regions.face() if table.landmarks is not None else None
        notes.append(
            f"regions: {regions.source}"
            if regions
            else "no regions: the model takes no face crops and the data has no landmarks; give some with --regions"
        )
    else:
        named = {"published": Regions.published, "face": Regions.face}
        regions = named[choice]() if isinstance(choice, str) else choice
        if choice == "published" and not face:
            notes.append(
                f"the published cells are made for face crops, but the model's card says fit {model.card.fit!r}: "
                "they lie elsewhere in its images"
            )
    if regions is None:
        return None
    if regions.needs_landmarks and table.landmarks is None:
        raise InputError(f"{regions.source}: these regions follow a face's landmarks, and the data has none")
    without = [name for name in table.names if name not in regions]
    if without:
        notes.append(f"no region, so no energy: {', '.join(without)}")
    return regions


def _sources(table: AttributeTable, settings: Settings, regions: Regions | None) -> dict[str, Regions]:
    """Masks that differ from image to image."""
    sources: dict[str, Regions] = {}
    if regions is not None and (regions.per_image or regions.needs_landmarks):
        sources["region"] = regions
    for name, given, usual in (
        ("object", settings.object_masks, "parts"),
        ("influence", settings.influence_masks, "influence"),
    ):
        if given == "auto":
            places = (Path(table.source), table.root, table.root.parent)
            folder = next((f for place in places if (f := place / "masks" / usual).is_dir()), None)
        else:
            folder = given
        if folder is not None:
            sources[name] = Regions.stored(folder)
    return sources


def _reference_table(
    data: AttributeTable, settings: Settings, explainer: Explainer, notes: list[str]
) -> AttributeTable | None:
    """The images that references are fitted on, or None with a note."""
    without = "; the ledger's midpoint, mean and balanced mean are NaN"
    assert explainer.card is not None
    anatomy = explainer.anatomy(explainer.card.input_size)
    if not anatomy.decomposes:
        notes.append(f"no ledger: {anatomy.reason}")
        return None
    split = settings.reference_split
    if split == "auto":
        split = next((name for name in ("validation", "train") if name in data.counts()), None)
        if split is None:
            notes.append("the data has neither a validation nor a training split to fit references on" + without)
    if split is None:
        return None
    if settings.split in (None, split):
        notes.append(f"the references are fitted on images that are audited too (split {split})")
    table = data.split(split)
    return table.subset(settings.reference_limit, seed=settings.seed) if settings.reference_limit < len(table) else table


def _train_counts(
    model: AttributeClassifier, table: AttributeTable, notes: list[str]
) -> tuple[dict[str, list[int]], str]:
    """Negatives and positives per attribute, and where they are from."""
    known = model.card.train_counts
    missing = [name for name in table.names if name not in known]
    counts = {name: list(known[name]) for name in table.names if name in known}
    for name in missing:
        labels = table.labels[:, table.index(name)]
        counts[name] = [int((labels == 0).sum()), int((labels == 1).sum())]
    if not missing:
        return counts, "card"
    which = "" if len(missing) == len(table.names) else f" for {', '.join(missing)}"
    notes.append(f"no training counts in the model's card{which}: minority and majority are those of the audited data")
    return {name: counts[name] for name in table.names}, "audited data" if not which else f"card; audited data{which}"
