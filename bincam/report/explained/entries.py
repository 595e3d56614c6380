"""Explanations in JSON values: an entry per image and attribute, and what all images share about sets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bincam.decision import is_positive
from bincam.stats.outcomes import class_name

if TYPE_CHECKING:
    from bincam.cam import Explanation, Ledger, Reference
    from bincam.references import MapReference

_SIDES = {1.0: "positive", -1.0: "negative"}


def about_sets(explanation: Explanation) -> dict[str, Any]:
    """State of which sets outputs are explained, and against what; empty if there are none."""
    sets = list(dict.fromkeys(name for name in explanation.sets if name is not None))
    return {"one_of": sets, "versus": explanation.versus} if sets else {}


def number(value: float) -> float | None:
    """Round to seven significant digits, the precision of float32; None where the value is undefined.

    Example:
        >>> number(0.123456789), number(float("nan"))
        (0.1234568, None)
    """
    return float(f"{value:.7g}") if math.isfinite(value) else None


def describe(
    explanation: Explanation, reference: MapReference | Reference = "zero", *, blind: bool = False
) -> list[list[dict[str, Any]]]:
    """Describe each image and attribute of a batch in JSON values.

    Args:
        explanation: Explanation of the batch.
        reference: What its maps are counted from; the ledger is stated against it too, where it is one of the head's.
        blind: True if the method has no sides; the ledger is then that of the positive side.

    Returns:
        ``[image][attribute]``: logit, probability, threshold, ledger and map; of an output in a set also the set's
        name, and no threshold. With ``top``, an entry has its rank, and the name of the output at this rank.
    """
    from bincam.models.heads import probability

    ledgers = [explanation.ledger("zero"), explanation.ledger("floor")]
    if not isinstance(reference, str) and not reference.method:
        ledgers.append(explanation.ledger(reference))
    probabilities, gaps = explanation.probability, explanation.identity_gap
    at_threshold = probability(explanation.threshold, explanation.head)
    result = []
    for row in range(len(explanation.logits)):
        entries = []
        for column, name in enumerate(explanation.output_names(row)):
            logit, limit = explanation.logits[row, column].item(), explanation.threshold[column].item()
            owner = explanation.set_of(column)
            taken = explanation.predicted
            positive = is_positive(logit, limit) if taken is None else bool(taken[row, column])
            rank = None if explanation.outputs is None or owner is None else explanation.attributes[column]
            entries.append(
                {
                    "name": name,
                    **({} if owner is None else {"one_of": owner}),
                    **({} if rank is None else {"rank": rank}),
                    "logit": number(logit),
                    "probability": number(probabilities[row, column].item()),
                    "threshold": number(limit) if owner is None else None,
                    "threshold_probability": number(at_threshold[column].item()) if owner is None else None,
                    "predicted": None if math.isnan(logit) else class_name(1 if positive else -1),
                    "explained": None if blind else _SIDES.get(explanation.side[row, column].item()),
                    "bias": None if explanation.bias is None else number(explanation.bias[row, column].item()),
                    "identity_gap": number(gaps[row, column].item()),
                    **_beyond(explanation, row, column),
                    "ledger": {ledger.reference: _terms(ledger, row, column) for ledger in ledgers},
                    **({} if explanation.reference == "zero" else {"reference": explanation.reference}),
                    "map": [[number(value) for value in line] for line in explanation.maps[row, column].tolist()],
                }
            )
        result.append(entries)
    return result


def _beyond(explanation: Explanation, row: int, column: int) -> dict[str, Any]:
    """The entry of evidence beyond the image, for the positive class; empty without views."""
    if not explanation.views:
        return {}
    beyond = explanation.beyond
    return {"beyond": None if beyond is None else number(beyond[row, column].item())}


def _terms(ledger: Ledger, row: int, column: int) -> dict[str, Any]:
    names = (
        "support",
        "opposition",
        "bias",
        "prefix",
        "alternatives",
        "placed_support",
        "placed_opposition",
        "bias_share",
        "empty",
        "gap",
    )
    return {name: number(getattr(ledger, name)[row, column].item()) for name in names}
