"""Thresholds chosen on the reference split, and what that gains on people whom they were not chosen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.reference_scores import read_reference_scores
from bincam.postprocessing.thresholds import tune
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.outcomes import answers
from bincam.stats.proportions import shares

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import Manifest
    from bincam.audit.folder.reader import Audit

FOLDS = 5
KEY = "reference_threshold"
"""Key of an attribute's entry in the summary."""

ERRORS = {"fnr": 1.0, "fpr": 0.0}
"""Errors, and the label of the images that they are of."""


@dataclass(frozen=True)
class ReferenceThreshold:
    """A threshold that was chosen on images which are not audited, and what choosing one so gains.

    Attributes:
        threshold: The one with the least balanced error on all of these images, in logit units.
        as_audited: Errors ``fnr`` and ``fpr`` of these images at the audited threshold.
        chosen: Errors at thresholds chosen on the other folds of people.
        gained: As audited minus chosen, of the same images.
    """

    threshold: float
    as_audited: dict[str, Estimate]
    chosen: dict[str, Estimate]
    gained: dict[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        errors = {"as_audited": self.as_audited, "chosen": self.chosen, "gained": self.gained}
        return {
            "threshold": self.threshold,
            "folds": FOLDS,
            **{key: {rate: one.to_json() for rate, one in of.items()} for key, of in errors.items()},
        }


def reference_threshold(
    logit: NDArray[np.floating],
    label: NDArray[np.floating],
    clusters: Clusters,
    audited: float,
    level: float = LEVEL,
) -> ReferenceThreshold | None:
    """Choose a threshold, and estimate what that gains by cross-fitting over people.

    A threshold looks better on the images that it was chosen on than on others. So people are dealt into ``FOLDS``
    folds, and each fold is judged at the threshold that is the best on the others. The intervals are of these images
    and people; how the choice varies with them is in the errors, but adds nothing to the width.

    Args:
        logit: ``(N,)``.
        label: ``(N,)``: 1, 0 or NaN.
        clusters: Clusters of the N images.
        audited: The audited threshold.
        level: Confidence level.

    Returns:
        None where some choice would have no image of a class.

    Example:
        A model that leans to *no* by two logits, on 400 images; the audited threshold is 0:

        >>> random = np.random.default_rng(0)
        >>> label = (np.arange(400) % 4 == 0).astype(float)
        >>> logit = 3 * (label - 0.5) - 2 + random.normal(size=400)
        >>> found = reference_threshold(logit, label, Clusters.of([""] * 400), 0.0)
        >>> -2.6 < found.threshold < -1.4, found.gained["fnr"].low > 0.4, found.gained["fpr"].high < 0
        (True, True, True)
    """
    usable = np.isfinite(logit) & np.isfinite(label)
    fold = _folds(clusters)
    for f in range(FOLDS):
        here = label[usable & (fold != f)]
        if not (here == 1).any() or not (here == 0).any():
            return None
    limit = np.full(len(logit), np.nan)
    for f in range(FOLDS):
        others = usable & (fold != f)
        limit[fold == f] = _best(logit[others], label[others])
    truth = np.where(usable, np.where(label > 0, 1, -1), 0)
    before, after = (
        np.where(usable, answers(np.where(usable, logit, np.nan), at) != truth, np.nan) for at in (audited, limit)
    )
    figures: dict[str, dict[str, Estimate]] = {"as_audited": {}, "chosen": {}, "gained": {}}
    for rate, of in ERRORS.items():
        inside = usable & (label == of)
        figures["as_audited"][rate] = shares(before, inside, clusters, level).estimate()
        figures["chosen"][rate] = shares(after, inside, clusters, level).estimate()
        one, other = (np.where(inside, wrong, np.nan) for wrong in (before, after))
        figures["gained"][rate] = paired_shares(one, other, clusters, level)
    return ReferenceThreshold(_best(logit[usable], label[usable]), **figures)


def add_reference_thresholds(summary: dict[str, Any], audit: Audit, level: float = LEVEL) -> None:
    """Add to the summary's attributes what a threshold chosen on the reference split gains there, where it is stored.

    Entries have the key ``reference_threshold``. Nothing is added where the reference split is the training split,
    whose errors are too small, or is audited itself.
    """
    scores = read_reference_scores(audit)
    source = audit.manifest.references_from
    if scores is None or source is None or not is_independent(audit.manifest):
        return
    for a, name in enumerate(scores.attributes):
        about = scores.logits[:, a], scores.labels[:, a], scores.clusters
        found = reference_threshold(*about, audit.manifest.thresholds[name], level)
        if found is not None:
            summary["attributes"][name][KEY] = {"split": list(source.split), **found.to_json()}


def is_independent(manifest: Manifest) -> bool:
    """Return True if the references are fitted on images that are neither audited nor those of training."""
    source = manifest.references_from
    if source is None or manifest.data.split is None:
        return False
    return not {"train", manifest.data.split} & set(source.split)


def _folds(clusters: Clusters) -> NDArray[np.int64]:
    """Deal clusters into folds ``(N,)``, in an order that does not follow that of the data."""
    order = np.random.default_rng(0).permutation(clusters.count)
    return np.asarray(order[clusters.codes] % FOLDS, np.int64)


def _best(logit: NDArray[np.floating], label: NDArray[np.floating]) -> float:
    return float(tune(np.asarray(logit, np.float64)[:, None], label[:, None])[0])
