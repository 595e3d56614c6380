"""Paired differences of the boxes of two audits, where both have measured the same pair of image and attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.boxes import BoxRecords, read_boxes
from bincam.audit.folder.parts.sampled import readable
from bincam.compare.names import Names
from bincam.metrics.localization.boxes.protocols.levels import FIXED, LEVELS
from bincam.metrics.localization.boxes.scores import DELTA, mean_of
from bincam.metrics.localization.boxes.verdict import JUDGED
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.formatting import DIFFERENCE, written

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

FIGURES = ("fixed", "chosen", "pointing")
OTHER_TRUTH = "boxes are not compared: the audits have other true boxes"


def contrast_boxes(first: Audit, second: Audit, level: float = LEVEL) -> dict[str, Any]:
    """Compare the boxes of two audits.

    Args:
        first: Of the first model.
        second: Of the second model.
        level: Confidence level.

    Returns:
        ``attributes``: of each attribute, and of ``overall`` (the pairs of all attributes whose boxes can be judged in
        both), the first's share of hits less the second's, paired: ``fixed`` (τ = .2), ``chosen`` (each at its own τ of
        the reference split) and ``pointing``. Empty where an audit has no boxes; only ``reason`` where the true boxes
        differ.

    Raises:
        InputError: A file of boxes is missing or broken.
    """
    sources = [audit.manifest.boxes for audit in (first, second)]
    if sources[0] is None or sources[1] is None:
        return {}
    if sources[0].digest != sources[1].digest:
        return {"reason": OTHER_TRUTH}
    summaries = [(audit.summary or {}).get("boxes") or {} for audit in (first, second)]
    first, second = readable(first), readable(second)
    tables = [
        _table(audit, read_boxes(audit.folder, audit.shards, audit.some_rows), summary)
        for audit, summary in zip((first, second), summaries, strict=True)
    ]
    keys = sorted(tables[0].keys() & tables[1].keys())
    people = dict(zip(first.images["image"], first.images["identity"], strict=True))
    known = any(people.values())
    names = [name for name in sources[0].attributes if name in sources[1].attributes]
    judged = [n for n in names if all(_judgement(summary, n) == JUDGED for summary in summaries)]
    entries = {}
    for name in (*names, "overall"):
        pooled = name == "overall"
        kept = [key for key in keys if (key[1] in judged if pooled else key[1] == name)]
        values = [np.array([table[key] for key in kept]).reshape(-1, len(FIGURES)) for table in tables]
        cluster = [people[image] or f"\0{image}" for image, _ in kept]
        clusters = Clusters.of(cluster) if known or pooled else Clusters.of([""] * len(kept))
        entries[name] = {
            figure: _difference(values[0][:, n] - values[1][:, n], clusters, level, known=known)
            for n, figure in enumerate(FIGURES)
        }
    return {"attributes": entries, "not_judged": [name for name in names if name not in judged]}


def box_findings(boxes: Mapping[str, Any], names: Names) -> list[str]:
    """Say in a sentence which of two models' maps box the objects more often; nothing without boxes."""
    if "reason" in boxes:
        return [f"{boxes['reason'][0].upper()}{boxes['reason'][1:]}."]
    entry = (boxes.get("attributes") or {}).get("overall")
    if entry is None:
        return []
    fixed = Estimate.from_json(entry["fixed"])
    if not fixed.defined:
        return []
    shows = "no difference is shown"
    if fixed.low > 0 or fixed.high < 0:
        shows = f"maps of {names.first if fixed.low > 0 else names.second} mark it more often"
    return [
        f"Boxes of the objects (IoU ≥ {DELTA:g} at τ = {FIXED:g}), {names.first} less {names.second}, on the same "
        f"images: {written(fixed, DIFFERENCE['percent'])}; {shows}."
    ]


def _judgement(summary: Mapping[str, Any], name: str) -> str | None:
    judgement: str | None = summary.get("attributes", {}).get(name, {}).get("judgement")
    return judgement


def _table(
    audit: Audit, records: BoxRecords, summary: Mapping[str, Any]
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return ``FIGURES`` of every measured pair, by image and attribute."""
    rows = records.measured
    hits = rows.hits("one", DELTA)
    level = (summary.get("reference") or {}).get("level")

    def at(tau: float) -> NDArray[np.float64]:
        return hits[:, int(np.abs(np.asarray(LEVELS) - tau).argmin())].astype(np.float64)

    chosen = np.full(len(hits), np.nan) if level is None else at(float(level))
    images = audit.images.set_index("row")["image"].reindex(rows.row).to_numpy()
    figures = zip(at(FIXED).tolist(), chosen.tolist(), rows.numbers["pointing"].tolist(), strict=True)
    return {
        (str(image), str(name)): values for image, name, values in zip(images, rows.attribute, figures, strict=True)
    }


def _difference(values: NDArray[np.float64], clusters: Clusters, level: float, *, known: bool) -> dict[str, Any]:
    if not np.isfinite(values).any():
        return undefined("no pair that both have measured").to_json()
    entry = mean_of(values, clusters, level, least=-1.0).to_json()
    return entry if known else {**entry, "identities": None}
