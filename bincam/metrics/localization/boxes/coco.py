"""What the model marks, in COCO's formats, so that a tool for labels or for evaluation opens it.

Boxes are ``[x, y, width, height]``, masks run-length encodings (RLE): numbers of pixels outside and inside in turn,
down the columns. Compressed, each number after the third is its difference to the one before last, written in groups of
five bits from the lowest on: 48 is added to each group, 32 if another follows, and the last group's highest bit is the
sign. (The format of ``pycocotools``; its definition is the code of github.com/cocodataset/cocoapi, ``maskApi.c``.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.data.regions.boxes import mask_box
from bincam.errors import InputError, nearest
from bincam.files import write_json

KIND = "bincam-coco"
SCHEMA = 1


@dataclass(frozen=True)
class Marked:
    """What one map marks in one image.

    Attributes:
        image: The image's path.
        name: The attribute.
        mask: ``(H, W)``, boolean: the map's component at some level, or all that is above it.
        score: Of the decision, such as its probability.

    Example:
        >>> from bincam.metrics import Marked, component_mask
        >>> Marked("a.png", "star", component_mask([[0.0, 2.0, 1.0]], level=0.2), score=0.9).mask.tolist()
        [[False, True, True]]
    """

    image: str
    name: str
    mask: NDArray[np.bool_]
    score: float


def rle(mask: ArrayLike) -> dict[str, Any]:
    """Encode a mask as COCO's compressed RLE.

    Args:
        mask: ``(H, W)``, boolean.

    Returns:
        ``{"size": [H, W], "counts": text}``.

    Example:
        >>> from bincam.metrics import rle
        >>> rle([[0, 1, 1], [0, 1, 0]])
        {'size': [2, 3], 'counts': '231'}
    """
    pixels = np.asarray(mask, bool)
    if pixels.ndim != 2:
        raise InputError(f"a mask has shape (H, W), got {pixels.shape}")
    return {"size": list(pixels.shape), "counts": _compressed(runs(pixels))}


def runs(mask: ArrayLike) -> list[int]:
    """Count the pixels outside and inside of a mask in turn, down the columns; the first number may be 0.

    >>> runs([[0, 1, 1], [0, 1, 0]])
    [2, 3, 1]
    """
    flat = np.asarray(mask, bool).T.ravel()
    turns = np.flatnonzero(np.diff(flat, prepend=False))
    return [int(n) for n in np.diff(turns, prepend=0, append=len(flat))]


def coco_document(marked: Iterable[Marked], images: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Make a data set in COCO's format, with an annotation for everything that is marked.

    Args:
        marked: What maps mark; nothing is written for an empty mask.
        images: Paths of all images; an image's id is its place among them, from 1.
        names: All attributes; a category's id is its place among them, from 1.

    Returns:
        ``images``, ``categories`` and ``annotations``. Images without annotation have no stated size, because
        none is known.

    Raises:
        InputError: Something is marked in an image or for an attribute that is not listed, or images differ in size
            from their masks.

    Example:
        >>> from bincam.metrics import Marked, coco_document, coco_results
        >>> mask = np.array([[False, True, True], [False, True, False]])
        >>> document = coco_document([Marked("a.png", "star", mask, 0.9)], ["a.png"], ["ring", "star"])
        >>> coco_results(document)[0]["bbox"], document["annotations"][0]["area"]
        ([1, 0, 2, 2], 3)
    """
    image_ids, name_ids = ({key: n for n, key in enumerate(keys, 1)} for keys in (images, names))
    sizes: dict[str, tuple[int, int]] = {}
    annotations: list[dict[str, Any]] = []
    for one in marked:
        for what, key, known in (("image", one.image, image_ids), ("attribute", one.name, name_ids)):
            if key not in known:
                raise InputError(f"{what} {key!r} is marked but not listed{nearest(key, known)}")
        size = (one.mask.shape[0], one.mask.shape[1])
        if sizes.setdefault(one.image, size) != size:
            raise InputError(f"masks of {one.image} have sizes {sizes[one.image]} and {size}")
        if not np.isfinite(one.score):
            raise InputError(f"the score of {one.name!r} in {one.image} is {one.score}; leave it out")
        for x0, y0, x1, y1 in mask_box(one.mask).astype(int).tolist():  # none for an empty mask
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_ids[one.image],
                    "category_id": name_ids[one.name],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": int(one.mask.sum()),
                    "iscrowd": 0,
                    "segmentation": rle(one.mask),
                    "score": float(one.score),
                }
            )
    listed = [{"id": n, "file_name": key, **_stated(sizes.get(key))} for key, n in image_ids.items()]
    return {
        "kind": KIND,  # COCO's readers pass over keys that they do not know
        "schema": SCHEMA,
        "info": {"description": "what class activation maps mark"},
        "images": listed,
        "categories": [{"id": n, "name": key} for key, n in name_ids.items()],
        "annotations": annotations,
    }


def coco_results(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a document's annotations in the format of results, which ``pycocotools`` reads with ``loadRes``.

    ``coco_document`` has an example.

    >>> coco_results({"annotations": []})
    []
    """
    keys = ("image_id", "category_id", "bbox", "segmentation", "score")
    return [{key: one[key] for key in keys} for one in document["annotations"]]


def write_coco(folder: str | os.PathLike[str], document: dict[str, Any]) -> tuple[Path, Path]:
    """Write a document and its results, each atomically.

    Args:
        folder: Created where it is missing.
        document: From ``coco_document``.

    Returns:
        ``FOLDER/coco.json``, which a tool for labels imports, and ``FOLDER/coco-results.json``.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.metrics import coco_document, write_coco
        >>> with TemporaryDirectory() as folder:
        ...     [path.name for path in write_coco(folder, coco_document([], ["a.png"], ["star"]))]
        ['coco.json', 'coco-results.json']
    """
    whole, results = Path(folder) / "coco.json", Path(folder) / "coco-results.json"
    write_json(whole, document, compact=True)
    write_json(results, coco_results(document), compact=True)
    return whole, results


def _stated(size: tuple[int, int] | None) -> dict[str, int]:
    return {} if size is None else {"height": size[0], "width": size[1]}


def _compressed(counts: Sequence[int]) -> str:
    """Compress run lengths to text."""
    text: list[str] = []
    for n, count in enumerate(counts):
        rest = count - counts[n - 2] if n > 2 else count
        while True:
            group, rest = rest & 31, rest >> 5
            more = rest != (-1 if group & 16 else 0)
            text.append(chr(48 + group + (32 if more else 0)))
            if not more:
                break
    return "".join(text)
