"""Summary of an audit's records: figures with intervals, per attribute, measure and group of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.parts import sampled
from bincam.audit.folder.parts.sampled import SampledAudit, is_long
from bincam.audit.summary.attributes import attribute_entries
from bincam.audit.summary.bounds import SHORT, column_of
from bincam.audit.summary.boxes import with_boxes
from bincam.audit.summary.calibration import (
    CALIBRATION_RATES,
    calibration_family,
    slice_calibration,
)
from bincam.audit.summary.cells.summary import sliced_cells, with_cells
from bincam.audit.summary.doubts import doubts
from bincam.audit.summary.families import class_families
from bincam.audit.summary.groups.differences import group_differences
from bincam.audit.summary.groups.divisions import slicings
from bincam.audit.summary.groups.gaps import gap_family
from bincam.audit.summary.groups.slices import slice_family, slice_panel
from bincam.audit.summary.label_noise import corrected_rates, stated_noise
from bincam.audit.summary.panel import Panel, read_panel
from bincam.audit.summary.people import PERSON_RATES, people_of
from bincam.audit.summary.reference_split.thresholds import add_reference_thresholds
from bincam.audit.summary.reference_variation import Variation, vary_references
from bincam.audit.summary.sets.records import SetRecords, read_sets
from bincam.audit.summary.sets.summary import rows_of, summarise_sets
from bincam.audit.summary.stated import USUAL, Prevalence, Stated, stated_figures
from bincam.audit.summary.streamed.sampled import sampled_parts, with_sample
from bincam.audit.summary.streamed.summary import summarise_streamed
from bincam.errors import InputError
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.outcomes import ERROR_RATES
from bincam.stats.proportions import RESAMPLES

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import Manifest
    from bincam.audit.folder.reader import Audit

# Names of measures are in ``bounds``, and were here before.
__all__ = ["RATES", "SHORT", "column_of", "summarise", "summarise_panel"]

RATES = (*ERROR_RATES, "accuracy", "balanced_error", "auroc", "ap", *CALIBRATION_RATES, *PERSON_RATES)


def summarise(
    audit: Audit,
    *,
    slice_by: Sequence[str] | None = None,
    label_noise: Mapping[str, Sequence[float]] | None = None,
    specificity: Sequence[float] = USUAL,
    sensitivity: Sequence[float] = USUAL,
    prevalence: Prevalence = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Summarise an audit's records: the content of ``summary.json``.

    Proportions (error rates, maps without positive evidence, pointing hits) have Wilson's interval, with the effective
    number of images where identities are known; all other figures have intervals from what each identity, or each image
    if none are known, contributes to them (``bincam.stats.clustered``). Ledger figures against a fitted reference also
    let the reference vary (``reference_variation``).

    Args:
        audit: The audit; it may be without a summary.
        slice_by: Group columns, attributes, or intersections (``sex*age``) to slice by; by default all group columns,
            Male and Young.
        label_noise: Attribute to the shares of wrong labels among its positive and among its negative labels; error
            rates are then also given as they would be against correct labels. By default those stated for the audit.
        specificity: Specificities at which to estimate the sensitivity.
        sensitivity: Sensitivities at which to estimate the specificity.
        prevalence: Prevalences at which to estimate predictive values: a number or several for all attributes, or by
            attribute; those at the audited prevalence are always estimated.
        level: Confidence level.
        resamples: Number of permutations of groups over people, for what chance alone gives of a difference between
            groups.
        seed: Seed of the permutations.

    Returns:
        ``level``, ``methods``, ``minority_from``, ``doubts`` (see there), ``images``, ``identities``, ``attributes``
        (those in no set), ``sets`` (only if there are any, see ``bincam.audit.summary.sets``), ``overall``, ``slices``,
        ``slices_left_out``, ``group_differences``, ``stated``, ``families``, ``leakage``, ``gates`` and, where they
        are measured, ``specificity`` and ``boxes``; None stands for NaN. Of more than 100,000 images also ``streamed``
        and ``notes``: the records are summed shard by shard, and what needs all images at once is of a sample.

    Raises:
        InputError: A column to slice by is unknown or has a single value, a stated number is not between 0 and 1, or
            the records are incomplete.

    Example:
        The summary of an audit with intervals of another level:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from bincam.audit import Settings, run, summarise
        >>> from bincam.data import AttributeTable, write_celeba
        >>> from bincam.models import build
        >>> random, folder = np.random.default_rng(0), Path(tempfile.mkdtemp())
        >>> images = random.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
        >>> ids, labels = [f"{n}.png" for n in range(8)], np.float32([[0], [1]] * 4)
        >>> table = AttributeTable(
        ...     names=("Smiling",), labels=labels, ids=tuple(ids), root=folder, splits=np.array(["test"] * 8)
        ... )
        >>> data = write_celeba(table, images, folder / "data")
        >>> model = build(
        ...     "resnet10t", ["Smiling"], channels=[8, 8, 8, 8], stem_width=8,
        ...     input_size=(32, 32), mean=(0.5,) * 3, std=(0.25,) * 3,
        ... )
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no references, no training counts
        ...     audit = run(model, data, folder / "audit", Settings(gate_images=0))
        >>> summary = summarise(audit, level=0.9, resamples=100)
        >>> error = summary["attributes"]["Smiling"]["rates"]["error"]
        >>> error["images"], error["status"], error["method"], error["low"] <= error["value"] <= error["high"]
        (8, 'small', 'wilson', True)
    """
    stated_for = Stated.of(audit.attributes, specificity, sensitivity, prevalence, audit.one_of)
    noise = label_noise if label_noise is not None else audit.manifest.label_noise
    if is_long(audit):
        return _streamed(
            audit, slice_by=slice_by, noise=noise, stated=stated_for, level=level, resamples=resamples, seed=seed
        )
    panel = read_panel(audit)
    try:
        summary = summarise_panel(
            panel,
            audit.manifest,
            sets=read_sets(audit, panel),
            leakage=audit.leakage,
            gates=audit.sample.get("gates", {}),
            specificities=audit.specificity,
            variation=audit.variation,
            slice_by=slice_by,
            label_noise=noise,
            stated=stated_for,
            level=level,
            resamples=resamples,
            seed=seed,
        )
        add_reference_thresholds(summary, audit, level)
        return with_boxes(with_cells(summary, audit, panel, level), audit, panel, level)
    except InputError as error:
        raise InputError(f"{audit.folder}: {error}") from None


