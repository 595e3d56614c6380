"""Images and training of a job, found again or resumed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.claims import last_stage
from experiments.claims.campaign import FACES_SEED, FACES_SIZE, FOLDS, HERE, Job

if TYPE_CHECKING:
    from bincam.data import AttributeTable


def source(job: Job, work: Path) -> str:
    """Make the generated faces, or find them; return where the images are, as ``data.source`` takes it."""
    if job.data == "orl":
        return "orl"
    from bincam.faces import make

    folder = work / f"faces-{job.count}"
    make(folder, job.count, FACES_SEED, size=FACES_SIZE)
    return str(folder)


def images(job: Job, work: Path) -> AttributeTable:
    """Read the images with the splits of the job's training."""
    from bincam.data import load

    table = load(source(job, work))
    return table if job.fold is None else table.folds(len(FOLDS))[job.fold]


def train(job: Job, work: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Path], dict[str, Any]]:
    """Train a job's pair, or find it: the models' folders, and what training was."""
    from bincam.train import fit_pair, read_config

    out = work / "runs" / job.name
    settings = [f"data.source={source(job, work)}", f"out={out}", f"seed={job.seed}"]
    settings += [f"data.size={job.size}", f"epochs={job.epochs}"]
    if job.fold is not None:
        settings.append(f"data.fold={job.fold}")
    config = read_config(HERE / f"{job.data}.yaml", [*settings, *overrides])
    folders = {name: out / name for name in config.arms}
    wall, cpu = time.perf_counter(), time.process_time()
    history: dict[str, Any]
    if job.trained == "all":
        pair = fit_pair(config, resume=True)
        history = {name: [_numbers(epoch) for epoch in arm.history] for name, arm in pair.arms.items()}
    else:
        fold = "" if job.fold is None else f"-fold{job.fold}"
        history = last_stage.fit_pair(config, folders, work / "features" / f"{job.data}-{job.count}{fold}")
    stored = config.model_dump(mode="json")
    stored["data"]["source"] = stored["out"] = None  # of this machine
    return folders, {
        "config": stored,
        "wall_s": round(time.perf_counter() - wall, 1),  # of this run: little if it was there
        "cpu_s": round(time.process_time() - cpu, 1),
        "history": history,
    }


def _numbers(epoch: Mapping[str, Any]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in epoch.items() if isinstance(value, int | float)}
