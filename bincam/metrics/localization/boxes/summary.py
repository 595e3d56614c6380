"""The boxes of one attribute over a data set, beside what they must beat, and whether the grid allows a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.metrics.localization.boxes.columns import BoxColumns
from bincam.metrics.localization.boxes.mask_columns import OnMasks
from bincam.metrics.localization.boxes.overlaps import overlap_hits
from bincam.metrics.localization.boxes.pixels import pxap_estimate
from bincam.metrics.localization.boxes.protocols.levels import FIXED
from bincam.metrics.localization.boxes.scores import DELTA, BoxScores, box_scores, hit_rate, mean_of
from bincam.metrics.localization.boxes.verdict import judgement
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined

ON_MASKS = ("pxap", "pointing", "pointing_chance", "pointing_centre", "pointing_over_chance")
NO_MASKS, NO_BOXES = "no masks, only boxes", "no image with a true box"


@dataclass(frozen=True)
class BoxSummary:
    """Figures of one attribute; rates are shares of the images with a true box.

    Attributes:
        known: Scores of the maps' boxes, the attribute given (GT-known).
        top_1: The same, where the attribute must also be decided to be present; None without decisions.
        centred: Accuracy at δ of the centred box of mean size; undefined where none was fitted.
        constant: Of the attribute's constant box.
        projected: Of the projected mask at τ = .2.
        reach: Of the best that the grid can give.
        over_constant: The accuracy at τ = .2 less that of the constant box, paired by image.
        judgement: ``"judged"``, ``"cannot be judged on this grid"`` or ``"undefined"``, see ``judgement``.
        pxap: Of the pixels of all images; this and the next four are undefined without masks.
        pointing: The pointing game.
        pointing_chance: What chance would have.
        pointing_centre: The score of the image's centre.
        pointing_over_chance: The pointing game less its chance, paired by image.

    Example:
        >>> import torch
        >>> from bincam.metrics import box_columns, box_summary
        >>> from bincam.stats import Clusters
        >>> maps = torch.zeros(2, 1, 4, 4)
        >>> maps[0, 0, 2:, 2:] = maps[1, 0, :2, :2] = 1  # on the object, and away from it
        >>> columns = box_columns(maps, [[[[8, 8, 16, 16]]]] * 2, (16, 16))
        >>> summary = box_summary(columns, 0, Clusters.of(["", ""]), decided=[False, True])
        >>> summary.known.fixed.value, summary.top_1.fixed.value, summary.reach.value, summary.judgement
        (0.5, 0.0, 1.0, 'judged')
    """

    known: BoxScores
    top_1: BoxScores | None
    centred: Estimate
    constant: Estimate
    projected: Estimate
    reach: Estimate
    over_constant: Estimate
    judgement: str
    pxap: Estimate
    pointing: Estimate
    pointing_chance: Estimate
    pointing_centre: Estimate
    pointing_over_chance: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object: None for NaN."""
        rates = ("centred", "constant", "projected", "reach", "over_constant")
        return {
            "known": self.known.to_json(),
            "top_1": None if self.top_1 is None else self.top_1.to_json(),
            **{name: getattr(self, name).to_json() for name in rates},
            "judgement": self.judgement,
            **{name: getattr(self, name).to_json() for name in ON_MASKS},
        }


def box_summary(
    columns: BoxColumns,
    attribute: int,
    clusters: Clusters,
    *,
    chosen_level: float | None = None,
    decided: ArrayLike | None = None,
    delta: float = DELTA,
    level: float = LEVEL,
) -> BoxSummary:
    """Summarise the columns of one attribute, with intervals that account for clusters.

    Args:
        columns: Of N images and A attributes, those of all batches joined.
        attribute: Index of the attribute.
        clusters: Clusters of the N images.
        chosen_level: τ from the reference split, see ``best_level``.
        decided: ``(N,)`` bool: the attribute was decided to be present.
        delta: δ.
        level: Confidence level.

    Returns:
        The figures; ``BoxSummary`` has an example.

    Raises:
        InputError: There is no such attribute, or numbers of images differ.

    Example:
        >>> import torch
        >>> from bincam.metrics import box_columns, box_summary
        >>> from bincam.stats import Clusters
        >>> columns = box_columns(torch.rand(1, 1, 2, 2), [[[[4, 4, 5, 5]]]], (32, 32))  # a pixel of 1,024
        >>> box_summary(columns, 0, Clusters.of([""])).judgement
        'cannot be judged on this grid'
    """
    images, attributes = columns.status.shape
    if not 0 <= attribute < attributes:
        raise InputError(f"attribute {attribute}: the columns are of {attributes}, counted from 0")
    if images != len(clusters.codes):
        raise InputError(f"columns of {images} images, but clusters of {len(clusters.codes)}")
    status = columns.status[:, attribute]
    overlaps = columns.overlaps.attribute(attribute)

    def hits(column: NDArray[np.floating]) -> NDArray[np.float64]:
        # A box that was not fitted is undefined, and no miss: only maps can miss.
        found = overlap_hits(column[:, attribute], status, delta)
        return np.where(np.isnan(column[:, attribute]), np.nan, found)

    def rate(column: NDArray[np.floating]) -> Estimate:
        return hit_rate(hits(column), clusters, level)

    own = overlaps.hits(delta)[:, overlaps.at(FIXED)]
    reach = rate(columns.reach)
    scores = [
        box_scores(overlaps, clusters, chosen_level=chosen_level, decided=chosen, delta=delta, level=level)
        for chosen in (None, *(() if decided is None else (decided,)))
    ]
    return BoxSummary(
        known=scores[0],
        top_1=scores[1] if len(scores) > 1 else None,
        centred=rate(columns.centred),
        constant=rate(columns.constant),
        projected=rate(columns.projected),
        reach=reach,
        over_constant=mean_of(own - hits(columns.constant), clusters, level, least=-1.0),
        judgement=judgement(reach),
        **_on_masks(columns.on_masks, attribute, clusters, level),
    )


def _on_masks(measured: OnMasks | None, attribute: int, clusters: Clusters, level: float) -> dict[str, Estimate]:
    """Estimate ``ON_MASKS`` of one attribute."""
    if measured is None:
        return {name: undefined(NO_MASKS) for name in ON_MASKS}
    pixels = measured.pixels[:, attribute]
    hit, chance, centre = (
        values[:, attribute].astype(np.float64)
        for values in (measured.pointing, measured.pointing_chance, measured.pointing_centre)
    )
    return {
        "pxap": pxap_estimate(pixels, clusters, level) if pixels.any() else undefined(NO_BOXES),
        "pointing": hit_rate(hit, clusters, level),
        "pointing_chance": mean_of(chance, clusters, level),
        "pointing_centre": hit_rate(centre, clusters, level),
        "pointing_over_chance": mean_of(hit - chance, clusters, level, least=-1.0),
    }
