"""Manifest and summary of an audit: the keys and types of ``manifest.json`` and ``summary.json``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from bincam.audit.folder.parts.sets import large_sets, slots, without_sets
from bincam.audit.folder.schema import MASKS
from bincam.errors import BincamWarning, InputError
from bincam.files import read_json

if TYPE_CHECKING:
    from bincam.data.attribute_table import AttributeTable

KIND, SCHEMA = "bincam-audit", 1
SUMMARY_KIND, SUMMARY_SCHEMA = "bincam-summary", 1
OF_THE_SUMMARY = ("slice_by", "label_noise", "specificity", "sensitivity", "prevalence")
"""Settings that the summary alone uses: no shard changes with them."""
_OF_THE_FILE = ("kind", "schema")
_Model = TypeVar("_Model", bound=BaseModel)


class _Part(BaseModel):
    # Keys that a later bincam adds under the same schema are kept, so that resuming compares them too.
    model_config = ConfigDict(frozen=True, extra="allow")

    def __getitem__(self, key: str) -> Any:
        """Read a key of the file, as from a dictionary: ``manifest["data"]["images"]``."""
        try:
            return getattr(self, key)
        except AttributeError:
            raise KeyError(key) from None

    def get(self, key: str, default: Any = None) -> Any:
        """Read a key of the file, or the default if the file has none."""
        return getattr(self, key, default)


class AuditedModel(_Part):
    """The audited model: the name the user gave, the digest of card and weights, the card's name, the card."""

    source: str
    digest: str
    name: str
    card: dict[str, Any]


class AuditedData(_Part):
    """The audited images: their source, split and number, and the digests of the labels and of the image files.

    ``options`` are the arguments of the reader, see ``AttributeTable.reading``; older audits do not have them.
    """

    source: str
    root: str
    digest: str
    split: str | None
    images: int = Field(ge=0)
    images_hash: str
    options: dict[str, Any] = {}

    def read_table(self) -> AttributeTable:
        """Read the data set again as it was read for the audit; ``images.parquet`` names those that were audited.

        What reading warns of was told when the audit was made, and is not told again.

        Raises:
            InputError: It is no longer there, or cannot be read in this way. The message may quote a cell of the table.
        """
        from bincam.data.readers.load import load, read

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BincamWarning)
            return read(self.source, self.options) if self.options else load(self.source)


class MaskSource(_Part):
    """The source of regions or of masks stored per image, and the digest of the masks.

    ``by_attribute`` are the digests of the attributes that have a region; None of masks stored per image, and in older
    audits.
    """

    source: str
    digest: str
    by_attribute: dict[str, str] | None = None


class BoxSource(_Part):
    """Measured boxes: attributes, the source of true boxes and its digest, of masks, the draw, the reference's digest.

    ``sample`` is the number of images of each attribute at most, 0 for all.
    """

    attributes: tuple[str, ...]
    truth: str
    digest: str
    masks: str | None = None
    sample: int = 0
    reference: str | None = None


class ReferenceData(_Part):
    """The images that the references were fitted on.

    ``counts`` are negatives and positives by attribute, ``people`` the number of people on these; both are missing in
    older audits, and ``people`` where the data names none.
    """

    split: list[str]
    images: int
    digest: str
    identities: int | None = None
    counts: dict[str, tuple[int, int]] = {}
    people: dict[str, tuple[int, int]] = {}


class AuditedCells(_Part):
    """The prediction grid: its reading and shape, the mask that stands for the object, and the poolings of its cells.

    ``rows`` are the rows of the records of which it is measured, ``masks`` their ``object``, ``region`` or None;
    ``own_region`` names those of which images without the attribute have a region too. ``midpoint`` is True if the
    midpoint reference was taken out as well.
    """

    reading: str
    shape: tuple[int, int]
    rows: list[str]
    masks: dict[str, str | None]
    own_region: list[str] = []
    poolings: list[str] = []
    midpoint: bool = False


