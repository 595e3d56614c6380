"""An audit's folder, read as a whole or refused; ``bincam.audit.folder.writer`` writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.schema import MASKS, record_schema
from bincam.errors import InputError, nearest
from bincam.files import read_json
from bincam.stats.outcomes import OUTCOMES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

KIND, SCHEMA = "bincam-audit", 1
SUMMARY_KIND, SUMMARY_SCHEMA = "bincam-summary", 1
MANIFEST, SUMMARY, IMAGES = "manifest.json", "summary.json", "images.parquet"
FINDINGS, LEAKAGE, SAMPLE = "findings.json", "leakage.json", "sample.json"
FINDINGS_KIND, LEAKAGE_KIND, SAMPLE_KIND = "bincam-findings", "bincam-leakage", "bincam-sample"
MEANS, REGIONS, MEAN_IMAGE = "maps/means.safetensors", "maps/regions.safetensors", "maps/mean_image.png"
_NEEDED = ("attributes", "methods", "train_counts", "thresholds", "data", "model", "shard_images", "settings_digest")


@dataclass(frozen=True)
class Audit:
    """A whole audit, read where it is asked for.

    Attributes:
        folder: Where it lies.
        manifest: What was audited, and how.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The audited attributes, in the order of the records."""
        return tuple(self.manifest["attributes"])

    @property
    def methods(self) -> tuple[str, ...]:
        """The specs of the methods, ``NAME`` or ``NAME@LAYER``; the first is the primary one."""
        return tuple(self.manifest["methods"])

    @property
    def masks(self) -> tuple[str, ...]:
        """Which per-image masks were measured: ``object``, ``influence``."""
        return masks_of(self.manifest)

    @property
    def shards(self) -> int:
        """Number of files of records."""
        return shard_count(self.manifest)

    @cached_property
    def images(self) -> pd.DataFrame:
        """A row per image: ``row``, ``image``, ``identity``, ``group.*``, ``skipped`` (the reason, else empty)."""
        import pyarrow.parquet as pq

        frame: pd.DataFrame = pq.read_table(present(self.folder / IMAGES)).to_pandas()
        return frame

    def records(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A row per image and attribute, ordered by image, then attribute.

        Args:
            columns: Which to read; all by default.

        Returns:
            ``attribute`` and ``outcome`` are categorical: the attributes in order, and TP, FP, FN, TN and "".

        Raises:
            InputError: An unknown column, or a file that is not there or not of this audit.
        """
        import pandas as pd
        import pyarrow as pa

        parts = list(self.record_parts(columns))
        frame: pd.DataFrame = pa.concat_tables(parts).unify_dictionaries().to_pandas()
        for name, words in (("attribute", self.attributes), ("outcome", (*OUTCOMES, ""))):
            if name in frame:
                frame[name] = pd.Categorical(frame[name], categories=list(words))
        return frame

    def record_parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The records as arrow tables, shard by shard; arguments and errors are those of ``records``."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = record_schema(self.methods, self.masks)
        for name in columns or ():
            if name not in schema.names:
                raise InputError(f"{self.folder}: the records have no column {name!r}{nearest(name, schema.names)}")
        for number in range(self.shards):
            file = present(records_file(self.folder, number))
            try:
                part = pq.read_table(file, columns=None if columns is None else list(columns))
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{file}: not the records of an audit: {error}") from None
            yield part

    def means(self, method: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums of maps by outcome, and how many maps went in.

        Args:
            method: A spec; the primary one by default.

        Returns:
            Sums of σS ``(A, 4, h, w)`` and counts ``(A, 4)``, in the order of ``OUTCOMES``.
        """
        from safetensors.numpy import load_file

        spec = self._spec(method)
        held = load_file(present(self.folder / MEANS))
        return held[f"{spec}.sum"], held[f"{spec}.count"]

    def maps(self, method: str | None = None) -> Iterator[NDArray[np.float16]]:
        """The maps σS on their native grid, shard by shard: ``(B, A, h, w)`` of the images that were read."""
        spec = self._spec(method)
        for number in range(self.shards):
            yield np.load(present(maps_file(self.folder, spec, number)), mmap_mode="r", allow_pickle=False)

    def regions(self) -> NDArray[np.float16]:
        """The mean region of each attribute ``(A, H', W')``; NaN for an attribute without one."""
        from safetensors.numpy import load_file

        return load_file(present(self.folder / REGIONS))["regions"]

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the records come to; None where the audit is not finished."""
        file = self.folder / SUMMARY
        return read_json(file, kind=SUMMARY_KIND, schema=SUMMARY_SCHEMA) if file.is_file() else None

    @cached_property
    def findings(self) -> Mapping[str, Any]:
        """What could not be measured: images, logits, masks, and notes; empty if not kept."""
        return self._kept(FINDINGS, FINDINGS_KIND)

    @cached_property
    def leakage(self) -> Mapping[str, Any]:
        """Attention overlap beside the correlation of the labels; empty if not kept."""
        return self._kept(LEAKAGE, LEAKAGE_KIND)

    @cached_property
    def sample(self) -> Mapping[str, Any]:
        """Deletion, insertion, ROAD and the gates (``bincam.audit.pipeline.sampled_metrics``); empty if not kept."""
        return self._kept(SAMPLE, SAMPLE_KIND)

    def _kept(self, name: str, kind: str) -> Mapping[str, Any]:
        file = self.folder / name
        return read_json(file, kind=kind, schema=1) if file.is_file() else {}

    def minority(self, attribute: str) -> int:
        """+1 or -1: the class that was rarer in training; the positive one where both are equally frequent."""
        negatives, positives = self.manifest["train_counts"][self._known(attribute)]
        return 1 if positives <= negatives else -1

    def _known(self, attribute: str) -> str:
        if attribute not in self.attributes:
            raise InputError(f"{self.folder}: unknown attribute {attribute!r}{nearest(attribute, self.attributes)}")
        return attribute

    def _spec(self, method: str | None) -> str:
        if method is None:
            return self.methods[0]
        if method not in self.methods:
            raise InputError(f"{self.folder}: not audited with {method!r}{nearest(method, self.methods)}")
        return method


def open_audit(path: str | os.PathLike[str], *, unfinished: bool = False) -> Audit:
    """Read an audit's folder.

    Args:
        path: The folder.
        unfinished: Accept one without a summary; what is read from it may be missing.

    Raises:
        InputError: It is no audit, of another schema version, half-written, or its records are of other attributes.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; 'bincam audit --out {folder}' makes one")
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: holds no {MANIFEST}, so it is no audit")
    manifest = read_json(folder / MANIFEST, kind=KIND, schema=SCHEMA)
    missing = [name for name in _NEEDED if name not in manifest]
    if missing:
        raise InputError(f"{folder / MANIFEST}: no {', '.join(missing)} in it; make the audit again")
    _check_manifest(folder / MANIFEST, manifest)
    audit = Audit(folder, manifest)
    if unfinished:
        return audit
    if not (folder / SUMMARY).is_file():
        whole = whole_shards(folder, manifest)
        raise InputError(
            f"{folder}: half-written: {whole} of {audit.shards} shards and no {SUMMARY}; finish it with the same "
            "'bincam audit ... --resume'"
        )
    for number in range(audit.shards):
        present(records_file(folder, number))
    _check_records(audit)
    return audit


def _check_manifest(file: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest whose entries are not of the kind that everything else relies on."""
    names, data, counts = manifest["attributes"], manifest["data"], manifest["train_counts"]
    named = isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)
    sound = {
        "attributes": named,
        "methods": isinstance(manifest["methods"], list) and bool(manifest["methods"]),
        "data": isinstance(data, dict) and isinstance(data.get("images"), int) and "images_hash" in data,
        "model": isinstance(manifest["model"], dict),
        "shard_images": isinstance(manifest["shard_images"], int) and manifest["shard_images"] > 0,
        "train_counts": named
        and isinstance(counts, dict)
        and all(isinstance(counts.get(name), list) and len(counts[name]) == 2 for name in names),
    }
    for name, fine in sound.items():
        if not fine:
            raise InputError(f"{file}: {name!r} is not what an audit writes; make the audit again")


