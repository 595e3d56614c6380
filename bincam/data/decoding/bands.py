"""Images of any number of channels and type of values, read as they are and scaled by a range that is stated.

Nothing is converted: an image whose number of channels is not the expected one is refused, and so are values of more
than 8 bits without a range, and values outside of it. PGM and PPM files state their range themselves.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.containers.address import read_bytes
from bincam.data.decoding.netpbm import header, netpbm_values, stated_range
from bincam.data.decoding.size import check_size
from bincam.data.images import decode
from bincam.display import counted
from bincam.errors import InputError

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

ValueRange = tuple[float, float]
"""The values that black and white have."""
_NPY, _PAM, _TIFF = b"\x93NUMPY", b"P7\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def parse_range(text: str | ValueRange | list[float]) -> ValueRange:
    """Read the range of values of the images: ``0-4095``, or two numbers.

    Raises:
        InputError: It is none, or empty.

    >>> parse_range("0-4095"), parse_range("-1024-3071"), parse_range([0, 1])
    ((0.0, 4095.0), (-1024.0, 3071.0), (0.0, 1.0))
    """
    try:
        if isinstance(text, str):
            head, _, last = text.strip().rpartition("-")
            head, last = (head.rpartition("-")[0], f"-{last}") if head.endswith("-") else (head, last)
            low, high = float(head), float(last)
        else:
            low, high = (float(value) for value in text)
    except (ValueError, TypeError):
        raise InputError(f"range {text!r}: expected the values of black and white, such as 0-4095") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"range {text!r}: expected two finite values in ascending order, such as 0-4095")
    return low, high


def decode_bands(
    file: str | os.PathLike[str] | bytes, channels: int, value_range: ValueRange | None = None, name: str | None = None
) -> NDArray[np.float32]:
    """Read an image as ``(H, W, C)`` float32 from 0 to 255, whatever its type.

    ``.npy`` files are ``(H, W)`` or ``(H, W, C)``; TIFF files may have any number of bands or of pages, PNG files 8 or
    16 bits. Orientations are not applied.

    Args:
        file: A path, an address in a larger file, or the bytes.
        channels: C, the number that a model takes; of three, those of a grey image are equal, as of 8 bits.
        value_range: The values that become 0 and 255; None of 8-bit images, whose range is theirs, and of
            PGM and PPM files, which state it.
        name: Name of the file in messages.

    Raises:
        InputError: It cannot be read, has another number of channels, values of more than 8 bits without a range, or
            values outside of it.

    Example:
        >>> from io import BytesIO
        >>> np.save(stored := BytesIO(), np.full((2, 3, 13), 4095, np.uint16))
        >>> image = decode_bands(stored.getvalue(), 13, (0, 4095))
        >>> image.shape, float(image.max())
        ((2, 3, 13), 255.0)
    """
    shown = name or ("image" if isinstance(file, bytes) else os.fspath(file))
    try:
        data = file if isinstance(file, bytes) else read_bytes(file)
    except OSError as error:
        raise InputError(f"{shown}: cannot be read: {error}") from None
    values = stored_values(data, shown)
    if values.shape[2] == 1 and channels == 3:
        values = np.repeat(values, 3, axis=2)
    if values.shape[2] != channels:
        raise InputError(
            f"{shown}: has {counted(values.shape[2], 'channel')}, and {channels} "
            f"{'is' if channels == 1 else 'are'} expected, as many as mean and std have"
        )
    return scaled(values, value_range or stated_range(data), shown)


def picture(path: str | os.PathLike[str], value_range: ValueRange | None = None) -> NDArray[np.uint8]:
    """Decode an image to look at, ``(H, W, 3)`` uint8: of its stated range, of many channels as ``shown_bands``.

    Raises:
        InputError: It cannot be read.
    """
    name = os.fspath(path)
    banded = value_range is not None or name.endswith(".npy") or _has_bands(path)
    return shown_bands(_scaled_file(path, value_range)) if banded else decode(path)


def photograph(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Decode an image of 8 bits, ``(H, W, 3)`` uint8, for a model of one or three channels.

    Raises:
        InputError: It cannot be read, or an ``.npy`` file has more than 8 bits, or channels of another number.
    """
    shown = os.fspath(path)
    if not shown.endswith(".npy"):
        return decode(path)
    values = _scaled_file(path, None)
    if values.shape[2] not in (1, 3, 4):
        raise InputError(f"{shown}: has {counted(values.shape[2], 'channel')}, and a photograph has 1, 3 or 4")
    return shown_bands(values)


