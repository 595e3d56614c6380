"""MATLAB files of annotations: matrices, and cells of text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError, nearest
from bincam.files import regular

_HDF5 = b"\x89HDF\r\n\x1a\n"
_AT = (0, 512, 1024, 2048)
"""Where HDF5 may begin; MATLAB writes its own text into the 512 bytes before it."""


def read_matlab(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the variables of a MATLAB file: numbers as arrays, cells of text as lists, structs as mappings.

    Files of version 7.3 are HDF5, which SciPy does not read and h5py does. Nothing in a file is executed.

    Args:
        file: Of any version since 4.

    Returns:
        Variables by name.

    Raises:
        InputError: It cannot be read; or it is of version 7.3 and h5py is not installed.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from scipy.io import savemat
        >>> from bincam.data.readers.sources.matlab import read_matlab
        >>> with TemporaryDirectory() as folder:
        ...     names = np.array([["a.png"], ["b.png"]], object)
        ...     savemat(Path(folder, "list.mat"), {"names": names, "labels": np.eye(2)})
        ...     content = read_matlab(Path(folder, "list.mat"))
        >>> content["names"], content["labels"].tolist()
        (['a.png', 'b.png'], [[1.0, 0.0], [0.0, 1.0]])
    """
    path = regular(file)
    with path.open("rb") as stream:
        head = stream.read(max(_AT) + len(_HDF5))
    if any(head[at : at + len(_HDF5)] == _HDF5 for at in _AT):
        return _read_hdf5(path)
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except Exception as error:  # of a damaged file, whatever its parsing meets
        raise InputError(f"{path}: not a readable MATLAB file: {str(error) or type(error).__name__}") from None
    return {name: _plain(value) for name, value in content.items() if not name.startswith("__")}


def _plain(value: Any) -> Any:
    """Turn what SciPy reads into arrays of numbers, lists, texts and mappings."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names is not None:
        records = [{name: _plain(record[name]) for name in value.dtype.names} for record in value.reshape(-1)]
        return records[0] if len(records) == 1 else records
    if value.dtype.kind == "O":
        return [_plain(item) for item in value.reshape(-1, order="F")]
    if value.dtype.kind in "US":
        return "".join(str(row) for row in value.reshape(-1))
    return value


def _read_hdf5(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError:
        raise InputError(
            f"{path}: is of MATLAB version 7.3, which is HDF5: pip install 'bincam[hdf5]', or save it in MATLAB with "
            "-v7"
        ) from None
    try:
        with h5py.File(path, "r") as content:
            return {name: _of_hdf5(item, content) for name, item in content.items() if not name.startswith("#")}
    except Exception as error:  # of a damaged file, whatever its parsing meets
        raise InputError(f"{path}: not a readable MATLAB file: {str(error) or type(error).__name__}") from None


def _of_hdf5(item: Any, content: Any) -> Any:
    """As ``_plain``; MATLAB stores columns first, so that h5py sees every matrix transposed."""
    if hasattr(item, "items"):
        return {name: _of_hdf5(inner, content) for name, inner in item.items()}
    kind = item.attrs.get("MATLAB_class", b"")
    if item.attrs.get("MATLAB_empty", 0):
        return "" if kind == b"char" else [] if kind == b"cell" else np.zeros((0, 0))
    value = item[()]
    if value.dtype.kind == "O":
        return [_of_hdf5(content[reference], content) for reference in value.reshape(-1)]
    if kind == b"char":
        return "".join(map(chr, value.reshape(-1).tolist()))
    return value.T


def variable(content: Mapping[str, Any], name: str, file: object) -> Any:
    """Look up a variable, or a field of a struct.

    Raises:
        InputError: There is none of that name.
    """
    if name not in content:
        raise InputError(f"{file}: no variable {name!r}{nearest(name, content)}")
    return content[name]


def texts(content: Mapping[str, Any], name: str, file: object) -> list[str]:
    """Look up a cell array of texts.

    Raises:
        InputError: There is none of that name.
    """
    value = variable(content, name, file)
    flat = [_inner(item) for item in value] if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in flat):
        raise InputError(f"{file}: {name!r} is no list of texts")
    return flat


def _inner(item: Any) -> Any:
    """A text that is in cells of its own."""
    while isinstance(item, list) and len(item) == 1:
        item = item[0]
    return item


def matrix(content: Mapping[str, Any], name: str, file: object, shape: tuple[int, int]) -> NDArray[Any]:
    """Look up a matrix of a known shape.

    Raises:
        InputError: There is none of that name and shape.
    """
    value = variable(content, name, file)
    if not isinstance(value, np.ndarray) or value.shape != shape:
        got = f"a matrix {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise InputError(f"{file}: {name!r} is {got}, expected a matrix {shape}")
    return value


def rows_from_one(value: Any, count: int, what: str) -> NDArray[np.intp]:
    """Turn numbers of rows, which MATLAB counts from 1, into indices.

    Args:
        value: Matrix of numbers.
        count: Number of rows.
        what: Begins the message.

    Raises:
        InputError: A number is none of 1 to ``count``, or occurs twice.

    >>> rows_from_one(np.array([[3], [1]]), 3, "a.mat: train").tolist()
    [2, 0]
    """
    numbers = np.asarray(value).reshape(-1)
    if numbers.dtype.kind not in "iuf" or not np.isin(numbers, np.arange(1, count + 1)).all():
        wrong = [number for number in numbers.tolist() if number not in range(1, count + 1)]
        raise InputError(f"{what}: {wrong[0] if wrong else numbers!r} is no number of a row; rows are 1 to {count}")
    if len(np.unique(numbers)) < len(numbers):
        raise InputError(f"{what}: a row occurs twice")
    return numbers.astype(np.intp) - 1
