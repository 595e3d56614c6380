"""Reading an audit's folder, with checks that it is complete; ``bincam.audit.folder.writer`` writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bincam import display
from bincam.audit.folder.manifest import Manifest, read_manifest, read_summary
from bincam.audit.folder.overview import audit_table
from bincam.audit.folder.schema import measure_columns, record_schema
from bincam.audit.folder.sets import check_stated, read_scores, scores_file
from bincam.audit.folder.stored import present, read_columns, read_maps, read_table, read_tensors
from bincam.errors import InputError, nearest
from bincam.files import read_json
from bincam.stats.class_counts import minority_is_positive
from bincam.stats.outcomes import OUTCOMES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure

MANIFEST, SUMMARY, IMAGES = "manifest.json", "summary.json", "images.parquet"
UNMEASURED, LEAKAGE, SAMPLE = "unmeasured.json", "leakage.json", "sample.json"
UNMEASURED_KIND, LEAKAGE_KIND, SAMPLE_KIND = "bincam-unmeasured", "bincam-leakage", "bincam-sample"
FORMER_UNMEASURED, FORMER_UNMEASURED_KIND = "findings.json", "bincam-findings"
"""The file and kind of ``unmeasured.json`` in older audits, which are still read."""
PART_SCHEMA = 1
RELABEL = "relabel.csv"
VARIATION = "references/variation.safetensors"
MEANS, REGIONS, MEAN_IMAGE = "maps/means.safetensors", "maps/regions.safetensors", "maps/mean_image.png"


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

    @cached_property
    def images(self) -> pd.DataFrame:
        """A row per image: ``row``, ``image``, ``identity``, ``group.*``, ``skipped`` (the reason, else empty)."""
        frame: pd.DataFrame = read_table(self.folder / IMAGES).to_pandas()
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
        return tensors[f"{spec}.sum"], tensors[f"{spec}.count"]

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
            yield read_maps(maps_file(self.folder, spec, number))

    def scores(self) -> NDArray[np.float32]:
        """Read the raw scores of the sets ``(N, outputs of all sets)``, in the order of the records' images.

        The columns are the outputs of ``one_of``, set after set; without sets there are none.
        """
        return read_scores(self.folder, self.manifest.one_of, self.shards if self.one_of else 0)

    def regions(self) -> NDArray[np.float16]:
        """Read the mean region of each attribute ``(A, H', W')``; NaN for an attribute without a region."""
        file = self.folder / REGIONS
        tensors = read_tensors(file)
        if "regions" not in tensors:
            raise InputError(f"{file}: no tensor 'regions'; make the audit again")
        return tensors["regions"]

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
        if attribute not in self.attributes:
            raise InputError(f"{self.folder}: unknown attribute {attribute!r}{nearest(attribute, self.attributes)}")
        negatives, positives = self.manifest.train_counts[attribute]
        return 1 if minority_is_positive(negatives, positives) else -1

    def _spec(self, method: str | None) -> str:
        if method is None:
            return self.methods[0]
        if method not in self.methods:
            raise InputError(f"{self.folder}: not audited with {method!r}{nearest(method, self.methods)}")
        return method


def open_audit(path: str | os.PathLike[str], *, unfinished: bool = False) -> Audit:
    """Open an audit's folder.

    Args:
        path: The folder.
        unfinished: Accept an audit without a summary; some of its files may be missing.

    Raises:
        InputError: The folder contains no audit, one of another schema version, or an unfinished one; or its records
            do not agree with its manifest.

    Example:
        A small model with random weights is audited on eight generated images, and the audit is read again:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from bincam.audit import Settings, open_audit, run
        >>> from bincam.data import AttributeTable, write_celeba
        >>> from bincam.models import build
        >>> random, folder = np.random.default_rng(0), Path(tempfile.mkdtemp())
        >>> images = random.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
        >>> ids, labels = [f"{n}.png" for n in range(8)], np.float32([[0], [1]] * 4)
        >>> table = AttributeTable(
        ...     names=("Smiling",), labels=labels, ids=tuple(ids), root=folder, splits=np.array(["test"] * 8)
        ... )
        >>> data = write_celeba(table, images, folder / "data")
        >>> model = build(
        ...     "resnet10t", ["Smiling"], channels=[8, 8, 8, 8], stem_width=8,
        ...     input_size=(64, 64), mean=(0.5,) * 3, std=(0.25,) * 3,
        ... )
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no references, no training counts
        ...     _ = run(model, data, folder / "audit", Settings(gate_images=0))
        >>> audit = open_audit(folder / "audit")
        >>> audit.manifest.data.images, audit.attributes, audit.minority("Smiling")
        (8, ('Smiling',), 1)
        >>> records = audit.records(["row", "attribute", "label", "logit", "outcome", "grad_cam.mass"])
        >>> records["label"].tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
        >>> [maps.shape for maps in audit.maps()], int(audit.means()[1].sum())
        ([(8, 1, 2, 2)], 8)
        >>> audit.summary["attributes"]["Smiling"]["train_counts"]
        [4, 4]
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give the folder of an audit")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; 'bincam audit --out {folder}' makes one")
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} contains no {MANIFEST}, so it is no audit; 'bincam audit --out FOLDER' makes one")
    audit = Audit(folder, read_manifest(folder / MANIFEST))
    check_stated(audit.manifest.yes_or_no, audit.manifest.model.card.get("one_of") or {}, str(folder / MANIFEST))
    if unfinished:
        return audit
    if not (folder / SUMMARY).is_file():
        _check_measured(audit)
        raise InputError(f"{folder}: unfinished audit: no {SUMMARY}; 'bincam summarise {folder}' writes it")
    return _checked(audit)


