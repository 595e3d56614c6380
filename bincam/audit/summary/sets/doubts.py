"""Doubts about sets of outputs that their own figures raise: constant scores, one prediction, outputs out of order."""

from __future__ import annotations

import numpy as np

from bincam.audit.summary.sets.records import SetRecords
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import stated

HALF = 0.5


def set_doubts(records: SetRecords, macro_auroc: Estimate) -> list[dict[str, str]]:
    """Raise the doubts about one set.

    Returns:
        Entries as those of ``doubts``, whose ``attribute`` is the set.
    """
    finite = np.isfinite(records.scores).all(1)
    scores, predicted = records.scores[finite], records.predicted[finite]
    raised: list[tuple[str, str]] = []
    if len(scores) < 2:
        return []
    if macro_auroc.defined and macro_auroc.high < HALF:
        raised.append(
            (
                "swapped",
                f"the macro AUROC is {stated(macro_auroc)}, below 0.5 throughout: are the outputs in the order of the "
                "names on the model's card?",
            )
        )
    spread = scores - scores[:, :1]
    if not (spread != spread[0]).any():
        raised.append(
            (
                "constant",
                f"the model gives the same probabilities to all {len(scores):,} images: are the outputs of this set "
                "connected, and are the images read correctly?",
            )
        )
    elif (predicted == predicted[0]).all():
        raised.append(("threshold", f"{records.outputs[predicted[0]]} is predicted for all {len(scores):,} images"))
    return [{"attribute": records.name, "kind": kind, "text": text} for kind, text in raised]
