"""Train and measure, one pair after another; each finished pair is one JSON file.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.claims.run

Finished pairs are skipped, and an interrupted one goes on. Pairs are in the order in which they say most. ``--list``
says which are done; ``--only 'faces-4000*'`` selects some. Faces, models and audits are in ``--work``, not in the
repository. Afterwards ``python -m experiments.claims.tables`` makes the table.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bincam import provenance
from bincam.errors import BincamError, BincamWarning
from bincam.files import read_json, write_json
from bincam.train.runs.manifest import revision
from experiments.claims.campaign import HERE, Job, jobs
from experiments.claims.measures import measure
from experiments.claims.training import images, train
from experiments.scenes.job_files import selected

KIND, SCHEMA = "bincam-experiment-claims", 1


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
    file = out / f"{job.name}.json"
    if not file.is_file():
        return None
    stored = read_json(file, kind=KIND, schema=SCHEMA)
    return stored if stored["job"] == job.settings() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = Path.home() / ".cache" / "bincam-claims"
    parser.add_argument("--work", type=Path, default=work, help="folder of faces, models and audits")
    parser.add_argument("--out", type=Path, default=HERE / "jobs", help="folder of the JSON files")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="names of pairs, with * and ?")
    parser.add_argument("--list", action="store_true", help="say which pairs are done, and stop")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for bincam train")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore", BincamWarning)
    try:
        chosen = list(selected(jobs(), options.only))
        if options.list:
            for job in chosen:
                print(f"{'done' if finished(job, options.out) else 'open'}  {job.name}")
            return
        import torch

        torch.set_num_threads(options.threads)
        for job in chosen:
            if finished(job, options.out) is None:
                write_json(options.out / f"{job.name}.json", result(job, options.work, options.set))
                print(f"{job.name}: done", flush=True)
    except BincamError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