class AuditedTrunk(_Part):
    """How the part of the network below the explained tensor was to run, how it ran by method, and why otherwise."""

    asked: str
    ran: dict[str, str]
    reasons: dict[str, str] = {}


class Manifest(_Part):
    """The content of ``manifest.json``: the model, the data, the settings and the versions of packages.

    Fields are written in this order. Fields with a default may be missing from the file. ``attributes`` are the rows of
    an image in the records: yes-or-no attributes, outputs of sets (``one_of``), and for sets of more than
    ``one_of_rows`` outputs their predicted and their true one. ``second_head`` is True if the scores of a second head
    for label sets are stored; older audits of such models have none.
    """

    version: str | None = None
    versions: dict[str, str] = {}
    model: AuditedModel
    data: AuditedData
    attributes: tuple[str, ...] = Field(min_length=1)
    one_of: dict[str, tuple[str, ...]] = {}
    one_of_rows: int | None = None
    second_head: bool = False
    methods: tuple[str, ...] = Field(min_length=1)
    side: str = "predicted"
    views: tuple[tuple[int, int, int], ...] | None = None
    thresholds: dict[str, float]
    head: str = "logits"
    regions: MaskSource | None = None
    pointing_tolerance: float | None = None
    masks: dict[str, str | None] = {}
    masks_digest: dict[str, MaskSource | None] = {}
    boxes: BoxSource | None = None
    references_from: ReferenceData | None = None
    train_counts: dict[str, tuple[int, int]]
    train_counts_from: str = "card"
    logit_shift: dict[str, float] = {}
    grid: dict[str, tuple[int, int]] = {}
    image_size: tuple[int, int] | None = None
    groups: tuple[str, ...] = ()
    slice_by: tuple[str, ...] | None = None
    label_noise: dict[str, tuple[float, float]] | None = None
    specificity: tuple[float, ...] | None = None
    sensitivity: tuple[float, ...] | None = None
    prevalence: dict[str, tuple[float, ...]] | None = None
    limit: int | None = None
    sample: int = 0
    gate_images: int = 0
    seed: int = 0
    shard_images: int = Field(gt=0)
    batch_size: int | None = None
    precision: str = "fp32"
    trunk: AuditedTrunk | None = None
    device: str = "cpu"
    only_in_model: tuple[str, ...] = ()
    only_in_data: tuple[str, ...] = ()
    references: dict[str, str] = {}
    map_reference: str = "zero"
    map_references: dict[str, str] = {}
    cells: AuditedCells | None = None
    settings_digest: str

    @field_validator("train_counts")
    @classmethod
    def _of_every_attribute(cls, counts: dict[str, tuple[int, int]], info: ValidationInfo) -> dict[str, Any]:
        attributes, one_of = info.data.get("attributes", ()), info.data.get("one_of", {})
        of_rows = {slot for name in large_sets(attributes, one_of) for slot in slots(name)}
        outputs = [name for name in attributes if name not in of_rows]
        outputs += [output for members in one_of.values() for output in members]
        missing = [name for name in dict.fromkeys(outputs) if name not in counts]
        if missing:
            raise ValueError(f"no counts of {', '.join(missing)}")
        return counts

    @property
    def mask_kinds(self) -> tuple[str, ...]:
        """The masks stored per image that were measured, of ``MASKS``."""
        return tuple(name for name in MASKS if self.masks.get(name))

    @property
    def frame_fit(self) -> str:
        """How images are brought to the frame of the maps: by the model's card, or whole where views are averaged."""
        fit = str(self.model.card.get("fit") or "stretch")
        return "stretch" if self.views is not None and fit == "crop" else fit

    @property
    def has_cells(self) -> bool:
        """True if prediction grids were measured."""
        return self.cells is not None

    @property
    def of_records(self) -> dict[str, bool]:
        """What the columns of the records depend on besides methods and masks, for ``record_schema``."""
        return {"sets": bool(self.one_of), "large": bool(self.large_sets), "cells": self.has_cells}

    @property
    def large_sets(self) -> tuple[str, ...]:
        """The sets that have rows for the predicted and the true output alone."""
        return large_sets(self.attributes, self.one_of)

    @property
    def yes_or_no(self) -> tuple[str, ...]:
        """The audited attributes that are in no set."""
        return without_sets(self.attributes, self.one_of) if self.one_of else self.attributes

    @property
    def shards(self) -> int:
        """Number of shards of the audit."""
        return -(-self.data.images // self.shard_images)

    def to_json(self) -> dict[str, Any]:
        """Return the keys and values of the file, without its kind and schema version."""
        return self.model_dump(mode="json", exclude_unset=True)


class AttributeSummary(_Part):
    """The entry of an attribute in ``summary.json``; estimates remain JSON objects.

    ``reference_threshold`` is what a threshold that was chosen on the reference split gains there, see
    ``bincam.audit.summary.reference_split``; older audits have none.
    """

    minority: str
    train_counts: tuple[int, int]
    counts: dict[str, int]
    rates: dict[str, dict[str, Any]]
    calibration: dict[str, Any]
    measures: dict[str, dict[str, dict[str, Any]]]
    stated: list[dict[str, Any]] = []
    reference_threshold: dict[str, Any] | None = None


class SetSummary(_Part):
    """The entry of a set of outputs in ``summary.json``, see ``bincam.audit.summary.sets``."""

    outputs: dict[str, dict[str, Any]]
    minority: list[str]
    minority_from: str
    images: int
    unknown: int
    undefined: int
    rates: dict[str, dict[str, Any]]


class Summary(_Part):
    """The content of ``summary.json``, see ``bincam.audit.summarise``."""

    level: float
    resamples: int | None = None
    seed: int | None = None
    methods: tuple[str, ...] = ()
    minority_from: str = "card"
    doubts: list[dict[str, str]] = []
    images: int | None = None
    skipped: int = 0
    identities: int | None = None
    attributes: dict[str, AttributeSummary]
    sets: dict[str, SetSummary] = {}
    overall: dict[str, dict[str, Any]] = {}
    slices: list[dict[str, Any]] = []
    slices_left_out: list[dict[str, str]] = []
    group_differences: list[dict[str, Any]] = []
    stated: dict[str, Any] = {}
    families: list[dict[str, Any]] = []
    leakage: dict[str, Any] = {}
    gates: dict[str, Any] = {}
    specificity: dict[str, Any] = {}
    boxes: dict[str, Any] = {}


def read_manifest(file: Path) -> Manifest:
    """Read ``manifest.json``.

    Raises:
        InputError: The file is missing, is no manifest, is of another schema, or a key is missing or of another type.
    """
    return _checked(Manifest, file, read_json(file, kind=KIND, schema=SCHEMA))


def read_summary(file: Path) -> dict[str, Any]:
    """Read ``summary.json`` as a JSON object, checked against ``Summary``.

    Raises:
        InputError: As ``read_manifest``.
    """
    content = read_json(file, kind=SUMMARY_KIND, schema=SUMMARY_SCHEMA)
    _checked(Summary, file, content)
    return content


def _checked(model: type[_Model], file: Path, content: dict[str, Any]) -> _Model:
    try:
        return model.model_validate({name: value for name, value in content.items() if name not in _OF_THE_FILE})
    except ValidationError as error:
        problems = error.errors(include_url=False)
        missing = [str(problem["loc"][0]) for problem in problems if problem["type"] == "missing"]
        if missing and all(len(problem["loc"]) == 1 for problem in problems):
            raise InputError(f"{file}: no {', '.join(missing)}; make the audit again") from None
        name, *rest = (str(part) for part in problems[0]["loc"])
        at = f" (at {'.'.join([name, *rest])}: {problems[0]['msg']})" if rest else f" ({problems[0]['msg']})"
        raise InputError(f"{file}: {name!r} is not what an audit writes{at}; make the audit again") from None
