"""Jobs in processes beside one another: results, warnings, errors, and what is left of the command."""

import os
import sys
import warnings

import pytest

from bincam import progress
from bincam.beside import Beside
from bincam.errors import BincamError, BincamWarning, InputError


def job(what):
    import torch

    warnings.warn("said once", BincamWarning, stacklevel=1)
    if what == "wrong":
        raise InputError("the mistake")
    if what == "killed":
        os._exit(9)
    if what == "half":
        progress.whole(1.0, before=0.5)
    return os.getpid(), torch.get_num_threads(), sys.stderr.isatty()


@pytest.mark.slow  # two processes import torch, twice
def test_jobs_run_at_once_and_what_they_say_is_said_here():
    with Beside(2) as processes, progress.Course({"jobs": 1, "rest": 1}) as course:
        course.begin("jobs")
        with pytest.warns(BincamWarning, match="said once") as said:
            done = processes.at_once(job, {"a": ("half",), "b": ("",)})
        assert len(said) == 1
        assert list(done) == ["a", "b"]
        assert all(process != os.getpid() for process, _, _ in done.values())
        assert [(threads >= 1, terminal) for _, threads, terminal in done.values()] == [(True, False)] * 2
        assert course.share == 0.5
        with pytest.raises(InputError, match="the mistake"):
            processes.at_once(job, {"a": ("wrong",), "b": ("",)})
    with Beside(1) as processes, pytest.raises(BincamError, match="process of a was killed"):
        processes.at_once(job, {"a": ("killed",)})
