"""DICOM files, whose grey levels have a meaning only with a window: ``scan.dcm#40,400`` is an address of an image.

The part behind ``#`` states the window, see ``Window``; the same file has another image for every window.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import BincamError, InputError
from bincam.files import regular

if TYPE_CHECKING:
    from pydicom import Dataset

_NUMBER = r"-?\d+(?:\.\d+)?"
_CENTRED = re.compile(rf"({_NUMBER}),({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
FILE = "file"
EXPECTED = "CENTRE,WIDTH, LOW..HIGH, or 'file' for the window that each file states"


@dataclass(frozen=True)
class Window:
    """What becomes black and white: of values after rescale slope and intercept, such as Hounsfield units.

    Attributes:
        low: Value that becomes 0, as all below; None takes the window of the file.
        high: Value that becomes 255, as all above.

    Example:
        >>> Window.of("0..4095"), Window.of("40,401")
        (Window(low=0.0, high=4095.0), Window(low=-160.5, high=239.5))
    """

    low: float | None
    high: float | None

    @classmethod
    def of(cls, text: str) -> Window:
        """Read a window: ``CENTRE,WIDTH`` as in DICOM PS3.3 C.11.2.1.2.1 (linear), ``LOW..HIGH``, or ``file``.

        Raises:
            InputError: It is none, or has no width.
        """
        if text == FILE:
            return cls(None, None)
        if found := _CENTRED.fullmatch(text):
            return cls.centred(float(found[1]), float(found[2]), f"window {text!r}")
        found = _RANGE.fullmatch(text)
        if found is None or float(found[1]) >= float(found[2]):
            raise InputError(f"window {text!r}: expected {EXPECTED}")
        return cls(float(found[1]), float(found[2]))

    @classmethod
    def centred(cls, centre: float, width: float, where: str) -> Window:
        """Make a window of its centre and width: from centre - 0.5 - (width - 1) / 2 to centre - 0.5 + (width - 1) / 2.

        Raises:
            InputError: The width is not above 1.
        """
        if not width > 1:
            raise InputError(f"{where}: a window is wider than 1")
        return cls(centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)

    def grey(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Scale values to 0 to 255."""
        assert self.low is not None
        assert self.high is not None
        shares = (values - self.low) / (self.high - self.low)
        grey: NDArray[np.uint8] = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
        return grey


class DicomImage:
    """A DICOM file as a container whose members are windows."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self, member: str) -> bytes:
        """Return the image at a window, as a PNG.

        Raises:
            InputError: The file cannot be read, or has no single greyscale image.
        """
        import cv2

        return bytes(cv2.imencode(".png", pixels(self.file, Window.of(member)))[1].tobytes())

    def __contains__(self, member: str) -> bool:
        try:
            Window.of(member)
        except InputError:
            return False
        return True


def pixels(file: Path, window: Window) -> NDArray[np.uint8]:
    """Read the image of a DICOM file; that of ``MONOCHROME1``, in which low values are bright, is inverted.

    Args:
        file: A single greyscale image.
        window: The values that become black and white.

    Returns:
        ``(H, W)``.

    Raises:
        InputError: The file cannot be read, has several frames or colours, or states no window.
    """
    content = header(file, with_pixels=True)
    kind = str(content.get("PhotometricInterpretation", ""))
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(f"{file}: photometric interpretation {kind!r}; MONOCHROME1 and MONOCHROME2 are read")
    if int(content.get("NumberOfFrames") or 1) > 1:
        raise InputError(f"{file}: {content.NumberOfFrames} frames; write each as a file of its own")
    if window.low is None:
        window = _stated(content, file)
    try:
        stored = np.asarray(content.pixel_array, np.float64)
    except Exception as error:  # of a damaged or compressed file, whatever its decoder meets
        raise InputError(f"{file}: pixels cannot be read: {error or type(error).__name__}") from None
    grey = window.grey(stored * float(content.get("RescaleSlope") or 1) + float(content.get("RescaleIntercept") or 0))
    return 255 - grey if kind == "MONOCHROME1" else grey


def header(file: Path, *, with_pixels: bool = False) -> Dataset:
    """Read a DICOM file, or what it says beside its pixels.

    Raises:
        BincamError: pydicom is not installed.
        InputError: It is no DICOM file.
    """
    try:
        import pydicom
    except ImportError:
        raise BincamError("DICOM files are read with pydicom: pip install 'bincam[dicom]'") from None
    try:
        return pydicom.dcmread(regular(file), stop_before_pixels=not with_pixels)
    except InputError:
        raise
    except Exception as error:  # of a damaged file, whatever its parsing meets
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise InputError(f"{file}: not a readable DICOM file: {reason}") from None


def _stated(content: Any, file: Path) -> Window:
    """The window that a file states."""
    centre, width = content.get("WindowCenter"), content.get("WindowWidth")
    if centre is None or width is None:
        raise InputError(f"{file}: states no window; give one: window='CENTRE,WIDTH' or 'LOW..HIGH'")
    if content.get("VOILUTFunction", "LINEAR") not in ("LINEAR", ""):
        raise InputError(f"{file}: its window is {content.VOILUTFunction}, not linear; give one: window='LOW..HIGH'")
    several = hasattr(centre, "__len__") and not isinstance(centre, str)
    if several:
        raise InputError(f"{file}: states {len(centre)} windows; give one: window='CENTRE,WIDTH' or 'LOW..HIGH'")
    return Window.centred(float(centre), float(width), str(file))
