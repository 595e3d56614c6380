"""Reader of CVAT's own export, *CVAT for images 1.1*."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects, Unannotated
from bincam.data.readers.sources.xml_file import as_number, read_xml, text_of
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

    An image has a label if it has a tag or a shape of it. Boxes, polygons and masks have a box; a rotated box has the
    upright box around it. CVAT does not tell an image without any label from one that nobody looked at.

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
    xml = read_xml(source, "annotations")
    if xml.find("track") is not None:
        raise InputError(f"{source}: annotations of a video (<track>); export the task as 'CVAT for images 1.1'")
    stated = [text_of(label, "name", str(source)) for label in xml.findall("meta//labels/label")]
    used = {element.get("label", "") for image in xml.findall("image") for element in image}
    classes = list(dict.fromkeys(stated)) or sorted(used)
    for label in sorted(used):
        if label not in classes:
            raise InputError(f"{source}: label {label!r} is none of the task's{nearest(label, classes)}")
    if not classes:
        raise InputError(f"{source}: no labels in it")
    found = FoundObjects(str(source), classes, bad_boxes)
    for image in xml.findall("image"):
        name = image.get("name", "")
        where = f"{source}: image {name!r}"
        size = (
            int(as_number(image.get("width"), f"{where}: width")),
            int(as_number(image.get("height"), f"{where}: height")),
        )
        found.image(name, where, size)
        if not len(image):
            found.unlabelled.add(name)
        for element in image:
            if element.tag not in ("tag", *_SHAPES):
                raise InputError(f"{where}: <{element.tag}>; known: tag, {', '.join(_SHAPES)}")
            label = element.get("label", "")
            found.present(name, label)
            if (ends := _box(element, where)) is not None:
                found.box(name, label, ends, f"{where}: {element.tag} of {label}")
    return found.table(source.parent / "images" if images is None else Path(images), unannotated=unannotated)


def _box(element: Element, where: str) -> Sequence[float] | None:
    """The upright box around a shape; None of those that have no area."""

    def number(name: str) -> float:
        return as_number(element.get(name), f"{where}: {name} of <{element.tag}>")

    if element.tag == "box":
        x0, y0, x1, y1 = (number(end) for end in ("xtl", "ytl", "xbr", "ybr"))
        angle = math.radians(float(element.get("rotation") or 0))
        if not angle:
            return x0, y0, x1, y1
        # CVAT turns a box about its centre.
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        across, down = abs(x1 - x0) / 2, abs(y1 - y0) / 2
        dx = abs(across * math.cos(angle)) + abs(down * math.sin(angle))
        dy = abs(across * math.sin(angle)) + abs(down * math.cos(angle))
        return x - dx, y - dy, x + dx, y + dy
    if element.tag == "polygon":
        points = [pair.split(",") for pair in (element.get("points") or "").split(";")]
        if any(len(pair) != 2 for pair in points):
            raise InputError(f"{where}: points of <polygon> are {element.get('points')!r}; expected x,y;x,y;...")
        xs, ys = ([as_number(pair[axis], f"{where}: points of <polygon>") for pair in points] for axis in (0, 1))
        return min(xs), min(ys), max(xs), max(ys)
    if element.tag == "mask":
        left, top = number("left"), number("top")
        return left, top, left + number("width"), top + number("height")
    return None
