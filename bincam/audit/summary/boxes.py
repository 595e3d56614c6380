"""Summary of an audit's boxes: scores of every attribute and of all together, beside what they must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.box_reference import load_box_reference
from bincam.audit.folder.parts.boxes import NOT_SAMPLED, NUMBERS, BoxRecords, read_boxes
from bincam.audit.summary.cells.rows import without_people
from bincam.metrics.localization.boxes.overlaps import NO_TRUTH
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from bincam.metrics.localization.boxes.scores import DELTA
from bincam.metrics.localization.boxes.verdict import JUDGED
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit
    from bincam.audit.summary.panel import Panel
    from bincam.metrics.localization.boxes.columns import BoxColumns


def with_boxes(summary: dict[str, Any], audit: Audit, panel: Panel, level: float = LEVEL) -> dict[str, Any]:
    """Add ``boxes`` to a summary, if the audit measured any.

    Args:
        summary: The content of ``summary.json``.
        audit: The audit.
        panel: Its records.
        level: Confidence level.

    Returns:
        The same summary.

    Raises:
        InputError: A file of boxes is missing or broken.
    """
    if audit.manifest.boxes is not None:
        summary["boxes"] = summarise_boxes(audit, panel, level)
    return summary


def summarise_boxes(audit: Audit, panel: Panel, level: float = LEVEL) -> dict[str, Any]:
    """Summarise an audit's boxes.

    Returns:
        ``method``, ``protocol``, ``delta``, ``truth``, ``sample``, ``reference`` (split, images and the chosen τ; None
        without a split), ``attributes`` (see ``_entry``), ``overall`` (pairs of all attributes that can be judged, in
        intervals of which an image or a person is one cluster) and ``not_judged``, those left out of it.
    """
    source = audit.manifest.boxes
    assert source is not None
    records = read_boxes(audit.folder, audit.shards, audit.some_rows)
    reference = load_box_reference(audit.folder)
    chosen = None if reference is None or np.isnan(reference.level) else reference.level
    masked = source.masks is not None
    at = np.searchsorted(panel.rows, records.row)
    yes = np.zeros(len(records.row), bool)
    for name in source.attributes:
        own = records.attribute == name
        yes[own] = panel.predicted[at[own], panel.attributes.index(name)] == 1

    def entry(kept: NDArray[np.bool_], *, pooled: bool = False) -> dict[str, Any]:
        known = panel.clusters.known  # without people an image is the cluster of its pairs, where there are several
        clusters = Clusters(panel.clusters.codes[at[kept]], known or pooled)
        result = _entry(records.some(kept), clusters, yes[kept], chosen, level, masked=masked)
        return without_people(result) if pooled and not known else result

    entries = {name: entry(records.attribute == name) for name in source.attributes}
    judged = [name for name, one in entries.items() if one["judgement"] == JUDGED]
    overall = entry(np.isin(records.attribute, judged), pooled=True)
    return {
        "method": audit.methods[0],
        "protocol": "clean",
        "delta": DELTA,
        "truth": source.truth,
        "masks": source.masks,
        "sample": source.sample,
        "reference": None
        if reference is None
        else {"split": reference.split, "images": reference.images, "level": chosen},
        "attributes": entries,
        "overall": {"attributes": len(judged), **overall},
        "not_judged": [name for name in entries if name not in judged],
    }


def _columns(records: BoxRecords, *, masked: bool) -> BoxColumns:
    """Return records of one attribute as columns ``(n, 1)``."""
    from bincam.metrics.localization.boxes.columns import BoxColumns
    from bincam.metrics.localization.boxes.mask_columns import OnMasks

    numbers = {name: records.numbers[name][:, None] for name in NUMBERS}
    curves = {name: values[:, None] for name, values in records.curves.items()}
    return BoxColumns(
        cam=numbers["cam"],
        centred=numbers["centred"],
        constant=numbers["constant"],
        projected=numbers["projected"],
        reach=numbers["reach"],
        status=records.status[:, None],
        levels=np.asarray(LEVELS, np.float64),
        **curves,
        on_masks=OnMasks(
            records.pixels[:, None], numbers["pointing"], numbers["pointing_chance"], numbers["pointing_centre"]
        )
        if masked
        else None,
    )


def _entry(
    records: BoxRecords,
    clusters: Clusters,
    yes: NDArray[np.bool_],
    chosen: float | None,
    level: float,
    *,
    masked: bool,
) -> dict[str, Any]:
    """Summarise the pairs of one attribute, or of several.

    Returns:
        The keys of ``BoxSummary.to_json``, and the numbers of pairs: ``positives``, ``not_sampled``, and of those
        sampled ``measured`` (with a true box), ``no_truth`` and ``no_box``.
    """
    from bincam.metrics.localization.boxes.summary import box_summary

    sampled = records.status != NOT_SAMPLED
    kept = records.some(sampled)
    inside = clusters.among(sampled)
    columns = _columns(kept, masked=masked)
    found = box_summary(columns, 0, inside, chosen_level=chosen, decided=yes[sampled], level=level)
    return {
        **found.to_json(),
        "positives": len(records.row),
        "not_sampled": int((~sampled).sum()),
        "no_truth": int((kept.status == NO_TRUTH).sum()),
        "measured": int((kept.status != NO_TRUTH).sum()),
        "no_box": found.known.no_box,
    }
