"""Train the networks and measure their maps, job after job; each finished job is one JSON file.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.truth.own_maps.run

Finished jobs are skipped, and interrupted trainings go on. ``--list`` says which are done, ``--only 'faces-seed0-*'``
selects some. Faces, scenes and weights are in ``--work``, not in the repository. Afterwards
``python -m experiments.truth.own_maps.tables`` makes the tables.
"""

from __future__ import annotations

import argparse
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bincam import provenance
from bincam.errors import BincamError
from bincam.files import read_json, write_json
from experiments.truth.own_maps.campaign import Job, jobs

HERE = Path(__file__).parent
KIND, SCHEMA = "bincam-experiment-own-maps", 1


def finished(job: Job, out: Path) -> dict[str, Any] | None:
    """Read the result of a job; None if there is none, or one of other settings."""
    file = out / f"{job.name}.json"
    if not file.is_file():
        return None
    stored = read_json(file, kind=KIND, schema=SCHEMA)
    return stored if stored["job"] == job.settings() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = Path.home() / ".cache" / "bincam-own-maps"
    parser.add_argument("--work", type=Path, default=work, help="folder of faces, scenes and weights")
    parser.add_argument("--out", type=Path, default=HERE / "jobs", help="folder of the JSON files")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="names of jobs, with * and ?")
    parser.add_argument("--list", action="store_true", help="say which jobs are done, and stop")
    options = parser.parse_args()
    chosen = [job for job in jobs() if not options.only or any(fnmatch(job.name, each) for each in options.only)]
    if options.list:
        for job in chosen:
            print(f"{'done' if finished(job, options.out) else 'open'}  {job.name}")
        return
    try:
        for job in chosen:
            if finished(job, options.out) is None:
                write_json(options.out / f"{job.name}.json", result(job, options.work))
                print(f"{job.name}: done", flush=True)
    except BincamError as error:
        raise SystemExit(f"error: {error}") from None


def result(job: Job, work: Path) -> dict[str, Any]:
    """Open the job's world, measure, and say what both cost."""
    import torch

    from experiments.truth.own_maps.measures import measure
    from experiments.truth.own_maps.worlds import open_world

    torch.set_num_threads(1)
    world = open_world(job.world, job.seed, work, job.images, job.fitted)
    began = time.process_time()
    figures = measure(job, world)
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "job": job.settings(),
        "versions": provenance.versions("training"),
        "training": world.training,
        "measuring_cpu_s": round(time.process_time() - began, 1),
        "figures": figures,
    }


if __name__ == "__main__":
    main()
