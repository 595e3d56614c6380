"""The photographs of ``bincam explain``: how the model sees them, and where the landmarks of a face model are from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bincam.data.decoding.bands import parse_range
from bincam.data.readers.format import RANGE
from bincam.errors import InputError, nearest
from bincam.report.explained.photographs import Photographs

if TYPE_CHECKING:
    from bincam.cli.reading.option_groups import ModelOptions
    from bincam.cli.reading.table_options import ReaderOptions
    from bincam.models import Card

FITS = ("crop", "stretch")


def split_fit(model: str | None, options: ModelOptions) -> tuple[str | None, ModelOptions]:
    """Separate ``--fit`` as another fit than that of a model folder's card from ``--fit`` as a part of a new card."""
    if model is None or not Path(model).is_dir():
        return None, options
    return options.fit, replace(options, fit=None)


def read_photographs(
    card: Card,
    files: Sequence[Path],
    *,
    data: str | None,
    landmarks: Path | None,
    reading: ReaderOptions,
    fit: str | None,
) -> Photographs:
    """Read what ``--data``, ``--landmarks`` and ``--fit`` say of the photographs.

    Args:
        card: Of the model.
        files: The photographs.
        data: The data set that lists them, with their landmarks.
        landmarks: The file of their landmarks.
        reading: How the data set is read.
        fit: Instead of a face crop, ``crop`` or ``stretch``.

    Raises:
        InputError: The model reads face crops and nothing tells where the faces are, options contradict each other or
            are of no use for this model, or what they name cannot be read.
    """
    given = [
        option for option, value in (("--data", data), ("--landmarks", landmarks), ("--fit", fit)) if value is not None
    ]
    options = reading.reader_options()
    stated = options.get(RANGE)
    value_range = None if stated is None else parse_range(stated)
    if data is None and options.keys() - {RANGE}:
        raise InputError("options of the data set are given, but no data set; name it with --data")
    if card.fit != "face":
        if given:
            raise InputError(
                f"{given[0]} is for models that read face crops; this one sees a photograph by fit {card.fit!r}, as "
                "its card states; leave it out"
            )
        return Photographs(card, value_range=value_range)
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} state in several ways how faces are found; keep one of them")
    if fit is not None:
        if fit not in FITS:
            raise InputError(f"--fit {fit}{nearest(fit, FITS)}; face crops need --data or --landmarks instead")
        return Photographs(card.model_copy(update={"fit": fit}), trained_on="face", value_range=value_range)
    if landmarks is not None:
        from bincam.data.readers.landmarks import read_landmarks_of

        found, source = read_landmarks_of(landmarks, files), str(landmarks)
    elif data is not None:
        from bincam.data.readers.landmarks import landmarks_of

        table = reading.load_for(data, card)
        found, source, value_range = landmarks_of(table, files), data, table.value_range
    else:
        raise InputError(
            "the model reads faces cropped by their landmarks (fit 'face' in its card); name the data set that the "
            "photographs are of with --data, or a file of landmarks with --landmarks; --fit crop shows it the "
            "photograph's centre instead, which is not what it was trained on"
        )
    return Photographs(card, dict(zip(files, found, strict=True)), source, value_range=value_range)


def tell_fit(photographs: Photographs) -> None:
    """Tell of another fit than that of the card, once nothing can be refused any more."""
    if photographs.trained_on is not None:
        shown = f"--fit {photographs.card.fit}"
        typer.echo(
            f"bincam: the model was trained on face crops and is shown each photograph by {shown}; its answers may be "
            "worse than an audit says",
            err=True,
        )
