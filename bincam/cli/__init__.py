"""The ``bincam`` command. This room alone knows all the others; each module holds one command or group."""

from __future__ import annotations

import sys

import typer

from bincam.cli import audit, card, compare, data, explain, faces, gate
from bincam.errors import BincamError

app = typer.Typer(
    name="bincam",
    help="Explain and audit binary and multi-attribute image classifiers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("explain")(explain.explain)
app.command("audit")(audit.audit)
app.command("card")(card.card)
app.command("compare")(compare.compare)
app.command("gate")(gate.gate)
app.add_typer(data.app, name="data", no_args_is_help=True)
app.add_typer(faces.app, name="faces", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Explain and audit binary and multi-attribute image classifiers."""
    if version:
        from bincam import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    try:
        app()
    except BincamError as error:
        typer.echo(f"bincam: {error}", err=True)
        sys.exit(2)
