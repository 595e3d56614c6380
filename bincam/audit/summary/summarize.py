"""Summary of an audit's records: figures with intervals, per attribute, measure and group of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.calibration import attribute_calibration, calibration_family, slice_calibration
from bincam.audit.summary.doubts import doubts
from bincam.audit.summary.label_noise import corrected_rates, stated_noise
from bincam.audit.summary.panel import Panel, read_panel
from bincam.audit.summary.people import PERSON_RATES, people_of
from bincam.audit.summary.reference_variation import Variation, vary_references
from bincam.audit.summary.slices import slice_family, slice_panel, slicings
from bincam.errors import InputError
from bincam.stats.bootstrap import RESAMPLES, Means, Shares, resampled_means, shares
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate, is_small
from bincam.stats.hypothesis_tests import difference_test, family
from bincam.stats.intervals import mean_of_two, quantiles
from bincam.stats.outcomes import BASIC, CELLS, ERROR_RATES, GROUPS, MEMBERSHIP, basic_name, class_name
from bincam.stats.roc import ranking

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import Manifest
    from bincam.audit.folder.reader import Audit

BINARY = ("empty", "pointing")
"""Measures that are 1 or 0 per image: their means are proportions."""

SHORT = {"bias_share": "midpoint.bias_share"}
"""Short names of measures that are not the primary method's."""

WRONG = "error"
CALIBRATION = ("brier", "ece", "signed_calibration_error", "calibration_slope", "calibration_intercept")
RATES = (
    *(*ERROR_RATES, "accuracy", "balanced_error", "auroc", "ap"),
    *CALIBRATION,
    *(f"{name}_unshifted" for name in CALIBRATION),
    *PERSON_RATES,
)


def column_of(name: str, methods: Sequence[str]) -> str:
    """Return the record column that a measure's name stands for; a short name is the primary method's.

    >>> column_of("gain", ["grad_cam"]), column_of("bias_share", ["grad_cam"])
    ('grad_cam.gain', 'midpoint.bias_share')
    """
    return name if "." in name else SHORT.get(name, f"{methods[0]}.{name}")


