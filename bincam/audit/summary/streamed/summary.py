"""The summary of an audit of very many images, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.audit.summary.attributes import counts_of
from bincam.audit.summary.bounds import column_of
from bincam.audit.summary.cells.summary import SLICED
from bincam.audit.summary.doubts import attribute_doubts
from bincam.audit.summary.label_noise import corrected_rates, stated_noise
from bincam.audit.summary.reference_variation import vary_references
from bincam.audit.summary.stated import Stated
from bincam.audit.summary.streamed.calibration import Binned, CalibrationTotals
from bincam.audit.summary.streamed.divided import Divided
from bincam.audit.summary.streamed.divisions import divisions_of
from bincam.audit.summary.streamed.measured import Measured, members_of
from bincam.audit.summary.streamed.records import Records
from bincam.audit.summary.streamed.scores import Placements, Scores
from bincam.audit.summary.streamed.totals import LABELLED, WRONG_CELLS
from bincam.stats.calibration import probability
from bincam.stats.estimate import Estimate, undefined
from bincam.stats.outcomes import ERROR_RATES, class_name
from bincam.stats.rates.person_level import METHOD as PERSON_METHOD
from bincam.stats.rates.person_level import UNKNOWN, PersonRates, person_rates_of_totals
from bincam.stats.rates.predictive_value import predictive_values_of_totals
from bincam.stats.totals.score_bins import BINS

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

BUDGET = 1 << 30
"""Bytes for the sums of one scan: what takes more is divided, and the records are read once more."""

Entry = dict[str, Any]


def summarise_streamed(
    audit: Audit,
    *,
    slice_by: Sequence[str] | None,
    label_noise: Mapping[str, Sequence[float]] | None,
    stated: Stated,
    level: float,
    resamples: int,
    seed: int,
    budget: int = BUDGET,
) -> dict[str, Any]:
    """Summarise the yes-or-no attributes of an audit by scans over its shards.

    The first scan sums every measure by cluster, attribute and outcome, as whole numbers, and counts scores in bins;
    the second sums what clusters contribute to rankings, calibration and figures within groups. Estimates and
    intervals are those of smaller audits, of the same sums; scores are ranked by their bins (``score_bins``), and
    images without people are put into groups, whose spread is that of the images.

    Args:
        audit: The audit.
        slice_by: See ``summarise``.
        label_noise: See ``summarise``.
        stated: The rates and prevalences at which figures are estimated.
        level: Confidence level.
        resamples: See ``summarise``.
        seed: See ``summarise``.
        budget: Bytes for the sums of one scan.

    Returns:
        See ``summarise``; ``streamed`` states how the figures were made, and ``notes`` what is different from those
        of a smaller audit.

    Raises:
        InputError: See ``summarise``.
    """
    manifest = audit.manifest
    records = Records(audit)
    noise = stated_noise(label_noise or {}, records.attributes)
    minority = [audit.minority(name) for name in records.attributes]
    columns = {name: column_of(name, manifest.methods) for name in ("gain", "empty", "bias_share")}
    columns = {name: column for name, column in columns.items() if column in audit.measures}
    sliced = columns | {name: column_of(name, manifest.methods) for name in SLICED}
    sliced = {name: column for name, column in sliced.items() if column in audit.measures}

    measured = Measured(records, minority, columns, level, budget)
    scores = measured.scores
    divisions, left_out = divisions_of(records, scores, slice_by) if records.attributes else ([], [])
    placements = Placements(scores, stated)
    calibration = CalibrationTotals(manifest, records.attributes, scores)
    divided = Divided(records, divisions, sliced, budget)
    for number, totals in enumerate(divided.scans()):
        for part in records.parts(list(sliced.values()) if totals else (), what="summary: scores and groups"):
            cells = part.cells
            binned = Binned.of(cells, probability(part.logit, manifest.head))
            if not number:
                placements.add(part, cells)
                calibration.add(part, cells, binned)
            for one in totals:
                one.add(part, binned)
        divided.finish(totals, minority, level, resamples, seed)

    entries: dict[str, Entry] = {}
    doubts: list[dict[str, str]] = []
    for a, name in enumerate(records.attributes):
        rates = measured.rates[a]
        rates["auroc"], rates["ap"] = placements.ranking(a, level)
        calibrated, of_calibration = calibration.of(a, level)
        rates |= calibrated | _people(scores, a, minority[a], level)
        entry: Entry = {
            "minority": class_name(minority[a]),
            "train_counts": list(manifest.train_counts.get(name, (0, 0))),
            "counts": counts_of(scores.cells[:, a].sum(0, dtype=np.int64).tolist(), int(scores.nan[a])),
            "rates": {},
            "calibration": of_calibration,
            "measures": {column: measured.measures[a][column] for column in audit.measures},
            "stated": _stated(scores, placements, a, stated, name, level),
        }
        if name in noise:
            corrected, entry["label_noise"] = corrected_rates(rates, entry["counts"], noise[name])
            rates |= corrected
        entry["rates"] = {rate: estimate.to_json() for rate, estimate in rates.items()}
        entries[name] = entry
        finite = records.images - int(scores.nan[a])
        if finite >= 2:
            low, high = scores.ends[a, 2].tolist()
            doubts += attribute_doubts(name, rates["auroc"], (low, high), finite, float(records.threshold[a]))
    left_out += [{"column": column, "reason": reason} for column, reason in divided.left_out.items()]
    summary: dict[str, Any] = {
        "level": level,
        "resamples": resamples,
        "seed": seed,
        "methods": list(manifest.methods),
        "minority_from": manifest.train_counts_from,
        "doubts": doubts,
        "images": records.images,
        "skipped": records.skipped,
        "identities": records.clusters.people,
        "attributes": entries,
        "overall": measured.overall(audit.measures),
        "slices": divided.slices,
        "slices_left_out": left_out,
        "group_differences": divided.differences,
        "stated": stated.to_json(),
        "families": [*measured.families(list(columns)), *divided.families()] if records.attributes else [],
        "leakage": dict(audit.leakage),
        "gates": dict(audit.sample.get("gates", {})),
        "streamed": {"score_bins": BINS, "clusters": records.clusters.count, "grouped": records.clusters.grouped},
        "notes": _notes(records),
    }
    if audit.specificity:
        summary["specificity"] = {k: of for k, of in audit.specificity.items() if k not in ("kind", "schema")}
    own = [audit.attributes.index(name) for name in records.attributes]
    varied = {name: np.asarray(values)[own] for name, values in audit.variation.items()}
    vary_references(summary, varied, manifest.references_from, minority, level)
    return summary


def _notes(records: Records) -> list[str]:
    """Say what is different from the summary of a smaller audit."""
    notes = [
        f"{records.images:,} images: the records were summed shard by shard; scores that are equal in half precision "
        "count as equal"
    ]
    clusters = records.clusters
    if clusters.grouped:
        notes.append(
            f"the {clusters.people:,} people are more than sums are kept of: they are in {clusters.count:,} groups, "
            "so counts of people are counts of groups, and no rates of people are given"
        )
    return notes


def _people(scores: Scores, a: int, minority: int, level: float) -> dict[str, Estimate]:
    """Estimate the rates of ``PERSON_RATES`` of attribute ``a``; undefined where people are unknown or in groups."""
    clusters = scores.clusters
    cells = scores.cells[:, a].astype(float)

    def rates_of(group: str) -> PersonRates:
        inside = members_of(group, minority)
        errors, sizes = cells @ (WRONG_CELLS * inside), cells @ (LABELLED * inside)
        if clusters.known and not clusters.grouped:
            return person_rates_of_totals(errors, sizes, level)
        none = undefined(PERSON_METHOD if clusters.known else UNKNOWN, int(sizes.sum()), None)
        return PersonRates(none, none, none)

    every = rates_of("all")
    means = {f"person_{name}": rates_of(group).mean for name, group in ERROR_RATES.items()}
    return {**means, "ever_wrong": every.ever, "always_wrong": every.always}


def _stated(
    scores: Scores, placements: Placements, a: int, stated: Stated, name: str, level: float
) -> list[dict[str, Any]]:
    """Estimate the figures of attribute ``a`` at what is stated, as ``stated_figures`` does."""
    entries = [point.to_json() for point in placements.rates(a, level)]
    cells = scores.cells[:, a].astype(float)
    hits, sizes = cells[:, [0, 1]], cells[:, [0, 1]] + cells[:, [2, 3]]
    for prevalence in (None, *stated.prevalence.get(name, ())):
        known = scores.clusters.known
        entries += predictive_values_of_totals(hits, sizes, prevalence, level, known=known).to_json()
    return entries
