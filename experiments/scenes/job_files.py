"""One JSON file per job: what it holds, which are done, and the command that works through what is not."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bincam import provenance
from bincam.errors import BincamError, InputError
from bincam.files import read_json, write_json
from bincam.train.runs.manifest import revision
from experiments.scenes.campaign import Job, as_json
from experiments.scenes.training import DTYPES, Trained

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCHEMA = 1
OneJob = TypeVar("OneJob", bound=Job)
Called = TypeVar("Called", bound="Named")
OneSample = TypeVar("OneSample", bound="DataclassInstance")


class Named(Protocol):
    """What has the name of a file."""

    @property
    def name(self) -> str:
        """Name of the file, without its ending."""
        ...


class Stated(Named, Protocol):
    """A job whose settings its file states."""

    def settings(self) -> dict[str, Any]:
        """What its result depends on."""
        ...


def record(
    kind: str, job: Job, sample: DataclassInstance, trained: Trained, measure: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Measure a trained job and make its file: settings, versions, figures, and what it cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    figures = measure()
    return {
        "kind": kind,
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


def finished(kind: str, job: Job, sample: DataclassInstance, out: Path) -> dict[str, Any] | None:
    """Read the result of a job; None if there is none, or one of other settings."""
    found = stored(kind, job, out)
    return found if found is not None and found["sample"] == as_json(asdict(sample)) else None


def stored(kind: str, job: Stated, out: Path) -> dict[str, Any] | None:
    """Read the file of a job; None if there is none, or one of other settings."""
    file = out / f"{job.name}.json"
    if not file.is_file():
        return None
    content = read_json(file, kind=kind, schema=SCHEMA)
    return content if content["job"] == job.settings() else None


def selected(listed: Sequence[Called], patterns: list[str]) -> Iterator[Called]:
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


def command(
    description: str | None,
    kind: str,
    listed: Sequence[OneJob],
    sample: OneSample,
    here: Path,
    result: Callable[[OneJob, OneSample, Path, str], dict[str, Any]],
) -> None:
    """Read the command line, and work through the jobs that are not done.

    Args:
        description: Of the command.
        kind: Of the files.
        listed: All jobs, in order.
        sample: On which they are measured.
        here: Folder of the experiment.
        result: Makes a job's file, given the folder of scenes and weights and the type of convolutions.
    """
    parser = job_parser(description, "bincam-scenes", "scenes and weights", here)
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="of the convolutions in training")
    options = parser.parse_args()
    work_through(
        listed,
        options,
        lambda job: finished(kind, job, sample, options.out),
        lambda job: result(job, sample, options.work, options.dtype),
    )


def job_parser(description: str | None, name: str, content: str, here: Path) -> argparse.ArgumentParser:
    """Make the parser of the options that every experiment of jobs has.

    Args:
        description: Of the command.
        name: Of the folder of work, in ``~/.cache``.
        content: What is in that folder.
        here: Folder of the experiment.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / name, help=f"folder of {content}")
    parser.add_argument("--out", type=Path, default=here / "jobs", help="folder of the JSON files")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="names of jobs, with * and ?")
    parser.add_argument("--list", action="store_true", help="say which jobs are done, and stop")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def work_through(
    listed: Sequence[Called],
    options: argparse.Namespace,
    finished: Callable[[Called], dict[str, Any] | None],
    result: Callable[[Called], dict[str, Any]],
) -> None:
    """Carry out the chosen jobs that are not done, or list them.

    Args:
        listed: All jobs, in order.
        options: As ``job_parser`` reads them.
        finished: Reads a job's file; None if it is to be made.
        result: Makes it.
    """
    try:
        chosen = list(selected(listed, options.only))
        if options.list:
            for job in chosen:
                print(f"{'done' if finished(job) else 'open'}  {job.name}")
            return
        import torch

        torch.set_num_threads(options.threads)
        for job in chosen:
            if finished(job) is None:
                write_json(options.out / f"{job.name}.json", result(job))
                print(f"{job.name}: done", flush=True)
    except BincamError as error:
        raise SystemExit(f"error: {error}") from None
