"""The place of one image in an audit's shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bincam.audit.folder.files import records_file
from bincam.audit.folder.manifest import Manifest
from bincam.audit.folder.stored import read_table
from bincam.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


def find_record(folder: Path, manifest: Manifest, row: int, *columns: str) -> tuple[int, int, pa.Table]:
    """Find the shard of an image, its place there, and columns of the shard's records.

    Args:
        folder: The audit's folder.
        manifest: Its manifest.
        row: The image's, in ``images.parquet``.
        columns: Names of columns.

    Raises:
        InputError: The image was not read.
    """
    number = row // manifest.shard_images
    if 0 <= number < manifest.shards:
        table = read_table(records_file(folder, number), ["row", *columns])
        at = np.flatnonzero(table["row"].to_numpy()[:: len(manifest.attributes)] == row)
        if len(at):
            return number, int(at[0]), table
    raise InputError(f"{folder}: no map of row {row}: its image was not read")
