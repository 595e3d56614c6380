"""Images/s of bincam's training loop and of a bare torch loop, in one run, and the cost of reading files.

Both train the same network with the same loss and optimiser on the same images in memory: the bare loop's as normalised
float32, which leaves it the least possible work. Every epoch of bincam's run is followed by one of the bare loop; the
ratio is taken within each such round, and the median of the ratios is reported. Then the same run reads JPEGs of
CelebA's size through bincam's loader with AFFACT's augmentation: 1 - its rate / the rate from memory is the share of
the time that steps wait for images.

Run from the repository: ``PYTHONPATH=. python experiments/bench/train.py --out experiments/bench/train.json``.
``train_timm.py`` compares with timm's own training script.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from race import machine, write
from torch import Tensor, nn

from bincam.data import AttributeTable, loader, write_celeba
from bincam.train import fit
from bincam.train.configuration.config import TrainConfig, make_config
from bincam.train.runs.initial_model import initial_model, updated_card
from bincam.train.steps.optimizer_step import make_optimizer


def faces(folder: Path, count: int, attributes: int, batch: int) -> AttributeTable:
    """Smooth noise as JPEGs of CelebA's size; the last ``batch`` of them are for validation."""
    import cv2

    rng = np.random.default_rng(0)

    def images() -> Iterator[bytes]:
        for _ in range(count + batch):
            base = cv2.resize(rng.integers(0, 256, (14, 11, 3), np.uint8), (178, 218), interpolation=cv2.INTER_CUBIC)
            yield cv2.imencode(".jpg", base, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()

    table = AttributeTable(
        names=tuple(f"a{i}" for i in range(attributes)),
        labels=(rng.random((count + batch, attributes)) < 0.3).astype(np.float32),
        ids=tuple(f"{i:06d}.jpg" for i in range(count + batch)),
        root=folder,
        splits=np.array(["train"] * count + ["validation"] * batch),
    )
    return write_celeba(table, images(), folder)


def bare(config: TrainConfig, train: AttributeTable, device: torch.device) -> Callable[[], Tensor]:
    """Train an epoch in plain torch."""
    model = initial_model(config, train, {})
    card = updated_card(model, fit="stretch")
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = make_optimizer(model, config.optimizer)
    batches = list(loader(train, card=card, batch_size=64))
    images = torch.cat([b.images for b in batches]).to(device, memory_format=torch.channels_last)
    labels = torch.cat([b.labels for b in batches]).to(device)
    loss = nn.BCEWithLogitsLoss()
    narrow = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(config.precision)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")

    def epoch() -> Tensor:
        model.train()
        total = torch.zeros((), device=device)
        order = torch.randperm(len(images), device=device)[: len(images) // config.batch_size * config.batch_size]
        for rows in order.split(config.batch_size):
            with contextlib.nullcontext() if narrow is None else torch.autocast(device.type, narrow):
                logits = model(images[rows])
            value = loss(logits.float(), labels[rows])
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(value).backward()
            scaler.step(optimizer)
            scaler.update()
            total += value.detach()
        return total

    return epoch


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=1280)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--attributes", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "faces"
        table = faces(folder, options.count, options.attributes, options.batch)

        def settings(name: str, **data: Any) -> TrainConfig:
            return make_config(
                {
                    "data": {"source": str(folder), "size": options.size, "fit": "stretch", **data},
                    "model": {"name": options.model},
                    "schedule": {"name": "constant"},
                    "epochs": options.rounds + 1,
                    "batch_size": options.batch,
                    "precision": options.precision,
                    "device": options.device,
                    "out": str(Path(scratch) / name),
                }
            )

        memory = settings("memory", augmentation="none", memory=True)
        plain = bare(memory, table.split("train"), device)
        plain()  # the first epoch warms up; ours is left out below
        images = options.count // options.batch * options.batch
        theirs: list[float] = []

        def round_of(_: dict[str, Any]) -> None:
            if device.type == "cuda":
                torch.cuda.synchronize()
            began = time.perf_counter()
            plain().item()
            theirs.append(images / (time.perf_counter() - began))

        ours = [r["images_per_second"] for r in fit(memory, on_epoch=round_of).history][1:]
        read = settings("files", augmentation="affact", workers=options.workers)
        files = [r["images_per_second"] for r in fit(read).history][1:]
    result = {
        "kind": "bincam-bench-train",
        "schema": 1,
        "settings": {**vars(options), "out": None},
        "machine": machine(options.device),
        "images_per_second": {
            "bincam": round(median(ours), 1),
            "bare torch": round(median(theirs[1:]), 1),
            "bincam, reading and augmenting files": round(median(files), 1),
        },
        "bincam_over_bare": round(median(a / b for a, b in zip(ours, theirs[1:], strict=True)), 3),
        "rounds": [round(a / b, 3) for a, b in zip(ours, theirs[1:], strict=True)],
        "waits_for_files": round(max(0.0, 1 - median(files) / median(ours)), 3),
    }
    write(options.out, result)
    print(result)


if __name__ == "__main__":
    main()
