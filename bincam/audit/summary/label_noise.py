"""Error rates of an audit with a stated share of wrong labels, and the errors that are most likely wrong labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.audit.folder.parts.sampled import readable
from bincam.errors import InputError, nearest
from bincam.stats.calibration import probability
from bincam.stats.estimate import Estimate
from bincam.stats.rates.label_noise import WrongLabels, noise_corrected

if TYPE_CHECKING:
    import pandas as pd

    from bincam.audit.folder.reader import Audit

NOISE_RATES = ("fnr_noise_corrected", "fpr_noise_corrected")
"""Rates that exist where a share of wrong labels was stated."""

RELABEL_COLUMNS = ("attribute", "rank", "image", "row", "identity", "label", "margin", "probability", "new_label")
PER_ATTRIBUTE = 50
ERRORS_AT_ONCE = 500_000
"""Errors that are kept before the least certain ones are left out."""


def stated_noise(stated: Mapping[str, Sequence[float]], attributes: Sequence[str]) -> dict[str, WrongLabels]:
    """Check stated shares of wrong labels.

    Args:
        stated: Attribute to the shares among positive and among negative labels.
        attributes: The audited attributes.

    Raises:
        InputError: An attribute is not audited, or its shares are impossible.

    >>> stated_noise({"Bald": (0.02, 0.0)}, ["Bald", "Young"])
    {'Bald': WrongLabels(positives=0.02, negatives=0.0)}
    """
    result = {}
    for name, shares in stated.items():
        if name not in attributes:
            raise InputError(f"label noise of {name!r}, which is not audited{nearest(name, attributes)}")
        try:
            positives, negatives = (float(share) for share in shares)
            result[name] = WrongLabels(positives, negatives)
        except InputError as error:
            raise InputError(f"label noise of {name!r}: {error}") from None
        except (TypeError, ValueError):
            raise InputError(
                f"label noise of {name!r}: expected two shares, among positive and among negative labels, got {shares}"
            ) from None
    return result


def corrected_rates(
    rates: Mapping[str, Estimate], counts: Mapping[str, int], noise: WrongLabels
) -> tuple[dict[str, Estimate], dict[str, Any]]:
    """Correct an attribute's error rates for its stated share of wrong labels.

    Args:
        rates: With ``fnr`` and ``fpr``.
        counts: Number of images by outcome.
        noise: The stated shares.

    Returns:
        The rates of ``NOISE_RATES``, and the entry ``label_noise`` of the summary.
    """
    corrected = noise_corrected(
        rates["fnr"], rates["fpr"], counts["TP"] + counts["FN"], counts["FP"] + counts["TN"], noise
    )
    entry = {
        "positives": noise.positives,
        "negatives": noise.negatives,
        "fnr_bounds": [_finite(end) for end in corrected.fnr_bounds],
        "fpr_bounds": [_finite(end) for end in corrected.fpr_bounds],
        "reason": corrected.reason,
    }
    return dict(zip(NOISE_RATES, (corrected.fnr, corrected.fpr), strict=True)), entry


def confident_errors(audit: Audit, per_attribute: int = PER_ATTRIBUTE) -> pd.DataFrame:
    r"""List the errors of which the model is most certain, as candidates for labels to check.

    A confident error is either a wrong label or the model's worst mistake; only a look at the image can tell. The list
    is ordered by the distance of the logit from the threshold, |z - t|, on the wrong side of it (the margin of
    Northcutt et al. 2021, arXiv 1911.00068, without their estimate of how many labels are wrong, which assumes
    calibrated probabilities). Of a set of outputs the row names the set and the labelled output, the margin is the raw
    score of the predicted output less that of the labelled one, and the probability is that of the labelled one.

    Args:
        audit: The audit.
        per_attribute: Number of images of each attribute.

    Returns:
        The columns of ``RELABEL_COLUMNS``: ``label`` is the recorded one, ``margin`` in logit units, ``probability``
        that of the positive class, and ``new_label`` is empty, to be filled in.

    Raises:
        InputError: ``per_attribute`` is below 1.

    Example:
        A small model with random weights is audited on eight generated images:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> from bincam.audit import Settings, confident_errors, run
        >>> from bincam.example import write_images
        >>> from bincam.models import build
        >>> folder = Path(tempfile.mkdtemp())
        >>> lines = [f"{file.name},{int('disc' in file.name)}" for file in write_images(folder)]
        >>> _ = (folder / "table.csv").write_text("\n".join(["image,disc", *lines]))
        >>> model = build("resnet10t", ["disc"], channels=[8, 8, 8, 8], stem_width=8, input_size=(32, 32))
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no training counts
        ...     audit = run(model, folder / "table.csv", folder / "audit", Settings(split=None, gate_images=0))
        >>> errors = confident_errors(audit)
        >>> len(errors) == audit.summary["attributes"]["disc"]["rates"]["error"]["value"] * len(lines)
        True
    """
    if per_attribute < 1:
        raise InputError(f"per_attribute={per_attribute}: at least one image")
    wrong = _errors(audit, per_attribute)
    if audit.one_of:
        from bincam.audit.summary.sets.confident_errors import with_sets

        wrong = with_sets(wrong, readable(audit))
    wrong = _most_certain(wrong, per_attribute)
    named = audit.images.set_index("row")[["image", "identity"]]
    wrong = wrong.join(named, on="row")
    wrong["label"] = wrong["label"].astype(object if audit.one_of else int)
    wrong["attribute"] = wrong["attribute"].astype(str)
    wrong["new_label"] = ""
    result: pd.DataFrame = wrong[list(RELABEL_COLUMNS)].reset_index(drop=True)
    return result


def _errors(audit: Audit, per_attribute: int) -> pd.DataFrame:
    """Find the most certain errors of yes-or-no attributes, of which there are never many more than asked for."""
    import pandas as pd

    single = list(audit.manifest.yes_or_no)
    kept: list[pd.DataFrame] = []
    waiting = 0
    for part in audit.record_parts(["row", "attribute", "label", "logit", "threshold", "outcome"]):
        frame = part.to_pandas()
        wrong = frame[frame["outcome"].isin(["FP", "FN"]) & frame["attribute"].isin(single)].copy()
        logit = wrong["logit"].to_numpy(float)
        wrong["margin"] = np.abs(logit - wrong["threshold"].to_numpy(float))
        wrong["probability"] = probability(logit, audit.manifest.head)
        wrong["attribute"] = pd.Categorical(wrong["attribute"].astype(str), categories=list(audit.attributes))
        kept.append(wrong)
        waiting += len(wrong)
        if waiting > ERRORS_AT_ONCE:
            kept, waiting = [_most_certain(pd.concat(kept, ignore_index=True), per_attribute)], 0
    return pd.concat(kept, ignore_index=True)


def _most_certain(wrong: pd.DataFrame, per_attribute: int) -> pd.DataFrame:
    """Select the errors with the greatest margins of each attribute, with their rank."""
    # Ties by row, so that the list does not depend on how the sort treats them.
    wrong = wrong.sort_values(["attribute", "margin", "row"], ascending=[True, False, True], kind="stable")
    wrong["rank"] = wrong.groupby("attribute", observed=True).cumcount() + 1
    return wrong[wrong["rank"] <= per_attribute]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
