"""Train and measure, one job after another; each finished job is one JSON file.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.scenes.run

Finished jobs are skipped, and a killed one goes on after its last epoch. Jobs are in the order in which they say most.
``--list`` says which are done; ``--only 'all-*-seed0'`` selects some. Scenes, checkpoints and weights are in
``--work``, not in the repository. Afterwards ``python -m experiments.scenes.tables`` makes the tables.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from bincam import scenes
from experiments.scenes import job_files
from experiments.scenes.campaign import Job, Sample, jobs
from experiments.scenes.training import TEST_SEED, VALIDATION_SEED, Trained, train

HERE = Path(__file__).parent
KIND = "bincam-experiment-scenes"
SWEEP_SEED, CUE_SEED = 4000, 5000


@lru_cache(maxsize=16)
def drawn(count: int, seed: int, rule: str, size: int, scale: float | None = None) -> scenes.Scenes:
    """Draw scenes that several jobs are measured on."""
    return scenes.draw(count, seed=seed, rule=rule, size=size, scale=scale)


def measured(job: Job, trained: Trained, sample: Sample) -> dict[str, Any]:
    """Measure a trained job: cells always but for planted cues, poolings, sizes and boxes of the rule ``all``."""
    from experiments.scenes.box_measures import box_figures
    from experiments.scenes.cell_measures import cell_figures
    from experiments.scenes.cue_measures import cue_figures
    from experiments.scenes.observed import observe
    from experiments.scenes.pooling_measures import at_size, fitted_thresholds, pooling_figures

    size, model = job.plan.size, trained.model
    if job.strength is not None:
        return {"cues": cue_figures(model, sample.test, size, CUE_SEED)}
    test = observe(model, drawn(sample.test, TEST_SEED, job.rule, size))
    figures: dict[str, Any] = {
        "kind_of_maps": test.kind,
        "grid": list(test.grid.shape),
        "reading": test.grid.reading,
        "cells": cell_figures(test, single=job.rule == "one"),
    }
    if job.rule == "one":
        return figures
    validation = observe(model, drawn(sample.validation, VALIDATION_SEED, job.rule, size))
    thresholds = fitted_thresholds(validation)
    sweep = []
    for number, scale in enumerate(sample.scales):
        of_size = observe(model, drawn(sample.sweep, SWEEP_SEED + number, job.rule, size, scale))
        sweep.append(at_size(scale, of_size, thresholds))
    return {
        **figures,
        "poolings": pooling_figures(test, thresholds),
        "sweep": sweep,
        "boxes": box_figures(test, validation, model, sample.boxed),
    }


def result(job: Job, sample: Sample, work: Path, dtype: str) -> dict[str, Any]:
    """Train a job, measure it, and say what both cost."""
    trained = train(job, work, dtype)
    return job_files.record(KIND, job, sample, trained, lambda: measured(job, trained, sample))


def finished(job: Job, sample: Sample, out: Path) -> dict[str, Any] | None:
    """Read the result of a job; None if there is none, or one of other settings."""
    return job_files.finished(KIND, job, sample, out)


def main() -> None:
    job_files.command(__doc__, KIND, jobs(), Sample(), HERE, result)


if __name__ == "__main__":
    main()
