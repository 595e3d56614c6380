"""Images/s of training with the two-head loss against softmax cross-entropy, in one run.

    PYTHONPATH=. python experiments/bench/two_head.py --out experiments/bench/two-head.json

Both train the same network from the same configuration with bincam's own step, on the same images in memory: one
thread, an epoch of one after an epoch of the other, processor time, the median of the ratios of the rounds. Once with
10 outputs and batches of 32, once with 1,000 outputs and batches of 64, where ordering the pseudo-labels costs most.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from race import machine, race, write

from bincam.train.configuration.config import make_config
from bincam.train.runs.setup import make_setup
from bincam.train.runs.splits import read_splits
from bincam.train.steps.batches import TrainingBatches
from bincam.train.steps.distributed import Process
from bincam.train.steps.optimizer_step import Stepper


def images_of(folder: Path, count: int, outputs: int, size: int) -> Path:
    """Write noise with a class each; every class occurs."""
    rng = np.random.default_rng(0)
    lines = ["image,split,class"]
    for number in range(count + outputs):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (size, size, 3), np.uint8))
        split = "train" if number < count else "validation"
        lines.append(f"{number}.png,{split},{number % outputs:04d}")
    table = folder / "table.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def epoch_of(table: Path, out: Path, loss: str, batch: int, size: int, model: str) -> Callable[[], None]:
    """Prepare a run; return what trains one epoch of it."""
    config = make_config(
        {
            "data": {
                "source": str(table),
                "options": {"split": "split", "one_of_columns": ["class"]},
                "size": size,
                "fit": "stretch",
                "memory": True,
                "augmentation": "none",
            },
            "model": {"name": model},
            "loss": loss,
            "batch_size": batch,
            "device": "cpu",
            "out": str(out),
        }
    )
    splits, process = read_splits(config.data), Process(config)
    setup = make_setup(config, splits, world=1)
    stepper = Stepper(setup.model, setup.loss, config, process)
    batches = TrainingBatches(
        splits.train, config, setup.model.card, setup.order, rank=0, world=1, device=process.device
    )

    def epoch() -> None:
        stepper.start_epoch(0)
        for step, parts in enumerate(batches.epoch(0)):
            stepper.step(parts, epoch=0, step=step, steps=batches.steps, reductions=0)

    return epoch


def measured(outputs: int, batch: int, size: int, model: str, count: int, rounds: int) -> dict[str, Any]:
    """Race both losses."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table = images_of(folder, count, outputs, size)
        runners = {
            name: epoch_of(table, folder / name, loss, batch, size, model)
            for name, loss in (("cross-entropy", "bce"), ("two heads", "two_head"))
        }
        seconds = race(runners, rounds, clock=time.process_time)
    images = count // batch * batch
    each = [one / two for one, two in zip(seconds["cross-entropy"], seconds["two heads"], strict=True)]
    return {
        "outputs": outputs,
        "batch": batch,
        "pixels": size,
        "model": model,
        "images_per_second": {name: round(images / median(values), 1) for name, values in seconds.items()},
        "two_heads_over_cross_entropy": round(median(each), 3),
        "rounds": [round(ratio, 3) for ratio in each],
    }


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=384)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    cases = ((10, 32, 64, "resnet18"), (1000, 64, 64, "resnet18"))
    result = {
        "kind": "bincam-bench-two-head",
        "schema": 1,
        "machine": machine(),
        "clock": "processor time",
        "cases": [measured(*case, max(options.count, case[0]), options.rounds) for case in cases],
    }
    write(options.out, result)
    for case in result["cases"]:
        print(case)


if __name__ == "__main__":
    main()
