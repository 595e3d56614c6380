"""The pass over images and views, shard by shard, and the whole study with its summary."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

from bincam.engines import Crew, Engine, faster_engine
from bincam.engines.parts import hand_out
from bincam.errors import InputError
from bincam.inference.prediction import predict_blank
from bincam.inference.zoom.plan import Plan
from bincam.progress import Course
from bincam.studies.folder import StudyFolder, study_folder
from bincam.studies.zoom.looking.recipe import ZoomRecipe
from bincam.studies.zoom.looking.shards import chosen, count_shards, look_at_shards, missing_shards, rows_of
from bincam.studies.zoom.rescuing_maps import has_rescuing_maps, write_rescuing_maps
from bincam.studies.zoom.seen import IMAGES, NAME, SeenViews, open_zoom, write_images
from bincam.studies.zoom.subject import Subject
from bincam.studies.zoom.summary import summarise_zoom

BATCH = 64
"""Views per forward pass."""


def run_zoom(
    subject: Subject,
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    batch_size: int = BATCH,
    engine: Engine | Literal["auto"] | None = None,
) -> SeenViews:
    r"""Look at every image at every view of a plan, and summarise what was seen.

    The cost is images × views forward passes. Shards are written whole, so an interrupted study is resumed after the
    last one, and ends with the bytes of one that was never interrupted (same machine, threads and versions).

    Args:
        subject: Model, images and questions.
        plan: The plan, of the card's input size.
        out: The study's folder; that of the audit, ``AUDIT/studies/zoom``, by default.
        resume: Resume an interrupted study, or return a finished one.
        batch_size: Views per forward pass.
        engine: Looks at the images in other processes, see ``bincam.engines``; by default this one does, and with
            ``auto`` several of this machine if that is faster. The bytes are the same.

    Returns:
        The study.

    Raises:
        InputError: The folder contains something else or a study with other settings, an image cannot be read, or
            there is neither an audit nor a folder.
        UnsupportedError: The model's output is not a function of one image.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from bincam.data import load
        >>> from bincam.example import write_images
        >>> from bincam.inference import view_plan
        >>> from bincam.models import build
        >>> from bincam.studies.zoom import Subject, run_zoom
        >>> folder = Path(tempfile.mkdtemp())
        >>> lines = [f"{file.name},{int('disc' in file.name)}" for file in write_images(folder)]
        >>> _ = (folder / "table.csv").write_text("\n".join(["image,disc", *lines]))
        >>> model = build("resnet10t", ["disc"], channels=[8, 8, 8, 8], stem_width=8, input_size=(32, 32))
        >>> subject = Subject.of_data(model, load(folder / "table.csv"), split=None)
        >>> study = run_zoom(subject, view_plan([(32, 1, 1), (64, 0, 2)], (32, 32)), folder / "zoom")
        >>> study.summary["images"], study.answers("disc")[0].shape
        (4, (4, 2))
    """
    with started(subject, plan, engine) as crew:
        study = begin_zoom(subject, plan, out, resume=resume, batch_size=batch_size)
        return carry_out(study, subject, plan, batch_size=batch_size, crew=crew)


def started(
    subject: Subject, plan: Plan, engine: Engine | Literal["auto"] | None
) -> AbstractContextManager[Crew | None]:
    """Get hold of an engine's processes; None stands for this process, ``auto`` for what is faster on this machine.

    Raises:
        InputError: There are not as many as were asked for.
    """
    device = next(subject.model.parameters()).device.type
    if engine == "auto":
        engine = faster_engine(device, subject.model, count_shards(subject, plan))
    return nullcontext() if engine is None else engine.started(on_gpu=device == "cuda")


def begin_zoom(
    subject: Subject,
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    batch_size: int = BATCH,
) -> StudyFolder:
    """Write what a study is begun with, or check it; arguments and errors are those of ``run_zoom``."""
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: expected at least 1")
    if out is not None:
        folder = Path(out)
    elif subject.audit is not None:
        folder = study_folder(subject.audit, NAME)
    else:
        raise InputError("a study without an audit needs a folder; pass out=")
    views = plan.to_json()
    settings: dict[str, Any] = {
        "plan": views.pop("name"),
        **views,
        **subject.stated,
        "batch_size": batch_size,
    }
    return StudyFolder.begin(folder, NAME, settings, audit=subject.audit, resume=resume)


def carry_out(
    study: StudyFolder, subject: Subject, plan: Plan, *, batch_size: int = BATCH, crew: Crew | None = None
) -> SeenViews:
    """Carry out a study that was begun, as far as shards are missing; a finished one is opened.

    One of an earlier version, which has no maps of its examples, gets them.
    """
    with Course({"views": len(plan) * len(subject.table), "rest": 0.02 * len(plan) * len(subject.table)}) as course:
        course.begin("views")
        return _carry_out(study, subject, plan, batch_size, course, crew)


def _carry_out(
    study: StudyFolder, subject: Subject, plan: Plan, batch_size: int, course: Course, crew: Crew | None
) -> SeenViews:
    folder, seen = study.folder, SeenViews(study, plan, subject.questions)
    if not study.finished:
        write_images(folder / IMAGES, subject)  # again in a resumed study: what is there is not known to be whole
        _look(subject, plan, study, batch_size, crew)
    course.begin("rest")
    if not study.finished or not has_rescuing_maps(folder):
        write_rescuing_maps(seen, subject)
    if not study.finished:
        blank = chosen(predict_blank(subject.model), subject.columns)
        study.write_summary(summarise_zoom(seen, subject, blank))
    return open_zoom(folder, audit=subject.audit)


def _look(subject: Subject, plan: Plan, study: StudyFolder, batch_size: int, crew: Crew | None) -> None:
    """Write the shards that are missing."""
    folder, missing = study.folder, missing_shards(subject, plan, study.folder)
    if crew is None:
        given: dict[str, Any] = {"study": study.digest, "batch_size": batch_size}
        for _ in look_at_shards(subject, plan, folder, missing, progress="zoom", **given):
            pass
        return
    hand_out(
        crew,
        ZoomRecipe.of(subject, plan, study, batch_size),
        folder,
        lambda: missing_shards(subject, plan, folder),
        lambda number: len(rows_of(subject, plan, number)),
        label="zoom",
        before=len(subject.table) - sum(len(rows_of(subject, plan, number)) for number in missing),
    )
