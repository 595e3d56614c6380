"""Decoding of JPEGs in processes of their own, whose decoder's complaints are read.

A JPEG that is damaged inside is decoded to something all the same: libjpeg says so on stderr alone, and no library
hands it on. A process of its own has a stderr that nobody else writes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from bincam.errors import BincamError

_CODE = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {__name__} import serve; serve()"
"""It finds the packages where this process does."""
_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG file")
"""How libjpeg's complaints of damaged data begin; it has others, of what is only unusual."""


class DecoderProcesses:
    """Processes that decode JPEGs, started when they are needed; several threads may ask at once.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder, DecoderProcesses() as decoders:
        ...     file = Path(folder, "a.jpg")
        ...     Image.effect_noise((64, 64), 90).save(file)
        ...     whole = decoders.complaint(file)
        ...     damaged = bytearray(file.read_bytes())
        ...     damaged[-600:-500] = bytes(100)
        ...     _ = file.write_bytes(damaged)
        ...     whole, decoders.complaint(file)[:12]
        ('', 'Corrupt JPEG')
    """

    def __init__(self) -> None:
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._started:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._started:
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def complaint(self, file: Path) -> str:
        """Decode a JPEG, and return what its decoder complains of; empty if it is whole.

        Raises:
            BincamError: The process ended, for example for lack of memory.
        """
        with self._process() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(str(file)) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            if not answer:
                raise BincamError(f"{file}: the process that decoded it ended, perhaps for lack of memory")
            text: str = json.loads(answer)
            return text

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[str]]:
        """An idle process, or a new one."""
        try:
            process = self._idle.get_nowait()
        except Empty:
            process = subprocess.Popen(  # noqa: S603  # this module
                [sys.executable, "-c", _CODE, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
            self._started.append(process)
        yield process
        self._idle.put(process)


def serve() -> None:
    """Answer each line of stdin, the name of a file as JSON, with the complaint of its decoder as JSON."""
    import cv2
    import numpy as np

    from bincam.data.containers.address import read_bytes

    cv2.setNumThreads(1)
    with tempfile.TemporaryFile() as complaints:
        os.dup2(complaints.fileno(), 2)
        for line in sys.stdin:
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
            with suppress(OSError, BincamError, cv2.error):  # what cannot be read at all is told by whoever reads it
                content = np.frombuffer(read_bytes(json.loads(line)), np.uint8)
                cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            said = os.pread(2, 4096, 0).decode("utf-8", "replace").splitlines()
            complaint = next((text for text in said if text.startswith(_DAMAGE)), "")
            sys.stdout.write(json.dumps(complaint) + "\n")
            sys.stdout.flush()