def open_measured(path: str | os.PathLike[str]) -> Audit:
    """Open an audit that lacks its summary at most: all that ``summarise`` reads is there.

    Args:
        path: The folder.

    Raises:
        InputError: As ``open_audit``; or a shard or another file is missing, with the command that writes it.
    """
    audit = open_audit(path, unfinished=True)
    if not (audit.folder / SUMMARY).is_file():
        _check_measured(audit)
    return _checked(audit)


def unwritten(folder: Path) -> list[str]:
    """List the files that an audit writes between its last shard and its summary, and that are not there."""
    parts = (IMAGES, MEANS, REGIONS, MEAN_IMAGE, UNMEASURED, LEAKAGE, SAMPLE, RELABEL)
    former = {UNMEASURED: FORMER_UNMEASURED}
    return [name for name in parts if not any((folder / n).is_file() for n in (name, former.get(name, name)))]


def _check_measured(audit: Audit) -> None:
    """Refuse an audit that lacks more than its summary."""
    folder, complete = audit.folder, whole_shards(audit.folder, audit.manifest)
    if complete < audit.shards:
        raise InputError(
            f"{folder}: unfinished audit: {complete} of {audit.shards} shards and no {SUMMARY}; finish it with the "
            "same 'bincam audit ... --resume'"
        )
    if missing := unwritten(folder):
        raise InputError(
            f"{folder}: unfinished audit: all shards are there, but neither {missing[0]} nor {SUMMARY}; the same "
            "'bincam audit ... --resume' writes them without measuring the images again"
        )


def _checked(audit: Audit) -> Audit:
    """Return an audit whose files are there and agree with its manifest; else refuse it."""
    for number in range(audit.shards):
        present(records_file(audit.folder, number))
        if audit.one_of:
            present(scores_file(audit.folder, number))
    _check_records(audit)
    return audit


def _check_records(audit: Audit) -> None:
    """Refuse a folder whose first records disagree with its manifest."""
    if audit.shards == 0:
        return
    file = records_file(audit.folder, 0)
    names_there = read_columns(file)
    expected = audit.schema
    if names_there != expected.names:
        differing = sorted(set(names_there) ^ set(expected.names)) or names_there
        raise InputError(
            f"{file}: other columns than {MANIFEST} states (first: {differing[0]!r}); make the audit again"
        )
    names = read_table(file, ["attribute"])["attribute"].unique().to_pylist()  # in the order of the file
    if names and tuple(names) != audit.attributes:
        pairs = zip_longest(names, audit.attributes, fillvalue="nothing")
        at, (got, expected_name) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
        raise InputError(
            f"{file}: other attributes, or in another order, than {MANIFEST} states (at position {at}: {got!r}, "
            f"expected {expected_name!r}); make the audit again"
        )


def records_file(folder: Path, number: int) -> Path:
    """Return the path of a shard's records."""
    return folder / "records" / f"part-{number:05d}.parquet"


def maps_file(folder: Path, method: str, number: int) -> Path:
    """Return the path of a shard's maps of one method."""
    return folder / "maps" / method_folder(method) / f"part-{number:05d}.npy"


def method_folder(method: str) -> str:
    """Turn a method's spec into a folder's name: characters that a file system may refuse become ``-``."""
    return re.sub(r"[^A-Za-z0-9_.@+-]", "-", method)


def whole_shards(folder: Path, manifest: Manifest) -> int:
    """Count the shards that are complete, from the first on; a resumed run starts with the next one."""
    numbers = range(manifest.shards)
    return next((number for number in numbers if not records_file(folder, number).is_file()), manifest.shards)
