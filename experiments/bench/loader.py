"""Images/s of bincam's loader and of torchvision's CelebA, in one run, on generated JPEGs of CelebA's size.

Run from the repository: ``python experiments/bench/loader.py --out experiments/bench/loader.json``. Rates are medians
over interleaved rounds; compare their ratios, because machines and their load differ.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bincam.data import AttributeTable, Augmentation, loader, write_celeba, write_labels
from bincam.files import write_json

BATCH, SIZE = 32, 224


def make(root: Path, count: int) -> AttributeTable:
    """Write smooth noise with some grain: about the 7 to 11 kB of CelebA's aligned JPEGs."""
    import cv2

    rng = np.random.default_rng(0)

    def images() -> Iterable[bytes]:
        for _ in range(count):
            base = cv2.resize(rng.integers(0, 256, (14, 11, 3), np.uint8), (178, 218), interpolation=cv2.INTER_CUBIC)
            grain = rng.normal(0, 5, (218, 178, 1))
            picture = np.clip(base + grain, 0, 255).astype(np.uint8)
            yield cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()

    mean_face = np.array([[69, 111], [108, 111], [88, 135], [72, 152], [106, 152]], np.float32)
    table = AttributeTable(
        names=tuple(f"a{i}" for i in range(40)),
        labels=(rng.random((count, 40)) < 0.3).astype(np.float32),
        ids=tuple(f"{i:06d}.jpg" for i in range(count)),
        root=root,
        splits=np.full(count, "train"),
        identities=np.arange(count).astype(str),
        landmarks=np.rint(mean_face + rng.normal(0, 2, (count, 5, 2))),
        boxes=np.full((count, 4), 50.0),
    )
    return write_celeba(table, images(), root)


def torchvision_loader(root: Path, table: AttributeTable, workers: int, augmented: bool) -> Any:
    """Return torchvision's data set with equivalent transforms: crop, resize, normalise, augment."""
    importlib.import_module("bincam.torchvision_ops")
    from torchvision import transforms as T  # torchvision's convention
    from torchvision.datasets import CelebA

    write_labels(table, root, variant="wild")  # it also requires the files of the wild photographs
    CelebA._check_integrity = lambda _: True  # noqa: SLF001  # the checksums are those of the real images
    jitter = [
        T.RandomAffine(20, translate=(0.05, 0.05), scale=(0.9, 1.1), interpolation=T.InterpolationMode.BILINEAR),
        T.RandomHorizontalFlip(),
        T.RandomApply([T.GaussianBlur(5, (0.5, 2.0))], 0.25),
        T.ColorJitter(brightness=0.5),
    ]
    steps = [
        T.CenterCrop(178),
        T.Resize((SIZE, SIZE)),
        *(jitter if augmented else []),
        T.ToTensor(),
        T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    faces = CelebA(str(root.parent), split="train", transform=T.Compose(steps))
    return torch.utils.data.DataLoader(faces, BATCH, num_workers=workers, persistent_workers=workers > 0)


def rate(batches: Iterable[Any]) -> float:
    """Measure the images/s of one epoch."""
    start, seen = time.perf_counter(), 0
    for batch in batches:
        seen += len(batch[0]) if isinstance(batch, list) else len(batch)
    return seen / (time.perf_counter() - start)


def stall(table: AttributeTable, workers: int, threads: int, steps: int) -> dict[str, float]:
    """Measure the share of a ResNet-18's training step at 128 px spent waiting for the loader."""
    import timm

    torch.set_num_threads(threads)
    model = timm.create_model("resnet18", num_classes=40)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    batches = loader(
        table, size=128, batch_size=BATCH, workers=workers, augmentation=Augmentation(), shuffle=True, drop_last=True
    )
    waited = worked = 0.0
    stream = iter(batches)
    for step in range(steps + 2):
        start = time.perf_counter()
        batch = next(stream, None)
        if batch is None:
            break
        got = time.perf_counter()
        torch.nn.functional.binary_cross_entropy_with_logits(model(batch.images), batch.labels).backward()
        optimiser.step()
        optimiser.zero_grad()
        if step >= 2:  # the first wait for the workers to start
            waited += got - start
            worked += time.perf_counter() - got
    return {
        "workers": workers,
        "threads": threads,
        "waited_s": waited,
        "worked_s": worked,
        "share": waited / (waited + worked),
    }


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=25)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "celeba"
        table = make(root, options.count)
        size = sum(table.path(i).stat().st_size for i in range(len(table))) / len(table)
        for augmented in (False, True):
            for workers in (0, 1, 2):
                views = Augmentation() if augmented else None
                contestants: dict[str, Callable[[], Any]] = {
                    "bincam": lambda v=views, w=workers: loader(
                        table, size=SIZE, batch_size=BATCH, workers=w, augmentation=v
                    ),
                    "torchvision": lambda a=augmented, w=workers: torchvision_loader(root, table, w, a),
                }
                ready = {name: build() for name, build in contestants.items()}
                rates: dict[str, list[float]] = {name: [] for name in ready}
                for round_ in range(options.rounds + 1):
                    for name, batches in ready.items():
                        seen = rate(batches)
                        if round_:  # the first fills caches and starts workers
                            rates[name].append(seen)
                median = {name: statistics.median(values) for name, values in rates.items()}
                ratio = statistics.median(a / b for a, b in zip(*rates.values(), strict=True))
                results.append({"augmented": augmented, "workers": workers, "images_per_s": median, "ratio": ratio})
                print(f"augmented={augmented} workers={workers} {median} bincam/torchvision {ratio:.2f}", flush=True)
                del ready
        stalls = [
            stall(table, workers, threads, options.steps) for workers, threads in ((0, 2), (1, 1), (1, 2), (2, 2))
        ]
        for one in stalls:
            print(f"ResNet-18 at 128 px: {one}", flush=True)
    write_json(
        options.out,
        {
            "kind": "bincam-bench-loader",
            "schema": 1,
            "images": options.count,
            "mean_jpeg_bytes": round(size),
            "image_size": [178, 218],
            "output_size": SIZE,
            "batch": BATCH,
            "rounds": options.rounds,
            "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "torch": torch.__version__},
            "loaders": results,
            "resnet18_128px_batch32_augmented": stalls,
        },
    )


if __name__ == "__main__":
    main()
