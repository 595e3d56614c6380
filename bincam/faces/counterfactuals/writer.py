"""Writer of a folder of counterfactual pairs: two images and a mask for each, and a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam._version import __version__
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.errors import InputError
from bincam.faces.counterfactuals.pairs import Pair, pairs
from bincam.faces.geometry.pose import SIZE
from bincam.faces.labels.constraints import labels_from_drawn
from bincam.faces.labels.prevalence import Target, target
from bincam.faces.labels.sampler import sampler
from bincam.faces.labels.spec import ATTRIBUTES, DRAWN, FaceSpec, index
from bincam.faces.render.settings import RENDERER, TAU, check_drawing
from bincam.files import write_json
from bincam.folder_lock import take
from bincam.generated.encode import image_name, jpeg, mask_png, write
from bincam.progress import track

COLUMNS = (
    "attribute",
    "image",
    "flipped",
    "influence",
    "seed",
    "identity",
    "label",  # of the image, where it can be seen
    "flipped_label",
    "influenced_share",  # of the pixels
    "also_changed",  # labels that exclude one that became true
    *LANDMARK_COLUMNS,  # of the image
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

    ``pairs.csv`` has a row for each pair. The same faces, each of a different person, are used for every attribute.

    Args:
        out: The folder, new or empty.
        attributes: Attributes to flip; ``["all"]`` for all that are drawn.
        count: Number of faces.
        seed: Seed of the set.
        prevalence: As for :func:`bincam.faces.labels.prevalence.target`.
        set: Likewise.
        correlate: Likewise.
        correlation: Likewise.
        size: (W, H) in pixels.
        tau: Threshold of the masks, in levels of 255.

    Returns:
        The content of ``card.json``.

    Raises:
        InputError: Invalid or infeasible settings, or a folder that is not empty or that another process is writing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = write_pairs(folder, ["Smiling"], 1, size=(64, 80))
    ...     sorted(path.name for path in Path(folder).iterdir()), card["pairs"]
    (['card.json', 'flipped', 'images', 'influence', 'pairs.csv'], 1)
    """
    names = list(DRAWN) if list(attributes) == ["all"] else list(dict.fromkeys(attributes))
    if not names:
        raise InputError("no attribute to flip; name at least one")
    wanted = target(prevalence, set=set, correlate=correlate, correlation=correlation)
    check_drawing(names, size, tau)
    if count < 1:
        raise InputError(f"expected a count of at least 1, got {count}")
    with take(out) as taken:
        if any(taken.folder.iterdir()):
            raise InputError(f"{taken.folder} is not an empty folder; choose a new one")
        return _write(taken.folder, names, wanted, count=count, seed=seed, size=size, tau=tau)


def _write(
    root: Path, names: list[str], wanted: Target, *, count: int, seed: int, size: tuple[int, int], tau: int
) -> dict[str, Any]:
    faces = sampler(wanted, seed, images_per_person=1).faces(0, count)
    lines = [",".join(COLUMNS)]
    for row in track(range(count), "pairs", unit="faces"):
        file = image_name(row + 1)
        for name, pair in zip(names, pairs(faces[row], names, size, tau=tau), strict=True):
            if name == names[0]:
                write(root / "images" / file, jpeg(pair.image, pair.jpeg_quality))
            write(root / "flipped" / name / file, jpeg(pair.flipped_image, pair.jpeg_quality))
            write(root / "influence" / name / f"{file[:-4]}.png", mask_png(pair.influence))
            lines.append(_row(file, name, pair))
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


def _row(file: str, name: str, pair: Pair) -> str:
    column = index(name)
    also = [
        f"{'+' if after else '-'}{other}"
        for other, before, after in zip(ATTRIBUTES, _labels(pair.spec), _labels(pair.flipped), strict=True)
        if before != after and other != name
    ]
    return ",".join(
        [
            name,
            f"images/{file}",
            f"flipped/{name}/{file}",
            f"influence/{name}/{file[:-4]}.png",
            str(pair.spec.seed),
            str(pair.spec.identity),
            str(int(pair.seen[column])),
            str(int(pair.flipped_seen[column])),
            f"{pair.influence.mean():.5f}",
            " ".join(also),
            *(f"{value:.2f}" for value in pair.landmarks.ravel().tolist()),
        ]
    )


def _labels(face: FaceSpec) -> NDArray[np.bool_]:
    return labels_from_drawn(np.array(face.labels))
