"""The published protocol's configuration: what it says, and that it runs on a folder in CelebA's layout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import bincam
from bincam import cli
from bincam.train.configuration.config import read_config

PAIR = Path(__file__).parents[2] / "experiments" / "celeba" / "pair.yaml"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of ``bincam ...``."""
    monkeypatch.setattr(sys, "argv", ["bincam", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def test_it_is_the_published_protocol() -> None:
    config = read_config(PAIR)
    assert (config.model.name, config.data.size, config.data.fit) == ("resnet50", (224, 224), "face")
    assert config.data.augmentation == "affact"
    assert (config.optimizer.name, config.optimizer.lr) == ("rmsprop", 1e-4)
    assert (config.batch_size, config.epochs, config.schedule.name) == (64, 35, "plateau")
    assert {name: arm.loss.name for name, arm in config.arms.items()} == {"unbalanced": "bce", "balanced": "moon_bce"}


@pytest.mark.slow
def test_it_runs_on_generated_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces, out = tmp_path / "faces", tmp_path / "pair"
    made = ("--count", 96, "--size", "89x109", "--prevalence", "balanced", "--images-per-person", 1, "--workers", 1)
    assert run(monkeypatch, "faces", "make", "--out", faces, *made) == 0
    changes = {
        "data.source": faces,
        "data.attributes": "[Male, Smiling]",
        "data.size": 64,
        "data.workers": 0,
        "model.pretrained": "none",
        "model.options": "{channels: [8, 8, 16, 16]}",  # narrow: weights are written and hashed many times
        "epochs": 1,
        "batch_size": 16,
        "device": "cpu",
        "out": out,
    }
    options = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    assert run(monkeypatch, "train", PAIR, "--pair", *options) == 0
    pair = json.loads((out / "pair.json").read_text())
    assert all(pair["identical"].values())
    for arm, loss in (("unbalanced", "bce"), ("balanced", "moon_bce")):
        card = bincam.load(out / arm).card
        assert (card.loss, card.fit, card.name) == (loss, "face", "resnet50")
        negatives, positives = card.train_counts["Male"]
        expected = np.log(negatives / positives) if arm == "balanced" else 0.0
        assert card.logit_shift["Male"] == pytest.approx(expected, abs=1e-6)
