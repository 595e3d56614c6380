"""A process of a Ray cluster that carries out parts of a work; it holds what it makes of the recipe, such as a model.

The class is sent to the cluster as it is here, so that a machine with another bincam, or without one, can say so.
Faults of the user or of a machine are answers and not errors, which Ray would wrap in its own, with their tracebacks.
"""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from typing import Any


class RayProcess:
    """Carries out the parts whose numbers it is called with, and answers for each.

    Args:
        recipe: The pickled recipe, or a list of Ray's reference to it.
        versions: Packages to the versions that are needed.
        threads: Threads of torch and numpy.
        folder: Where the command was started, which relative paths are relative to.
    """

    def __init__(self, recipe: Any, versions: Mapping[str, str], threads: int, folder: str) -> None:
        self.recipe, self.versions, self.threads, self.folder = recipe, dict(versions), threads, folder
        self.work: Any = None

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[dict[str, list[str]]]:
        """Carry out the parts ``batch["number"]``.

        Yields:
            ``said``: a JSON object for each part, with its ``number`` and ``notes``, warnings of bincam; or with a
            ``fault``, its ``kind`` and the ``machine``, after which the other parts are left.
        """
        numbers = [int(number) for number in batch["number"]]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                if self.work is None:
                    self.work = self._opened()
                for number in self.work(numbers):
                    yield _answer(number=number, notes=_notes(caught))
                    caught.clear()
            except Exception as error:
                told = _told(error)
                if told is None:
                    raise
                yield _answer(kind=told[0], fault=told[1], machine=socket.gethostname())

    def _opened(self) -> Any:
        """Check the versions, set the threads, and open the recipe."""
        # Before numba and OpenMP are loaded; what the machine's owner has set is right there, and is overruled here.
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[name] = str(self.threads)
        _check_versions(self.versions)
        import torch
        from threadpoolctl import threadpool_limits

        import bincam.torchvision_ops  # noqa: F401  # must stand before timm and torchvision
        from bincam.heap import keep_freed_memory

        keep_freed_memory()

        torch.set_num_threads(self.threads)
        if os.path.isdir(self.folder):  # noqa: PTH112  # one that is missing may not be needed
            os.chdir(self.folder)
        given = self.recipe
        if not isinstance(given, bytes):
            import ray

            (reference,) = given  # in a list, because a bare reference would be fetched where it is handed on
            given = ray.get(reference)
        import pickle

        work = pickle.loads(given).open()  # noqa: S301  # Ray itself runs what the command sends
        threadpool_limits(self.threads, user_api="blas")  # for the lifetime of the process
        return work


def _answer(**said: Any) -> dict[str, list[str]]:
    return {"said": [json.dumps(said)]}


def _notes(caught: list[warnings.WarningMessage]) -> list[str]:
    return [str(one.message) for one in caught if one.category.__name__ == "BincamWarning"]


def _check_versions(expected: Mapping[str, str]) -> None:
    """Raise an error that says which package differs."""
    import platform
    from importlib import metadata

    for name, version in expected.items():
        if name == "python":
            here = platform.python_version()
        elif name == "bincam":
            from bincam._version import __version__ as here
        else:
            try:
                here = metadata.version(name)
            except metadata.PackageNotFoundError:
                here = "none"
        if here != version:
            raise ModuleNotFoundError(
                f"{name} is of version {here} there and {version} here; install the same versions on every machine"
            )


def _told(error: Exception) -> tuple[str, str] | None:
    """The kind and the line of an error that a user or a machine caused; None for one of the program."""
    for kind in type(error).__mro__:
        if kind.__name__ in {"InputError", "UnsupportedError"} and kind.__module__ == "bincam.errors":
            return kind.__name__, str(error)
    if isinstance(error, ImportError):
        return "InputError", f"{error}" if "version" in str(error) else f"{error}: install it there too"
    if isinstance(error, OSError):
        files = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        reason = error.strerror or str(error) or type(error).__name__
        return "InputError", f"{' → '.join(files)}: {reason}" if files else reason
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "InputError", "out of memory; smaller batches, fewer reading processes or fewer actors need less"
    return None
