"""Train the networks and measure their maps, job after job; each finished job is one JSON file.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.truth.own_maps.run

Finished jobs are skipped, and interrupted trainings go on. ``--list`` says which are done, ``--only 'faces-seed0-*'``
selects some. Faces, scenes and weights are in ``--work``, not in the repository. Afterwards
``python -m experiments.truth.own_maps.tables`` makes the tables.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bincam import provenance
from experiments.scenes.job_files import SCHEMA, job_parser, stored, work_through
from experiments.truth.own_maps.campaign import Job, jobs

HERE = Path(__file__).parent
KIND = "bincam-experiment-own-maps"


def finished(job: Job, out: Path) -> dict[str, Any] | None:
    """Read the result of a job; None if there is none, or one of other settings."""
    return stored(KIND, job, out)


def main() -> None:
    options = job_parser(__doc__, "bincam-own-maps", "faces, scenes and weights", HERE).parse_args()
    work_through(jobs(), options, lambda job: finished(job, options.out), lambda job: result(job, options.work))


def result(job: Job, work: Path) -> dict[str, Any]:
    """Open the job's world, measure, and say what both cost."""
    from experiments.truth.own_maps.measures import measure
    from experiments.truth.own_maps.worlds import open_world

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
