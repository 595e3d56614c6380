"""The edge of the command line: what a user or the machine causes is told in one line, and nothing is a traceback.

Below the edge an operation on a file may raise ``OSError`` as Python's own do: files are written whole or not at all
(``bincam.files.atomic``), so that there is nothing to put right on the way.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from bincam.errors import BincamError, in_a_line, out_of_memory
from bincam.storage import named

MISTAKE = 2
"""Exit code of a command that told what is wrong."""


def run_to_the_edge(command: Callable[..., object]) -> None:
    """Run a command, and end with exit code 2 and one line on stderr where a user or the machine is at fault.

    Args:
        command: Typer's application.

    Raises:
        SystemExit: Always that of the command, or of a fault.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            # Standing alone, typer frames a wrong option in a box of several lines.
            code = command(standalone_mode=False)
        finally:
            sys.stdout.flush()  # a full disk would else be told after the end, by the interpreter
    except typer.Abort:
        typer.echo("bincam: aborted", err=True)
        sys.exit(1)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: its help, from typer
            error.show()  # type: ignore[attr-defined]  # of click, which typer holds within itself
            sys.exit(MISTAKE)
        line = fault(error)
        if line is None:
            raise
        _leave_stdout()
        if line:
            typer.echo(f"bincam: {named(line)}", err=True)
        sys.exit(MISTAKE)
    sys.exit(code if isinstance(code, int) else 0)


def fault(error: BaseException) -> str | None:
    """State in a line what a user or the machine caused.

    Args:
        error: What a command raised.

    Returns:
        The line, empty where nobody reads it; None for an error of the program itself.

    Example:
        >>> fault(OSError(28, "No space left on device", "maps.npy")), fault(TypeError("x"))
        ('maps.npy: No space left on device', None)
    """
    if isinstance(error, BincamError):
        return str(error)
    if any(kind.__name__ == "ClickException" for kind in type(error).__mro__):  # click's, in typer
        return _wrong_option(error)
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:  # the reader of a pipe has gone
            return ""
        files = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        reason = error.strerror or str(error) or type(error).__name__
        return in_a_line(f"{' → '.join(files)}: {reason}" if files else reason)
    if isinstance(error, UnicodeEncodeError):
        return in_a_line(f"{error.object!r} contains what {error.encoding} cannot write ({error.reason}); rename it")
    if out_of_memory(error):
        return "out of memory; smaller batches (--batch-size), fewer workers or smaller images need less"
    if type(error).__name__ == "SafetensorError":  # likewise: what it says of a full disk
        return in_a_line(f"a file of tensors: {error}")
    return None


def _wrong_option(error: Any) -> str:
    """State what is wrong with an option or an argument, and where the right ones are listed."""
    context = getattr(error, "ctx", None)
    where = f" ('{context.command_path} -h' lists what it takes)" if context is not None else ""
    return in_a_line(f"{error.format_message().rstrip('.')}{where}")


def _leave_stdout() -> None:
    """Drop what could not be written to stdout, so that the interpreter does not try once more at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
