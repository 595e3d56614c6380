"""Contrast of two models on sets of outputs: errors, paired, tests as one family, and confusion tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.sets.records import occupied
from bincam.compare.sets.pairs import OutputPair, SetPair
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.hypotheses.hypothesis_tests import Test, family, mcnemar
from bincam.stats.proportions import Shares, shares
from bincam.stats.sets.estimates import complement
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.paired import paired_mean_rates

RATES = ("accuracy", "balanced_accuracy", "minority_error", "majority_error")
"""Rates of a set that are compared."""

FAMILY = "answers on sets differ between the models"
"""Name of the family of tests: of the accuracy of sets, and of errors of outputs that are compared one by one."""

Tests = list[tuple[Mapping[str, Any], Test]]


@dataclass(frozen=True)
class ContrastedSets:
    """The comparison of two models on sets of outputs.

    Attributes:
        sets: Name of a set to ``outputs``, ``name_in_second`` (where the second model calls it otherwise),
            ``minority``, ``images`` (whose prediction is defined for both models; all figures are of these), ``rates``
            (those of ``RATES`` for each model), ``differences`` (first minus second; of the accuracy with McNemar's
            test over clusters: ``p``, and ``holm``, corrected within the family), ``by_output`` (images, misses ``fnr``
            and false alarms ``fpr`` for each model, and unless a set is large their paired ``differences``) and
            ``confusion``, for each model ``counts`` ``(K, K)`` with rows true and columns predicted, or of a large set
            ``cells``, the occupied ones as ``[true, predicted, count]``.
        outputs: Name of an output that the models state differently to ``sets`` (the set of which it is an output, by
            model; None where it is a yes-or-no attribute), ``images``, ``rates`` (``fnr`` and ``fpr``, for each model)
            and ``differences``, as above.
        families: The family of all their tests; none without tests.
    """

    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    families: tuple[dict[str, Any], ...] = ()


def contrast_sets(
    pairs: Sequence[SetPair], outputs: Sequence[OutputPair], columns: Sequence[str], level: float = LEVEL
) -> ContrastedSets:
    """Compare two models on sets, and on single outputs that they state differently.

    Args:
        pairs: Of ``pair_sets``. The minority of a set is that of the first model.
        outputs: Of ``pair_sets``.
        columns: Names of the first and of the second model.
        level: Confidence level.
    """
    tests: Tests = []
    sets = {pair.name: _contrast_set(pair, columns, level, tests) for pair in pairs}
    single = {output.name: _contrast_output(output, columns, level, tests) for output in outputs}
    if not tests:
        return ContrastedSets(sets, single)
    corrected = family(FAMILY, tests)
    for test in corrected["tests"]:
        entry = (single if test["measure"] in ("fnr", "fpr") else sets)[test["attribute"]]
        entry["differences"][test["measure"]] |= {name: test[name] for name in ("p", "test", "holm")}
    return ContrastedSets(sets, single, (corrected,))


def _contrast_set(pair: SetPair, columns: Sequence[str], level: float, tests: Tests) -> dict[str, Any]:
    both, true, clusters, K = pair.both, pair.true, pair.clusters, len(pair.outputs)
    one, other = (np.where(both, predicted != true, np.nan) for predicted in pair.predicted)
    rare = np.flatnonzero(pair.rare).tolist()
    common = np.flatnonzero(~pair.rare).tolist()
    # Of what is right rather than wrong, so that the difference is that of the accuracies; p is the same.
    tests.append(({"attribute": pair.name, "measure": "accuracy"}, mcnemar(1 - one, 1 - other, clusters)))

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
    predictions = [np.where(both, predicted, -1) for predicted in pair.predicted]
    tables = [_confusion(true, predicted, K) for predicted in predictions]
    return {
        "outputs": list(pair.outputs),
        **({"name_in_second": pair.name_in_second} if pair.name_in_second != pair.name else {}),
        "minority": [pair.outputs[k] for k in rare],
        "minority_from": "card" if pair.trained else "audited data",
        "images": int(both.sum()),
        "rates": {rate: _by_model(columns, figures) for rate, figures in rates.items()},
        "differences": {rate: {"difference": difference.to_json()} for rate, difference in differences.items()},
        "by_output": _by_output(pair, predictions, both, columns, level),
        "confusion": {
            column: {"cells": occupied(table)} if pair.large else {"counts": table.tolist()}
            for column, table in zip(columns, tables, strict=True)
        },
    }


def _by_model(columns: Sequence[str], figures: Iterable[Estimate]) -> dict[str, Any]:
    return {column: figure.to_json() for column, figure in zip(columns, figures, strict=True)}


def _by_output(
    pair: SetPair,
    predictions: Sequence[NDArray[np.int64]],
    both: NDArray[np.bool_],
    columns: Sequence[str],
    level: float,
) -> dict[str, Any]:
    """Estimate misses and false alarms of every output for each model, of the images that both have."""
    every = np.arange(len(pair.outputs))
    is_true = pair.true[:, None] == every
    estimates: dict[str, list[Shares]] = {"fnr": [], "fpr": []}
    for predicted in predictions:
        is_predicted = np.where(both[:, None], predicted[:, None] == every, np.nan)
        estimates["fnr"].append(shares(1 - is_predicted, is_true & both[:, None], pair.clusters, level))
        estimates["fpr"].append(shares(is_predicted, ~is_true & both[:, None], pair.clusters, level))
    result = {}
    for k, output in enumerate(pair.outputs):
        result[output] = {
            "images": int((is_true[:, k] & both).sum()),
            **{rate: _by_model(columns, [of.estimate(k) for of in models]) for rate, models in estimates.items()},
        }
        if not pair.large:
            result[output]["differences"] = _of_output(pair, predictions, both, k, level)
    return result


def _of_output(
    pair: SetPair, predictions: Sequence[NDArray[np.int64]], both: NDArray[np.bool_], k: int, level: float
) -> dict[str, Any]:
    """Estimate the paired differences of an output's misses and false alarms, first minus second."""
    result = {}
    for rate, inside in (("fnr", pair.true == k), ("fpr", (pair.true >= 0) & (pair.true != k))):
        one, other = (np.where(inside & both, (of == k) == (rate == "fpr"), np.nan) for of in predictions)
        result[rate] = paired_shares(one, other, pair.clusters, level).to_json()
    return result


