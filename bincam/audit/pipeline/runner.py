"""A whole audit: plan, references, the pass over the images, and the summary."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bincam.audit.folder import reader
from bincam.audit.folder.begun import check_free
from bincam.audit.folder.parts.cells import write_pooled
from bincam.audit.folder.parts.reference_scores import write_reference_scores
from bincam.audit.folder.reader import Audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.aggregate import finish, summary_of
from bincam.audit.pipeline.boxes.fitting import with_fitted_boxes
from bincam.audit.pipeline.cells.pooled import ReferencePoolings
from bincam.audit.pipeline.engines.missing import measure_missing
from bincam.audit.pipeline.map_references import map_references
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.prepared import compile_trunk, ordered
from bincam.audit.pipeline.references import ScoresCollector, fit_references, load_references, save_references
from bincam.audit.pipeline.shard import count_images
from bincam.audit.settings import Settings
from bincam.cam import Explainer, PlacedViews, Reference
from bincam.data import AttributeTable, load_for_outputs
from bincam.engines import Crew, Engine, faster_engine
from bincam.errors import BincamWarning, InputError
from bincam.folder_lock import take
from bincam.models import AttributeClassifier, open_model
from bincam.models.borrowing.borrow import own_rng
from bincam.progress import Course, track
from bincam.storage import local_folder


def run(
    model: AttributeClassifier | str | os.PathLike[str],
    data: AttributeTable | str | os.PathLike[str],
    out: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    resume: bool = False,
    source: str | None = None,
    engine: Engine | Literal["auto"] | None = None,
) -> Audit:
    """Audit a model on a data set.

    Args:
        model: A classifier with a card, a model's folder, or a timm name.
        data: A table, or a source for ``bincam.data.load_for_outputs``.
        out: The audit's folder, new or empty, unless ``resume``; or an address on object storage, ``s3://bucket/mine``.
        settings: The settings; ``Settings()`` by default.
        resume: Resume an interrupted audit, or return a finished one. The bytes are those of an audit that was never
            interrupted (same machine, threads and versions). Settings that the summary alone uses (``slice_by``,
            ``label_noise``, ``specificity``, ``sensitivity``, ``prevalence``) may be others than before: the manifest
            states them, and the summary is made with them.
        source: The model's name in the manifest; its path or the name in its card by default.
        engine: Carries out the pass over the images in other processes, see ``bincam.engines``; by default this one
            does, and with ``auto`` several of this machine if that is faster, which read their images themselves.
            The bytes are the same (same machine, threads in a process, and versions), and any engine resumes what
            another one has begun.

    Returns:
        The audit.

    Raises:
        InputError: Model and data do not fit together, a setting does not fit them, an image cannot be read, or
            ``out`` contains other files, or another process is writing it.
        UnsupportedError: A method cannot answer this question about this model.

    Warns:
        BincamWarning: For every note of the plan, before the first image is measured: attributes that are not audited
            or have no region, the choice of regions, references that cannot be fitted, unknown training counts.

    Example:
        Twelve generated images, of which every third is for validation, and a small model with random weights:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from bincam.audit import Settings, run
        >>> from bincam.data import AttributeTable, write_celeba
        >>> from bincam.models import build
        >>> random = np.random.default_rng(0)
        >>> folder = Path(tempfile.mkdtemp())
        >>> table = AttributeTable(
        ...     names=("Smiling", "Young"),
        ...     labels=random.integers(0, 2, (12, 2)).astype(np.float32),
        ...     ids=tuple(f"{number}.png" for number in range(12)),
        ...     root=folder / "data",
        ...     splits=np.array(["validation", "test", "test"] * 4),
        ... )
        >>> data = write_celeba(table, random.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8), folder / "data")
        >>> model = build(
        ...     "resnet10t", ["Smiling", "Young"], channels=[8, 8, 8, 8], stem_width=8,
        ...     input_size=(32, 32), mean=(0.5,) * 3, std=(0.25,) * 3,
        ... )
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no training counts
        ...     audit = run(model, data, folder / "audit", Settings(gate_images=0))
        >>> audit.manifest.data.images, audit.attributes, audit.methods
        (8, ('Smiling', 'Young'), ('grad_cam',))
        >>> len(audit.records(["attribute", "outcome", "grad_cam.mass", "midpoint.bias_share"]))
        16
    """
    folder = local_folder(out, writes=True)
    check_free(folder, resume=resume)  # before anything that takes time
    opened = model if isinstance(model, AttributeClassifier) else open_model(os.fspath(model))
    table = (
        data if isinstance(data, AttributeTable) else load_for_outputs(data, opened.card.attributes, opened.card.one_of)
    )
    if source is None:
        source = opened.card.name if isinstance(model, AttributeClassifier) else os.fspath(model)
    settings = settings or Settings()
    stated = None if engine == "auto" else engine
    # One order of the weights for plan and pass, so that what is found out about them stays known.
    with started(stated, settings) as crew, ordered(opened := opened.to(settings.device)):
        plan = make_plan(opened, table, settings, source=source)
        for note in plan.notes:
            warnings.warn(note, BincamWarning, stacklevel=2)
        if engine != "auto" or (faster := _faster(plan)) is None:
            return carry_out(plan, folder, resume=resume, crew=crew)
        # Its processes read for themselves; others would take their place.
        plan = replace(plan, settings=settings.replace(workers=0))
        with started(faster, settings) as several:
            return carry_out(plan, folder, resume=resume, crew=several)


def _faster(plan: Plan) -> Engine | None:
    """The engine that is faster than this process, which only the plan can tell; None if there is none."""
    return faster_engine(plan.settings.device, plan.model, -(-len(plan.table) // plan.shard_images))


def started(engine: Engine | None, settings: Settings) -> AbstractContextManager[Crew | None]:
    """Get hold of an engine's processes before anything that takes long; None stands for this process.

    Raises:
        InputError: There are not as many as were asked for, or the settings name one of several GPUs.
    """
    if engine is None:
        return nullcontext()
    kind, _, index = settings.device.partition(":")
    if index:
        raise InputError(
            f"device={settings.device!r} names one GPU, but the processes of an engine have their own; pass {kind!r}"
        )
    return engine.started(on_gpu=kind == "cuda")


def carry_out(plan: Plan, folder: Path, *, resume: bool = False, crew: Crew | None = None) -> Audit:
    """Carry out a plan as far as shards are missing; see ``run``."""
    with take(folder):
        check_free(folder, resume=resume)
        _carry_out(plan, folder, crew)
    return reader.open_audit(folder)


def _expected(plan: Plan) -> dict[str, float]:
    """What the steps of an audit usually take, in forward passes of an image: for the estimate of what is left."""
    settings, images, methods = plan.settings, len(plan.table), len(plan.methods)
    fitted = 0 if plan.reference_table is None else len(plan.reference_table)
    curves = 20 * min(settings.sample, images) * methods * len(plan.names)
    tests = 4 * min(settings.gate_images, images) * methods
    return {"references": fitted, "images": images * methods, "rest": tests + curves + 0.1 * images}


def _carry_out(plan: Plan, folder: Path, crew: Crew | None) -> None:
    # The random state is borrowed because torch's loader draws a number, even if nothing is shuffled.
    with own_rng(torch.device(plan.settings.device)), ordered(plan.model), Course(_expected(plan)) as course:
        compile_trunk(plan)
        course.begin("references")
        plan = replace(plan, references=_references(plan, folder))
        plan = replace(plan, map_references=map_references(plan, folder))
        plan = with_fitted_boxes(plan, folder, resumed=(folder / reader.MANIFEST).is_file())
        writer = AuditWriter.begin(folder, plan.manifest)
        if not writer.finished:
            course.begin("images")
            measure_missing(plan, writer, crew)
            course.begin("rest")
            finish(plan, writer)
        elif writer.restated:
            writer.restate(summary_of(plan, folder))


def _references(plan: Plan, folder: Path) -> dict[str, Reference]:
    """The fitted references: those that an interrupted audit left, or new ones."""
    if plan.reference_table is None:
        return {}
    if (folder / reader.MANIFEST).is_file() and (saved := load_references(folder)) is not None:
        return saved
    explainer = Explainer(
        plan.model,
        plan.reference_table.names,
        method="cam",
        threshold=plan.thresholds,
        precision=plan.settings.precision,
        batch_size=plan.any_explainer.batch_size,
        cells=plan.any_explainer.cells,
        trunk=plan.settings.trunk,
    )
    pooled = ReferencePoolings(plan.own_rows, plan.cells.poolings) if plan.cells and plan.own_rows else None
    images = len(plan.reference_table)
    loader = plan.loader(plan.reference_table, also=plan.view_reader(plan.reference_table))
    batches = track(loader, "references", total=images, unit="images", amount=count_images)
    known = plan.reference_table.identities
    people = np.array([""] * images if known is None else known, dtype=str)
    single = tuple(name for name in plan.own_rows if name in plan.thresholds)
    scores, rows = ScoresCollector(single), list[int]()

    def known_batches() -> Iterator[tuple[Tensor | PlacedViews, Tensor, list[str]]]:
        for batch in batches:
            rows.extend(batch.rows.tolist())
            yield plan.viewed(batch)[0], batch.labels, people[batch.rows.numpy()].tolist()

    seen = [scores.add, *([] if pooled is None else [pooled.add])]
    references = fit_references(explainer, known_batches(), seen if single else seen[1:])
    # Before the references, by which an interrupted audit finds that this was done.
    if pooled is not None:
        write_pooled(folder, pooled.tensors())
    if single:
        write_reference_scores(folder, scores.tensors(people[rows].tolist()))
    save_references(folder, references)
    return references
