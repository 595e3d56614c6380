"""Contrast of two models on the sets of outputs that both audits have: accuracy and minority error, paired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.panel import Panel
from bincam.audit.summary.sets.records import SetRecords, read_sets
from bincam.compare.names import Names, phrase
from bincam.errors import InputError
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.formatting import p_value, stated
from bincam.stats.hypotheses.hypothesis_tests import mcnemar
from bincam.stats.proportions import shares
from bincam.stats.sets.estimates import complement
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.paired import paired_mean_rates

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

SetPair = tuple[SetRecords, SetRecords]


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
        Name of a set to ``outputs``, ``minority``, ``rates`` (``accuracy`` and ``minority_error`` of each model) and
        ``differences`` (first minus second; of the accuracy with the p-value of McNemar's test over clusters).
    """
    result = {}
    for first, second in pairs:
        wrong = first.wrong, second.wrong
        both = np.isfinite(wrong[0]) & np.isfinite(wrong[1])
        one, other = (np.where(both, of_model, np.nan) for of_model in wrong)
        rare = np.flatnonzero(first.rare).tolist()
        test = mcnemar(one, other, first.clusters)
        accuracies = [complement(shares(w, both, first.clusters, level).estimate()) for w in (one, other)]
        minority = [mean_rate(w, first.true, rare, first.clusters, level) for w in (one, other)]
        result[first.name] = {
            "outputs": list(first.outputs),
            "minority": [first.outputs[k] for k in rare],
            "minority_from": "card" if first.trained else "audited data",
            "images": int(both.sum()),
            "rates": {
                rate: {column: figure.to_json() for column, figure in zip(columns, figures, strict=True)}
                for rate, figures in (("accuracy", accuracies), ("minority_error", minority))
            },
            "differences": {
                "accuracy": {
                    "difference": paired_shares(1 - one, 1 - other, first.clusters, level).to_json(),
                    "p": test.p if np.isfinite(test.p) else None,
                    "test": test.method,
                },
                "minority_error": {
                    "difference": paired_mean_rates(one, other, first.true, rare, first.clusters, level).to_json()
                },
            },
        }
    return result


def set_sentences(entry: dict[str, Any], columns: Sequence[str], names: Names) -> list[str]:
    """Write the comparison of a set in words.

    Args:
        entry: Of ``contrast_sets``.
        columns: The same.
        names: Names of the models.
    """
    called = [phrase(name, role=names.roles) for name in (names.first, names.second)]
    sentences = []
    for rate, text in (("accuracy", "The accuracy"), ("minority_error", "The minority error")):
        first, second = (Estimate.from_json(entry["rates"][rate][column]) for column in columns)
        if not (first.defined and second.defined):
            continue
        compared = entry["differences"][rate]
        difference = stated(Estimate.from_json(compared["difference"]), "points")
        p = f", p = {p_value(compared['p'])} (McNemar)" if compared.get("p") is not None else ""
        sentences.append(
            f"{text} is {stated(first, 'percent')} for {called[0]} and {stated(second, 'percent')} for {called[1]}: a "
            f"difference of {difference}{p}."
        )
    return sentences
