"""What an audit will do, decided and checked before the first image is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from bincam import provenance
from bincam._version import __version__
from bincam.audit.folder.schema import MASKS
from bincam.audit.pipeline import defaults
from bincam.audit.pipeline.projected_masks import Grid
from bincam.audit.settings import BATCH_SIZE, Settings
from bincam.cam import Explainer
from bincam.cam.targets import SIDES
from bincam.data import AttributeTable, Loader, Regions, loader
from bincam.errors import InputError, nearest
from bincam.metrics.localization.pointing_game import TOLERANCE
from bincam.models import AttributeClassifier


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
    def batch_size(self) -> int:
        """Images per forward pass."""
        return self.settings.batch_size or BATCH_SIZE.get(torch.device(self.settings.device).type, 8)

    @property
    def shard_images(self) -> int:
        """Images per shard: whole batches."""
        return -(-self.settings.shard_images // self.batch_size) * self.batch_size

    def loader(self, table: AttributeTable, batch_size: int | None = None, **options: Any) -> Loader:
        """Batches of a table, as the model takes them."""
        return loader(
            table,
            card=self.model.card,
            batch_size=batch_size or self.batch_size,
            workers=self.settings.workers,
            on_error=self.settings.on_error,
            pin_memory=torch.device(self.settings.device).type == "cuda",
            **options,
        )


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
    for name in ("batch_size", "shard_images", "limit", "reference_limit"):
        if (value := getattr(settings, name)) is not None and value < 1:
            raise InputError(f"{name}={value}: at least one image")
    for name in ("sample", "gate_images", "workers"):
        if getattr(settings, name) < 0:
            raise InputError(f"{name}={getattr(settings, name)} is negative; 0 is none")
    if settings.side not in SIDES:
        raise InputError(f"unknown side {settings.side!r}{nearest(settings.side, SIDES)}")
    names, only_in_model, only_in_data = defaults.common(model.card.attributes, data.names, settings.attributes)
    if only_in_model:
        notes.append(f"not audited, for the data has no labels of them: {', '.join(only_in_model)}")
    if only_in_data:
        notes.append(f"not audited, for the model has no output for them: {', '.join(only_in_data)}")
    if settings.attributes is not None and not settings.attributes:
        raise InputError("no attribute is selected")
    table = data if settings.split is None else data.split(settings.split)
    if settings.limit is not None and settings.limit < len(table):
        table = table.subset(settings.limit, seed=settings.seed)
    groups = defaults.choose_groups(table, settings.groups)
    table = replace(table.select(names), groups={name: table.groups[name] for name in groups})
    defaults.check_slices(table, settings.slice_by)
    model = model.to(settings.device)
    explainers = {spec: _explainer(model, spec, names, settings) for spec in _specs(settings.methods)}
    grids = {spec: _grid(explainer, settings) for spec, explainer in explainers.items()}
    regions = defaults.choose_regions(model, table, settings.regions, notes)
    sources = defaults.choose_masks(table, settings, regions)
    reference_table = defaults.choose_reference_table(data, settings, next(iter(explainers.values())), notes)
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
    counts, counts_from = defaults.train_counts(plan.model, table, notes)

    def described(regions: Regions | None) -> dict[str, str] | None:
        if regions is None:
            return None
        return {"source": regions.source, "digest": provenance.regions_digest(regions, names)}

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
        "pointing_tolerance": TOLERANCE,
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
        "groups": list(table.groups),
        "slice_by": None if settings.slice_by is None else list(settings.slice_by),
        "limit": settings.limit,
        "sample": settings.sample,
        "gate_images": settings.gate_images,
        "seed": settings.seed,
        "shard_images": plan.shard_images,
        "batch_size": plan.batch_size,
        "precision": settings.precision,
        "device": torch.device(settings.device).type,
    }


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
