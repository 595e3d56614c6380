"""Pictures with a red square in the upper left, a model that sees red, and the zoom study of its audit."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from bincam.audit import Settings, run
from bincam.data import AttributeTable, write_celeba
from bincam.errors import BincamWarning
from bincam.inference import view_plan
from bincam.models import AttributeClassifier, make_card, save
from tests.audit.planted import SIDE, reader

FACTORY = ("--factory", "tests.studies.zoom.planted:network")
"""What consents to the function that the saved model's card names."""
PLAN = [(24, 1, 1), *((64, row, column) for row in range(3) for column in range(3))]
"""One view that shows the whole picture, and nine of which each shows a quarter of its area."""


def plan():
    return view_plan(PLAN, (SIDE, SIDE))


def pictures(root, count=30, *, everywhere=False, side=7, seed=0):
    """Pictures with a red square in the upper left where the label is 1; ``everywhere`` fills the picture.

    The model sees one of 7 pixels a side in the whole picture, one of 5 only where it is enlarged.
    """
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 3 == 0).astype(np.float32)[:, None]
    images = rng.integers(0, 40, (count, SIDE, SIDE, 3)).astype(np.uint8)
    box = slice(None) if everywhere else slice(1, 1 + side)
    for row in np.flatnonzero(labels[:, 0]):
        images[row, box, box, 0] = 250
    names = tuple(f"{row:04d}.png" for row in range(count))
    people = np.array([f"p{row // 2}" for row in range(count)])
    table = AttributeTable(("Object",), labels, names, root, splits=np.full(count, "test"), identities=people)
    return write_celeba(table, images, root)


def model():
    return reader(0, names=("Object",))


def audited(folder, **options):
    """An audit of the planted model, its folder, with the model saved beside it."""
    table = pictures(folder / "pictures", **options)
    own = model()
    card = own.card.model_copy(update={"name": "tests.studies.zoom.planted:network"})
    own = AttributeClassifier(own.network, card).eval()
    save(own, folder / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)  # no regions, no references
        audit = run(own, table, folder / "audit", Settings(gate_images=0, batch_size=8), source=str(folder / "model"))
    return audit, own, table


def network():
    """The factory that the saved model's card names."""
    return model().network


class Shades(nn.Module):
    """A set of three outputs, by the mean brightness: dark, grey, bright; NaN where the corner is saturated."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([-4.0, 0.0, 4.0]))

    def forward(self, images):
        level = images.mean((1, 2, 3))[:, None] - 0.5
        scores = level * self.weight + torch.tensor([0.0, 0.6, 0.0])
        scores[images[:, :, 0, 0].amin(1) > 0.99] = torch.nan
        return scores


SHADES = ("dark", "grey", "bright")


def shades():
    card = make_card(
        attributes=SHADES, architecture="factory", name="tests.studies.zoom.planted:Shades", input_size=(SIDE, SIDE),
        mean=(0.0,) * 3, std=(1.0,) * 3, one_of={"shade": SHADES},
    )  # fmt: skip
    return AttributeClassifier(Shades(), card).eval()


def shaded(root, levels, true, sizes=None):
    """A table of pictures of one level each, with the true shades; sizes are H and W."""
    from PIL import Image

    root.mkdir(parents=True, exist_ok=True)
    names = []
    for row, level in enumerate(levels):
        height, width = (SIDE, SIDE) if sizes is None else sizes[row]
        names.append(f"{row}.png")
        Image.fromarray(np.full((height, width, 3), level, np.uint8)).save(root / names[-1])
    labels = np.array([[float(name == one) for name in SHADES] for one in true], np.float32)
    return AttributeTable(SHADES, labels, tuple(names), root, one_of={"shade": SHADES})


def relabelled(table, labels):
    return replace(table, labels=np.asarray(labels, np.float32))
