"""Images/s of bincam's training from JPEG files and of timm's own training script, in one run.

timm's script is ``train.py`` in its repository (github.com/huggingface/pytorch-image-models) but not in its package, so
``--script`` names a copy. Both read the same JPEGs of CelebA's size, resize and crop them in the same way without
augmentation, and train the same network with as many outputs by AdamW on batches of the same size, channels last. timm
uses one class per image and a softmax, bincam one logit per attribute. Each reports its own rate, with reading and
without validation. The first epoch of every process is left out; a round's ratio is that of the medians of the other
epochs.

Run from the repository: ``PYTHONPATH=. python experiments/bench/train_timm.py --script TRAIN.py --out FILE.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch
import yaml
from race import machine, write
from train import faces

# timm's script does not support a torchvision whose operators cannot be loaded.
START = (
    "import runpy, sys, bincam.torchvision_ops; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], {}, '__main__')"
)


def ours(options: argparse.Namespace, folder: Path, out: Path) -> list[float]:
    """Return the images/s of every epoch but the first."""
    config = {
        "data": {
            "source": str(folder),
            "size": options.size,
            "fit": "crop",
            "augmentation": "none",
            "workers": options.workers,
        },
        "model": {"name": options.model},
        "optimizer": {"name": "adamw", "lr": 1e-3},
        "epochs": options.epochs,
        "batch_size": options.batch,
        "precision": options.precision,
        "device": options.device,
        "tensorboard": False,
        "out": str(out),
    }
    file = out.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(config))
    run("-m", "bincam", "train", str(file))
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [float(record["images_per_second"]) for record in records[1:]]


def theirs(options: argparse.Namespace, folder: Path, out: Path) -> list[float]:
    """Return the same from the log lines at the end of each epoch."""
    words = [
        *("--data-dir", folder, "--model", options.model, "--num-classes", options.attributes),
        *("--img-size", options.size, "--batch-size", options.batch, "--epochs", options.epochs),
        *("--opt", "adamw", "--lr", "1e-3", "--warmup-epochs", 0, "--no-aug", "--channels-last"),
        *("--device", options.device, "-j", options.workers, "--log-interval", 10**6, "--output", out),
    ]
    if options.device == "cpu":
        words.append("--no-prefetcher")  # prefetching requires a GPU
    if options.precision != "fp32":
        words += ["--amp", "--amp-dtype", {"bf16": "bfloat16", "fp16": "float16"}[options.precision]]
    log = run("-c", START, options.script.resolve(), *words)
    rates = dict(re.findall(r"Train: (\d+) \[.*\(\d+\.\d+s, +(\d+\.\d+)/s\)", log))  # the last line of each epoch
    if len(rates) != options.epochs:
        raise SystemExit(f"{options.script}: {len(rates)} of {options.epochs} epochs told their rate:\n{log}")
    return [float(rates[str(epoch)]) for epoch in range(1, options.epochs)]


def run(*words: object) -> str:
    """Return the output of a Python process; exit if it fails."""
    done = subprocess.run(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout)
    return done.stdout


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--script", type=Path, required=True, help="timm's train.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=640)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--attributes", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"bincam": [], "timm": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder, classes = Path(scratch) / "faces", Path(scratch) / "classes"
        table = faces(folder, options.count, options.attributes, options.batch)
        for i, split in enumerate(table.splits):  # the same files again, sorted by class as timm's script expects
            there = classes / str(split) / str(i % 2)
            there.mkdir(parents=True, exist_ok=True)
            (there / table.ids[i]).symlink_to(table.path(i))
        for number in range(options.rounds):
            rates["bincam"].append(median(ours(options, folder, Path(scratch) / f"ours-{number}")))
            rates["timm"].append(median(theirs(options, classes, Path(scratch) / f"theirs-{number}")))
    rounds = [a / b for a, b in zip(rates["bincam"], rates["timm"], strict=True)]
    result = {
        "kind": "bincam-bench-train-timm",
        "schema": 1,
        "settings": {**vars(options), "script": None, "out": None, "threads": torch.get_num_threads()},
        "machine": machine(options.device),
        "timm": version("timm"),
        "script_sha256": hashlib.sha256(options.script.read_bytes()).hexdigest(),
        "images_per_second": {name: round(median(values), 1) for name, values in rates.items()},
        "bincam_over_timm": round(median(rounds), 3),
        "rounds": [round(ratio, 3) for ratio in rounds],
    }
    write(options.out, result)
    print(result)


if __name__ == "__main__":
    main()
