"""Train and measure, one job after another; each finished job is one JSON file.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.average_k.run --dtype bfloat16

Finished jobs are skipped, and a killed one goes on after its last epoch. Jobs are in the order in which they say most.
``--list`` says which are done; ``--only '*-even-anew-*'`` selects some. Scenes, checkpoints and weights are in
``--work``, which is shared with ``experiments.scenes``: plain cross-entropy is trained there. Afterwards ``python -m
experiments.average_k.tables`` makes the tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.average_k.campaign import Sample, SetJob, jobs
from experiments.average_k.measures import figures
from experiments.average_k.tasks import task_of
from experiments.scenes import job_files
from experiments.scenes.training import train

HERE = Path(__file__).parent
KIND = "bincam-experiment-average-k"


def result(job: SetJob, sample: Sample, work: Path, dtype: str) -> dict[str, Any]:
    """Train a job, measure it, and say what both cost."""
    trained = train(job.trained, work, dtype, task_of(job))
    return job_files.record(KIND, job, sample, trained, lambda: figures(job, trained.model, sample))


def finished(job: SetJob, sample: Sample, out: Path) -> dict[str, Any] | None:
    """Read the result of a job; None if there is none, or one of other settings."""
    return job_files.finished(KIND, job, sample, out)


def main() -> None:
    job_files.command(__doc__, KIND, jobs(), Sample(), HERE, result)


if __name__ == "__main__":
    main()
