"""Pictures of one coloured square each, in the corner of its colour, and softmax models that read the colours.

The set ``colour`` is true by construction: exactly one square is there. A fault can be planted in one output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bincam.audit import Audit
from bincam.audit.settings import Settings
from bincam.data import AttributeTable, Regions, write_celeba
from bincam.models import AttributeClassifier, Card, make_card
from tests.audit.planted import SIDE, Eye

COLOURS = ("red", "green", "blue")
CORNERS = {"red": (slice(2, 10), slice(2, 10)), "green": (slice(2, 10), slice(22, 30)),
           "blue": (slice(22, 30), slice(2, 10))}  # fmt: skip
NAMES = (*COLOURS, "Bright")
SETS = {"colour": COLOURS}
TRAINED = {"red": (400, 600), "green": (700, 300), "blue": (900, 100), "Bright": (500, 500)}


def write_pictures(root: Path, count: int = 60, *, seed: int = 0, people: int = 2) -> AttributeTable:
    """A folder in CelebA's layout: every third picture for validation, the others for the test."""
    rng = np.random.default_rng(seed)
    true = rng.permutation(np.arange(count) % 3)
    bright = rng.integers(0, 2, count)
    pictures = rng.integers(0, 20, (count, SIDE, SIDE, 3)).astype(np.uint8)
    for row, colour in enumerate(true):
        pictures[(row, *CORNERS[COLOURS[colour]], colour)] = 250 if bright[row] else 200
    labels = np.concatenate([np.eye(3)[true], bright[:, None]], 1).astype(np.float32)
    table = AttributeTable(
        names=NAMES,
        labels=labels,
        ids=tuple(f"{row:04d}.png" for row in range(count)),
        root=root,
        splits=np.where(np.arange(count) % 3 == 0, "validation", "test"),
        identities=np.array([str(1 + row // people) for row in range(count)]),
    )
    half = np.where(np.arange(count) % 2, "odd", "even")
    return replace(write_celeba(table, pictures, root), one_of=SETS, groups={"half": half})


def corners() -> Regions:
    """The corner of each colour; the yes-or-no attribute has no region."""
    masks = {}
    for colour, place in CORNERS.items():
        masks[colour] = np.zeros((SIDE, SIDE), bool)
        masks[colour][place] = True
    return Regions.drawn(masks, source="the corners")


def card(one_of: object = SETS, names: Sequence[str] = NAMES, **changes: object) -> Card:
    return make_card(
        **{  # type: ignore[arg-type]
            "attributes": tuple(names),
            "architecture": "factory",
            "name": "tests.audit.planted:build",
            "one_of": one_of,
            "input_size": (SIDE, SIDE),
            "mean": (0.0,) * 3,
            "std": (1.0,) * 3,
            "train_counts": {name: TRAINED[name] for name in names if name in TRAINED},
            **changes,
        }
    )


def reader(fault: str | None = None, *, gain: float = 400.0, **changes: object) -> AttributeClassifier:
    """A softmax over the colours, and a yes-or-no attribute; with a fault that colour counts for red."""
    weight = np.zeros((4, 3))
    for k, colour in enumerate(COLOURS):
        weight[COLOURS.index("red") if colour == fault else k, k] = gain
    weight[3] = gain
    return AttributeClassifier(Eye(weight.tolist(), [0.3, 0.0, -0.2, -gain * 0.03]), card(**changes)).eval()


def weak_reader() -> AttributeClassifier:
    """A model that is wrong now and then: weak evidence of its colours, and a bias."""
    weight = [[30.0, 4.0, 0.0], [0.0, 26.0, 8.0], [6.0, 0.0, 26.0], [400.0] * 3]
    return AttributeClassifier(Eye(weight, [0.9, 0.0, 0.1, -12.0]), card()).eval()


class TwoHeads(nn.Module):
    """The reader's decisions, and a second head that takes each colour for the next: logits of its own, known by hand.

    The second head has no column for the yes-or-no attribute.
    """

    def __init__(self, gain: float = 400.0) -> None:
        super().__init__()
        self.eye = reader(gain=gain).network
        self.second = nn.Linear(3, 3)
        with torch.no_grad():
            self.second.weight.copy_(0.5 * gain * torch.eye(3).roll(1, 0))
            self.second.bias.copy_(torch.tensor([-1.0, -2.0, -3.0]))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        pooled = self.eye.features(self.eye.grid(images)).mean((2, 3))
        return {"decisions": self.eye.head(pooled), "label_sets": self.second(pooled)}


def two_heads(**changes: object) -> AttributeClassifier:
    """A model with a second head for label sets."""
    own = card(output="decisions", set_output="label_sets", name="tests.audit.planted_sets:TwoHeads", **changes)
    return AttributeClassifier(TwoHeads(), own).eval()


def audit_settings(*, batch_size: int = 4, shard_images: int = 8) -> Settings:
    """Settings of an audit of the pictures, with the corners as regions."""
    return Settings(regions=corners(), batch_size=batch_size, shard_images=shard_images, gate_images=0)


def of_set(audit: Audit) -> dict[str, Any]:
    return audit.summary["sets"]["colour"]


def true_and_scores(audit: Audit) -> tuple[np.ndarray, np.ndarray]:
    """The column of each image's true colour, and the images' raw scores."""
    records = audit.records(["attribute", "label"])
    labels = records["label"].to_numpy().reshape(-1, len(audit.attributes))[:, :3]
    return labels.argmax(1), audit.scores()


# Fixtures for modules that import them. Their functions have names of their own, because a test's argument would
# otherwise redefine an import.


@pytest.fixture(scope="session", name="coloured")
def coloured_pictures(tmp_path_factory: pytest.TempPathFactory) -> AttributeTable:
    """60 pictures: 20 for validation, 40 for the test."""
    return write_pictures(tmp_path_factory.mktemp("coloured"))


@pytest.fixture(scope="session", name="chosen")
def chosen_settings() -> Settings:
    return audit_settings()
