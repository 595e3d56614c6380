"""Contrast of two models on the sets of outputs that both audits have: errors, paired, and confusion tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.panel import Panel
from bincam.audit.summary.sets.records import SetRecords, occupied, read_sets
from bincam.compare.names import Names, phrase
from bincam.errors import InputError
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.formatting import p_stated, stated
from bincam.stats.hypotheses.hypothesis_tests import mcnemar
from bincam.stats.proportions import Shares, shares
from bincam.stats.sets.estimates import complement
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.paired import paired_mean_rates

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

SetPair = tuple[SetRecords, SetRecords]

RATES = ("accuracy", "balanced_accuracy", "minority_error", "majority_error")
"""Rates of a set that are compared."""

SENTENCES = {
    "accuracy": "The accuracy",
    "minority_error": "The minority error",
    "majority_error": "The majority error",
}
"""Those that are compared in words."""


def pair_sets(
    audits: tuple[Audit, Audit], panels: tuple[Panel, Panel], rows: NDArray[np.int64], clusters: Clusters
) -> tuple[SetPair, ...]:
    """Align the sets that both audits have.

    Args:
        audits: The two audits.
        panels: Their records.
        rows: Rows of the images that both have.
        clusters: Clusters of these images.

    Raises:
        InputError: A set has other outputs, or other labels, in the two audits.
    """
    of_first, of_second = (
        {records.name: records for records in read_sets(audit, panel)}
        for audit, panel in zip(audits, panels, strict=True)
    )
    pairs = []
    for name in of_first:
        if name not in of_second:
            continue
        first, second = (
            of[name].take(np.searchsorted(panel.rows, rows), clusters)
            for of, panel in zip((of_first, of_second), panels, strict=True)
        )
        where = f"{audits[0].folder} and {audits[1].folder}: set {name!r}"
        if first.outputs != second.outputs:
            differing = sorted(set(first.outputs) ^ set(second.outputs))
            what = f"other outputs ({differing[0]!r} is in one only)" if differing else "its outputs in another order"
            raise InputError(f"{where} has {what}, so its errors are not comparable; audit models of the same set")
        if not np.array_equal(first.true, second.true):
            number = int((first.true != second.true).sum())
            raise InputError(f"{where}: {number} labels differ; audit both with the same labels")
        pairs.append((first, second))
    return tuple(pairs)


def contrast_sets(pairs: Sequence[SetPair], columns: Sequence[str], level: float = LEVEL) -> dict[str, Any]:
    """Compare two models on sets.

    Args:
        pairs: Of ``pair_sets``. The minority of a set is that of the first model.
        columns: Names of the first and of the second model.
        level: Confidence level.

    Returns:
        Name of a set to ``outputs``, ``minority``, ``images`` (whose prediction is defined for both models; all figures
        are of these), ``rates`` (those of ``RATES`` for each model), ``differences`` (first minus second; of the
        accuracy with the p-value of McNemar's test over clusters), ``by_output`` (images, misses ``fnr`` and false
        alarms ``fpr`` for each model) and ``confusion``, for each model ``counts`` ``(K, K)`` with rows true and
        columns predicted, or of a large set ``cells``, the occupied ones as ``[true, predicted, count]``.
    """
    return {first.name: _contrast_set(first, second, columns, level) for first, second in pairs}


def _contrast_set(first: SetRecords, second: SetRecords, columns: Sequence[str], level: float) -> dict[str, Any]:
    wrong = first.wrong, second.wrong
    both = np.isfinite(wrong[0]) & np.isfinite(wrong[1])
    one, other = (np.where(both, of_model, np.nan) for of_model in wrong)
    true, clusters, K = first.true, first.clusters, len(first.outputs)
    rare = np.flatnonzero(first.rare).tolist()
    common = np.flatnonzero(~first.rare).tolist()
    test = mcnemar(one, other, clusters)

    def means(outputs: Sequence[int]) -> list[Estimate]:
        return [mean_rate(of_model, true, outputs, clusters, level) for of_model in (one, other)]

    rates = {
        "accuracy": [complement(shares(w, both, clusters, level).estimate()) for w in (one, other)],
        "balanced_accuracy": [complement(error) for error in means(range(K))],
        "minority_error": means(rare),
        "majority_error": means(common),
    }
    differences: dict[str, Estimate] = {
        "accuracy": paired_shares(1 - one, 1 - other, clusters, level),
        # A difference of accuracies is that of the errors with the models exchanged.
        "balanced_accuracy": paired_mean_rates(other, one, true, range(K), clusters, level),
        "minority_error": paired_mean_rates(one, other, true, rare, clusters, level),
        "majority_error": paired_mean_rates(one, other, true, common, clusters, level),
    }
    tested = {"accuracy": {"p": test.p if np.isfinite(test.p) else None, "test": test.method}}
    large = first.large or second.large
    predictions = [np.where(both, records.predicted, -1) for records in (first, second)]
    tables = [_confusion(true, predicted, K) for predicted in predictions]
    return {
        "outputs": list(first.outputs),
        "minority": [first.outputs[k] for k in rare],
        "minority_from": "card" if first.trained else "audited data",
        "images": int(both.sum()),
        "rates": {rate: _by_model(columns, figures) for rate, figures in rates.items()},
        "differences": {
            rate: {"difference": difference.to_json(), **tested.get(rate, {})}
            for rate, difference in differences.items()
        },
        "by_output": _by_output(first, predictions, both, columns, level),
        "confusion": {
            column: {"cells": occupied(table)} if large else {"counts": table.tolist()}
            for column, table in zip(columns, tables, strict=True)
        },
    }


def _by_model(columns: Sequence[str], figures: Sequence[Estimate]) -> dict[str, Any]:
    return {column: figure.to_json() for column, figure in zip(columns, figures, strict=True)}


def _by_output(
    records: SetRecords,
    predictions: Sequence[NDArray[np.int64]],
    both: NDArray[np.bool_],
    columns: Sequence[str],
    level: float,
) -> dict[str, Any]:
    """Estimate misses and false alarms of every output for each model, of the images that both have."""
    every = np.arange(len(records.outputs))
    is_true = records.true[:, None] == every
    estimates: dict[str, list[Shares]] = {"fnr": [], "fpr": []}
    for predicted in predictions:
        is_predicted = np.where(both[:, None], predicted[:, None] == every, np.nan)
        estimates["fnr"].append(shares(1 - is_predicted, is_true & both[:, None], records.clusters, level))
        estimates["fpr"].append(shares(is_predicted, ~is_true & both[:, None], records.clusters, level))
    return {
        output: {
            "images": int((is_true[:, k] & both).sum()),
            **{rate: _by_model(columns, [of.estimate(k) for of in models]) for rate, models in estimates.items()},
        }
        for k, output in enumerate(records.outputs)
    }


def _confusion(true: NDArray[np.int64], predicted: NDArray[np.int64], K: int) -> NDArray[np.int64]:
    usable = (true >= 0) & (predicted >= 0)
    cells = np.bincount(true[usable] * K + predicted[usable], minlength=K * K)
    return cells.reshape(K, K).astype(np.int64)


def set_sentences(entry: dict[str, Any], columns: Sequence[str], names: Names) -> list[str]:
    """Write the comparison of a set in words.

    Args:
        entry: Of ``contrast_sets``.
        columns: The same.
        names: Names of the models.
    """
    called = [phrase(name, role=names.roles) for name in (names.first, names.second)]
    sentences = []
    for rate, text in SENTENCES.items():
        first, second = (Estimate.from_json(entry["rates"][rate][column]) for column in columns)
        if not (first.defined and second.defined):
            continue
        compared = entry["differences"][rate]
        difference = stated(Estimate.from_json(compared["difference"]), "points")
        p = f", {p_stated(compared['p'])} (McNemar)" if compared.get("p") is not None else ""
        sentences.append(
            f"{text} is {stated(first, 'percent')} for {called[0]} and {stated(second, 'percent')} for {called[1]}: a "
            f"difference of {difference}{p}."
        )
    return sentences
