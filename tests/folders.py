"""Folders: another process that has taken one, and a study whose summary says something else."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bincam.studies.folder import StudyFolder

_TAKES = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("taken", flush=True)
time.sleep(60)
"""


@contextmanager
def taken_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Have a process take a folder, which it makes if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", _TAKES, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def restate_summary(folder: Path, name: str, **values: Any) -> None:
    """Write the summary of a finished study with other values, as the study itself would have."""
    study = StudyFolder.open(folder, name)
    study.write_summary({**study.summary, **values})
