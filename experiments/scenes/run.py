"""Train and measure, one job after another; each finished job is one JSON file.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.scenes.run

Finished jobs are skipped, and a killed one goes on after its last epoch. Jobs are in the order in which they say most.
``--list`` says which are done; ``--only 'all-*-seed0'`` selects some. Scenes, checkpoints and weights are in
``--work``, not in the repository. Afterwards ``python -m experiments.scenes.tables`` makes the tables.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

from bincam import provenance, scenes
from bincam.errors import BincamError, InputError
from bincam.files import read_json, write_json
from bincam.train.run_manifest import revision
from experiments.scenes.campaign import Job, Sample, as_json, jobs
from experiments.scenes.training import DTYPES, TEST_SEED, VALIDATION_SEED, Trained, train

HERE = Path(__file__).parent
KIND, SCHEMA = "bincam-experiment-scenes", 1
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
    wall, cpu = time.perf_counter(), time.process_time()
    figures = measured(job, trained, sample)
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "name": job.name,
        "job": job.settings(),
        "sample": as_json(asdict(sample)),
        "versions": provenance.versions("training"),
        "git": revision(),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "training": {
            "dtype": trained.dtype,
            "wall_s": round(trained.wall_s, 1),
            "cpu_s": round(trained.cpu_s, 1),
            "drawing_cpu_s": round(trained.drawn_s, 1),
            "images": job.plan.count * job.plan.epochs,
            "history": [{name: round(value, 5) for name, value in epoch.items()} for epoch in trained.history],
        },
        "measuring": {
            "wall_s": round(time.perf_counter() - wall, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
        },
        "figures": figures,
    }


def finished(job: Job, sample: Sample, out: Path) -> dict[str, Any] | None:
    """Read the result of a job; None if there is none, or one of other settings."""
    file = out / f"{job.name}.json"
    if not file.is_file():
        return None
    stored = read_json(file, kind=KIND, schema=SCHEMA)
    same = stored["job"] == job.settings() and stored["sample"] == as_json(asdict(sample))
    return stored if same else None


def selected(listed: list[Job], patterns: list[str]) -> Iterator[Job]:
    """Yield the jobs whose name matches a pattern; all without one.

    Raises:
        InputError: A pattern matches none.
    """
    for pattern in patterns:
        if not any(fnmatch(job.name, pattern) for job in listed):
            raise InputError(f"no job is called {pattern!r}; --list names them")
    for job in listed:
        if not patterns or any(fnmatch(job.name, pattern) for pattern in patterns):
            yield job


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = Path.home() / ".cache" / "bincam-scenes"
    parser.add_argument("--work", type=Path, default=work, help="folder of scenes and weights")
    parser.add_argument("--out", type=Path, default=HERE / "jobs", help="folder of the JSON files")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="names of jobs, with * and ?")
    parser.add_argument("--list", action="store_true", help="say which jobs are done, and stop")
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="of the convolutions in training")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    try:
        chosen = list(selected(jobs(), options.only))
        if options.list:
            for job in chosen:
                print(f"{'done' if finished(job, Sample(), options.out) else 'open'}  {job.name}")
            return
        import torch

        torch.set_num_threads(options.threads)
        for job in chosen:
            if finished(job, Sample(), options.out) is None:
                write_json(options.out / f"{job.name}.json", result(job, Sample(), options.work, options.dtype))
                print(f"{job.name}: done", flush=True)
    except BincamError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
