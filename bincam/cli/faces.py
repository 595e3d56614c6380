"""``bincam faces``: generated faces."""

from __future__ import annotations

from pathlib import Path

import typer

from bincam.cli import faces_make

app = typer.Typer(help="Generated faces with exact ground truth.", no_args_is_help=True)
faces_make.register(app)


@app.command()
def sheet(
    out: Path = typer.Option(..., "--out", help="PNG to write."),
    kind: str = typer.Option("both", "--kind", help="'faces': random ones; 'attributes': each off, on, mask; 'both'."),
    seed: int = typer.Option(0, "--seed", help="The first face's seed."),
    count: int = typer.Option(40, "--count", min=1, help="Random faces to draw."),
    columns: int = typer.Option(10, "--columns", min=1, help="Random faces in a row."),
    size: str = typer.Option("178x218", "--size", help="WxH of each face in pixels."),
) -> None:
    """Draw contact sheets: random faces, and each attribute off, on, and where it changes the image."""
    from bincam.report import face_sheets

    face_sheets.write(out, kind, seed, count, columns, size)
    typer.echo(str(out))
