"""The answers of a method at test time on a few images, in a file whose digest says that this study wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.digest import content_digest
from bincam.errors import InputError
from bincam.files import read_json, write_json
from bincam.studies.at_test_time.methods import Decisions
from bincam.studies.folder import StudyFolder
from bincam.studies.zoom.encoding import encoded
from bincam.studies.zoom.subject import Subject

KIND = "bincam-test-time-shard"
Answers = dict[str, NDArray[np.int64]]
"""Answers ``(N,)`` to each question by its name, -1 where there is none."""


def write_answers(file: Path, study: StudyFolder, subject: Subject, rows: range, decisions: Decisions) -> None:
    """Write the answers that a method's decisions on some images are.

    Args:
        file: The file.
        study: The study that it belongs to.
        subject: Model, images and questions.
        rows: Rows of the images in the subject's table.
        decisions: Of these images.
    """
    labels = subject.table.labels[list(rows)]
    answers = {
        question.name: question.answers(decisions.positive[:, None], decisions.undefined[:, None], labels)[0][:, 0]
        for question in subject.questions
    }
    content = {"kind": KIND, "schema": 1, "answers": encoded(answers), "unadapted": decisions.unadapted}
    write_json(file, {**content, "digest": _digest(content, study, file)}, compact=True)


def read_answers(file: Path, study: StudyFolder, subject: Subject, count: int) -> tuple[Answers, int]:
    """Read the answers to each question, and how many images could not be adapted to.

    Args:
        file: The file.
        study: The study that it has to belong to.
        subject: Model, images and questions.
        count: Number of images.

    Raises:
        InputError: The file is damaged, or is not the one that this study wrote.
    """
    again = "remove it and resume the study"
    content = read_json(file, kind=KIND, schema=1)
    own = content.pop("digest", None)  # which files of an earlier bincam have not
    if own is not None and own != _digest(content, study, file):
        raise InputError(f"{file}: not the answers that this study wrote there; {again}")
    stated, unadapted = content.get("answers"), content.get("unadapted")
    answers: Answers = {}
    for question in subject.questions:
        found = stated.get(question.name) if isinstance(stated, dict) else None
        if not isinstance(found, list) or len(found) != count or not all(type(answer) is int for answer in found):
            raise InputError(f"{file}: no answers of {count} images to {question.name!r}; {again}")
        if not all(-1 <= answer < len(question.rare) for answer in found):
            raise InputError(f"{file}: an answer to {question.name!r} that it does not have; {again}")
        answers[question.name] = np.array(found, np.int64)
    if type(unadapted) is not int or unadapted < 0:
        raise InputError(f"{file}: 'unadapted' is damaged; {again}")
    return answers, unadapted


def _digest(content: dict[str, Any], study: StudyFolder, file: Path) -> str:
    return content_digest({**content, "study": study.digest, "file": file.name})
