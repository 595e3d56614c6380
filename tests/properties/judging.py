"""The judgement of a call on any input: a right result, an error of one line, or a fault."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from bincam.errors import BincamError, BincamWarning

TIMES = int(os.environ.get("BINCAM_PROPERTIES", "1"))
"""How many times as many inputs as in CI; from 2 on they are drawn anew in every run."""
SECONDS = 30.0
"""Seconds after which a call hangs; no input here needs a tenth of it."""
LONGEST = 4000
"""Characters of an error, above which it quotes what nobody reads."""
TALLY = os.environ.get("BINCAM_PROPERTIES_TALLY")
"""A file to which every verdict is appended in place of a failing test, to count them."""


def examples(count: int) -> settings:
    """The settings of a test that tries this many inputs in CI."""
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


class Hang(BaseException):
    """A call took longer than it may."""


class WrongError(AssertionError):
    """A call returned what an independent check refuses."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise ``Hang`` in a call that takes too long; the alarm of the test itself is put back."""

    def ring(*_: object) -> None:
        raise Hang(f"more than {SECONDS:g} s")

    handler = signal.signal(signal.SIGALRM, ring)
    former = signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *former)
        signal.signal(signal.SIGALRM, handler)


def judge(call: Callable[[], Any], right: Callable[[Any], bool] | None = None) -> Any:
    """Call, and return the result, or None where the input was refused in a line.

    Args:
        call: On one input.
        right: An independent check of the result.

    Raises:
        AssertionError: The result is wrong, the error is not of one line, or it is none of bincam's; ``Hang`` likewise.
    """
    verdict, fault, value = "right", None, None
    try:
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore", BincamWarning)
            value = call()
        if right is not None and not right(value):
            raise WrongError(f"a wrong result: {str(value)[:400]}")  # noqa: TRY301
    except BincamError as error:
        verdict = "refused"
        if not _in_a_line(str(error)):
            verdict, fault = "not a line", AssertionError(f"not one line: {str(error)[:400]!r}")
    except Hang as error:
        verdict, fault = "hang", error
    except WrongError as error:
        verdict, fault = "wrong", error
    except Exception as error:
        verdict, fault = "traceback", error
    _count(verdict, fault)
    if fault is not None and not TALLY:
        raise fault
    return value if verdict == "right" else None


def _in_a_line(text: str) -> bool:
    return bool(text.strip()) and len(text.splitlines()) == 1 and len(text) <= LONGEST


def _count(verdict: str, fault: BaseException | None) -> None:
    if not TALLY:
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
    place = ""
    if fault is not None and (frames := fault.__traceback__):
        while frames.tb_next:
            frames = frames.tb_next
            name = frames.tb_frame.f_code.co_filename
            if "/bincam/" in name and "/tests/" not in name:
                place = f"{name.rpartition('/bincam/')[2]}:{frames.tb_lineno}"
    record = {"test": test, "verdict": verdict, "what": f"{type(fault).__name__}: {str(fault)[:200]}", "place": place}
    with Path(TALLY).open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(json.dumps(record if fault is not None else {"test": test, "verdict": verdict}) + "\n")


@dataclass(frozen=True)
class Ended:
    """A command that ended as a user's command may."""

    code: int
    out: str
    err: str


def run(words: Sequence[object]) -> Ended:
    """Run a command as from a shell.

    Raises:
        BincamError: What the command told in one line.
        AssertionError: It ended otherwise than a command may.
    """
    from bincam.cli import main

    out, err = io.StringIO(), io.StringIO()
    before = sys.argv, [*sys.path], {**os.environ}
    os.environ["HF_HUB_OFFLINE"] = "1"
    code: Any = 0
    try:
        sys.argv = ["bincam", *map(str, words)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as leaving:
        code = leaving.code or 0
    finally:
        sys.argv, sys.path[:] = before[0], before[1]
        os.environ.clear()
        os.environ.update(before[2])
    told = err.getvalue()
    if "Traceback" in told:
        raise AssertionError(told[-1000:])
    if code == 2 and "Usage:" not in told + out.getvalue():  # of typer, which frames what is no option
        last = [line for line in told.splitlines(keepends=True) if line.startswith("bincam: ")]
        if not last or not told.endswith(last[-1]):
            raise AssertionError(f"exit 2, but not told in a line: {told[-600:]!r}")
        raise BincamError(last[-1].removeprefix("bincam: ").removesuffix("\n"))
    if code not in (0, 1, 2):
        raise AssertionError(f"exit {code}: {told[-600:]!r}")
    return Ended(code, out.getvalue(), told)
