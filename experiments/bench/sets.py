"""Cost of explaining outputs of which exactly one is true: a thousand classes, and three sets of a face network.

    python experiments/bench/sets.py [--device cuda] [--rounds N]

writes ``experiments/bench/sets-<device>.json``. All figures: 224 x 224 pixels, random weights, 8 images, every kept map
enlarged to the size of the image. On a CPU one thread runs, and its processor time is measured, because the machine may
be busy with other work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from explain import eager, explaining, pixels, timm_model
from race import machine, milliseconds, race, ratios, write

from bincam.cam import Explainer

HERE = Path(__file__).parent
CLOCKS = {"cpu": time.process_time, "cuda": time.perf_counter}
CLASSES = tuple(f"class {n}" for n in range(1000))
FACE = {
    "race": tuple(f"race {n}" for n in range(7)),
    "gender": ("woman", "man"),
    "age": tuple(f"age {n}" for n in range(9)),
}


def thousand(device: str, rounds: int) -> dict[str, Any]:
    """Time ResNet-50 with one set of 1,000 outputs relative to its plain forward pass in the same layout."""
    model, images = timm_model("resnet50", len(CLASSES)).to(device), pixels().to(device)
    labels = torch.nn.functional.one_hot(torch.arange(len(images)) * 100, len(CLASSES))
    options: dict[str, Any] = {"names": CLASSES, "one_of": {"class": CLASSES}, "channels_last": False}
    best = Explainer(model, top=1, **options)

    def true_and_predicted() -> None:
        for maps in best(images, labels=labels).upsampled():
            del maps

    runners: dict[str, Callable[[], object]] = {
        "eager": eager(model, images),
        "predicted": explaining(model, images, top=1, **options),
        "true and predicted": true_and_predicted,
        "best five": explaining(model, images, top=5, **options),
        "predicted, by defaults": explaining(model, images, top=1, **{**options, "channels_last": True}),
    }
    seconds = race(runners, rounds, device=device, clock=CLOCKS[device])
    explanation = best(images, labels=labels)
    every = Explainer(model, **options)(images[:1])  # maps of all outputs on the native grid, for the gap alone
    return {
        "over_eager": ratios(seconds, "eager"),
        "milliseconds": milliseconds(seconds),
        "largest_identity_gap": float(explanation.identity_gap.abs().max()),
        "largest_identity_gap_of_all_outputs": float(every.identity_gap.abs().max()),
    }


def three_sets(device: str, rounds: int) -> dict[str, Any]:
    """Time all 18 outputs of a three-set ResNet-34 relative to 18 yes-or-no outputs of the same network."""
    names = tuple(name for members in FACE.values() for name in members)
    model, images = timm_model("resnet34", len(names)).to(device), pixels().to(device)
    options: dict[str, Any] = {"names": names, "channels_last": False}
    runners: dict[str, Callable[[], object]] = {
        "eager": eager(model, images),
        "yes or no": explaining(model, images, **options),
        "three sets": explaining(model, images, one_of=FACE, **options),
        "three sets, runner-up": explaining(model, images, one_of=FACE, versus="runner_up", **options),
    }
    seconds = race(runners, rounds, device=device, clock=CLOCKS[device])
    return {
        "over_yes_or_no": ratios(seconds, "yes or no"),
        "over_eager": ratios(seconds, "eager"),
        "milliseconds": milliseconds(seconds),
    }


SECTIONS = {"thousand": thousand, "three_sets": three_sets}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    path = HERE / f"sets-{options.device}.json"
    if options.device == "cpu":
        torch.set_num_threads(1)
    results: dict[str, Any] = {"machine": machine(options.device)}
    for name, section in SECTIONS.items():
        results[name] = section(options.device, options.rounds)
        print(name, results[name], flush=True)
        write(path, results)


if __name__ == "__main__":
    main()
