"""The two worlds: generated faces and generated scenes, a trained network of each seed, and what its images show.

A world has images to fit references on and images to judge; masks of objects are exact, and those of influence are the
pixels that change when an attribute of a face is taken away (of scenes, an object's own pixels are all that changes).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.data import AttributeTable
from bincam.errors import BincamWarning
from bincam.files import atomic, read_json
from bincam.models import AttributeClassifier, load

HERE = Path(__file__).parent
FACES, FACES_SEED, FACES_SIZE = 8000, 11, (96, 118)
"""Those of ``experiments.faces_grid``: its folder may be given as that of faces."""

SCENES, SCENES_EPOCHS = 6000, 8
INFLUENCE = (
    *("Eyeglasses", "Smiling", "Wearing_Hat", "Bald", "Mustache", "Wearing_Lipstick"),
    *("Bangs", "Goatee", "Blond_Hair", "Bushy_Eyebrows", "Wearing_Necktie", "Mouth_Slightly_Open"),
)
INFLUENCE_IMAGES = 150
"""The first of the judged images, of which influence is measured for the attributes of ``INFLUENCE`` that they have."""


@dataclass(frozen=True)
class World:
    """A trained network with images to fit on and images to judge.

    Attributes:
        model: In evaluation mode.
        names: The A attributes.
        fitted: ``(M, 3, H, W)``: images of the reference split.
        fitted_labels: ``(M, A)``.
        images: ``(N, 3, H, W)``, to be judged.
        labels: ``(N, A)``: 1 or 0.
        people: N names.
        masks: ``object`` and, of faces, ``influence``: ``(N, A, H, W)``.
        known: Likewise ``(N, A)``: whether there is a mask with pixels in it.
        training: What training said.
    """

    model: AttributeClassifier
    names: tuple[str, ...]
    fitted: Tensor
    fitted_labels: Tensor
    images: Tensor
    labels: Tensor
    people: list[str]
    masks: dict[str, NDArray[np.bool_]]
    known: dict[str, NDArray[np.bool_]]
    training: dict[str, float]


def open_world(name: str, seed: int, work: Path, images: int, fitted: int) -> World:
    """Train a world's network, or find it, and draw its images."""
    return {"faces": _faces, "scenes": _scenes}[name](seed, work, images, fitted)


def _faces(seed: int, work: Path, images: int, fitted: int) -> World:
    from bincam import data, faces
    from bincam.train import fit, read_config

    source = work / "faces"
    faces.make(source, FACES, FACES_SEED, size=FACES_SIZE, workers=1)
    out = work / "runs" / f"faces-seed-{seed}"
    config = read_config(HERE / "faces.yaml", [f"data.source={source}", f"out={out}", f"seed={seed}"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        if not (out / "test.json").is_file():  # the last file of a training
            fit(config, resume=True)
        table = data.load(source)
    model = load(out).eval()
    table = table.select(model.card.attributes)
    chosen = {name: table.split(part) for name, part in (("fitted", "validation"), ("judged", "test"))}
    limits = {"fitted": fitted, "judged": images}
    parts = {name: each.take(np.arange(min(limits[name], len(each)))) for name, each in chosen.items()}
    read = {name: list(data.loader(each, card=model.card, batch_size=64)) for name, each in parts.items()}
    regions = data.Regions.stored(source / "masks" / "parts")
    batches = list(data.loader(parts["judged"], card=model.card, batch_size=64, regions=regions))
    there = np.concatenate([batch.masks.numpy() for batch in batches if batch.masks is not None])
    masks = {"object": there, "influence": _influence(source, parts["judged"], there.shape, work)}
    known = {kind: each.any((2, 3)) for kind, each in masks.items()}
    test = read_json(out / "test.json", kind="bincam-test", schema=1)["zero"]["mean"]
    people = parts["judged"].identities
    assert people is not None
    return World(
        model,
        tuple(model.card.attributes),
        torch.cat([batch.images for batch in read["fitted"]]),
        torch.cat([batch.labels for batch in read["fitted"]]),
        torch.cat([batch.images for batch in read["judged"]]),
        torch.cat([batch.labels for batch in read["judged"]]),
        np.asarray(people, str).tolist(),
        masks,
        known,
        {name: float(value) for name, value in test.items() if isinstance(value, float)},
    )


def _influence(source: Path, table: AttributeTable, shape: tuple[int, ...], work: Path) -> NDArray[np.bool_]:
    """Find the pixels ``(N, A, H, W)`` that change with attributes that faces have, drawn once for all seeds."""
    import cv2

    from bincam import faces
    from bincam.faces.counterfactuals.pairs import influences

    masks = np.zeros(shape, bool)
    specs = faces.specs(source)
    for row, image in enumerate(table.ids[:INFLUENCE_IMAGES]):
        file = work / "influence" / f"{Path(image).stem}.npz"
        names = [name for name in INFLUENCE if table.labels[row, table.index(name)] == 1]
        if not file.is_file():
            found = influences(specs[Path(image).name], names, FACES_SIZE) if names else {}
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic(file) as part, part.open("wb") as stream:
                np.savez_compressed(stream, **found)
        with np.load(file) as stored:
            for name in names:
                resized = cv2.resize(stored[name].astype(np.float32), shape[:1:-1], interpolation=cv2.INTER_AREA)
                masks[row, table.index(name)] = resized >= 0.5
    return masks


def _scenes(seed: int, work: Path, images: int, fitted: int) -> World:
    from bincam import scenes
    from experiments.scenes.campaign import Job, Plan
    from experiments.scenes.observed import normalised
    from experiments.scenes.training import TEST_SEED, VALIDATION_SEED, train

    job = Job("all", "mean", seed, plan=Plan(count=SCENES, epochs=SCENES_EPOCHS))
    trained = train(job, work, "bfloat16")
    model, size = trained.model.eval(), job.plan.size
    held = scenes.draw(fitted, seed=VALIDATION_SEED, rule="all", size=size)
    judged = scenes.draw(images, seed=TEST_SEED, rule="all", size=size)
    masks = judged.parts[:, None] == np.arange(1, len(scenes.SHAPES) + 1)[:, None, None]
    return World(
        model,
        tuple(scenes.SHAPES),
        normalised(held.images, model),
        torch.from_numpy(held.present).float(),
        normalised(judged.images, model),
        torch.from_numpy(judged.present).float(),
        [str(number) for number in range(images)],
        {"object": masks},
        {"object": masks.any((2, 3))},
        {**trained.history[-1]},
    )
