"""Files of ``bincam explain``: the images that it reads, the figures that it writes, and those of its example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from bincam.errors import InputError
from bincam.files import names_in

FILE = "explanations.json"
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".npy", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
EXAMPLE = Path("reports/example")


def list_images(paths: Sequence[Path]) -> list[Path]:
    """List the files to explain: the given ones, with each folder replaced by its images in order of name.

    Raises:
        InputError: There is none, or a file occurs twice.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [file for name in names_in(path) if (file := path / name).suffix.lower() in SUFFIXES]
            inside = [file for file in inside if file.is_file()]
            if not inside:
                raise InputError(f"{path}: no images in this folder (looked for {', '.join(sorted(SUFFIXES))})")
            files += inside
        else:
            files.append(path)
    if not files:
        raise InputError("no images; name files or folders, or pass --example")
    for file, times in Counter(files).items():
        if times > 1:
            raise InputError(f"{file} is given twice")
    return files


def figure_paths(files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """The path of each image's figure: the image's name with ``.png``, numbered where two images share a name.

    Raises:
        InputError: The folder's parent does not exist, the folder is a file, or a figure would overwrite an image.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file, not a folder")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out}: its parent folder {out.absolute().parent} does not exist")
    inputs = {file.resolve() for file in files}
    result: dict[Path, Path] = {}
    taken: set[str] = set()
    for file in files:
        name, number = file.stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{file.stem}-{number}"
        taken.add(name.casefold())
        result[file] = out / f"{name}.png"
        if result[file].resolve() in inputs:
            raise InputError(f"--out {out}: the figure of {file} would overwrite an image; choose another folder")
    return result


def make_example(out: Path) -> tuple[str, list[Path]]:
    """Train the example's model and write its images, with progress on stderr."""
    from bincam import example
    from bincam.models import save
    from bincam.stats.formatting import percent

    out.parent.mkdir(parents=True, exist_ok=True)
    typer.echo(
        "Training a small network on generated images to detect a disc, a square and a cross. "
        "Crosses are rare in its training data.",
        err=True,
    )
    trained = example.train()
    save(trained.model, out / "model")
    for name, accuracy in trained.accuracy.items():
        negatives, positives = trained.model.card.train_counts[name]
        share = positives / (negatives + positives)
        typer.echo(f"  {name}: in {percent(share, 0)} of the training images; {accuracy}", err=True)
    files = example.write_images(out / "images")
    typer.echo(f"Model: {out / 'model'}, images: {out / 'images'}. Explaining them:", err=True)
    return str(out / "model"), files
