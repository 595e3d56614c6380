"""An audit on disk: its manifest, and the files that are read when they are used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bincam import display
from bincam.audit.folder.digest import measurements_digest
from bincam.audit.folder.exports import FRAME_COLUMNS, attribute_frame, flat_metrics
from bincam.audit.folder.files import (
    FORMER_UNMEASURED,
    FORMER_UNMEASURED_KIND,
    IMAGES,
    LEAKAGE,
    LEAKAGE_KIND,
    MEANS,
    PART_SCHEMA,
    REGIONS,
    SAMPLE,
    SAMPLE_KIND,
    SPECIFICITY,
    SPECIFICITY_KIND,
    SUMMARY,
    UNMEASURED,
    UNMEASURED_KIND,
    VARIATION,
    maps_file,
    records_file,
)
from bincam.audit.folder.manifest import Manifest, read_summary
from bincam.audit.folder.overview import audit_table
from bincam.audit.folder.parts.one_image import find_record
from bincam.audit.folder.parts.sets import read_scores, set_scores_file
from bincam.audit.folder.schema import measure_columns, record_schema
from bincam.audit.folder.seal import known_digests
from bincam.audit.folder.stored import read_maps, read_table, read_tensor, read_tensors
from bincam.errors import InputError, nearest
from bincam.files import read_json
from bincam.stats.class_counts import minority_is_positive
from bincam.stats.outcomes import OUTCOMES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Audit:
    """An audit on disk, whose files are read when they are used.

    Attributes:
        folder: The audit's folder.
        manifest: The content of ``manifest.json``: the model, the data and the settings.

    Example:
        ``run`` and ``open_audit`` return audits. What needs the manifest alone reads no other file:

        >>> from bincam.audit.folder.manifest import AuditedData, AuditedModel, Manifest
        >>> manifest = Manifest(
        ...     model=AuditedModel(source="model", digest="", name="resnet50", card={}),
        ...     data=AuditedData(source="orl", root="", digest="", split="test", images=600, images_hash=""),
        ...     attributes=("Bald", "Young"), methods=("grad_cam", "hirescam@layer4"), thresholds={},
        ...     train_counts={"Bald": (95, 5), "Young": (20, 80)}, shard_images=256, settings_digest="",
        ... )
        >>> audit = Audit(Path("audits/balanced"), manifest)
        >>> audit.attributes, audit.methods, audit.shards
        (('Bald', 'Young'), ('grad_cam', 'hirescam@layer4'), 3)
        >>> audit.minority("Bald"), audit.minority("Young"), audit.summary
        (1, -1, None)
    """

    folder: Path
    manifest: Manifest

    @property
    def attributes(self) -> tuple[str, ...]:
        """The audited attributes, in the order of the records."""
        return self.manifest.attributes

    @property
    def methods(self) -> tuple[str, ...]:
        """The specs of the methods, ``NAME`` or ``NAME@LAYER``; the first is the primary one."""
        return self.manifest.methods

    @property
    def masks(self) -> tuple[str, ...]:
        """The masks stored per image that were measured: ``object``, ``influence``."""
        return self.manifest.mask_kinds

    @property
    def one_of(self) -> Mapping[str, tuple[str, ...]]:
        """The audited sets of outputs of which exactly one is true, by name."""
        return self.manifest.one_of

    @property
    def measures(self) -> tuple[str, ...]:
        """The float columns of the records besides label, logit and threshold."""
        return measure_columns(self.methods, self.masks, sets=bool(self.one_of), cells=self.manifest.has_cells)

    @property
    def schema(self) -> pa.Schema:
        """The arrow schema of the records."""
        return record_schema(self.methods, self.masks, **self.manifest.of_records)

    @property
    def shards(self) -> int:
        """Number of files of records."""
        return self.manifest.shards

    @property
    def most_images(self) -> int:
        """The number of images that are read, at most."""
        return self.manifest.data.images

    @property
    def some_rows(self) -> NDArray[np.int64] | None:
        """The rows of the images that are read; None for all."""
        return None

    def kept(self, number: int) -> NDArray[np.bool_] | None:  # noqa: ARG002  # a sample decides it by the shard
        """Find the images of a shard that are read, of those with records; None for all."""
        return None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the measurements: settings, images, records and raw scores; see ``measurements_digest``."""
        return measurements_digest(self.folder, self.manifest, known_digests(self.folder))

    @cached_property
    def images(self) -> pd.DataFrame:
        """A row per image: ``row``, ``image``, ``identity``, ``group.*``, ``skipped`` (the reason, else empty)."""
        file = self.folder / IMAGES
        table = read_table(file)
        columns = ("image", "identity", "skipped", *(name for name in table.column_names if name.startswith("group.")))
        texts = all(name in table.column_names and _is_text(table[name]) for name in columns)
        frame: pd.DataFrame = table.to_pandas()
        if not texts or "row" not in frame or not np.array_equal(frame["row"], np.arange(self.manifest.data.images)):
            raise InputError(f"{file}: not the {self.manifest.data.images:,} images of the audit; make it again")
        return frame

    def records(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read the records: a row per image and attribute, ordered by image, then attribute.

        Args:
            columns: Columns to read; all by default.

        Returns:
            A data frame, in which ``attribute`` and ``outcome`` are categorical: the attributes in order, and TP, FP,
            FN, TN and "".

        Raises:
            InputError: A column is unknown, or a file is missing or not of this audit.
        """
        import pandas as pd
        import pyarrow as pa

        parts = list(self.record_parts(columns))
        frame: pd.DataFrame = pa.concat_tables(parts).unify_dictionaries().to_pandas()
        for name, categories in (("attribute", self.attributes), ("outcome", (*OUTCOMES, ""))):
            if name in frame:
                frame[name] = pd.Categorical(frame[name], categories=list(categories))
        return frame

    def record_parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the records as arrow tables, shard by shard; arguments and errors are those of ``records``."""
        schema = self.schema
        for name in columns or ():
            if name not in schema.names:
                raise InputError(f"{self.folder}: the records have no column {name!r}{nearest(name, schema.names)}")
        for number in range(self.shards):
            yield read_table(records_file(self.folder, number), columns)

    def frame(self, attribute: str) -> pd.DataFrame:
        """Make a frame of an attribute's decisions, as fairlearn's ``MetricFrame`` and scikit-learn take them.

        Args:
            attribute: An audited attribute, or an output of a set.

        Returns:
            A row per image with a known label and a finite logit, by ``row`` of the data: ``y_true`` and ``y_pred``
            (0 and 1), ``score`` (logit), ``image``, ``identity``, the group columns as ``group.NAME`` and the labels
            of the other attributes as ``attribute.NAME`` (1 and 0), NaN where unknown. ``attrs`` states ``attribute``,
            ``threshold`` and ``left_out``, the number of images without a label or a finite logit.

        Raises:
            InputError: The attribute was not audited.
        """
        if attribute in self.one_of:
            raise InputError(f"{self.folder}: {attribute!r} is a set of outputs; name one of them")
        self._check(attribute)
        threshold = float(self.manifest.thresholds.get(attribute, math.nan))
        return attribute_frame(attribute, self.records(FRAME_COLUMNS), self.images, threshold)

    def flat_metrics(self, *, intervals: bool = True) -> dict[str, float]:
        """Return the summary's figures by flat names, as MLflow's ``log_metrics`` and TensorBoard take them.

        Names are ``attributes/NAME/RATE``, ``overall/RATE``, ``sets/NAME/RATE``, ``sets/NAME/OUTPUT/RATE`` and
        ``groups/COLUMN/NAME/gap_RATE`` of letters, digits and ``_-. /``; another character becomes ``_``, and the
        name then ends in a digest. Measures of maps are those of the primary method over all images.

        Args:
            intervals: Include the ends of intervals, as ``..._low`` and ``..._high``.

        Returns:
            Finite numbers alone. ``audit/left_out`` counts the undefined ones, ``audit/small`` the figures of too few
            images or people.

        Raises:
            InputError: The audit is unfinished.
        """
        if self.summary is None:
            raise InputError(f"{self.folder}: unfinished audit: there is no {SUMMARY}; 'bincam summarise' writes it")
        return flat_metrics(self.summary, intervals=intervals)

    def means(self, method: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Read the sums of maps by outcome, and the number of maps in each sum.

        Args:
            method: A spec; the primary one by default.

        Returns:
            Sums of σS ``(A, 4, h, w)`` and counts ``(A, 4)``, in the order of ``OUTCOMES``.
        """
        spec = self._spec(method)
        tensors = read_tensors(self.folder / MEANS)
        if f"{spec}.sum" not in tensors or f"{spec}.count" not in tensors:
            raise InputError(f"{self.folder / MEANS}: no sums of {spec!r}; make the audit again")
        sums, counts = tensors[f"{spec}.sum"], tensors[f"{spec}.count"]
        shape = (len(self.attributes), len(OUTCOMES))
        numbers = sums.dtype.kind in "fiu" and counts.dtype.kind in "fiu"
        if not numbers or sums.ndim != 4 or sums.shape[:2] != shape or counts.shape != shape:
            raise InputError(f"{self.folder / MEANS}: no sums by attribute and outcome; make the audit again")
        return sums, counts

    @cached_property
    def variation(self) -> Mapping[str, NDArray[np.float64]]:
        """Sums of ledger columns against references that were each fitted without one group of people.

        ``COLUMN.without.sum`` and ``COLUMN.without.count``, ``(A, CELLS, G)``; empty in older audits, and where no
        reference was fitted.
        """
        file = self.folder / VARIATION
        return read_tensors(file) if file.is_file() else {}

    def maps(self, method: str | None = None) -> Iterator[NDArray[np.float16]]:
        """Read the maps σS on their native grid, shard by shard: ``(B, A, h, w)`` of the images that were read."""
        spec = self._spec(method)
        for number in range(self.shards):
            file = maps_file(self.folder, spec, number)
            maps = read_maps(file)
            if maps.dtype.kind != "f" or maps.ndim != 4 or maps.shape[1] != len(self.attributes):
                raise InputError(f"{file}: not the maps of {len(self.attributes)} attributes; make the audit again")
            yield maps

    def map_of(self, row: int, attribute: str, method: str | None = None) -> NDArray[np.float16]:
        """Read the map σS ``(h, w)`` of one image, by its row in ``images.parquet``.

        Raises:
            InputError: The image was not read, or the attribute or the method was not audited.
        """
        self._check(attribute)
        spec = self._spec(method)
        number, at, _ = find_record(self.folder, self.manifest, row)
        one: NDArray[np.float16] = read_maps(maps_file(self.folder, spec, number))[at, self.attributes.index(attribute)]
        return one

    def record_of(self, row: int, attribute: str, column: str) -> float:
        """Read a number of the records of one image; arguments and errors are those of ``map_of``."""
        self._check(attribute)
        _, at, table = find_record(self.folder, self.manifest, row, column)
        return float(table[column][at * len(self.attributes) + self.attributes.index(attribute)].as_py())

    def scores(self) -> NDArray[np.float32]:
        """Read the raw scores of the sets ``(N, outputs of all sets)``, in the order of the records' images.

        The columns are the outputs of ``one_of``, set after set; without sets there are none.
        """
        return read_scores(self.folder, self.manifest.one_of, self.shards if self.one_of else 0, kept=self.kept)

    def set_scores(self) -> NDArray[np.float32]:
        """Read the logits of the second head for label sets ``(N, outputs of all sets)``, in the columns of ``scores``.

        Raises:
            InputError: The model has no such head, or the audit is of a version that did not store its scores.
        """
        if not self.manifest.second_head:
            raise InputError(
                f"{self.folder}: no scores of a second head for label sets: the model has none, or the audit is of an "
                "earlier bincam, which did not store them; audit again"
            )
        return read_scores(self.folder, self.manifest.one_of, self.shards, set_scores_file, kept=self.kept)

    def regions(self) -> NDArray[np.float16]:
        """Read the mean region of each attribute ``(A, H', W')``; NaN for an attribute without a region."""
        regions = read_tensor(self.folder / REGIONS, "regions")
        if regions.dtype.kind != "f" or regions.ndim != 3 or len(regions) != len(self.attributes):
            raise InputError(f"{self.folder / REGIONS}: no region for each attribute; make the audit again")
        return regions

    @property
    def summary(self) -> dict[str, Any] | None:
        """The content of ``summary.json``, see ``summarise``; None if the audit is not finished."""
        file = self.folder / SUMMARY
        return read_summary(file) if file.is_file() else None

    @cached_property
    def unmeasured(self) -> Mapping[str, Any]:
        """Counts of images, logits and masks that could not be measured, and notes; empty without the file."""
        if not (self.folder / UNMEASURED).is_file():
            return self._part(FORMER_UNMEASURED, FORMER_UNMEASURED_KIND)
        return self._part(UNMEASURED, UNMEASURED_KIND)

    @property
    def findings(self) -> Mapping[str, Any]:
        """The former name of ``unmeasured``."""
        return self.unmeasured

    @cached_property
    def leakage(self) -> Mapping[str, Any]:
        """Attention overlap, with the correlation of the labels; empty without the file."""
        return self._part(LEAKAGE, LEAKAGE_KIND)

    @cached_property
    def specificity(self) -> Mapping[str, Any]:
        """Which attributes' maps are their own; empty without the file, as in older audits."""
        return self._part(SPECIFICITY, SPECIFICITY_KIND)

    @cached_property
    def sample(self) -> Mapping[str, Any]:
        """Deletion, insertion, ROAD and the randomisation tests; empty without the file."""
        return self._part(SAMPLE, SAMPLE_KIND)

    def _part(self, name: str, kind: str) -> Mapping[str, Any]:
        file = self.folder / name
        return read_json(file, kind=kind, schema=PART_SCHEMA) if file.is_file() else {}

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> display.Table:
        return audit_table(self.folder, self.manifest.yes_or_no, self.methods, self.summary)

    def plot(
        self,
        measure: Literal["error", "gain", "bias_share"] = "error",
        attributes: Sequence[str] | None = None,
    ) -> Figure:
        """Draw a measure of the rarer and of the other class by attribute.

        Args:
            measure: ``error``: share of each class that is misclassified. ``gain`` and ``bias_share``: of the primary
                method, by predicted class.
            attributes: Attributes to draw; None for the ten with the rarest minority classes.

        Returns:
            The report's overview figure, which is not registered with pyplot.

        Raises:
            InputError: The audit is unfinished, or the measure or an attribute is unknown.
        """
        return display.backend().plot_audit(self, measure=measure, attributes=attributes)

    def minority(self, attribute: str) -> int:
        """Return the class that was rarer in training, +1 or -1; the positive one if both are equally frequent.

        Raises:
            InputError: The attribute was not audited.
        """
        self._check(attribute)
        negatives, positives = self.manifest.train_counts[attribute]
        return 1 if minority_is_positive(negatives, positives) else -1

    def _check(self, attribute: str) -> None:
        if attribute not in self.attributes:
            raise InputError(f"{self.folder}: unknown attribute {attribute!r}{nearest(attribute, self.attributes)}")

    def _spec(self, method: str | None) -> str:
        if method is None:
            return self.methods[0]
        if method not in self.methods:
            raise InputError(f"{self.folder}: not audited with {method!r}{nearest(method, self.methods)}")
        return method


def _is_text(column: pa.ChunkedArray) -> bool:
    """Return True if every cell is a string."""
    from pyarrow.types import is_large_string, is_string

    return bool(column.null_count == 0 and (is_string(column.type) or is_large_string(column.type)))
