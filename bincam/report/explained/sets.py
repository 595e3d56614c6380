"""Label sets of explained images, by the thresholds that a study of the same model's audit has stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.studies.sets.per_image import SAYINGS
from bincam.studies.sets.scored import probabilities
from bincam.studies.sets.stored import SetRules
from bincam.studies.sets.study import ALL

if TYPE_CHECKING:
    from bincam.cam import Explainer
    from bincam.models import AttributeClassifier

MOST = 12
"""Subjects of which sets are printed."""


@dataclass(frozen=True)
class AskedSets:
    """The label sets that a user asks for.

    Attributes:
        rules: Of a study.
        rule: Name of the rule; None for the study's primary one.
    """

    rules: SetRules
    rule: str | None = None

    def check(self, model: AttributeClassifier) -> AskedSets:
        """Return the same, if the study is of this model.

        Raises:
            InputError: It is of another model, or has no such rule.
        """
        from bincam.provenance import model_digest

        self.rules.of(self.rule)
        if model_digest(model) != self.rules.digest:
            raise InputError(
                f"{self.rules.source}: sets of another model (card or weights differ); make them with 'bincam audit' "
                "and 'bincam sets' of this one"
            )
        return self

    def describe(self, explainer: Explainer, model: AttributeClassifier, files: Sequence[Path]) -> list[dict[str, Any]]:
        """Describe the sets of images in JSON values; the model runs once more on each.

        Args:
            explainer: Whose preprocessing is used.
            model: The classifier.
            files: The images, which were explained before.

        Returns:
            Per image ``rule``, ``note`` and ``labels``: subject to the names in its set, None where undefined.
        """
        rule, fitted = self.rules.of(self.rule)
        scores = _raw_scores(explainer, model, files)
        named: dict[str, list[list[str] | None]] = {
            subject: one.labels(_of_subject(subject, one.answers, scores, model, self.rules.thresholds))
            for subject, one in fitted.items()
        }
        notes = list(dict.fromkeys(one.note for one in fitted.values()))
        return [
            {
                "rule": rule,
                "study": str(self.rules.source),
                "calibration": notes[0] if len(notes) == 1 else "see the study's summary",
                "labels": {subject: labels[row] for subject, labels in named.items()},
            }
            for row in range(len(files))
        ]


def set_lines(entry: Mapping[str, Any], subjects: Iterable[str]) -> list[str]:
    """Write the sets of one image, those of explained subjects first.

    >>> entry = {"rule": "lac", "labels": {"Bald": ["no", "yes"], "race": ["Black"], "Male": []}}
    >>> set_lines(entry, ["race"])
    ['sets by lac: race: Black; Bald: cannot say (no, yes); Male: nothing']
    """
    labels = entry["labels"]
    first = [name for name in subjects if name in labels]
    ordered = list(dict.fromkeys([*first, *labels]))
    shown = "; ".join(f"{name}: {_written(labels[name], name)}" for name in ordered[:MOST])
    more = f"; and {len(ordered) - MOST} more" if len(ordered) > MOST else ""
    return [f"sets by {entry['rule']}: {shown}{more}"]


def _written(labels: Sequence[str] | None, subject: str) -> str:
    if labels is None:
        return "undefined (a score is not finite)"
    if not labels:
        return "none" if subject == ALL else SAYINGS[0]
    return f"{SAYINGS[3]} (no, yes)" if list(labels) == ["no", "yes"] else ", ".join(labels)


def _raw_scores(explainer: Explainer, model: AttributeClassifier, files: Sequence[Path]) -> NDArray[np.float32]:
    import torch

    from bincam.inference.borrowed_classifier import borrowed
    from bincam.models import open_image

    parts = []
    for file in files:
        image = explainer.preprocess(open_image(file))[None]
        with borrowed(model) as scores, torch.no_grad():
            parts.append(scores(image).float().cpu().numpy())
    return np.concatenate(parts)


def _of_subject(
    subject: str,
    answers: Sequence[str],
    scores: NDArray[np.float32],
    model: AttributeClassifier,
    thresholds: Mapping[str, float],
) -> NDArray[np.floating]:
    """Return the scores of a subject's answers ``(N, K)``, as the study made them."""
    from scipy.special import expit

    names = list(model.card.attributes)
    if subject in model.card.one_of:
        return probabilities(scores[:, [names.index(answer) for answer in answers]])
    of = list(answers) if subject == ALL else [subject]
    shift = np.array([thresholds.get(name, 0.0) for name in of], np.float32)
    z = scores[:, [names.index(name) for name in of]] - shift
    return np.asarray(expit(z) if subject == ALL else np.concatenate([expit(-z), expit(z)], 1), np.float32)
