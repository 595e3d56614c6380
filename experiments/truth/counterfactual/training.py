"""Faces and trained pairs of models for the experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bincam.files import read_json

HERE = Path(__file__).parent
COUNT, SIZE, FACES_SEED = 2000, (64, 80), 21
ARMS = ("unbalanced", "balanced")


def faces(work: Path, count: int) -> Path:
    """Make the faces to train on, at CelebA's prevalences, or find them."""
    from bincam.faces import make

    make(work / "faces", count, FACES_SEED, size=SIZE, workers=1)
    return work / "faces"


def trained(work: Path, count: int, seed: int) -> tuple[dict[str, Path], dict[str, Any]]:
    """Train a pair, or find it: the models' folders, and what training was."""
    from bincam.train import fit_pair, read_config
    from bincam.train.runs.folder import TEST, TEST_KIND, TEST_SCHEMA

    out = work / "runs" / f"seed-{seed}"
    settings = [f"data.source={work / 'faces'}", f"out={out}", f"seed={seed}"]
    folders = {name: out / name for name in ARMS}
    if not all((folder / TEST).is_file() for folder in folders.values()):  # else not even the faces are read
        faces(work, count)
        fit_pair(read_config(HERE / "pair.yaml", settings), resume=True)
    config = read_config(HERE / "pair.yaml", settings).model_dump(mode="json")
    config["data"]["source"] = config["out"] = None  # of this machine
    tests = {name: read_json(at / TEST, kind=TEST_KIND, schema=TEST_SCHEMA) for name, at in folders.items()}
    return folders, {"config": config, "test": {name: test["zero"]["mean"] for name, test in tests.items()}}
