"""The plan of an audit: everything that the pass over the images needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam import provenance
from bincam._version import __version__
from bincam.audit.folder.manifest import AuditedData, AuditedModel, AuditedTrunk, Manifest, MaskSource, ReferenceData
from bincam.audit.folder.parts.sets import output_names
from bincam.audit.folder.schema import MASKS
from bincam.audit.pipeline.boxes.box_plan import BoxPlan
from bincam.audit.pipeline.cells.plan import CellPlan
from bincam.audit.pipeline.measure import MeasureInputs
from bincam.audit.pipeline.projected_masks import Grid, MaskProjector, ReadAll
from bincam.audit.pipeline.sets.large import LargeSets
from bincam.audit.pipeline.sets.masks import RowMasks, TrueOutputMasks
from bincam.audit.pipeline.sets.second_head import has_second_head
from bincam.audit.pipeline.views import ViewReader, taken_views
from bincam.audit.settings import BATCH_SIZE, Settings
from bincam.audit.summary.stated import Stated
from bincam.cam import Explainer, Explanation, PlacedViews, Reference
from bincam.cam.views.placed import frame_fit
from bincam.data import AttributeTable, Batch, Loader, Regions, loader
from bincam.data.dataset import Crop
from bincam.inference import Plan as ViewPlan
from bincam.metrics.localization.pointing_game import TOLERANCE
from bincam.models import AttributeClassifier
from bincam.one_of import Sets, set_columns
from bincam.references import FITTED_FOR_MAPS
from bincam.stats.clusters import Clusters


@dataclass(frozen=True)
class Plan:
    """Everything that the pass over the images needs.

    Attributes:
        settings: The settings as chosen.
        model: The model on its device.
        table: The audited images, with the audited attributes; with all audited outputs if none has a row of its own.
        reference_table: The images that references are fitted on, or None.
        explainers: Spec of a method to its explainer, of the outputs that have a row of their own; empty if none has.
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
        map_references: By method, the fitted reference that its maps are counted from; empty where none is fitted.
        one_of: The audited sets of outputs.
        large: The sets among them of which only the predicted and the true output have rows; None if there are none.
        cells: The prediction grid; None if it is not measured.
        boxes: The boxes that are measured, or None.
        box_table: The images whose boxes those are held against, or None.
        views: The views whose mean is audited; None for the images as the model sees them.
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
    map_references: Mapping[str, Reference] = field(default_factory=dict)
    one_of: Sets = field(default_factory=dict)
    large: LargeSets | None = None
    cells: CellPlan | None = None
    boxes: BoxPlan | None = None
    box_table: AttributeTable | None = None
    views: ViewPlan | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """Specs of the methods; the first is the primary one."""
        return tuple(self.grids)

    @property
    def mask_grids(self) -> tuple[Grid, ...]:
        """The grids to which masks are brought: those of the maps, and the prediction grid."""
        own = () if self.cells is None else (self.cells.shape,)
        return tuple(dict.fromkeys((*self.grids.values(), *own)))

    @property
    def own_rows(self) -> tuple[str, ...]:
        """The outputs that have a row of their own in the records: columns of the table."""
        return self.table.names if self.explainers else ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows of an image in the records."""
        return (*self.own_rows, *(self.large.names if self.large else ()))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that are explained, of a row of their own or of a large set, in the order of the model."""
        explained = {*self.own_rows, *(self.large.members if self.large else ())}
        return tuple(name for name in self.model.card.attributes if name in explained)

    @property
    def explainer_of(self) -> Mapping[str, Explainer]:
        """Spec of a method to its explainer of own rows; of large sets, if no output has a row of its own."""
        if self.explainers:
            return self.explainers
        assert self.large
        return self.large.explainers

    @property
    def any_explainer(self) -> Explainer:
        """The first explainer that there is."""
        return next(iter(self.explainer_of.values()))

    @property
    def second_head(self) -> bool:
        """True if the scores of a second head for label sets are stored."""
        return has_second_head(self.model.card, self.one_of)

    @cached_property
    def set_columns(self) -> Mapping[str, tuple[int, ...]]:
        """Columns of the audited sets among all outputs of the model."""
        return set_columns(self.one_of, self.model.card.attributes)

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """The entries of the records' column ``output``."""
        return output_names(self.names, self.one_of)

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
        return MeasureInputs.of_masks(fixed, self.mask_grids, size, references=self.references, masks=self.masks)

    @cached_property
    def large_inputs(self) -> MeasureInputs:
        """The inputs of the measures of large sets, whose regions are drawn image by image."""
        assert self.large is not None
        size = self.model.card.input_size
        fitted = next(iter(self.references.values()), None)
        known = fitted is not None and set(self.large.members) <= set(fitted.attributes)
        references = self.references if known else {}
        return MeasureInputs.of_masks(None, self.mask_grids, size, references=references, masks=self.masks)

    @cached_property
    def row_masks(self) -> RowMasks:
        """The regions and masks of the rows of large sets."""
        assert self.large is not None
        regions = None if self.moving else self.regions
        return RowMasks(self._projector(self.table), self.large.one_of, self.large.true, regions)

    def read_also(self, rows: NDArray[np.int64]) -> ReadAll | None:
        """What reads the masks and true boxes of some images; None where nothing differs between images."""
        parts: list[Callable[[Crop], dict[str, NDArray[Any]]]] = []
        table = self.table.take(rows)
        if self.sources:
            projector = self._projector(table)
            parts += [projector] if self.own_rows else []
            if self.large:
                true = {name: outputs[rows] for name, outputs in self.large.true.items()}
                parts.append(TrueOutputMasks(projector, self.large.one_of, true))
        if self.boxes is not None:
            parts.append(self.boxes.reading(rows))
        if (reader := self.view_reader(table)) is not None:
            parts.append(reader)
        return ReadAll(tuple(parts)) if parts else None

    def view_reader(self, table: AttributeTable) -> ViewReader | None:
        """What makes the views of a table's images; None without views."""
        return None if self.views is None else ViewReader(self.views, self.model.card, table.landmarks)

    def viewed(self, batch: Batch) -> tuple[Tensor | PlacedViews, Batch]:
        """Return what is explained of a batch, its images or their views, and the batch without the views."""
        return (batch.images, batch) if self.views is None else taken_views(batch, self.views, self.model.card)

    def counted(self, spec: str, explanation: Explanation) -> Explanation:
        """Count a method's maps from what the settings say."""
        asked = self.settings.map_reference
        return explanation.against(self.map_references[spec] if asked in FITTED_FOR_MAPS else asked)

    def _projector(self, table: AttributeTable) -> MaskProjector:
        outlined = "region" if self.moving else None
        return MaskProjector(table, self.model.card.input_size, self.mask_grids, self.sources, outlined)

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
        settings, card, names = self.settings, self.model.card, self.names
        if_any: dict[str, Any] = {}
        if self.one_of:
            if_any = {"one_of": dict(self.one_of), "one_of_rows": settings.one_of_rows}
        if self.second_head:
            if_any["second_head"] = True
        if self.cells is not None:
            if_any["cells"] = self.cells.facts(midpoint="midpoint" in self.references)
        if self.boxes is not None:
            if_any["boxes"] = self.boxes.stated()
        if settings.map_reference != "zero":
            if_any["map_reference"] = settings.map_reference
            if_any["map_references"] = {spec: reference.digest for spec, reference in self.map_references.items()}
        if settings.trunk != "eager":
            if_any["trunk"] = self._trunk()
        if self.views is not None:
            if_any["views"] = tuple(tuple(view) for view in self.views.views)
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
            methods=self.methods,
            side=settings.side,
            thresholds=self.thresholds,
            head=card.head,
            regions=_mask_source(self.regions, self.outputs),
            pointing_tolerance=TOLERANCE,
            masks={kind: self.sources[kind].source if kind in self.sources else None for kind in MASKS},
            masks_digest={kind: _mask_source(self.sources.get(kind), self.outputs) for kind in MASKS},
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
            **if_any,
            references={kind: reference.digest for kind, reference in self.references.items()},
            settings_digest="",
        )
        return manifest.model_copy(update={"settings_digest": provenance.settings_digest(manifest.to_json())})

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds of the yes-or-no attributes."""
        if not self.explainers:
            return {}
        selection = next(iter(self.explainers.values())).selection
        named = zip(selection.attributes, selection.thresholds.tolist(), selection.owners, strict=True)
        return {name: threshold for name, threshold, owner in named if owner is None}

    def _trunk(self) -> AuditedTrunk:
        """How the network runs below the explained tensor, as far as it was run."""
        states = {spec: explainer.trunk for spec, explainer in self.explainer_of.items()}
        return AuditedTrunk(
            asked=self.settings.trunk,
            ran={spec: state.ran for spec, state in states.items()},
            reasons={spec: state.reason for spec, state in states.items() if state.reason},
        )

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

    def loader(
        self, table: AttributeTable, batch_size: int | None = None, *, plain: bool = False, **options: Any
    ) -> Loader:
        """Load a table in batches, preprocessed for the model.

        Args:
            table: The images.
            batch_size: Images per batch; None for that of the plan.
            plain: As the model's card states, also where the frame of the maps is another because of views.
            options: Of ``bincam.data.loader``.
        """
        if self.views is not None and not plain:
            options["fit"] = frame_fit(self.model.card.fit)
        return loader(
            table,
            card=self.model.card,
            batch_size=batch_size or self.batch_size,
            workers=self.settings.workers,
            on_error=self.settings.on_error,
            pin_memory=torch.device(self.settings.device).type == "cuda",
            **options,
        )


def _by_attribute(names: Sequence[str], counts: torch.Tensor) -> dict[str, tuple[int, int]]:
    return {name: (int(n[0]), int(n[1])) for name, n in zip(names, counts.tolist(), strict=True)}


def _mask_source(regions: Regions | None, names: Sequence[str]) -> MaskSource | None:
    if regions is None:
        return None
    return MaskSource(
        source=regions.source,
        digest=provenance.regions_digest(regions, names),
        by_attribute=provenance.region_digests(regions, names),
    )