def _confusion(true: NDArray[np.int64], predicted: NDArray[np.int64], K: int) -> NDArray[np.int64]:
    usable = (true >= 0) & (predicted >= 0)
    cells = np.bincount(true[usable] * K + predicted[usable], minlength=K * K)
    return cells.reshape(K, K).astype(np.int64)


def _contrast_output(pair: OutputPair, columns: Sequence[str], level: float, tests: Tests) -> dict[str, Any]:
    answers = np.stack(pair.answers)
    both = np.isfinite(pair.label) & (answers != 0).all(0)
    wrong = np.where(both, (answers > 0) != (pair.label > 0), np.nan)
    rates: dict[str, Any] = {}
    differences: dict[str, Any] = {}
    for rate, label in (("fnr", 1), ("fpr", 0)):
        one, other = (np.where(pair.label == label, of_model, np.nan) for of_model in wrong)
        rates[rate] = _by_model(columns, (_share(of_model, pair.clusters, level) for of_model in (one, other)))
        differences[rate] = {"difference": paired_shares(one, other, pair.clusters, level).to_json()}
        tests.append(({"attribute": pair.name, "measure": rate}, mcnemar(one, other, pair.clusters)))
    return {
        "sets": dict(zip(columns, pair.sets, strict=True)),
        "images": int(both.sum()),
        "rates": rates,
        "differences": differences,
    }


def _share(values: NDArray[np.floating], clusters: Clusters, level: float) -> Estimate:
    return shares(values, np.isfinite(values), clusters, level).estimate()
