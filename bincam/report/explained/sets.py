"""Label sets of explained images, by the thresholds that a study of the same model's audit has stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.display import counted
from bincam.errors import InputError
from bincam.studies.sets.per_image import SAYINGS
from bincam.studies.sets.scored import output_scores
from bincam.studies.sets.stored import SetRules
from bincam.studies.sets.study import ALL

if TYPE_CHECKING:
    from bincam.inference.zoom.plan import Plan
    from bincam.models import AttributeClassifier
    from bincam.report.explained.photographs import Photographs

MOST = 12
"""Subjects of which sets are printed, and names in each."""


@dataclass(frozen=True)
class AskedSets:
    """The label sets that a user asks for.

    Attributes:
        rules: Of a study.
        rule: Name of the rule; None for the study's primary one.
    """

    rules: SetRules
    rule: str | None = None

    def check(self, model: AttributeClassifier, views: Plan | None = None) -> AskedSets:
        """Return the same, if the study is of this model, and of the mean over these views.

        Raises:
            InputError: It is of another model or of other views, or has no such rule.
        """
        from bincam.provenance import model_digest

        self.rules.of(self.rule)
        if model_digest(model) != self.rules.digest:
            raise InputError(
                f"{self.rules.source}: sets of another model (card or weights differ); make them with 'bincam audit' "
                "and 'bincam sets' of this one"
            )
        asked = None if views is None else views.views
        if asked != self.rules.views:
            if self.rules.views is None:
                advice = "leave out --views, or name a study of an audit that was made with the same --views"
            else:
                advice = f"state --views {','.join(':'.join(map(str, view)) for view in self.rules.views)}"
            raise InputError(
                f"{self.rules.source}: sets of the scores of {_seen(self.rules.views)}, not of {_seen(asked)}; {advice}"
            )
        return self

    def describe(
        self, photographs: Photographs, model: AttributeClassifier, files: Sequence[Path], views: Plan | None = None
    ) -> list[dict[str, Any]]:
        """Describe the sets of images in JSON values; the model runs once more on each.

        Args:
            photographs: What turns files into the model's input.
            model: The classifier.
            files: The images, which were explained before.
            views: Views whose mean scores are meant; None for the model's own crop.

        Returns:
            Per image ``rule``, ``note`` and ``labels``: subject to the names in its set, None where undefined.
        """
        rule, fitted = self.rules.of(self.rule)
        scores = _Scores.of(photographs, model, files, views, second_head=self.rules.second_head)
        named: dict[str, list[list[str] | None]] = {
            subject: one.labels(scores.of_subject(subject, one.answers, self.rules.thresholds))
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
    >>> set_lines({"rule": "lac", "labels": {"shape": [f"s{k}" for k in range(60)]}}, ["shape"])
    ['sets by lac: shape: s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11 and 48 more']
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
    if list(labels) == ["no", "yes"]:
        return f"{SAYINGS[3]} (no, yes)"
    more = f" and {len(labels) - MOST} more" if len(labels) > MOST else ""
    return f"{', '.join(labels[:MOST])}{more}"


def _seen(views: Sequence[Any] | None) -> str:
    return "the model's own crop" if views is None else f"the mean over {counted(len(views), 'view')}"


@dataclass(frozen=True, eq=False)
class _Scores:
    """What a model says of N images: raw scores ``(N, A)``, and logits of a second head, if sets are made of these."""

    model: AttributeClassifier
    raw: NDArray[np.float32]
    of_second: NDArray[np.float32] | None

    @classmethod
    def of(
        cls,
        photographs: Photographs,
        model: AttributeClassifier,
        files: Sequence[Path],
        views: Plan | None,
        *,
        second_head: bool,
    ) -> _Scores:
        raw = _run(photographs, model, files, views, second_head=False)
        return cls(model, raw, _run(photographs, model, files, views, second_head=True) if second_head else None)

    def of_subject(self, subject: str, answers: Sequence[str], thresholds: Mapping[str, float]) -> NDArray[np.floating]:
        """Return the scores of a subject's answers ``(N, K)``, as the study made them."""
        from scipy.special import expit

        card = self.model.card
        names = list(card.attributes)
        if subject in card.one_of:
            place = dict(zip(card.set_columns[subject], card.set_output_columns[subject], strict=True))
            columns = [names.index(answer) for answer in answers]
            if self.of_second is None:
                return output_scores(self.raw[:, columns])
            return output_scores(self.of_second[:, [place[column] for column in columns]], second_head=True)
        of = list(answers) if subject == ALL else [subject]
        shift = np.array([thresholds.get(name, 0.0) for name in of], np.float32)
        z = self.raw[:, [names.index(name) for name in of]] - shift
        return np.asarray(expit(z) if subject == ALL else np.concatenate([expit(-z), expit(z)], 1), np.float32)


def _run(
    photographs: Photographs,
    model: AttributeClassifier,
    files: Sequence[Path],
    views: Plan | None,
    *,
    second_head: bool,
) -> NDArray[np.float32]:
    import torch

    from bincam.cam.views.mean import mean_scores
    from bincam.inference.borrowed_classifier import borrowed

    parts = []
    for file in files:
        with borrowed(model, second_head=second_head) as scores, torch.no_grad():
            if views is None:
                found = scores(photographs.tensor(file)[None])
            else:
                found = mean_scores(photographs.views(file, views), scores, None)
            parts.append(found.float().cpu().numpy())
    return np.concatenate(parts)