def _check_records(audit: Audit) -> None:
    """Refuse a folder whose first records are not what its manifest says."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if audit.shards == 0:
        return
    file = records_file(audit.folder, 0)
    try:
        found = pq.read_schema(file)
        first = pq.read_table(file, columns=["attribute"])["attribute"]
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: not the records of an audit: {error}") from None
    expected = record_schema(audit.methods, audit.masks)
    if found.names != expected.names:
        odd = sorted(set(found.names) ^ set(expected.names)) or found.names
        raise InputError(f"{file}: other columns than {MANIFEST} says (first: {odd[0]!r}); make the audit again")
    names = first.unique().to_pylist()  # in the order in which they come
    if names and tuple(names) != audit.attributes:
        pairs = zip_longest(names, audit.attributes, fillvalue="nothing")
        at, (got, expected_name) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
        raise InputError(
            f"{file}: other attributes, or in another order, than {MANIFEST} says (at position {at}: {got!r}, "
            f"expected {expected_name!r}); make the audit again"
        )


def masks_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The per-image masks that a manifest says were measured."""
    folders = manifest.get("masks") or {}
    return tuple(name for name in MASKS if folders.get(name))


def shard_count(manifest: Mapping[str, Any]) -> int:
    """How many shards the audit of a manifest has."""
    return -(-int(manifest["data"]["images"]) // int(manifest["shard_images"]))


def records_file(folder: Path, number: int) -> Path:
    """The records of a shard."""
    return folder / "records" / f"part-{number:05d}.parquet"


def maps_file(folder: Path, method: str, number: int) -> Path:
    """The maps of a shard."""
    return folder / "maps" / method_folder(method) / f"part-{number:05d}.npy"


def method_folder(method: str) -> str:
    """A method's spec as the name of a folder: characters that a file system may refuse become ``-``."""
    return re.sub(r"[^A-Za-z0-9_.@+-]", "-", method)


def whole_shards(folder: Path, manifest: Mapping[str, Any]) -> int:
    """How many shards, from the first on, are whole: a resumed run goes on after them."""
    total = shard_count(manifest)
    return next((number for number in range(total) if not records_file(folder, number).is_file()), total)


def present(file: Path) -> Path:
    """The file itself.

    Raises:
        InputError: It is not there.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; the audit is not whole, make it again")
    return file
