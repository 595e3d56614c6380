"""The plan of an audit, decided and checked before the first image is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from bincam import provenance
from bincam._version import __version__
from bincam.audit.folder.manifest import AuditedData, AuditedModel, Manifest, MaskSource, ReferenceData
from bincam.audit.folder.schema import MASKS
from bincam.audit.folder.sets import refuse_sets
from bincam.audit.pipeline import defaults
from bincam.audit.pipeline.measure import MeasureInputs
from bincam.audit.pipeline.projected_masks import Grid
from bincam.audit.settings import BATCH_SIZE, Settings
from bincam.audit.summary.label_noise import stated_noise
from bincam.audit.summary.stated import Stated
from bincam.cam import Explainer, Reference
from bincam.data import AttributeTable, Loader, Regions, loader
from bincam.errors import InputError
from bincam.metrics.localization.pointing_game import TOLERANCE
from bincam.models import AttributeClassifier
from bincam.models.borrowing.one_image import RUN_ALONE
from bincam.stats.clusters import Clusters


@dataclass(frozen=True)
class Plan:
    """Everything that the pass over the images needs.

    Attributes:
        settings: The settings as chosen.
        model: The model on its device.
        table: The audited images, with the audited attributes.
        reference_table: The images that references are fitted on, or None.
        explainers: Spec of a method to its explainer.
        grids: Spec of a method to the grid of its maps.
        regions: The chosen regions, or None.
        sources: Masks that differ from image to image, by name: ``region`` or one of ``MASKS``.
        audited_model: The model as the manifest names it.
        audited_data: The data as the manifest names it.
        train_counts: Negatives and positives of each attribute in training.
        train_counts_from: Where these counts come from.
        only_in_model: Attributes that the data has no labels of.
        only_in_data: Attributes that the model has no output for.
        notes: Notes for the user, before the audit runs.
        stated: The rates and prevalences at which figures are estimated.
        references: The fitted references by kind; they are fitted after the plan is made.
    """

    settings: Settings
    model: AttributeClassifier
    table: AttributeTable
    reference_table: AttributeTable | None
    explainers: Mapping[str, Explainer]
    grids: Mapping[str, Grid]
    regions: Regions | None
    sources: Mapping[str, Regions]
    audited_model: AuditedModel
    audited_data: AuditedData
    train_counts: Mapping[str, tuple[int, int]]
    train_counts_from: str
    only_in_model: Sequence[str]
    only_in_data: Sequence[str]
    notes: tuple[str, ...]
    stated: Stated = field(default_factory=Stated)
    references: Mapping[str, Reference] = field(default_factory=dict)

    @property
    def moving(self) -> bool:
        """True if the regions differ from image to image."""
        return "region" in self.sources

    @property
    def masks(self) -> tuple[str, ...]:
        """The kinds of ``MASKS`` that the data has."""
        return tuple(name for name in MASKS if name in self.sources)

    @cached_property
    def measure_inputs(self) -> MeasureInputs:
        """The inputs of the measures, the same for every batch."""
        regions = None if self.regions is None or self.moving else self.regions
        size = self.model.card.input_size
        fixed = None
        if not self.moving:
            names = self.table.names
            fixed = [None] * len(names) if regions is None else regions.masks(names, size)
        grids = tuple(dict.fromkeys(self.grids.values()))
        return MeasureInputs.of_masks(fixed, grids, size, references=self.references, masks=self.masks)

    @property
    def batch_size(self) -> int:
        """Images per forward pass."""
        return self.settings.batch_size or BATCH_SIZE.get(torch.device(self.settings.device).type, 8)

    @property
    def shard_images(self) -> int:
        """Images per shard, in whole batches."""
        return -(-self.settings.shard_images // self.batch_size) * self.batch_size

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the audit; complete once the references are fitted."""
        settings, card, names = self.settings, self.model.card, self.table.names
        thresholds = next(iter(self.explainers.values())).selection.thresholds.tolist()
        fitted_on = None
        if self.reference_table is not None:
            fitted_on = ReferenceData(
                split=sorted(self.reference_table.counts()),
                images=len(self.reference_table),
                digest=self.reference_table.digest(),
                **self._behind_references(),
            )
        manifest = Manifest(
            version=__version__,
            versions=provenance.versions(),
            model=self.audited_model,
            data=self.audited_data,
            attributes=names,
            methods=tuple(self.explainers),
            side=settings.side,
            thresholds=dict(zip(names, thresholds, strict=True)),
            head=card.head,
            regions=_mask_source(self.regions, names),
            pointing_tolerance=TOLERANCE,
            masks={kind: self.sources[kind].source if kind in self.sources else None for kind in MASKS},
            masks_digest={kind: _mask_source(self.sources.get(kind), names) for kind in MASKS},
            references_from=fitted_on,
            train_counts=dict(self.train_counts),
            train_counts_from=self.train_counts_from,
            logit_shift={name: card.logit_shift[name] for name in names if name in card.logit_shift},
            grid=dict(self.grids),
            image_size=card.input_size,
            groups=tuple(self.table.groups),
            slice_by=None if settings.slice_by is None else tuple(settings.slice_by),
            label_noise=dict(settings.label_noise) or None,
            specificity=tuple(self.stated.specificity),
            sensitivity=tuple(self.stated.sensitivity),
            prevalence=self.stated.to_json()["prevalence"],
            limit=settings.limit,
            sample=settings.sample,
            gate_images=settings.gate_images,
            seed=settings.seed,
            shard_images=self.shard_images,
            batch_size=self.batch_size,
            precision=settings.precision,
            device=torch.device(settings.device).type,
            only_in_model=tuple(self.only_in_model),
            only_in_data=tuple(self.only_in_data),
            references={kind: reference.digest for kind, reference in self.references.items()},
            settings_digest="",
        )
        return manifest.model_copy(update={"settings_digest": provenance.settings_digest(manifest.to_json())})

    def _behind_references(self) -> dict[str, Any]:
        """Count the people and, by attribute and class, the images and people of the fitted references."""
        table, fitted = self.reference_table, next(iter(self.references.values()), None)
        if table is None or fitted is None:
            return {}
        facts: dict[str, Any] = {"counts": _by_attribute(fitted.attributes, fitted.counts)}
        if fitted.people is not None and table.identities is not None:
            facts["people"] = _by_attribute(fitted.attributes, fitted.people)
            facts["identities"] = Clusters.of(table.identities.tolist()).count
        return facts

    def loader(self, table: AttributeTable, batch_size: int | None = None, **options: Any) -> Loader:
        """Load a table in batches, preprocessed for the model."""
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
        model: The model to audit; it is moved to the device.
        data: The data with all its splits.
        settings: The user's choices.
        source: The user's name of the model.

    Raises:
        InputError: Model and data have no attribute in common, a setting does not fit them, a split is empty, or a
            folder is missing.
        UnsupportedError: A method cannot answer this question about this model, or an audited output is in a set.
    """
    notes: list[str] = []
    names, only_in_model, only_in_data = defaults.common(model.card.attributes, data.names, settings.attributes)
    if only_in_model:
        notes.append(f"not audited, because the data has no labels of them: {', '.join(only_in_model)}")
    if only_in_data:
        notes.append(f"not audited, because the model has no output for them: {', '.join(only_in_data)}")
    if settings.attributes is not None and not settings.attributes:
        raise InputError("no attribute is selected")
    refuse_sets(names, model.card.one_of, "an audit")
    table = data if settings.split is None else data.split(settings.split)
    if settings.limit is not None and settings.limit < len(table):
        table = table.subset(settings.limit, seed=settings.seed)
    groups = defaults.choose_groups(table, settings.groups)
    table = replace(table.select(names), groups={name: table.groups[name] for name in groups})
    defaults.check_slices(table, settings.slice_by)
    stated_noise(settings.label_noise, table.names)
    stated = Stated.of(names, settings.specificity, settings.sensitivity, settings.prevalence)
    model = model.to(settings.device)
    explainers = {spec: _explainer(model, spec, names, settings) for spec in _specs(settings.methods)}
    grids = {spec: _grid(explainer, settings) for spec, explainer in explainers.items()}
    if RUN_ALONE in next(iter(explainers.values())).anatomy(model.card.input_size).reason:
        notes.append(RUN_ALONE)
    regions = defaults.choose_regions(model, table, settings.regions, notes)
    sources = defaults.choose_masks(table, settings, regions)
    reference_table = defaults.choose_reference_table(data, settings, next(iter(explainers.values())), notes)
    if reference_table is not None:
        reference_table = reference_table.select(names)
    counts, counts_from = defaults.train_counts(model, table, notes)
    card = model.card
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
            source=data.source,
            root=str(data.root),
            digest=data.digest(),
            split=settings.split,
            images=len(table),
            images_hash=provenance.images_hash(table),
        ),
        train_counts=counts,
        train_counts_from=counts_from,
        only_in_model=only_in_model,
        only_in_data=only_in_data,
        notes=tuple(notes),
        stated=stated,
    )


def _by_attribute(names: Sequence[str], counts: torch.Tensor) -> dict[str, tuple[int, int]]:
    return {name: (int(n[0]), int(n[1])) for name, n in zip(names, counts.tolist(), strict=True)}


def _mask_source(regions: Regions | None, names: Sequence[str]) -> MaskSource | None:
    if regions is None:
        return None
    return MaskSource(source=regions.source, digest=provenance.regions_digest(regions, names))


def _specs(methods: Sequence[str]) -> list[str]:
    specs = list(dict.fromkeys(spec.strip() for spec in methods))
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
        batch_size=1 if settings.batch_size == 1 else None,  # a statement about the model, not only about memory
    )


def _grid(explainer: Explainer, settings: Settings) -> Grid:
    """Return the grid ``(h, w)`` of a method's maps; this also checks that the method supports model and side."""
    card = explainer.card
    assert card is not None
    probe = torch.randn(1, len(card.mean), *card.input_size, generator=torch.Generator().manual_seed(0))
    maps = explainer(probe, settings.side, torch.ones(1, len(explainer.selection.attributes))).maps
    return int(maps.shape[2]), int(maps.shape[3])