def shown_bands(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Make a picture ``(H, W, 3)`` of an image ``(H, W, C)`` from 0 to 255: of the first three channels, or the first.

    >>> shown_bands(np.array([[[1.0, 2, 3, 4]]])).tolist(), shown_bands(np.array([[[1.0, 2]]])).tolist()
    ([[[1, 2, 3]]], [[[1, 1, 1]]])
    """
    first = values[..., :3] if values.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)
    shown: NDArray[np.uint8] = np.rint(first).astype(np.uint8)
    return shown


def shown_note(channels: int) -> str:
    """Say what pictures show of images of many channels; empty of 1 and 3, which are shown whole.

    >>> shown_note(13)
    'of the 13 channels, pictures show the first three as red, green and blue'
    >>> shown_note(2), shown_note(3)
    ('of the 2 channels, pictures show the first', '')
    """
    if channels in (1, 3):
        return ""
    return f"of the {channels} channels, pictures show the first" + (
        " three as red, green and blue" if channels > 3 else ""
    )


def _has_bands(path: str | os.PathLike[str]) -> bool:
    """True of a TIFF file of 8 bits whose bands or pages are not those of a photograph."""
    if not os.fspath(path).lower().endswith((".tif", ".tiff")):
        return False
    try:
        from tifffile import TIFF

        with _tiff_file(read_bytes(path), os.fspath(path)) as stored:
            series = stored.series[0]
            is_decoded = stored.pages.first.compression in TIFF.DECOMPRESSORS
            bands = series.shape[0 if _bands_first(series) else 2] if series.ndim == 3 else 1
            return bool(series.dtype == np.uint8 and bands not in (1, 3, 4) and is_decoded)
    except Exception:  # of a damaged header, whatever its parsing meets; decoding a photograph says what is wrong
        return False


def _scaled_file(path: str | os.PathLike[str], value_range: ValueRange | None) -> NDArray[np.float32]:
    shown = os.fspath(path)
    try:
        data = read_bytes(path)
    except OSError as error:
        raise InputError(f"{shown}: cannot be read: {error}") from None
    return scaled(stored_values(data, shown), value_range or stated_range(data), shown)


def scaled(values: NDArray[Any], value_range: ValueRange | None, shown: str) -> NDArray[np.float32]:
    """Scale values from their range to 0 and 255.

    Raises:
        InputError: No range is stated of values that have more than 8 bits, or one is outside of it or not finite.

    >>> scaled(np.array([[[0], [4095]]], np.uint16), (0, 4095), "a.png").ravel().tolist()
    [0.0, 255.0]
    """
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"{shown}: has values that are not finite; replace them")
    if value_range is None:
        if values.dtype == np.uint8:
            return values.astype(np.float32)
        raise InputError(
            f"{shown}: values are {values.dtype}, from {low:g} to {high:g}; state those of black and white, such as "
            "--range 0-4095 (range=)"
        )
    if low < value_range[0] or high > value_range[1]:
        raise InputError(
            f"{shown}: values from {low:g} to {high:g} are outside the stated range {value_range[0]:g} to "
            f"{value_range[1]:g}"
        )
    factor = 255 / (value_range[1] - value_range[0])
    return ((values.astype(np.float64) - value_range[0]) * factor).astype(np.float32)


def stored_values(data: bytes, shown: str) -> NDArray[Any]:
    """Decode an image as it is stored: ``(H, W, C)`` of its own type.

    Raises:
        InputError: It is no image of a known kind, broken, or its shape is not of one.
    """
    if not data:
        raise InputError(f"{shown}: empty file (0 bytes)")
    try:
        if data.startswith(_NPY):
            values = np.load(BytesIO(data), allow_pickle=False)
        elif data.startswith(_TIFF):
            values = _tiff(data, shown)
        elif (stated := header(data)) is not None:
            values = netpbm_values(data, stated, shown)
        elif data.startswith(_PAM):
            values = decode(data, shown)  # opencv exchanges its colours, and leaves its values as they are
        else:
            values = _opencv(data, shown)
    except InputError:
        raise
    except Exception as error:  # decoders of damaged files raise whatever their parsing meets
        raise InputError(f"{shown}: broken image: {error or type(error).__name__}") from None
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or not values.size or values.dtype.kind not in "uif":
        raise InputError(f"{shown}: expected numbers (H, W) or (H, W, C), got {values.dtype} of shape {values.shape}")
    check_size((values.shape[1], values.shape[0]), shown)
    return np.asarray(values)


@contextmanager
def _tiff_file(data: bytes, shown: str) -> Iterator[TiffFile]:
    """Open a TIFF file of one series of pages; no pixels are read.

    Raises:
        InputError: It has no page, pages that differ, or claims too many pixels.
    """
    try:
        import tifffile
    except ImportError:
        raise InputError(f"{shown}: TIFF files of several bands need tifffile: pip install tifffile") from None
    with tifffile.TiffFile(BytesIO(data)) as stored:
        if not stored.pages:
            raise InputError(f"{shown}: broken image: no page in it")
        page = stored.pages.first
        check_size((int(page.imagewidth), int(page.imagelength)), shown)
        if len(stored.series) > 1:
            raise InputError(f"{shown}: has pages of {len(stored.series)} sizes or types; keep one of them")
        yield stored


def _bands_first(series: TiffPageSeries) -> bool:
    return series.ndim == 3 and series.axes.find("Y") == 1


def _tiff(data: bytes, shown: str) -> NDArray[Any]:
    """The bands of a TIFF file, or its pages as bands, last."""
    with _tiff_file(data, shown) as stored:
        try:
            values = stored.series[0].asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            if len(stored.pages) > 1 or stored.pages.first.samplesperpixel not in (1, 3, 4):
                raise InputError(f"{shown}: its compression needs imagecodecs: pip install imagecodecs") from None
            return _opencv(data, shown)
        return np.asarray(np.moveaxis(values, 0, -1) if _bands_first(stored.series[0]) else values)


def _opencv(data: bytes, shown: str) -> NDArray[Any]:
    """PNG, JPEG and others, with all their bits and channels, in the order red, green, blue, alpha."""
    import cv2

    log: Any = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)  # else a line of its own for every damaged file
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        log.setLogLevel(before)
    if values is None:
        return decode(data, shown)  # which says what is wrong, or reads what opencv does not
    if values.ndim == 3 and values.shape[2] in (3, 4):
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]
    return np.asarray(values)
