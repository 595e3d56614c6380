"""A data set that is learned in seconds: a bright spot on the left, on the right, or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import bincam
from bincam.data import AttributeTable
from bincam.data.describe import SPLITS
from bincam.train.configuration.config import TrainConfig, make_config

NAMES = ("above", "below")
NET = {"name": "resnet10t", "options": {"channels": [8, 8, 8, 8], "stem_width": 8, "norm_layer": "groupnorm1"}}


def write_spots(folder: Path, counts: tuple[int, int, int] = (96, 45, 30), *, unknown: bool = False) -> Path:
    """A CSV and PNGs of 32 x 32 pixels; ``below`` is rare."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["image,split,above,below"]
    for i in range(sum(counts)):
        split = SPLITS[0 if i < counts[0] else 1 if i < sum(counts[:2]) else 2]
        labels = rng.random(2) < (0.5, 0.25)
        picture = rng.integers(60, 120, (32, 32, 3), np.uint8)
        x = int(rng.integers(2, 22))
        if labels[0]:
            picture[3:11, x : x + 8] += 110
        if labels[1]:
            picture[21:29, x : x + 8] += 110
        cv2.imwrite(str(folder / f"{i:03d}.png"), picture)
        cells = [str(int(v)) for v in labels]
        if unknown and i % 7 == 3:
            cells[0] = ""
        lines.append(f"{i:03d}.png,{split},{cells[0]},{cells[1]}")
    (folder / "spots.csv").write_text("\n".join(lines) + "\n")
    return folder / "spots.csv"


@pytest.fixture(scope="session")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_spots(tmp_path_factory.mktemp("spots"), unknown=True)


def values(table: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """A configuration's values; dotted keys are written with two underscores."""
    base: dict[str, Any] = {
        "data": {"source": str(table), "options": {"split": "split"}, "size": 32, "fit": "stretch"},
        "model": dict(NET),
        "optimizer": {"lr": 3e-3},
        "epochs": 2,
        "batch_size": 16,
        "device": "cpu",
        "out": str(out),
    }
    for key, value in changes.items():
        *path, last = key.split("__")
        part = base
        for name in path:
            part[name] = dict(part.get(name, {}))
            part = part[name]
        part[last] = value
    return base


def digest(folder: str | Path) -> str:
    """SHA-256 of a model folder's weights."""
    from bincam.train.runs.initial_model import weights_digest

    return weights_digest(bincam.load(folder))


HARD = {"ema": 0.9, "model__options__drop_rate": 0.3, "model__options__norm_layer": "batchnorm", "clip_norm": 1.0,
        "data__augmentation": "affact"}  # fmt: skip


class Stop(Exception):  # noqa: N818  # it is no error
    pass


def outcome(folder: Path):
    """Everything of a run that does not tell the time."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["images_per_second"]
    models = {name: digest(folder / name) for name in ("", "last")}
    cards = {name: bincam.load(folder / name).card for name in ("", "last")}
    return lines, models, cards, json.loads((folder / "test.json").read_text())


def stop_after(epoch: int):
    def look(record):
        if record["epoch"] == epoch:
            raise Stop

    return look


@pytest.fixture
def config(spots: Path, tmp_path: Path) -> Any:
    """Makes a configuration of the small data set, changed as asked."""

    def make(**changes: Any) -> TrainConfig:
        return make_config(values(spots, tmp_path / changes.pop("to", "run"), **changes))

    return make


@pytest.fixture
def table(spots: Path) -> AttributeTable:
    from bincam import data

    return data.load(spots, split="split")
