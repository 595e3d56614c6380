"""Folders of classes: listing against ``os.walk``, and images/s of the loader against torchvision's ``ImageFolder``.

Run from the repository: ``python -m experiments.bench.class_folders --out experiments/bench/class-folders.json``. All
figures are medians of ratios of interleaved rounds, because other work shares the machine; the listing's, and a second
one of loaders without workers, are of processor time.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bincam.data import AttributeTable, load, loader
from bincam.data.crop import fit_matrix
from bincam.data.images import decode
from bincam.data.readers.general.image_files import Aside, images_below
from bincam.files import write_json
from experiments.bench.loader import BATCH, SIZE, rate

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def listing(folder: Path, files: int, rounds: int) -> dict[str, float]:
    """Measure listing and reading a folder of 100 classes against ``os.walk`` of it."""
    for label in range(100):
        inner = folder / "train" / f"class_{label:03}"
        inner.mkdir(parents=True)
        for i in range(files // 100):
            (inner / f"img_{i:06}.jpg").touch()
    contestants: dict[str, Callable[[], Any]] = {
        "walk": lambda: [names for _, _, names in os.walk(folder)],
        "list": lambda: images_below(str(folder), "", Aside()),
        "read": lambda: load(folder),
    }
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(rounds + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            if round_:
                spent[name].append(time.process_time() - start)
    ratios = {
        name: statistics.median(a / b for a, b in zip(spent[name], spent["walk"], strict=True))
        for name in ("list", "read")
    }
    return {
        "files": files,
        "walk_s": statistics.median(spent["walk"]),
        **{f"{k}_per_walk": v for k, v in ratios.items()},
    }


def pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write smooth noise with some grain as JPEGs, in ten classes."""
    import cv2

    rng = np.random.default_rng(0)
    for i in range(count):
        base = cv2.resize(rng.integers(0, 256, (14, 11, 3), np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
        picture = np.clip(base + rng.normal(0, 5, (*size, 1)), 0, 255).astype(np.uint8)
        file = folder / "train" / str(i % 10) / f"{i:06}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])


def image_folder(folder: Path, workers: int) -> Any:
    """Return torchvision's loader with the nearest transforms: the centre square, resized and normalised."""
    importlib.import_module("bincam.torchvision_ops")
    from torchvision import transforms as T  # torchvision's convention
    from torchvision.datasets import ImageFolder

    steps = [T.Resize(SIZE), T.CenterCrop(SIZE), T.ToTensor(), T.Normalize(MEAN, STD)]
    images = ImageFolder(str(folder / "train"), T.Compose(steps))
    return torch.utils.data.DataLoader(images, BATCH, num_workers=workers, persistent_workers=workers > 0)


def pixels_are_the_plain_paths(table: AttributeTable) -> bool:
    """True if the loader's pixels are those of decoding, cropping and normalising an image by itself."""
    from bincam.data.augment import Views

    batch = next(iter(loader(table, size=SIZE, batch_size=8, mean=MEAN, std=STD, fit="crop")))
    views = Views(None, (SIZE, SIZE))
    for row, image in zip(batch.rows.tolist(), batch.images, strict=True):
        stored = decode(table.path(row))
        view = views(stored, fit_matrix("crop", stored.shape[:2], (SIZE, SIZE)), (0, 0, row))
        plain = (torch.from_numpy(view.image).permute(2, 0, 1).double() / 255 - torch.tensor(MEAN)[:, None, None]) / (
            torch.tensor(STD)[:, None, None]
        )
        if not torch.allclose(plain.float(), image, atol=1e-5):
            return False
    return True


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        listed = listing(Path(scratch, "many"), options.files, options.rounds)
        print(listed, flush=True)
        for size in ((218, 178), (375, 500)):
            folder = Path(scratch, f"{size[0]}")
            pictures(folder, options.count, size)
            table = load(folder)
            same = pixels_are_the_plain_paths(table)
            for workers in (0, 1, 2):
                ready: dict[str, Any] = {
                    "bincam": loader(
                        table, size=SIZE, batch_size=BATCH, workers=workers, mean=MEAN, std=STD, fit="crop"
                    ),
                    "image_folder": image_folder(folder, workers),
                }
                rates: dict[str, list[float]] = {name: [] for name in ready}
                spent: dict[str, list[float]] = {name: [] for name in ready}
                for round_ in range(options.rounds + 1):
                    for name, batches in ready.items():
                        start = time.process_time()
                        seen = rate(batches)
                        if round_:  # the first fills caches and starts workers
                            rates[name].append(seen)
                            spent[name].append(time.process_time() - start)
                ratios = sorted(a / b for a, b in zip(*rates.values(), strict=True))
                of_processor = sorted(b / a for a, b in zip(*spent.values(), strict=True))
                results.append(
                    {
                        "image_size": size,
                        "workers": workers,
                        "images_per_s": {name: statistics.median(values) for name, values in rates.items()},
                        "ratio": statistics.median(ratios),
                        "ratios": ratios,
                        **({} if workers else {"processor_time_ratio": statistics.median(of_processor)}),
                        "pixels_are_the_plain_paths": same,
                    }
                )
                print(results[-1], flush=True)
                del ready
    machine = {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "torch": torch.__version__,
        "load_average": os.getloadavg()[1],  # of five minutes: what else the machine did
    }
    write_json(
        options.out,
        {
            "kind": "bincam-bench-class-folders",
            "schema": 1,
            "listing": listed,
            "images": options.count,
            "output_size": SIZE,
            "batch": BATCH,
            "rounds": options.rounds,
            "machine": machine,
            "loaders": results,
        },
    )


if __name__ == "__main__":
    main()
