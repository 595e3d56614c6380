"""What keeping freed memory gains: forward passes and training steps with it over those without, in turn.

    python experiments/bench/heap.py [--rounds 3] [--seconds 6] [--threads 2]

writes ``experiments/bench/heap.json``. Each measurement is a process of its own, because glibc's options cannot be
taken back. ``small`` keeps blocks of up to 32 MiB, as every command does; ``large`` all, as training does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
WORKS = {
    "forward, ResNet-50, 8 images of 224 px": ("resnet50", 8, 224, "forward"),
    "forward, ResNet-50, 32 images of 224 px": ("resnet50", 32, 224, "forward"),
    "training step, ResNet-10t, 64 images of 80 px": ("resnet10t", 64, 80, "train"),
    "training step, ResNet-18, 32 images of 128 px": ("resnet18", 32, 128, "train"),
    "training step, ResNet-50, 32 images of 224 px": ("resnet50", 32, 224, "train"),
}
KEPT = ("nothing", "small", "large")


def one(work: str, kept: str, seconds: float, threads: int) -> dict[str, float]:
    """Measure images a second, the share of the processor's time that the system takes, and the peak in MiB."""
    from bincam.heap import keep_freed_memory

    if kept != "nothing" and not keep_freed_memory(large=kept == "large"):
        raise SystemExit("this C library is not glibc, or the environment decides")
    import torch

    import bincam.torchvision_ops  # noqa: F401  # must stand before timm and torchvision

    torch.set_num_threads(threads)
    name, batch, pixels, how = WORKS[work]
    step = _step(name, batch, pixels, how)
    for _ in range(2):
        step()
    before, began, steps = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        steps += 1
    passed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    return {
        "images_a_second": batch * steps / passed,
        "share_of_the_system": system / (system + after.ru_utime - before.ru_utime),
        "peak_mib": after.ru_maxrss / 1024,
    }


def _step(name: str, batch: int, pixels: int, how: str) -> Callable[[], None]:
    import timm
    import torch
    from torch.nn import functional as F

    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=9)
    images, labels = torch.randn(batch, 3, pixels, pixels), torch.rand(batch, 9).round()
    optimizer = torch.optim.AdamW(model.parameters())

    def forward() -> None:
        with torch.inference_mode():
            model(images)

    def train() -> None:
        F.binary_cross_entropy_with_logits(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    model.train(how == "train")
    return train if how == "train" else forward


def main() -> None:
    """Measure all in turn, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one, options.seconds, options.threads)))  # read by the process that started it
        return
    from race import machine, write

    found: dict[str, Any] = {}
    for work in WORKS:
        rounds = [{kept: _measured(work, kept, options) for kept in KEPT} for _ in range(options.rounds)]
        found[work] = {
            kept: {
                "images_a_second_over_nothing": round(
                    median(each[kept]["images_a_second"] / each["nothing"]["images_a_second"] for each in rounds), 2
                ),
                "images_a_second": round(median(each[kept]["images_a_second"] for each in rounds), 1),
                "share_of_the_system": round(median(each[kept]["share_of_the_system"] for each in rounds), 3),
                "peak_mib": round(median(each[kept]["peak_mib"] for each in rounds)),
            }
            for kept in KEPT
        }
    write(
        HERE / "heap.json",
        {"machine": machine("cpu"), "threads": options.threads, "rounds": options.rounds, "works": found},
    )


def _measured(work: str, kept: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", work, kept]
    command += ["--seconds", str(options.seconds), "--threads", str(options.threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    main()