def summarise(
    audit: Audit,
    *,
    slice_by: Sequence[str] | None = None,
    label_noise: Mapping[str, Sequence[float]] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Summarise an audit's records: the content of ``summary.json``.

    Proportions (error rates, maps without positive evidence, pointing hits) have Wilson's interval, with the effective
    number of images where identities are known; all other figures have the percentile interval of a bootstrap over
    identities, or over images if none are known. Ledger figures against a fitted reference also let the reference vary
    (``reference_variation``). The same seed gives the same figures.

    Args:
        audit: The audit; it may be without a summary.
        slice_by: Group columns or attributes to slice by; by default all group columns, Male and Young.
        label_noise: Attribute to the shares of wrong labels among its positive and among its negative labels; error
            rates are then also given as they would be against correct labels. By default those stated for the audit.
        level: Confidence level.
        resamples: R, the number of bootstrap resamples. Memory: 4·K·R bytes for K identities, and 4 bytes for each
            image, attribute and column of the records.
        seed: Seed of the bootstrap.

    Returns:
        ``level``, ``methods``, ``minority_from``, ``doubts`` (see there), ``images``, ``identities``, ``attributes``,
        ``overall``, ``slices``,
        ``slices_left_out``, ``families``, ``leakage`` and ``gates``; None stands for NaN.

    Raises:
        InputError: A column to slice by is unknown or has a single value, or the records are incomplete.

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
    panel = read_panel(audit)
    try:
        return summarise_panel(
            panel,
            audit.manifest,
            leakage=audit.leakage,
            gates=audit.sample.get("gates", {}),
            variation=audit.variation,
            slice_by=slice_by,
            label_noise=label_noise if label_noise is not None else audit.manifest.label_noise,
            level=level,
            resamples=resamples,
            seed=seed,
        )
    except InputError as error:
        raise InputError(f"{audit.folder}: {error}") from None


def summarise_panel(
    panel: Panel,
    manifest: Manifest,
    *,
    leakage: Mapping[str, Any],
    gates: Mapping[str, Any],
    variation: Variation | None = None,
    slice_by: Sequence[str] | None = None,
    label_noise: Mapping[str, Sequence[float]] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Summarise the records of a panel.

    Args:
        panel: The records.
        manifest: The audit's manifest.
        leakage: The content of ``leakage.json``, which is copied to the summary.
        gates: The results of the model-parameter randomisation tests by method, which are copied, too.
        variation: ``Audit.variation``: what the ledger would be with references from other images.
        slice_by: See ``summarise``.
        label_noise: See ``summarise``.
        level: Confidence level.
        resamples: R, the number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Raises:
        InputError: A column to slice by is unknown or has a single value, or the label noise is impossible.
    """
    noise = stated_noise(label_noise or {}, panel.attributes)
    divisions, left_out = slicings(panel, slice_by)
    weights = panel.clusters.weights(resamples, seed)
    entries, samples = _attributes(manifest, panel, weights, level)
    for a, (attribute, entry) in enumerate(entries.items()):
        entry["rates"] |= {name: rate.to_json() for name, rate in people_of(panel, a, level).items()}
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
    slices = [
        entry
        for by in divisions
        for entry in (
            *slice_panel(panel, by, columns, weights, level),
            *slice_calibration(panel, by, head, weights, level),
        )
    ]
    summary = {
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
        "families": [
            *_families(panel, columns),
            *(slice_family(panel, by) for by in divisions),
            *(calibration_family(panel, by, head) for by in divisions),
        ],
        "leakage": dict(leakage),
        "gates": dict(gates),
    }
    vary_references(summary, variation or {}, manifest.references_from, panel.minority.tolist(), level)
    return summary


def _attributes(
    manifest: Manifest, panel: Panel, weights: NDArray[np.float32], level: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the entries of all attributes, and the means over them."""
    names = (WRONG, *panel.columns)
    proportions = {
        name: {
            group: shares(
                panel.wrong if name == WRONG else panel.column(name), panel.member(group), panel.clusters, level
            )
            for group in BASIC
        }
        for name in names
        if name == WRONG or name.rpartition(".")[2] in BINARY
    }
    average = _Average(len(names), weights.shape[1])
    entries: dict[str, Any] = {}
    for a, attribute in enumerate(panel.attributes):
        # An attribute at a time, so that the records of all are never copied at once.
        values = np.concatenate([panel.wrong[:, a : a + 1, None], panel.values[:, a : a + 1]], -1)  # (N, 1, 1 + C)
        (means,) = resampled_means(values, panel.cell[:, a : a + 1], MEMBERSHIP, panel.clusters, weights)
        minority = int(panel.minority[a])
        average.add(means, minority)
        classes = [BASIC.index("true:positive"), BASIC.index("true:negative")]
        drawn = means.samples[classes, 0]  # (2, R), copied before the quantiles sort them
        low, high = quantiles(means.samples, level)
        cellwise = _cellwise(panel, names, a, means, (low, high), proportions)
        measures = {
            name: {group: cellwise[name, basic_name(group, minority)].to_json() for group in GROUPS}
            for name in panel.columns
        }
        rates, calibration = _rates(manifest, panel, a, cellwise, drawn, weights, level)
        entries[attribute] = {
            "minority": class_name(minority),
            "train_counts": list(manifest.train_counts[attribute]),
            "counts": _counts(panel, a),
            "rates": {name: rate.to_json() for name, rate in rates.items()},
            "calibration": calibration,
            "measures": measures,
        }
    return entries, average.finish(panel, names, level)


def _cellwise(
    panel: Panel,
    names: Sequence[str],
    a: int,
    means: Means,
    ends: tuple[Floats, Floats],
    proportions: Mapping[str, Mapping[str, Shares]],
) -> dict[tuple[str, str], Estimate]:
    method = panel.clusters.bootstrap
    result = {}
    for c, name in enumerate(names):
        for g, group in enumerate(BASIC):
            people = None if means.identities is None else int(means.identities[g, c])
            low, high, how = ends[0][g, c], ends[1][g, c], method
            if name in proportions:
                share = proportions[name][group]
                low, high, how = share.low[a], share.high[a], share.method
            result[name, group] = estimate(means.value[g, c], low, high, int(means.images[g, c]), people, how)
    return result


def _rates(
    manifest: Manifest,
    panel: Panel,
    a: int,
    cellwise: Mapping[tuple[str, str], Estimate],
    drawn: NDArray[np.float32],
    weights: NDArray[np.float32],
    level: float,
) -> tuple[dict[str, Estimate], dict[str, Any]]:
    minority = int(panel.minority[a])
    rates = {name: cellwise[WRONG, basic_name(group, minority)] for name, group in ERROR_RATES.items()}
    error = rates["error"]
    rates["accuracy"] = Estimate(
        1 - error.value, 1 - error.high, 1 - error.low, error.images, error.identities, error.status, error.method
    )
    # Both classes together are the images of the error, whose clusters are counted once there.
    rates["balanced_error"] = mean_of_two(
        rates["fnr"],
        rates["fpr"],
        drawn,
        identities=error.identities,
        method=panel.clusters.bootstrap,
        level=level,
    )
    label, logit = panel.label[:, a], panel.logit[:, a]
    rates["auroc"], rates["ap"] = ranking(logit, label, panel.clusters, weights, level)
    calibrated, calibration = attribute_calibration(manifest, panel, a, weights, level)
    return rates | calibrated, calibration


def _counts(panel: Panel, a: int) -> dict[str, int]:
    cell = panel.cell[:, a]
    counted = {name: int((cell == n).sum()) for n, name in enumerate(CELLS)}
    unknown = counted.pop("P?") + counted.pop("N?")
    return {**counted, "unknown": unknown, "nan_logit": int((cell < 0).sum())}


class _Average:
    """Accumulates the means over attributes of every group and measure, resample by resample."""

    def __init__(self, columns: int, resamples: int) -> None:
        shape = (len(GROUPS), columns)
        self.value, self.count, self.images = np.zeros(shape), np.zeros(shape, int), np.zeros(shape, int)
        self.small = np.zeros(shape, int)
        self.samples, self.drawn = np.zeros((*shape, resamples), np.float32), np.zeros((*shape, resamples), np.int16)

    def add(self, means: Means, minority: int) -> None:
        """Add the means of an attribute with this minority, +1 or -1."""
        order = [BASIC.index(basic_name(group, minority)) for group in GROUPS]
        defined = np.isfinite(means.value[order])
        self.value += np.where(defined, means.value[order], 0)
        self.count += defined
        self.images = np.maximum(self.images, means.images[order])
        people = None if means.identities is None else means.identities[order]
        self.small += defined & is_small(means.images[order], people)
        samples = means.samples[order]
        drawn = np.isfinite(samples)
        self.samples += np.where(drawn, samples, 0)
        self.drawn += drawn

    def finish(self, panel: Panel, names: Sequence[str], level: float) -> dict[str, Any]:
        """Return ``{"rates": {measure: estimate}, "measures": {column: {group: estimate}}}`` of the means.

        ``images`` is the number of the attribute that has most, ``identities`` that of the whole audit, because
        attributes share their images. Every attribute has the same weight, so a single one with a small cell makes the
        mean ``small``; ``attributes`` and ``small_attributes`` count all attributes and those with a small cell.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self.value / np.where(self.count > 0, self.count, np.nan)
            samples = np.where(self.drawn > 0, self.samples / self.drawn, np.nan)
        low, high = quantiles(samples, level)
        people = panel.clusters.count if panel.clusters.known else None
        method = panel.clusters.bootstrap

        def entry(group: str, c: int) -> dict[str, Any]:
            g = GROUPS.index(group)
            mean = estimate(value[g, c], low[g, c], high[g, c], int(self.images[g, c]), people, method)
            few = int(self.small[g, c])
            if few:  # so there is a value
                mean = replace(mean, status="small")
            return {**mean.to_json(), "attributes": int(self.count[g, c]), "small_attributes": few}

        return {
            "rates": {name: entry(group, 0) for name, group in ERROR_RATES.items()},
            "measures": {name: {g: entry(g, c) for g in GROUPS} for c, name in enumerate(names) if name != WRONG},
        }


def _families(panel: Panel, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Test every attribute: if the minority's error is greater, and if the measures of maps differ between classes."""
    minority, majority = panel.member("true:minority"), panel.member("true:majority")

    def tested(name: str, values: NDArray[np.floating], group: NDArray[np.integer], greater: bool) -> dict[str, Any]:
        return family(
            name,
            [
                ({"attribute": attribute}, difference_test(values[:, a], group[:, a], panel.clusters, greater=greater))
                for a, attribute in enumerate(panel.attributes)
            ],
        )

    true = np.where(minority, 0, np.where(majority, 1, -1))
    predicted = np.where(panel.member("predicted:minority"), 0, np.where(panel.member("predicted:majority"), 1, -1))
    result = [tested("minority error exceeds majority error", panel.wrong, true, True)]
    for measure in columns:
        values = panel.column(columns[measure])
        result.append(tested(f"{measure} differs between true classes", values, true, False))
        result.append(tested(f"{measure} differs between predicted classes", values, predicted, False))
    return result
