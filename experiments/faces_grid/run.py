"""Train pairs on generated faces, audit both models with --grid and --boxes, and measure; a JSON file per seed.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.faces_grid.run

Faces, models and audits are in ``--work``, not in the repository; what is finished there is not done again, and what
was interrupted goes on. Afterwards ``python -m experiments.faces_grid.tables`` makes the tables.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

from bincam import provenance
from bincam.errors import BincamError, BincamWarning
from bincam.files import read_json, write_json

HERE = Path(__file__).parent
KIND, SCHEMA = "bincam-experiment-faces-grid", 1
COUNT, SIZE, FACES_SEED = 8000, (96, 118), 11
SEEDS = (0, 1, 2)
MEAN = "mean"
HEADS = (MEAN, "max", "logsumexp", "attention")
"""Poolings of the heads; all seeds are of the first."""


def named(pooling: str, seed: int) -> str:
    """Name the file and the folders of a seed and a head.

    >>> named("mean", 0), named("max", 0)
    ('seed-0', 'max-seed-0')
    """
    return f"seed-{seed}" if pooling == MEAN else f"{pooling}-seed-{seed}"


def faces(work: Path, count: int) -> Path:
    """Make the faces, at CelebA's prevalences, or find them."""
    from bincam.faces import make

    make(work / "faces", count, FACES_SEED, size=SIZE)
    return work / "faces"


def trained(
    work: Path, data: Path, pooling: str, seed: int, overrides: list[str]
) -> tuple[dict[str, Path], dict[str, Any]]:
    """Train a pair, or find it: the models' folders, and what training was."""
    from bincam.train import fit_pair, read_config

    out = work / "runs" / named(pooling, seed)
    head = [] if pooling == MEAN else [f"model.pooling={pooling}"]
    settings = [f"data.source={data}", f"out={out}", f"seed={seed}", *head, *overrides]
    config = read_config(HERE / "pair.yaml", settings)
    began = time.process_time()
    pair = fit_pair(config, resume=True)
    said = {
        "cpu_s": round(time.process_time() - began, 1),  # of this run: little if it was there
        "images_per_second": {
            name: round(max(epoch["images_per_second"] for epoch in arm.history), 1) for name, arm in pair.arms.items()
        },
        "same_images": pair.identical,
        "test": {name: arm.test["zero"]["mean"] for name, arm in pair.arms.items() if arm.test},
    }
    return {name: out / name for name in pair.arms}, {"config": config.model_dump(mode="json"), **said}


def result(work: Path, pooling: str, seed: int, count: int, overrides: list[str]) -> dict[str, Any]:
    """Carry out everything for a head and a seed."""
    from bincam.audit import Settings, run
    from bincam.train.runs.manifest import revision
    from experiments.faces_grid.measures import seed_figures

    data = faces(work, count)
    folders, training = trained(work, data, pooling, seed, overrides)
    settings = Settings(grid=True, boxes=True, boxes_sample=0, gate_images=0)
    began = time.process_time()
    audits = {
        name: run(folder, data, work / "audits" / named(pooling, seed) / name, settings, resume=True)
        for name, folder in folders.items()
    }
    audited = round(time.process_time() - began, 1)
    training["config"]["data"]["source"] = training["config"]["out"] = None  # of this machine
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "seed": seed,
        "faces": {"count": count, "size": list(SIZE), "seed": FACES_SEED},
        "images": {split: len(audits["balanced"].images) for split in ("test",)},
        "grid": list(audits["balanced"].manifest.cells.shape) if audits["balanced"].manifest.cells else None,
        "versions": provenance.versions("training"),
        "git": revision(),
        "training": training,
        "audit_cpu_s": audited,
        "figures": seed_figures(audits),
    }


def finished(out: Path, seed: int, count: int, pooling: str = MEAN) -> dict[str, Any] | None:
    """Read the result of a head and a seed; None if there is none, or one of another number of faces."""
    file = out / f"{named(pooling, seed)}.json"
    if not file.is_file():
        return None
    stored = read_json(file, kind=KIND, schema=SCHEMA)
    return stored if stored["faces"]["count"] == count else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = Path.home() / ".cache" / "bincam-faces-grid"
    parser.add_argument("--work", type=Path, default=work, help="folder of faces, models and audits")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the JSON files")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--pooling", choices=HEADS, default=MEAN, help="of the head")
    parser.add_argument("--count", type=int, default=COUNT, help="number of faces")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for bincam train")
    options = parser.parse_args()
    warnings.simplefilter("ignore", BincamWarning)
    try:
        for seed in options.seeds:
            if finished(options.out, seed, options.count, options.pooling) is None:
                found = result(options.work, options.pooling, seed, options.count, options.set)
                write_json(options.out / f"{named(options.pooling, seed)}.json", found)
                print(f"{named(options.pooling, seed)}: done", flush=True)
    except BincamError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
