"""The summary of a zoom study: its plan, a blank frame, and the figures of every question."""

from __future__ import annotations

from typing import Any

import numpy as np

from bincam.inference.prediction import Predictions
from bincam.inference.zoom.geometry import Places
from bincam.inference.zoom.plan import Plan
from bincam.stats.estimate import LEVEL
from bincam.stats.framing.label_vectors import exact_match
from bincam.studies.zoom.encoding import encoded
from bincam.studies.zoom.question import Question
from bincam.studies.zoom.question_figures import question_figures
from bincam.studies.zoom.seen import SeenViews
from bincam.studies.zoom.subject import Subject


def summarise_zoom(seen: SeenViews, subject: Subject, blank: Predictions) -> dict[str, Any]:
    """Compute the content of ``summary.json``, JSON values.

    Args:
        seen: The study, with all shards.
        subject: Model, images and questions.
        blank: What the model says of a blank frame, of the outputs that are asked for.

    Returns:
        ``images``, ``people`` (None where the data names none), ``skipped``, ``level``, ``plan``, ``blank`` (by
        question), ``questions`` (by name, see ``question_figures``), ``exact_match`` (None with one question) and
        ``undefined_views`` (by question).
    """
    clusters, plan, places = seen.clusters, seen.plan, seen.places
    visible = places.visible_anchors()
    figures = {}
    for question in seen.questions:
        answers, true = seen.answers(question.name)
        centres = seen.centres(question.name)
        figures[question.name] = question_figures(
            question,
            answers,
            true,
            seen.own_answers(question.name),
            plan,
            places,
            visible,
            clusters,
            None if centres is None else places.visible(centres),
        )
    several = [seen.answers(question.name) for question in seen.questions]
    return {
        "images": len(seen.images),
        "people": clusters.count if clusters.known else None,
        "skipped": subject.skipped,
        "level": LEVEL,
        "data": {"source": subject.table.source, "root": str(subject.table.root)},
        "plan": plan_figures(plan, places),
        "blank": {question.name: _blank(question, blank) for question in seen.questions},
        "questions": encoded(figures),
        "exact_match": encoded(exact_match(several, clusters)) if len(several) > 1 else None,
        "undefined_views": seen.undefined_views,
    }


def plan_figures(plan: Plan, places: Places) -> dict[str, Any]:
    """Describe a plan on the images of a study.

    Returns:
        ``name``, ``views``, ``sizes``, ``one_crop`` (index or None), ``coinciding`` (published scales that are the same
        number of pixels here), and ``strict``: by scale, the share of images in which the crop is a strict part.
    """
    of_scale = {size: float(places.strict[:, places.scale == index].mean()) for index, size in enumerate(plan.sizes)}
    return {
        "name": plan.name,
        "views": len(plan),
        "sizes": list(plan.sizes),
        "one_crop": plan.one_crop,
        "coinciding": [list(group) for group in plan.coinciding],
        "strict": {str(size): share for size, share in of_scale.items()},
    }


def _blank(question: Question, blank: Predictions) -> dict[str, Any]:
    """What the model says of a blank frame: its answer, and the logit of that answer's output."""
    unknown = np.full((1, len(blank.outputs)), np.nan)
    answer = int(question.answers(blank.positive, blank.undefined, unknown)[0][0, 0])
    column = question.columns[max(answer, 0)] if question.is_set else question.columns[0]
    logit = float(blank.logits[0, 0, column])
    return {"answer": None if answer < 0 else question.answers_named[answer], "logit": encoded(logit)}
