"""What the prediction grid costs an audit's pass: the same shard with and without it, in one run.

ResNet-50 at 224 pixels, 40 attributes with a region each, the midpoint reference fitted. Timed is what is done for a
shard of images: reading, the forward pass, all measures, and writing the shard. Peak memory is that of two processes
of their own. ``python experiments/bench/cells.py --out experiments/bench/cells.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from race import machine, milliseconds, race, ratios

import bincam.torchvision_ops  # noqa: F401  # before timm
from bincam.audit import Settings
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.references import fit_references
from bincam.audit.pipeline.shard import measure_shard
from bincam.cam import Explainer
from bincam.data import AttributeTable, Regions
from bincam.models import build

SIDE, ATTRIBUTES, VALIDATION = 224, 40, 8


def pictures(folder: Path, count: int) -> AttributeTable:
    """Write noise images, each of a person of its own, with random labels."""
    random = np.random.default_rng(0)
    ids = [f"{n:05d}.jpg" for n in range(count + VALIDATION)]
    for name in ids:
        pixels = random.integers(0, 256, (SIDE // 8, SIDE // 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(folder / name)
    return AttributeTable(
        names=tuple(f"a{n:02d}" for n in range(ATTRIBUTES)),
        labels=random.integers(0, 2, (len(ids), ATTRIBUTES)).astype(np.float32),
        ids=tuple(ids),
        root=folder,
        splits=np.where(np.arange(len(ids)) < count, "test", "validation"),
        identities=np.array([f"p{n}" for n in range(len(ids))]),
    )


def plan_of(folder: Path, count: int, *, grid: bool) -> Plan:
    """Plan an audit of the pictures, with its references."""
    table = pictures(folder, count)
    random, masks = np.random.default_rng(1), {}
    for name in table.names:
        mask = np.zeros((SIDE, SIDE), bool)
        top, left = random.integers(0, SIDE // 2, 2)
        mask[top : top + SIDE // 3, left : left + SIDE // 3] = True
        masks[name] = mask
    model = build("resnet50", list(table.names), input_size=(SIDE, SIDE))
    settings = Settings(regions=Regions.drawn(masks, source="squares"), grid=grid, gate_images=0, shard_images=count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = make_plan(model, table, settings)
    explainer = Explainer(model, list(table.names), method="cam")
    batches = [(batch.images, batch.labels) for batch in plan.loader(plan.reference_table)]
    return replace(plan, references=fit_references(explainer, batches))


def shard(plan: Plan, folder: Path, count: int) -> None:
    """Measure and write the only shard anew."""
    writer = AuditWriter(folder, plan.manifest)
    writer.write_shard(0, measure_shard(plan, range(count)))


def main() -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--memory", choices=("with", "without"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.memory:
            shard(plan_of(folder, options.images, grid=options.memory == "with"), folder / "audit", options.images)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            return
        plans = {which: plan_of(folder, options.images, grid=which == "with") for which in ("without", "with")}
        runners = {
            which: lambda plan=plan, which=which: shard(plan, folder / which, options.images)
            for which, plan in plans.items()
        }
        seconds = race(runners, rounds=options.rounds, clock=time.process_time)
        size = sum(file.stat().st_size for file in (folder / "with" / "cells").iterdir())
    memory = {}
    for which in ("without", "with"):
        command = [sys.executable, __file__, "--images", str(options.images), "--memory", which]
        memory[which] = round(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024, 1)
    result = {
        "machine": machine(),
        "images": options.images,
        "attributes": ATTRIBUTES,
        "processor_ms_per_shard": milliseconds(seconds),
        "ratio": ratios(seconds, "without"),
        "peak_MiB": memory,
        "stored_bytes_per_image": round(size / options.images),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
