"""The study of methods at test time: run image by image, kept as it goes, and summarised."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bincam.data import AttributeTable
from bincam.errors import InputError
from bincam.files import read_json, write_json
from bincam.inference.prediction import predict
from bincam.inference.tta.averaging import choose_views
from bincam.inference.zoom.plan import Plan, view_plan
from bincam.progress import track
from bincam.stats.estimate import LEVEL
from bincam.studies.at_test_time.answers import Answers, read_answers, write_answers
from bincam.studies.at_test_time.comparison import compare_answers
from bincam.studies.at_test_time.methods import Request, TestTime, find_methods, own_crop
from bincam.studies.at_test_time.stored import NAME
from bincam.studies.at_test_time.wording import sentence
from bincam.studies.folder import StudyFolder
from bincam.studies.zoom.encoding import encoded
from bincam.studies.zoom.subject import Subject

CHOSEN = 8
"""Views that are averaged."""
SHARD = 16
"""Images that are kept together: an interrupted study repeats no more than these."""
REFERENCE_LIMIT = 256
"""Images of the reference split at most, on which views are chosen."""
SPLITS = ("validation", "train")
VIEWS_KIND = "bincam-test-time-views"
_OWN = "own-crop"


def run_test_time(
    subject: Subject,
    folder: str | os.PathLike[str],
    methods: Sequence[str],
    *,
    data: AttributeTable | None = None,
    plan: Plan | None = None,
    count: int = CHOSEN,
    limit: int | None = None,
    seed: int = 0,
    batch_size: int = 64,
    resume: bool = False,
) -> dict[str, Any]:
    r"""Compare a model's own crop with methods at test time, on the images of a study.

    Views are chosen on images of the validation split, else of the training split, at most 256, by ``choose_views``,
    never on those that are judged. Answers are kept in the folder after every 16 images, and an interrupted study ends
    with the figures of one that was not. Random views of MEMO depend on the seed and the image's place alone.

    Args:
        subject: Model, images and questions, as of a zoom study.
        folder: A new or empty folder, or one of an interrupted study.
        methods: Names of ``METHODS``.
        data: The data set with all its splits, on which views are chosen; needed for ``views`` alone.
        plan: The views to choose from; the short plan by default.
        count: Number of views to choose.
        limit: Judge no more images than this: a stratified draw of the subject's.
        seed: Of that draw, and of random views.
        batch_size: Views per forward pass.
        resume: Go on with a study that was begun, or read a finished one.

    Returns:
        The summary, JSON values: ``images``, ``people``, ``methods`` (``title``, ``cost``, ``unadapted``, and of
        ``views`` also ``views`` and ``reference``) and ``questions``: by name and method a ``Comparison`` and its
        ``sentence``.

    Raises:
        InputError: A method is unknown, no images are left to choose views on, or the folder has another study.
        UnsupportedError: The model cannot be adapted.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from bincam.data import load
        >>> from bincam.example import write_images
        >>> from bincam.models import build
        >>> from bincam.studies.at_test_time import run_test_time
        >>> from bincam.studies.zoom import Subject
        >>> folder = Path(tempfile.mkdtemp())
        >>> lines = [f"{file.name},{int('disc' in file.name)}" for file in write_images(folder)]
        >>> _ = (folder / "table.csv").write_text("\n".join(["image,disc", *lines]))
        >>> model = build("resnet10t", ["disc"], channels=[8, 8, 8, 8], stem_width=8, input_size=(32, 32))
        >>> subject = Subject.of_data(model, load(folder / "table.csv"), split=None)
        >>> summary = run_test_time(subject, folder / "test-time", ["flip"])
        >>> summary["images"], summary["questions"]["disc"]["flip"]["error"]["difference"]["status"]
        (4, 'small')
    """
    chosen = find_methods(methods)
    for name, value in {
        "count": count,
        "batch_size": batch_size,
        **({} if limit is None else {"limit": limit}),
    }.items():
        if value < 1:
            raise InputError(f"{name}={value}: expected at least 1")
    if seed < 0:
        raise InputError(f"seed={seed}: expected 0 or more")
    table = subject.table
    if limit is not None and limit < len(table):
        table = table.subset(limit, seed=seed)
    some = replace(subject, table=table)
    whole = plan or view_plan("short", subject.model.card.input_size)
    reference = _reference(subject, data, seed) if any(method.chooses for method in chosen) else None
    settings: dict[str, Any] = {
        "methods": [method.name for method in chosen],
        "images": list(table.ids) if len(table) < len(subject.table) else None,
        "subject": dict(subject.stated),
        "seed": seed,
        "batch_size": batch_size,
        "count": count if reference else None,
        "plan": whole.to_json() if reference else None,
        "reference": list(reference.table.ids) if reference else None,
    }
    study = StudyFolder.begin(folder, NAME, settings, audit=subject.audit, resume=resume)
    if study.finished:
        return study.summary
    views = (
        None if reference is None else _chosen_views(reference, whole, min(count, len(whole)), study.folder, batch_size)
    )
    answers = {name: _run(some, name, method, views, study, seed, batch_size) for name, method in _all(chosen)}
    study.write_summary(_summary(some, chosen, answers, views, reference))
    return study.summary


def _all(methods: Sequence[TestTime]) -> list[tuple[str, TestTime | None]]:
    return [(_OWN, None), *((method.name, method) for method in methods)]


def reference_split(data: AttributeTable | None, judged: str | None) -> str:
    """Find the split on whose images views are chosen: the validation split, else the training split.

    Args:
        data: The data set with all its splits.
        judged: The split that is judged; None for every image.

    Raises:
        InputError: There is none beside the judged one.
    """
    there = data.counts() if data is not None and data.splits is not None else {}
    split = next((name for name in SPLITS if there.get(name) and judged not in (None, name)), None)
    if split is None:
        raise InputError(
            "views are chosen on other images than those that are judged, but the data has no validation or training "
            "split beside them; leave out the method 'views'"
        )
    return split


def _reference(subject: Subject, data: AttributeTable | None, seed: int) -> Subject:
    """The images on which views are chosen."""
    judged = subject.audit.manifest.data.split if subject.audit is not None else subject.stated.get("split")
    split = reference_split(data, judged)
    assert data is not None
    names = list(subject.table.names)
    return Subject.of_data(subject.model, data, split=split, attributes=names, limit=REFERENCE_LIMIT, seed=seed)


def _chosen_views(reference: Subject, plan: Plan, count: int, folder: Path, batch_size: int) -> Plan:
    """Choose views on the reference images, unless an interrupted study did."""
    file = folder / "views.json"
    if not file.is_file():
        card, rows = reference.model.card, range(len(reference.table))
        images = track([reference.table.path(row) for row in rows], "choose views", unit="images")
        points = Request(reference, rows, (), None, 0, batch_size).landmarks
        seen = predict(reference.model, images, plan, landmarks=points, batch_size=batch_size)
        labels = np.full((len(rows), len(card.attributes)), np.nan)
        labels[:, reference.columns] = reference.table.labels
        chosen = choose_views(seen, labels, card, count)
        content = {"kind": VIEWS_KIND, "schema": 1, "views": [list(plan.views[view]) for view in chosen]}
        write_json(file, content)
    listed = read_json(file, kind=VIEWS_KIND, schema=1).get("views")
    if not isinstance(listed, list) or not all(isinstance(view, list) for view in listed):
        raise InputError(f"{file}: 'views' is damaged; remove it and resume the study")
    return view_plan([tuple(view) for view in listed], plan.input_size)


def _run(
    subject: Subject,
    name: str,
    method: TestTime | None,
    views: Plan | None,
    study: StudyFolder,
    seed: int,
    batch_size: int,
) -> tuple[Answers, int]:
    """Answers ``(N,)`` by question, and how many images could not be adapted to; what is on disk is not repeated."""
    count = len(subject.table)
    numbers = range(-(-count // SHARD))
    file = {number: study.folder / f"{name}-{number:05d}.json" for number in numbers}
    missing = [number for number in numbers if not file[number].is_file()]
    rows = [range(number * SHARD, min((number + 1) * SHARD, count)) for number in numbers]
    waiting = [subject.table.path(row) for number in missing for row in rows[number]]
    bar: Any = track(waiting, name, unit="images")  # one over all images; a generator, which is closed on errors too
    with closing(bar) as progress:
        for number in missing:
            images = islice(progress, len(rows[number]))
            request = Request(subject, rows[number], images, views, seed * 1_000_003 + number, batch_size)
            decisions = own_crop(request) if method is None else method.run(request)
            write_answers(file[number], study, subject, rows[number], decisions)
        for _ in progress:  # the last step of the bar
            pass
    shards = [read_answers(file[number], study, subject, len(rows[number])) for number in numbers]
    answers = {
        question.name: np.concatenate([answers[question.name] for answers, _ in shards])
        for question in subject.questions
    }
    return answers, sum(unadapted for _, unadapted in shards)


def _summary(
    subject: Subject,
    methods: Sequence[TestTime],
    answers: Mapping[str, tuple[Answers, int]],
    views: Plan | None,
    reference: Subject | None,
) -> dict[str, Any]:
    clusters = subject.clusters
    nothing = np.zeros((len(subject.table), 1, len(subject.table.names)), bool)
    of_methods: dict[str, Any] = {}
    for method in methods:
        number = str(len(views)) if views is not None else ""
        entry: dict[str, Any] = {
            "title": method.title.format(views=number),
            "cost": method.cost.format(views=number),
            "minimises_entropy": method.minimises_entropy,
            "unadapted": answers[method.name][1],
        }
        if method.chooses and views is not None and reference is not None:
            entry |= {
                "views": [list(view) for view in views.views],
                "reference": {"split": reference.stated["split"], "images": len(reference.table)},
            }
        of_methods[method.name] = entry
    questions: dict[str, Any] = {}
    for question in subject.questions:
        _, true = question.answers(nothing, nothing, subject.table.labels)
        before = answers[_OWN][0][question.name]
        questions[question.name] = {}
        for method in methods:
            after = answers[method.name][0][question.name]
            entry = encoded(compare_answers(before, after, true, question.rare, clusters))
            text = sentence(
                of_methods[method.name]["title"], question.name, entry, minimises_entropy=method.minimises_entropy
            )
            questions[question.name][method.name] = {**entry, "sentence": text}
    return {
        "images": len(subject.table),
        "people": clusters.count if clusters.known else None,
        "level": LEVEL,
        "methods": of_methods,
        "questions": questions,
    }
