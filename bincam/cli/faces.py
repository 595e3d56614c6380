"""``bincam faces``: generated faces."""

from __future__ import annotations

import typer

from bincam.cli import faces_make

app = typer.Typer(help="Generated faces with exact ground truth.", no_args_is_help=True)
faces_make.register(app)
