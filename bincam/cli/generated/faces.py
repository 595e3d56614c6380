"""``bincam faces``: generated faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bincam.cli.generated import faces_make
from bincam.cli.reading.option_groups import LARGEST_SEED

app = typer.Typer(help="Generate faces with exact ground truth.", no_args_is_help=True)
faces_make.register(app)


@app.command()
def classes(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder made by bincam faces make.")],
) -> None:
    """Write FOLDER/classes.csv: hair colour, a five-level age and Male of every image, for models with sets of outputs.

    FOLDER/data.yaml states how it is read, so every command takes it by its name.
    """
    from bincam.faces.dataset.classes import write_classes

    typer.echo(str(write_classes(folder)))


@app.command()
def sheet(
    out: Annotated[Path, typer.Option(metavar="FILE", help="PNG to write.")],
    kind: Annotated[
        str, typer.Option(help="faces: random faces; attributes: each attribute off, on and its mask; or both.")
    ] = "both",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the first face.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Random faces to draw.")] = 48,
    columns: Annotated[int, typer.Option(min=1, help="Random faces per row.")] = 12,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Size of each face in pixels.")] = "178x218",
) -> None:
    """Draw contact sheets: random faces, and each attribute off, on, and where it changes the image."""
    from bincam.faces.dataset import contact_sheet

    contact_sheet.write(out, kind, seed, count, columns, size)
    typer.echo(str(out))
