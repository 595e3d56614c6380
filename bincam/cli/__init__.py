"""The ``bincam`` command. This room alone knows all the others; each module holds one command or group."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer

from bincam.cli import audit, card, compare, data, demo, explain, faces, gate, report, train
from bincam.errors import BincamError, BincamWarning

app = typer.Typer(
    name="bincam",
    help="Explain and audit binary and multi-attribute image classifiers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("explain")(explain.explain)
app.command("train")(train.train)
app.command("audit")(audit.audit)
app.command("compare")(compare.compare)
app.command("gate")(gate.gate)
app.command("report")(report.report)
app.command("card")(card.card)
app.add_typer(data.app, name="data", no_args_is_help=True)
app.add_typer(faces.app, name="faces", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Explain and audit binary and multi-attribute image classifiers."""
    if version:
        from bincam._version import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2, and a warning is a line, told once."""
    plain = warnings.formatwarning
    warnings.formatwarning = _in_a_line(plain)
    try:
        app()
    except BincamError as error:
        typer.echo(f"bincam: {error}", err=True)
        sys.exit(2)
    finally:
        warnings.formatwarning = plain


def _in_a_line(plain: Callable[..., str]) -> Callable[..., str]:
    """Tell bincam's own warnings once, without the place in its code, which says nothing to whoever runs a command."""
    told: set[str] = set()  # Python's own "once" forgets whenever a filter is set anywhere

    def text(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
        if not issubclass(category, BincamWarning):
            return plain(message, category, *where, **more)
        line = f"bincam: warning: {message}\n"
        new = line not in told
        told.add(line)
        return line if new else ""

    return text
