"""The single files of an audit's folder: written atomically, and read so that one line says which is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.files import atomic

if TYPE_CHECKING:
    import pyarrow as pa


def present(file: Path) -> Path:
    """Return the file itself.

    Raises:
        InputError: It is missing.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; the audit is incomplete, make it again")
    return file


def read_table(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file.

    Args:
        file: The file.
        columns: Columns to read; all by default.

    Raises:
        InputError: It is missing, or not such a file.
    """
    import pyarrow.parquet as pq

    # Not pq.read_table, whose data set of one file takes twice the time.
    with _broken_in_a_line(file, "not the records of an audit"), pq.ParquetFile(present(file)) as parquet:
        for name in columns or ():
            if name not in parquet.schema_arrow.names:
                raise InputError(f"{file}: no column {name!r}; make the audit again")
        return parquet.read(columns=None if columns is None else list(columns))


def read_columns(file: Path) -> list[str]:
    """Read the names of a Parquet file's columns.

    Raises:
        InputError: It is missing, or not such a file.
    """
    import pyarrow.parquet as pq

    with _broken_in_a_line(file, "not the records of an audit"):
        names: list[str] = pq.read_schema(present(file)).names
        return names


def read_tensors(file: Path) -> dict[str, NDArray[Any]]:
    """Read a safetensors file.

    Raises:
        InputError: It is missing, or not such a file.
    """
    from safetensors.numpy import load_file

    with _broken_in_a_line(file, "not the tensors of an audit"):
        return load_file(present(file))


def read_tensor(file: Path, name: str) -> NDArray[Any]:
    """Read one tensor of a safetensors file, and not the others.

    Raises:
        InputError: The file is missing, not such a file, or without this tensor.
    """
    from safetensors import safe_open

    with _broken_in_a_line(file, "not the tensors of an audit"), safe_open(present(file), framework="numpy") as tensors:
        if name not in tensors.keys():  # noqa: SIM118 - it is no mapping
            raise InputError(f"{file}: no tensor {name!r}; make the audit again")
        values: NDArray[Any] = tensors.get_tensor(name)
        return values


def write_tensors(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a safetensors file, atomically."""
    from safetensors.numpy import save_file

    with atomic(file) as part:
        save_file({name: one_nan(values) for name, values in arrays.items()}, part)


def one_nan(values: NDArray[Any]) -> NDArray[Any]:
    """Return a contiguous array in which all NaNs have the same bits.

    0/0 gives another sign bit than a NaN that was read from a file, so that without this a resumed audit would have
    other bytes than one that was never interrupted.
    """
    array = np.ascontiguousarray(values)
    if array.dtype.kind != "f" or not (undefined := np.isnan(array)).any():
        return array
    return np.where(undefined, array.dtype.type(np.nan), array)


def read_maps(file: Path) -> NDArray[np.float16]:
    """Map an array file into memory; only what is used is read.

    Raises:
        InputError: It is missing, or not such a file.
    """
    return read_array(file, "not the maps of an audit")


def read_array(file: Path, what: str) -> NDArray[Any]:
    """Map an array file into memory.

    Args:
        file: The file.
        what: What a broken file is not, for the message.

    Raises:
        InputError: It is missing, or not such a file.
    """
    with _broken_in_a_line(file, what):
        # Not np.load, which advises to unpickle what is no array file.
        array: NDArray[Any] = np.lib.format.open_memmap(present(file), mode="r")
        return array


@contextmanager
def _broken_in_a_line(file: Path, what: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # of a damaged file, whatever its parsing meets
        reason = (str(error) or type(error).__name__).splitlines()[0].removesuffix(".")
        raise InputError(f"{file}: {what}: {reason}; make the audit again") from None
