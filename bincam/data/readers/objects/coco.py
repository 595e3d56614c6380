"""Reader of COCO's annotations of objects, as its authors and many programs write them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects, Unannotated
from bincam.data.readers.sources.lines import read_foreign_json
from bincam.errors import InputError


@reader_of("coco")
def coco(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    unannotated: Unannotated = "unknown",
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    r"""Read a file of COCO's object annotations: every category is an attribute of an image.

    An image has a category if it has an annotation of it. Crowds (``iscrowd``) count for that, but have no box, because
    theirs is around many objects. Categories and images are found by their ids, which may have gaps.

    Args:
        file: ``instances_*.json``.
        images: Folder of the images; the file's own by default.
        unannotated: What an image without annotations shows: nothing is known of it (``unknown``), or it was looked at
            and has none of the categories (``absent``), as in COCO itself.
        bad_boxes: ``refuse`` boxes without area or outside of their image, or ``skip`` them, with a warning that counts
            them; COCO's training set has two without area.

    Returns:
        The table, with ``objects``: x, y, width, height become x0, y0, x1, y1.

    Raises:
        InputError: The file is none of COCO's, or an annotation names an image or a category that is not in it.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.data.readers.objects.coco import coco
        >>> content = {
        ...     "images": [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 48}],
        ...     "categories": [{"id": 1, "name": "cat"}, {"id": 90, "name": "dog"}],
        ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 90, "bbox": [4, 5, 10, 20], "iscrowd": 0}],
        ... }
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "set.json").write_text(json.dumps(content))
        ...     pets = coco(Path(folder, "set.json"))
        >>> pets.names, pets.labels.tolist(), pets.objects.of("a.jpg", "dog").tolist()
        (('cat', 'dog'), [[0.0, 1.0]], [[4.0, 5.0, 14.0, 25.0]])
    """
    source = Path(file)
    content = _content(source)
    categories, pictures = _categories(content, source), _images(content, source)
    found = FoundObjects(str(source), tuple(categories.values()), bad_boxes)
    for name, size, where in pictures.values():
        found.image(name, where, size)
        found.unlabelled.add(name)
    for one in _annotations(content, source, categories, pictures):
        found.unlabelled.discard(one.image)
        found.present(one.image, one.category)
        if one.annotation.get("bbox") and not one.annotation.get("iscrowd"):
            x, y, width, height = _numbers(one.annotation["bbox"], one.where)
            found.box(one.image, one.category, (x, y, x + width, y + height), one.where)
    return found.table(source.parent if images is None else Path(images), unannotated=unannotated)


@dataclass(frozen=True)
class Annotated:
    """An annotation, with what its ids stand for.

    Attributes:
        annotation: As the file has it.
        image: Name of the image.
        category: Name of the category.
        size: ``(W, H)`` of the image; None where the file does not state it.
        where: Place of the annotation, for messages.
    """

    annotation: Mapping[str, Any]
    image: str
    category: str
    size: tuple[int, int] | None
    where: str


def annotations_of(file: str | os.PathLike[str]) -> Iterator[Annotated]:
    """Read the annotations of a file.

    Raises:
        InputError: As for ``coco``.
    """
    source = Path(file)
    content = _content(source)
    yield from _annotations(content, source, _categories(content, source), _images(content, source))


_Images = Mapping[Any, tuple[str, tuple[int, int] | None, str]]


def _content(source: Path) -> dict[str, list[Mapping[str, Any]]]:
    content = read_foreign_json(source)
    return {name: _entries(content, name, source) for name in ("images", "annotations", "categories")}


def _categories(content: Mapping[str, Any], source: Path) -> dict[Any, str]:
    """The names of the categories by their ids."""
    categories: dict[Any, str] = {}
    for i, entry in enumerate(content["categories"]):
        where = f"{source}: category {i + 1}"
        number, name = _get(entry, "id", where), str(_get(entry, "name", where))
        if number in categories or name in categories.values():
            raise InputError(f"{where}: id {number!r} or name {name!r} occurs twice")
        categories[number] = name
    return categories


def _images(content: Mapping[str, Any], source: Path) -> _Images:
    """Name, ``(W, H)`` and place of the images by their ids."""
    pictures: dict[Any, tuple[str, tuple[int, int] | None, str]] = {}
    for i, entry in enumerate(content["images"]):
        where = f"{source}: image {i + 1}"
        number = _get(entry, "id", where)
        if number in pictures:
            raise InputError(f"{where}: id {number!r} occurs twice")
        pictures[number] = str(_get(entry, "file_name", where)), _size(entry, where), where
    return pictures


def _annotations(
    content: Mapping[str, Any], source: Path, categories: Mapping[Any, str], pictures: _Images
) -> Iterator[Annotated]:
    for i, entry in enumerate(content["annotations"]):
        where = f"{source}: annotation {entry.get('id', i + 1)}"
        image, category = _get(entry, "image_id", where), _get(entry, "category_id", where)
        if image not in pictures:
            raise InputError(f"{where}: image_id {image!r} is the id of no image")
        if category not in categories:
            raise InputError(f"{where}: category_id {category!r} is the id of no category")
        name, size, _ = pictures[image]
        yield Annotated(entry, name, categories[category], size, where)


def _entries(content: Any, name: str, source: Path) -> list[Mapping[str, Any]]:
    entries = content.get(name) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(
            f"{source}: no list {name!r} of objects; a file of COCO's object annotations has images, annotations and "
            "categories"
        )
    return entries


def _get(entry: Mapping[str, Any], key: str, where: str) -> Any:
    value = entry.get(key)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise InputError(f"{where}: {key} is {value!r}; expected a number or a text")
    return value


def _size(entry: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    size = entry.get("width"), entry.get("height")
    if size == (None, None):
        return None
    width, height = size
    if not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
        raise InputError(f"{where}: width and height are {width!r} and {height!r}; expected whole numbers above 0")
    return width, height


def _numbers(box: Any, where: str) -> list[float]:
    if not isinstance(box, list) or len(box) != 4 or not all(type(end) in (int, float) for end in box):
        raise InputError(f"{where}: bbox is {box!r}; expected the numbers x, y, width, height")
    return box
