"""The ``bincam`` command: one module per command or group of commands."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import typer

from bincam.cli import audit, boxes, card, compare, data, demo, explain, gate, report, summarise, train
from bincam.cli.edge import run_to_the_edge
from bincam.cli.generated import faces, scenes
from bincam.cli.reading.help_panel import PanelledCommand
from bincam.cli.reading.options import help_text
from bincam.cli.studies import sets, truth, zoom
from bincam.errors import BincamWarning, in_a_line
from bincam.heap import keep_freed_memory
from bincam.openmp import bound_spinning

app = typer.Typer(
    name="bincam",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Lists of names are separated by commas; a name that contains a comma is quoted: "
    "--attributes '\"Hair, black\",Male'.",
)

START, EXPLAIN, AUDIT, TRAIN, DATA = "Get started", "Explain", "Audit and compare", "Train", "Models and data"
COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("demo", demo.demo, START),
    ("explain", explain.explain, EXPLAIN),
    ("audit", audit.audit, AUDIT),
    ("compare", compare.compare, AUDIT),
    ("gate", gate.gate, AUDIT),
    ("report", report.report, AUDIT),
    ("summarise", summarise.summarise, AUDIT),
    ("boxes", boxes.boxes, AUDIT),
    ("zoom", zoom.zoom, AUDIT),
    ("sets", sets.sets, AUDIT),
    ("truth", truth.truth, AUDIT),
    ("train", train.train, TRAIN),
    ("card", card.card, DATA),
)
for name, command, panel in COMMANDS:
    app.command(name, cls=PanelledCommand, rich_help_panel=panel)(command)
app.add_typer(data.app, name="data", no_args_is_help=True, rich_help_panel=DATA)
app.add_typer(faces.app, name="faces", no_args_is_help=True, rich_help_panel=DATA)
app.add_typer(scenes.app, name="scenes", no_args_is_help=True, rich_help_panel=DATA)
for group in (app, data.app, faces.app, scenes.app):
    for registered in group.registered_commands:
        registered.help = help_text(registered.callback)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Explain and audit binary and multi-attribute image classifiers."""
    if version:
        from bincam._version import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2, a warning is one line printed once."""
    bound_spinning()  # before a command imports torch
    keep_freed_memory()
    plain = warnings.formatwarning
    warnings.formatwarning = _one_line(plain)
    try:
        run_to_the_edge(app)
    finally:
        warnings.formatwarning = plain


def _one_line(plain: Callable[..., str]) -> Callable[..., str]:
    """Format bincam's own warnings once each, without the position in the code, which does not help a user."""
    printed: set[str] = set()  # Python's own "once" forgets whenever a filter is set anywhere

    def text(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
        if not issubclass(category, BincamWarning):
            # What pillow notes of a damaged picture is told as an error where the picture cannot be read.
            noted = "/PIL/" in str(where[0] if where else "").replace("\\", "/")
            return "" if noted else plain(message, category, *where, **more)
        line = f"bincam: warning: {in_a_line(str(message))}\n"
        new = line not in printed
        printed.add(line)
        return line if new else ""

    return text