def _streamed(
    audit: Audit,
    *,
    slice_by: Sequence[str] | None,
    noise: Mapping[str, Sequence[float]] | None,
    stated: Stated,
    level: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Summarise an audit of many images by scans over its shards; of a sample, what needs all images at once."""
    try:
        summary = summarise_streamed(
            audit, slice_by=slice_by, label_noise=noise, stated=stated, level=level, resamples=resamples, seed=seed
        )
        parts = [name for name, there in sampled_parts(audit).items() if there]
        if not parts:
            return summary
        hidden = (audit.sample.get("hidden") or {}).get("rows", ())
        sample = SampledAudit.of(audit, sampled.MOST, seed=seed, also=hidden)
        panel = read_panel(sample)
        of_sample: dict[str, Any] = {"attributes": {name: {} for name in summary["attributes"]}}
        if audit.one_of:
            of_sample = summarise_panel(
                panel,
                audit.manifest,
                sets=read_sets(sample, panel),
                leakage={},
                gates={},
                variation=audit.variation,
                slice_by=slice_by,
                stated=stated,
                level=level,
                resamples=resamples,
                seed=seed,
            )
        with_boxes(with_cells(of_sample, sample, panel, level), sample, panel, level)
    except InputError as error:
        raise InputError(f"{audit.folder}: {error}") from None
    return with_sample(summary, of_sample, parts, len(panel.rows))


def summarise_panel(
    panel: Panel,
    manifest: Manifest,
    *,
    leakage: Mapping[str, Any],
    gates: Mapping[str, Any],
    specificities: Mapping[str, Any] | None = None,
    sets: Sequence[SetRecords] = (),
    variation: Variation | None = None,
    slice_by: Sequence[str] | None = None,
    label_noise: Mapping[str, Sequence[float]] | None = None,
    stated: Stated | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Summarise the records of a panel.

    Args:
        panel: The records.
        manifest: The audit's manifest.
        sets: Scores and true outputs of the audit's sets.
        leakage: The content of ``leakage.json``, which is copied to the summary.
        gates: The results of the model-parameter randomisation tests by method, which are copied, too.
        specificities: The content of ``specificity.json``, which is copied where there is one.
        variation: ``Audit.variation``: what the ledger would be with references from other images.
        slice_by: See ``summarise``.
        label_noise: See ``summarise``.
        stated: The rates and prevalences at which figures are estimated; the usual ones by default.
        level: Confidence level.
        resamples: See ``summarise``.
        seed: See ``summarise``.

    Raises:
        InputError: A column to slice by is unknown or has a single value, or the label noise is impossible.
    """
    divisions, left_out = slicings(panel, slice_by)
    every_row, panel = panel, panel.select(manifest.yes_or_no) if sets else panel
    noise = stated_noise(label_noise or {}, panel.attributes)
    entries, samples = attribute_entries(manifest, panel, level) if panel.attributes else ({}, {})
    for a, (attribute, entry) in enumerate(entries.items()):
        entry["rates"] |= {name: rate.to_json() for name, rate in people_of(panel, a, level).items()}
        entry["stated"] = stated_figures(panel, a, stated or Stated(), level)
        if attribute in noise:
            stored = {name: Estimate.from_json(entry["rates"][name]) for name in ("fnr", "fpr")}
            corrected, entry["label_noise"] = corrected_rates(stored, entry["counts"], noise[attribute])
            entry["rates"] |= {name: rate.to_json() for name, rate in corrected.items()}
    columns = {
        name: column_of(name, manifest.methods)
        for name in ("gain", "empty", "bias_share")
        if column_of(name, manifest.methods) in panel.columns
    }
    head = manifest.head
    own = divisions if panel.attributes else []
    slices = [
        entry
        for by in own
        for entry in (
            *slice_panel(panel, by, columns | sliced_cells(panel), level),
            *slice_calibration(panel, by, head, level),
        )
    ]
    differences = [group_differences(panel, by, level=level, permutations=resamples, seed=seed) for by in own]
    summary: dict[str, Any] = {
        "level": level,
        "resamples": resamples,
        "seed": seed,
        "methods": list(manifest.methods),
        "minority_from": manifest.train_counts_from,
        "doubts": doubts(panel, entries),
        "images": len(panel.rows),
        "skipped": panel.skipped,
        "identities": panel.clusters.count if panel.clusters.known else None,
        "attributes": entries,
        "overall": samples,
        "slices": slices,
        "slices_left_out": left_out,
        "group_differences": [entry for by_group, _ in differences for entry in by_group],
        "stated": (stated or Stated()).to_json(),
        "families": [
            *(class_families(panel, columns) if panel.attributes else ()),
            *(slice_family(panel, by) for by in own),
            *(calibration_family(panel, by, head) for by in own),
            *(tested for _, tested in differences),
            *((gap_family(panel, own),) if own else ()),
        ],
        "leakage": dict(leakage),
        "gates": dict(gates),
    }
    if specificities:
        summary["specificity"] = {name: of for name, of in specificities.items() if name not in ("kind", "schema")}
    varied = variation or {}
    if sets:
        varied = rows_of(varied, [every_row.attributes.index(name) for name in panel.attributes])
    vary_references(summary, varied, manifest.references_from, panel.minority.tolist(), level)
    if sets:
        further = summarise_sets(
            every_row,
            sets,
            manifest,
            entries=lambda part: attribute_entries(manifest, part, level)[0],
            divisions=divisions,
            columns=columns,
            variation=variation or {},
            stated=stated or Stated(),
            level=level,
            permutations=resamples,
            seed=seed,
        )
        summary["sets"] = further.sets
        for name in ("doubts", "slices", "group_differences", "families"):
            summary[name] += getattr(further, name)
    return summary
