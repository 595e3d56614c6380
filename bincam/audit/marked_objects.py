"""What an audited model marks in each image, in pixels of the stored image, for export to other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bincam.audit.summary.panel import read_panel
from bincam.data import crop
from bincam.data.dataset import Crop, FaceDataset
from bincam.errors import InputError, nearest
from bincam.metrics.localization.boxes.coco import Marked, coco_document
from bincam.metrics.localization.boxes.protocols.clean import clean_scores
from bincam.metrics.localization.boxes.protocols.components import component_mask
from bincam.metrics.localization.boxes.protocols.levels import FIXED
from bincam.progress import track

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

Pairs = Literal["decided", "present"]


def coco_of(
    audit: Audit, attributes: Sequence[str] | None = None, *, pairs: Pairs = "decided", level: float = FIXED
) -> dict[str, Any]:
    """Make a COCO document of what an audit's maps mark: the box and the mask of each map's largest component.

    Maps are those of the primary method for *yes*, as they are stored (half precision). Boxes and masks are in pixels
    of the stored image, so that a tool for labels opens them on it; where a crop turned the image, the box is that
    around the turned component. An annotation's score is the decision's probability.

    Args:
        audit: The audit.
        attributes: The attributes to export; None for all that have rows of their own.
        pairs: ``decided``: where the model says yes; ``present``: where the label does.
        level: τ.

    Returns:
        See ``coco_document``; images are listed by their path in the table.

    Raises:
        InputError: An attribute is unknown, the method's maps for *yes* are not stored, or the data is gone.
    """
    names = tuple(audit.manifest.yes_or_no) + tuple(
        output for members in audit.one_of.values() for output in members if output in audit.attributes
    )
    chosen = names if attributes is None else tuple(attributes)
    for name in chosen:
        if name not in names:
            raise InputError(f"{audit.folder}: no maps of {name!r}{nearest(name, names)}")
    if pairs not in ("decided", "present"):
        raise InputError(f"pairs={pairs!r}: expected 'decided' or 'present'")
    _check_sides(audit)
    marked = _marked(audit, chosen, pairs, level)
    return coco_document(marked, audit.images["image"].tolist(), chosen)


def _check_sides(audit: Audit) -> None:
    from bincam.cam.maps.methods import METHODS

    method = METHODS.get(audit.methods[0].partition("@")[0])
    if audit.manifest.side != "positive" and (method is None or not method.signed):
        raise InputError(
            f"{audit.folder}: {audit.methods[0]}'s maps of the explained side are not those for yes; audit with "
            "--side positive"
        )


def _marked(audit: Audit, names: Sequence[str], pairs: Pairs, level: float) -> Iterator[Marked]:
    manifest, card = audit.manifest, audit.manifest.model.card
    fit: Any = manifest.frame_fit
    panel = read_panel(audit, [])
    side = audit.records(["side"])["side"].to_numpy().reshape(panel.logit.shape)
    columns = [audit.attributes.index(name) for name in names]
    wanted = (panel.label == 1) if pairs == "present" else (panel.predicted == 1)
    table = manifest.data.read_table()
    row_of = {name: row for row, name in enumerate(table.ids)}
    height, width = manifest.image_size or card["input_size"]
    size = (int(height), int(width))
    views = FaceDataset(table, size=size, fit=fit, also=_crop)
    images = audit.images["image"].tolist()
    every = (one for part in audit.maps() for one in part)
    for position, maps in enumerate(track(every, "boxes", total=len(panel.rows), unit="images")):
        asked = [a for a in columns if wanted[position, a] and np.isfinite(panel.logit[position, a])]
        if not asked:
            continue
        image = images[panel.rows[position]]
        if image not in row_of:
            raise InputError(f"{manifest.data.source} no longer has {image}, which was audited")
        sample: Any = views[row_of[image]]
        positive = np.asarray(maps[asked], np.float32) * side[position, asked][:, None, None]
        scores = clean_scores(torch.from_numpy(positive)[None].float(), size)[0]
        for score, a in zip(scores, asked, strict=True):
            mask = component_mask(score, level)
            if mask.any():
                whole = _stored(mask, sample.also["matrix"], sample.also["stored"])
                margin = float(panel.logit[position, a]) - float(panel.threshold[position, a])
                yield Marked(image, audit.attributes[a], whole, float(1 / (1 + np.exp(-margin))))


def _crop(of: Crop) -> dict[str, NDArray[Any]]:
    return {"matrix": np.asarray(of.matrix, np.float64), "stored": np.asarray(of.stored)}


def _stored(mask: NDArray[np.bool_], matrix: NDArray[np.float64], stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Move a mask of a crop back into the stored image; beyond the crop nothing is marked."""
    back = np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))[:2]
    moved: NDArray[np.bool_] = crop.warp(mask.astype(np.uint8), back, (int(stored[0]), int(stored[1])), mask=True) > 0
    return moved
