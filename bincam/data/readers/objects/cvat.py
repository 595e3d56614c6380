"""Reader of CVAT's own export, *CVAT for images 1.1*."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects, Unannotated
from bincam.data.readers.sources.xml_file import as_number, read_xml, text_of
from bincam.data.regions.ellipses import ellipse_reach
from bincam.errors import InputError, nearest

_SHAPES = ("box", "polygon", "mask", "ellipse", "polyline", "points", "cuboid", "skeleton")


@reader_of("cvat")
def cvat(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    unannotated: Unannotated = "unknown",
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    r"""Read ``annotations.xml`` of CVAT: every label is an attribute of an image.

    An image has a label if it has a tag or a shape of it. Boxes, polygons, ellipses and masks have a box; a rotated box
    has the upright box around it. CVAT does not tell an image without any label from one that nobody looked at.

    Args:
        file: The file.
        images: Folder of the images; ``images`` beside the file by default.
        unannotated: What an image without tags and shapes shows: nothing is known, or none of the labels.
        bad_boxes: ``refuse`` boxes without area or outside of their image, or ``skip`` them, with a warning.

    Returns:
        The table, with ``objects``, and all labels of the task, also those that no image has.

    Raises:
        InputError: The file is malformed, or is of a video.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.data.readers.objects.cvat import cvat
        >>> text = '''<annotations><image id="0" name="a.jpg" width="64" height="48">
        ... <box label="cat" xtl="4" ytl="5" xbr="14" ybr="25"/></image></annotations>'''
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "annotations.xml").write_text(text)
        ...     pets = cvat(Path(folder, "annotations.xml"))
        >>> pets.names, pets.objects.of("a.jpg", "cat").tolist()
        (('cat',), [[4.0, 5.0, 14.0, 25.0]])
    """
    source = Path(file)
    xml = _annotations(source)
    stated = [text_of(label, "name", str(source)) for label in xml.findall("meta//labels/label")]
    pictures = list(_images(xml, source))
    used = {element.get("label", "") for image in pictures for element in image.shapes}
    classes = list(dict.fromkeys(stated)) or sorted(used)
    for label in sorted(used):
        if label not in classes:
            raise InputError(f"{source}: label {label!r} is none of the task's{nearest(label, classes)}")
    if not classes:
        raise InputError(f"{source}: no labels in it")
    found = FoundObjects(str(source), classes, bad_boxes)
    for image in pictures:
        found.image(image.name, image.where, image.size)
        if not image.shapes:
            found.unlabelled.add(image.name)
        for element in image.shapes:
            label = element.get("label", "")
            found.present(image.name, label)
            if (ends := _box(element, image.where)) is not None:
                found.box(image.name, label, ends, f"{image.where}: {element.tag} of {label}")
    return found.table(source.parent / "images" if images is None else Path(images), unannotated=unannotated)


@dataclass(frozen=True)
class Picture:
    """An image of the file.

    Attributes:
        name: Of the image.
        size: ``(W, H)``.
        shapes: Its tags and shapes.
        where: Begins messages.
    """

    name: str
    size: tuple[int, int]
    shapes: Sequence[Element]
    where: str


def images_of(file: str | os.PathLike[str]) -> Iterator[Picture]:
    """Read the images of a file.

    Raises:
        InputError: As for ``cvat``.
    """
    source = Path(file)
    yield from _images(_annotations(source), source)


def _annotations(source: Path) -> Element:
    xml = read_xml(source, "annotations")
    if xml.find("track") is not None:
        raise InputError(f"{source}: annotations of a video (<track>); export the task as 'CVAT for images 1.1'")
    return xml


def _images(xml: Element, source: Path) -> Iterator[Picture]:
    for image in xml.findall("image"):
        name = image.get("name", "")
        where = f"{source}: image {name!r}"
        width, height = (int(as_number(image.get(side), f"{where}: {side}")) for side in ("width", "height"))
        if min(width, height) < 1:
            raise InputError(f"{where}: {width} x {height} pixels")
        for element in image:
            if element.tag not in ("tag", *_SHAPES):
                raise InputError(f"{where}: <{element.tag}>; known: tag, {', '.join(_SHAPES)}")
        yield Picture(name, (width, height), list(image), where)


def points_of(element: Element, where: str) -> list[tuple[float, float]]:
    """Read the corners of a polygon.

    Raises:
        InputError: They are malformed.
    """
    points = [pair.split(",") for pair in (element.get("points") or "").split(";")]
    if any(len(pair) != 2 for pair in points):
        raise InputError(f"{where}: points of <polygon> are {element.get('points')!r}; expected x,y;x,y;...")
    said = f"{where}: points of <polygon>"
    return [(as_number(x, said), as_number(y, said)) for x, y in points]


def _box(element: Element, where: str) -> Sequence[float] | None:
    """The upright box around a shape; None of those that have no area."""

    def number(name: str) -> float:
        return as_number(element.get(name), f"{where}: {name} of <{element.tag}>")

    if element.tag == "box":
        x0, y0, x1, y1 = (number(end) for end in ("xtl", "ytl", "xbr", "ybr"))
        angle = math.radians(as_number(element.get("rotation") or "0", f"{where}: rotation of <box>"))
        if not angle:
            return x0, y0, x1, y1
        # CVAT turns a box about its centre.
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        across, down = abs(x1 - x0) / 2, abs(y1 - y0) / 2
        dx = abs(across * math.cos(angle)) + abs(down * math.sin(angle))
        dy = abs(across * math.sin(angle)) + abs(down * math.cos(angle))
        return x - dx, y - dy, x + dx, y + dy
    if element.tag == "polygon":
        xs, ys = zip(*points_of(element, where), strict=True)
        return min(xs), min(ys), max(xs), max(ys)
    if element.tag == "ellipse":
        x, y, rx, ry = (number(name) for name in ("cx", "cy", "rx", "ry"))
        angle = math.radians(as_number(element.get("rotation") or "0", f"{where}: rotation of <ellipse>"))
        dx, dy = ellipse_reach((rx, ry), angle, f"{where}: ellipse of {element.get('label', '')}")
        return x - dx, y - dy, x + dx, y + dy
    if element.tag == "mask":
        left, top = number("left"), number("top")
        return left, top, left + number("width"), top + number("height")
    return None
