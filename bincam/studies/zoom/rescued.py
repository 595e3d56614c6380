"""Rescued images of a zoom study: the model's own crop is wrong, some view is right; and those that stand for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bincam.inference.zoom.plan import View
from bincam.stats.nearest_rank import nearest_ranks
from bincam.studies.zoom.question import Question
from bincam.studies.zoom.seen import SeenViews


@dataclass(frozen=True)
class RescuedImage:
    """An image that the own crop gets wrong and some view right, with the right view of the greatest margin.

    Attributes:
        question: Name of the question.
        row: Its row in the study.
        image: Its name in the data set.
        own: The answer at the own crop, in words.
        true: The true answer, which the view gives.
        share: Share of all views that are right.
        view: The view.
        output: Output that the map of the view is of: the attribute, or of a set the true output.
        side: The view's decision on this output: -1 where the true answer is no, else 1.
    """

    question: str
    row: int
    image: str
    own: str
    true: str
    share: float
    view: View
    output: str
    side: int


def find_rescued(seen: SeenViews) -> tuple[RescuedImage, ...]:
    """Choose examples of each question: of its rescued images, three at most.

    They are sorted by the share of right views (ties in the order of the data); those at the 10th, 50th and 90th
    percentile are taken.
    """
    return tuple(_rescued(seen, question, row) for question in seen.questions for row in _rows(seen, question))


def _rows(seen: SeenViews, question: Question) -> list[int]:
    answers, true = seen.answers(question.name)
    own = seen.own_answers(question.name)
    right = answers == true[:, None]
    rescued = np.flatnonzero((true >= 0) & (own >= 0) & (own != true) & right.any(1))
    order = rescued[np.argsort(right[rescued].mean(1), kind="stable")]
    return [int(order[place]) for place in nearest_ranks(len(order))]


def _rescued(seen: SeenViews, question: Question, row: int) -> RescuedImage:
    answers, true = seen.answers(question.name)
    right, answer = answers[row] == true[row], int(true[row])
    return RescuedImage(
        question.name,
        row,
        str(seen.images["image"].iloc[row]),
        question.answers_named[seen.own_answers(question.name)[row]],
        question.answers_named[answer],
        float(right.mean()),
        seen.plan.views[_best(seen, question, row, answer)],
        question.outputs[answer if question.is_set else 0],
        1 if question.is_set or answer else -1,
    )


def _best(seen: SeenViews, question: Question, row: int, answer: int) -> int:
    """The right view with the greatest margin: of the true answer's logit, as it is stored in float16."""
    answers, _ = seen.answers(question.name)
    shard, place = seen.shard_of(row)
    logits = shard.logits[place].astype(np.float64)
    margin = (
        logits[:, question.columns[answer]] if question.is_set else (2 * answer - 1) * logits[:, question.columns[0]]
    )
    return int(np.where(answers[row] == answer, np.nan_to_num(margin, nan=-np.inf), -np.inf).argmax())
