"""Writing an audit's folder, shard by shard, so that an interrupted audit can be resumed.

The manifest is written first and ``summary.json`` last, so a folder with a summary is complete. A shard's records are
written after its maps and sums, so a shard with records is complete. No file contains a time of day: the same audit has
the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.begun import check_same
from bincam.audit.folder.digest import file_digest
from bincam.audit.folder.files import (
    DIGESTS,
    FORMER_UNMEASURED,
    IMAGES,
    LEAKAGE,
    LEAKAGE_KIND,
    MANIFEST,
    PART_SCHEMA,
    RELABEL,
    SAMPLE,
    SAMPLE_KIND,
    SPECIFICITY,
    SPECIFICITY_KIND,
    SUMMARY,
    UNMEASURED,
    UNMEASURED_KIND,
    maps_file,
    part_file,
    records_file,
)
from bincam.audit.folder.manifest import KIND, OF_THE_SUMMARY, SCHEMA, SUMMARY_KIND, SUMMARY_SCHEMA, Manifest
from bincam.audit.folder.parts.boxes import boxes_file, write_boxes
from bincam.audit.folder.parts.cells import cells_file, write_cells
from bincam.audit.folder.parts.sets import scores_file, set_scores_file
from bincam.audit.folder.parts.shard import Shard, read_state, records_table, write_state
from bincam.audit.folder.reader import missing_shards, unwritten
from bincam.audit.folder.seal import sealed, write_digests
from bincam.audit.folder.stored import one_nan, read_tensors, write_tensors
from bincam.display import spreadsheet_cell
from bincam.files import atomic, read_json, write_json
from bincam.followed import remove, remove_tree

if TYPE_CHECKING:
    import pandas as pd

_STATE = "state"
_STUDIES = "studies"  # which other processes may be writing
_SUFFIXES = (".csv", ".json", ".npy", ".parquet", ".png", ".safetensors")


@dataclass(frozen=True)
class AuditWriter:
    """Writer of one audit's folder; ``begin`` opens it.

    Attributes:
        folder: The audit's folder.
        manifest: The audit's manifest, which names attributes, methods and masks.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def begin(cls, folder: Path, manifest: Manifest) -> Self:
        """Write the manifest, or check that the one in the folder states the same measurements.

        Settings that the summary alone uses may differ. In an unfinished audit the new ones replace those of the
        manifest; a finished one keeps its manifest until ``restate``.

        What a killed process left is removed: hidden files that it was writing, and the state of a finished audit.

        Raises:
            InputError: The audit in the folder has other settings; the message names the first that differs.
        """
        file = folder / MANIFEST
        if file.is_file():
            check_same(folder, manifest)
        writer = cls(folder, manifest)
        writer._tidy()
        if not file.is_file() or (not writer.finished and writer.restated):
            writer._write_manifest()
        return writer

    @property
    def restated(self) -> bool:
        """True if the manifest in the folder has other settings of the summary than this one."""
        former, content = read_json(self.folder / MANIFEST, kind=KIND, schema=SCHEMA), self.manifest.to_json()
        return any(former.get(name) != content.get(name) for name in OF_THE_SUMMARY)

    def restate(self, summary: Mapping[str, Any]) -> None:
        """Replace the manifest and the summary of a finished audit by those with other settings of the summary.

        The former summary is removed first: interrupted, the audit is unfinished, and never one whose summary is not
        what its manifest states.
        """
        remove(self.folder / SUMMARY)
        self._write_manifest()
        self.write_summary(summary)

    def _write_manifest(self) -> None:
        write_json(self.folder / MANIFEST, {"kind": KIND, "schema": SCHEMA, **self.manifest.to_json()})

    def _tidy(self) -> None:
        for file in self.folder.rglob(".*-*"):
            if file.suffix in _SUFFIXES and file.relative_to(self.folder).parts[0] != _STUDIES:
                file.unlink()
        for file in (self.folder / _STATE).glob("begun-*"):  # of another command, whose processes it has ended
            file.unlink()
        if self.finished:
            remove_tree(self.folder / _STATE)

    @property
    def finished(self) -> bool:
        """True once the summary has been written."""
        return (self.folder / SUMMARY).is_file()

    @property
    def summed(self) -> bool:
        """True if all that precedes the summary has been written, so that the sums of the shards are gone."""
        return not self.missing and not unwritten(self.folder) and not (self.folder / _STATE).is_dir()

    @property
    def missing(self) -> list[int]:
        """Numbers of the shards that are not yet written."""
        return missing_shards(self.folder, self.manifest)

    def has_shard(self, number: int) -> bool:
        """True if a shard has been written."""
        return records_file(self.folder, number).is_file()

    def state(self, name: str) -> Path:
        """Path of a file that only a resumed run needs."""
        return self.folder / _STATE / name

    def write_shard(self, number: int, shard: Shard) -> None:
        """Write a shard: its maps, scores and sums, then its records.

        Args:
            number: Number of the shard, from 0.
            shard: Its measurements.
        """
        import pyarrow.parquet as pq

        written = [maps_file(self.folder, method, number) for method in self.manifest.methods]
        for method, place in zip(self.manifest.methods, written, strict=True):
            with atomic(place) as part, part.open("wb") as file:
                np.save(file, one_nan(np.asarray(shard.maps[method], np.float16)), allow_pickle=False)
        for scores, file_of in ((shard.scores, scores_file), (shard.set_scores, set_scores_file)):
            if scores is not None:
                written.append(file_of(self.folder, number))
                with atomic(written[-1]) as part, part.open("wb") as file:
                    np.save(file, one_nan(np.asarray(scores, np.float32)), allow_pickle=False)
        if shard.cells is not None:
            written.append(cells_file(self.folder, number))
            write_cells(self.folder, number, shard.cells)
        if shard.boxes is not None:
            written.append(boxes_file(self.folder, number))
            write_boxes(self.folder, number, shard.boxes, self.manifest.attributes)
        digests = {file: file_digest(file) for file in written}
        sums, state = self._state_of(number)
        write_tensors(sums, {name: np.asarray(value, np.float64) for name, value in shard.sums.items()})
        with atomic(records_file(self.folder, number)) as part:
            table = records_table(self.manifest, shard)
            repeated = [name for name in ("attribute", "outcome", "output") if name in table.column_names]
            pq.write_table(table, part, compression="zstd", use_dictionary=repeated)
            digests[records_file(self.folder, number)] = file_digest(part)
            write_state(state, shard.skipped, {f.relative_to(self.folder).as_posix(): d for f, d in digests.items()})

    def read_sums(self) -> tuple[dict[str, NDArray[np.float64]], dict[int, str]]:
        """Read the sums of all shards, added in their order, and the skipped rows with their reasons."""
        total: dict[str, NDArray[np.float64]] = {}
        skipped: dict[int, str] = {}
        for number in range(self.manifest.shards):
            sums, state = self._state_of(number)
            for name, value in read_tensors(sums).items():
                total[name] = total[name] + value if name in total else value
            skipped |= read_state(state)[0]
        return total, skipped

    def _state_of(self, number: int) -> tuple[Path, Path]:
        """Return the paths of a shard's sums, and of its skipped rows and its files' digests."""
        sums, state = (part_file(self.folder, _STATE, number, suffix) for suffix in (".safetensors", ".json"))
        return sums, state

    def write_images(self, columns: Mapping[str, Sequence[str]]) -> None:
        """Write ``images.parquet``.

        Args:
            columns: ``image``, ``identity``, ``group.*`` and ``skipped``, a string per image each.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        count = len(columns["image"])
        arrays = {"row": pa.array(np.arange(count, dtype=np.int32))}
        arrays |= {name: pa.array([str(value) for value in values], pa.string()) for name, values in columns.items()}
        with atomic(self.folder / IMAGES) as part:
            pq.write_table(pa.table(arrays), part, compression="zstd")

    def write_tensors(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write ``MEANS`` (``METHOD.sum`` and ``METHOD.count``) or ``REGIONS`` (``regions``)."""
        write_tensors(self.folder / name, arrays)

    def write_unmeasured(self, content: Mapping[str, Any]) -> None:
        """Write ``unmeasured.json``; a file under its former name, which it replaces, is removed."""
        write_json(self.folder / UNMEASURED, {"kind": UNMEASURED_KIND, "schema": PART_SCHEMA, **content})
        remove(self.folder / FORMER_UNMEASURED)

    def write_leakage(self, content: Mapping[str, Any]) -> None:
        """Write ``leakage.json``."""
        write_json(self.folder / LEAKAGE, {"kind": LEAKAGE_KIND, "schema": PART_SCHEMA, **content}, compact=True)

    def write_specificity(self, content: Mapping[str, Any]) -> None:
        """Write ``specificity.json``."""
        stated = {"kind": SPECIFICITY_KIND, "schema": PART_SCHEMA}
        write_json(self.folder / SPECIFICITY, {**stated, **content}, compact=True)

    def write_sample(self, content: Mapping[str, Any]) -> None:
        """Write ``sample.json``."""
        write_json(self.folder / SAMPLE, {"kind": SAMPLE_KIND, "schema": PART_SCHEMA, **content}, compact=True)

    def write_relabel(self, errors: pd.DataFrame) -> None:
        """Write ``relabel.csv``: the errors of which the model is most certain, as labels to check."""
        texts = errors.select_dtypes(exclude="number").columns
        shown = errors.assign(**{name: errors[name].map(spreadsheet_cell) for name in texts})
        with atomic(self.folder / RELABEL) as part:
            shown.to_csv(part, index=False, float_format="%.6g")

    def write_digests(self) -> None:
        """Write ``digests.json``, by which an audit that is opened is known to be the one that was measured.

        Raises:
            InputError: A file of a shard is no longer the one that was written.
        """
        expected: dict[str, str] = {}
        for number in range(self.manifest.shards):
            _, state = self._state_of(number)
            if state.is_file():  # not of an audit of an earlier version, nor of one that is summarised again
                expected |= read_state(state)[1]
        write_digests(self.folder, self.manifest, expected)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json``, which marks the audit as complete, and remove what only a resumed run needs.

        The summary is sealed: it states the digests of itself and of what it was made of.
        """
        if not (self.folder / DIGESTS).is_file():
            self.write_digests()
        content = sealed(self.folder, self.manifest, {"kind": SUMMARY_KIND, "schema": SUMMARY_SCHEMA, **summary})
        write_json(self.folder / SUMMARY, content, compact=True)
        remove_tree(self.folder / _STATE)
