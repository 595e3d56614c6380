"""Train and measure, one pair after another; each finished pair is one JSON file.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.claims.run

Finished pairs are skipped, and an interrupted one goes on. Pairs are in the order in which they say most. ``--list``
says which are done; ``--only 'faces-4000*'`` selects some. Faces, models and audits are in ``--work``, not in the
repository. Afterwards ``python -m experiments.claims.tables`` makes the table.
"""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bincam import provenance
from bincam.errors import BincamWarning
from bincam.train.runs.manifest import revision
from experiments.claims.campaign import HERE, Job, jobs
from experiments.claims.measures import measure
from experiments.claims.training import images, train
from experiments.scenes.job_files import SCHEMA, job_parser, stored, work_through

KIND = "bincam-experiment-claims"


def result(job: Job, work: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Train and measure a job, and make its file: settings, versions, figures, and what it cost."""
    models, training = train(job, work, overrides)
    began = time.process_time()
    found = measure(models, images(job, work), work / "audits" / job.name)
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "name": job.name,
        "job": job.settings(),
        "versions": provenance.versions("training"),
        "git": revision(),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "training": training,
        "measuring_cpu_s": round(time.process_time() - began, 1),
        "figures": found,
    }


def finished(job: Job, out: Path) -> dict[str, Any] | None:
    """Read the result of a job; None if there is none, or one of other settings."""
    return stored(KIND, job, out)


def main() -> None:
    parser = job_parser(__doc__, "bincam-claims", "faces, models and audits", HERE)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for bincam train")
    options = parser.parse_args()
    warnings.simplefilter("ignore", BincamWarning)
    work_through(
        jobs(), options, lambda job: finished(job, options.out), lambda job: result(job, options.work, options.set)
    )


if __name__ == "__main__":
    main()
