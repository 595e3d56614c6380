"""XML files of annotations, with one line where one cannot be read."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as ET

from bincam.errors import InputError
from bincam.files import regular


def read_xml(file: Path, root: str) -> ET.Element:
    """Read an XML file.

    Args:
        file: The file; expat, which reads it, bounds the expansion of entities.
        root: Name of the outermost element.

    Raises:
        InputError: It cannot be read, is not XML, or has another outermost element.
    """
    readable = regular(file)
    try:
        element = ET.fromstring(readable.read_bytes())  # noqa: S314  # see above
    except ET.ParseError as error:
        raise InputError(f"{file}:{error.position[0]}: not XML: {error}") from None
    except (OSError, ValueError, LookupError) as error:  # an encoding that there is not
        raise InputError(f"{file}: cannot be read: {error}") from None
    if element.tag != root:
        raise InputError(f"{file}: expected <{root}>, got <{element.tag}>")
    return element


def text_of(element: ET.Element, path: str, where: str) -> str:
    """Read the text of an element below another.

    Raises:
        InputError: There is no such element, or it is empty.

    >>> text_of(ET.fromstring("<object><name> cat </name></object>"), "name", "a.xml")
    'cat'
    """
    text = (element.findtext(path) or "").strip()
    if not text:
        raise InputError(f"{where}: <{element.tag}> has no <{path}>")
    return text


def number_of(element: ET.Element, path: str, where: str) -> float:
    """Read the number in an element below another.

    Raises:
        InputError: There is none.
    """
    return as_number(text_of(element, path, where), f"{where}: <{path}>")


def as_number(text: str | None, where: str) -> float:
    """Read a number.

    Raises:
        InputError: It is none.

    >>> as_number("45.7", "a.xml")
    45.7
    """
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where} is {text!r}; expected a number")
    return number
