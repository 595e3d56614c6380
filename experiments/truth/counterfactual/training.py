"""Faces and trained pairs of models for the experiment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COUNT, SIZE, FACES_SEED = 2000, (64, 80), 21


def faces(work: Path, count: int) -> Path:
    """Make the faces to train on, at CelebA's prevalences, or find them."""
    from bincam.faces import make

    make(work / "faces", count, FACES_SEED, size=SIZE, workers=1)
    return work / "faces"


def trained(work: Path, count: int, seed: int, overrides: list[str]) -> tuple[dict[str, Path], dict[str, Any]]:
    """Train a pair, or find it: the models' folders, and what training was."""
    from bincam.train import fit_pair, read_config

    data, out = faces(work, count), work / "runs" / f"seed-{seed}"
    settings = [f"data.source={data}", f"out={out}", f"seed={seed}", *overrides]
    config = read_config(HERE / "pair.yaml", settings)
    began = time.process_time()
    pair = fit_pair(config, resume=True)
    said = {
        "cpu_s": round(time.process_time() - began, 1),  # of this run: little if it was there
        "same_images": pair.identical,
        "test": {name: arm.test["zero"]["mean"] for name, arm in pair.arms.items() if arm.test},
    }
    return {name: out / name for name in pair.arms}, {"config": config.model_dump(mode="json"), **said}
