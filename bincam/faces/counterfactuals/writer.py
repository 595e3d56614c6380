"""Write counterfactual pairs as a folder: two images and a mask each, and a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam._version import __version__
from bincam.errors import InputError
from bincam.faces.counterfactuals.pairs import Pair, pairs
from bincam.faces.geometry.pose import SIZE
from bincam.faces.labels.constraints import told
from bincam.faces.labels.prevalence import target
from bincam.faces.labels.sampler import sampler
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec, index
from bincam.faces.render.encode import image_name, jpeg, mask_png, write
from bincam.faces.render.settings import RENDERER, TAU, check_drawing
from bincam.files import write_json
from bincam.progress import track

DRAWN = tuple(name for name in ATTRIBUTES if name != "Attractive")
COLUMNS = (
    "attribute",
    "image",
    "flipped",
    "influence",
    "seed",
    "identity",
    "label",  # of the image, as it can be seen
    "flipped_label",
    "influenced_share",  # of the pixels
    "also_changed",  # labels that exclude what became true
)


def write_pairs(
    out: str | os.PathLike[str],
    attributes: Sequence[str],
    count: int,
    seed: int = 0,
    *,
    prevalence: str | Path = "celeba",
    set: Mapping[str, float] | None = None,  # noqa: A002  # the command's own word
    correlate: Mapping[tuple[str, str], float] | None = None,
    correlation: str | None = None,
    size: tuple[int, int] = SIZE,
    tau: int = TAU,
) -> dict[str, Any]:
    """Write ``images/000001.jpg``, and for each attribute ``flipped/ATTR/...jpg`` and ``influence/ATTR/...png``.

    ``pairs.csv`` has a row for each pair. The same faces, each of another person, serve every attribute.

    Args:
        out: The folder, new or empty.
        attributes: What to turn over; ``["all"]`` for all that are drawn.
        count: How many faces.
        seed: Of the set.
        prevalence: As for :func:`bincam.faces.labels.prevalence.target`.
        set: Likewise.
        correlate: Likewise.
        correlation: Likewise.
        size: (W, H) in pixels.
        tau: Threshold of the masks, of 255.

    Returns:
        What ``card.json`` says.

    Raises:
        InputError: Something impossible, or a folder that is not empty.
    """
    names = list(DRAWN) if list(attributes) == ["all"] else list(dict.fromkeys(attributes))
    if not names:
        raise InputError("no attribute to turn over")
    wanted = target(prevalence, set=set, correlate=correlate, correlation=correlation)
    check_drawing(names, size, tau)
    if count < 1:
        raise InputError(f"at least one face is made, got {count}")
    root = Path(out)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} is not an empty folder; choose a new one")
    faces = sampler(wanted, seed, images_per_person=1).faces(0, count)
    lines = [",".join(COLUMNS)]
    for at in track(range(count), "pairs", unit="faces"):
        file = image_name(at + 1)
        for name, made in zip(names, pairs(faces[at], names, size, tau=tau), strict=True):
            if name == names[0]:
                write(root / "images" / file, jpeg(made.image, made.jpeg_quality))
            write(root / "flipped" / name / file, jpeg(made.flipped_image, made.jpeg_quality))
            write(root / "influence" / name / f"{file[:-4]}.png", mask_png(made.influence))
            lines.append(_row(file, name, made))
    write(root / "pairs.csv", ("\n".join(lines) + "\n").encode())
    card = {
        "kind": "bincam-face-pairs",
        "schema": 1,
        "bincam": __version__,
        "settings": {
            "count": count,
            "seed": seed,
            **wanted.request,
            "size": list(size),
            "tau": tau,
            "renderer": RENDERER,
        },
        "attributes": names,
        "pairs": count * len(names),
    }
    write_json(root / "card.json", card)
    return card


def _row(file: str, name: str, made: Pair) -> str:
    column = index(name)
    also = [
        f"{'+' if on else '-'}{other}"
        for other, on, was in zip(ATTRIBUTES, _told(made.flipped), _told(made.spec), strict=True)
        if on != was and other != name
    ]
    return ",".join(
        [
            name,
            f"images/{file}",
            f"flipped/{name}/{file}",
            f"influence/{name}/{file[:-4]}.png",
            str(made.spec.seed),
            str(made.spec.identity),
            str(int(made.seen[column])),
            str(int(made.flipped_seen[column])),
            f"{made.influence.mean():.5f}",
            " ".join(also),
        ]
    )


def _told(face: FaceSpec) -> NDArray[np.bool_]:
    return told(np.array(face.labels))
