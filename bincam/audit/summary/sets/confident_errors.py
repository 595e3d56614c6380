"""The errors of sets of outputs of which the model is most certain, as candidates for labels to check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.sets.records import read_sets
from bincam.stats.sets.scores import log_odds

if TYPE_CHECKING:
    import pandas as pd

    from bincam.audit.folder.reader import Audit


def with_sets(errors: pd.DataFrame, audit: Audit) -> pd.DataFrame:
    """Add the errors of an audit's sets to those of its yes-or-no attributes.

    Args:
        errors: With ``row``, ``attribute``, ``label``, ``margin`` and ``probability``.
        audit: The audit.

    Returns:
        The errors of both, in which ``label`` is 1 or 0, or the name of the labelled output.
    """
    import pandas as pd
    from scipy.special import expit

    panel = read_panel(audit, [])
    parts = [errors.assign(attribute=errors["attribute"].astype(str), label=errors["label"].astype(int).astype(object))]
    for records in read_sets(audit, panel):
        at = np.flatnonzero(records.wrong == 1)
        scores, true = records.scores[at].astype(float), records.true[at]
        predicted = records.predicted[at]
        every = np.arange(len(at))
        parts.append(
            pd.DataFrame(
                {
                    "row": panel.rows[at],
                    "attribute": records.name,
                    "label": np.array(records.outputs, object)[true],
                    "margin": scores[every, predicted] - scores[every, true],
                    "probability": expit(log_odds(scores)[every, true]),
                }
            )
        )
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
