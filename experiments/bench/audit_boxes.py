"""Cost of boxes in an audit's pass: without, of all positives with a region, and of a sample.

    python experiments/bench/audit_boxes.py [--images N] [--rounds N]

writes ``experiments/bench/audit-boxes.json``. A ResNet-50 with random weights at 224 x 224 pixels and 40 attributes, of
which nine have a mask; every image has all of these nine. The parts of a mask are ellipses of the size of parts of a
face. One thread, images are read in the same process, processor time of interleaved rounds, so that the reader's share
is in the figure. ``sampled`` measures at most one image in ten of each attribute, as the default of 500 images of each
does in an audit of 5,000; the exact numbers of pairs stand beside the figures. Memory is that of a process per variant.
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
from pathlib import Path
from typing import Any

import numpy as np
from race import machine, race, ratios, write

SIDE, ATTRIBUTES, MASKED = 224, 40, 9
HERE = Path(__file__).parent
VARIANTS = ("without", "all", "sampled")


def write_pictures(folder: Path, count: int) -> Path:
    """Write images, part masks and a table in which every image has the nine attributes with a mask."""
    from PIL import Image

    random = np.random.default_rng(0)
    names = [f"a{n:02d}" for n in range(ATTRIBUTES)]
    masks = folder / "masks" / "parts"
    masks.mkdir(parents=True)
    parts = {str(n + 1): {"name": names[n], "attributes": [names[n]]} for n in range(MASKED)}
    (masks / "parts.json").write_text(json.dumps({"kind": "bincam-parts", "schema": 1, "parts": parts}))
    lines = ["image," + ",".join(names)]
    y, x = np.mgrid[:SIDE, :SIDE]
    for row in range(count):
        name = f"{row:05d}.png"
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)).save(folder / name, compress_level=1)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for n in range(MASKED):
            cy, cx = (n // 3 + 0.5) * SIDE / 3 + random.normal(0, 6), (n % 3 + 0.5) * SIDE / 3 + random.normal(0, 6)
            ry, rx = random.uniform(12, 34, 2)
            mask[((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1] = n + 1
        Image.fromarray(mask).save(masks / name)
        labels = [1] * MASKED + random.integers(0, 2, ATTRIBUTES - MASKED).tolist()
        lines.append(name + "," + ",".join(map(str, labels)))
    (folder / "table.csv").write_text("\n".join(lines))
    return folder / "table.csv"


def plan_of(table: Path, variant: str, images: int) -> Any:
    """Plan an audit of one variant; its references are left out, because they are fitted before the pass."""
    import torch

    from bincam.audit import Settings
    from bincam.audit.pipeline.planning import make_plan
    from bincam.data import load
    from bincam.models import build

    torch.manual_seed(0)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    data = load(table)
    model = build("resnet50", list(data.names), input_size=(SIDE, SIDE))
    sample = 0 if variant == "all" else max(1, images // 10)
    settings = Settings(
        split=None, reference_split=None, gate_images=0, boxes=variant != "without", boxes_sample=sample
    )
    return make_plan(model, data, settings)


def measured(plan: Any, images: int) -> Any:
    """Measure the images as a shard."""
    from bincam.audit.pipeline.shard import measure_shard

    return measure_shard(plan, range(images))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "audit-boxes.json")
    parser.add_argument("--alone", nargs=2, metavar=("TABLE", "VARIANT"), help="print the peak memory of one variant")
    options = parser.parse_args()
    if options.alone:
        measured(plan_of(Path(options.alone[0]), options.alone[1], options.images), options.images)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    with tempfile.TemporaryDirectory() as name:
        table = write_pictures(Path(name), options.images)
        plans = {variant: plan_of(table, variant, options.images) for variant in VARIANTS}
        runners = {variant: lambda plan=plan: measured(plan, options.images) for variant, plan in plans.items()}
        seconds = race(runners, rounds=options.rounds, clock=time.process_time)
        own = [sys.executable, __file__, "--images", str(options.images), "--alone", str(table)]
        peaks = {
            variant: round(float(subprocess.run([*own, variant], capture_output=True, check=True).stdout), 1)
            for variant in VARIANTS
        }
    per_image = {variant: round(1000 * min(values) / options.images, 1) for variant, values in seconds.items()}
    over = ratios(seconds, "without")
    result = {
        "machine": machine(),
        "images": options.images,
        "pairs": {"all": options.images * MASKED, "sampled": max(1, options.images // 10) * MASKED},
        "milliseconds_per_image": per_image,
        "over_without": over,
        "milliseconds_per_pair": round((per_image["all"] - per_image["without"]) / MASKED, 2),
        "peak_megabytes": peaks,
    }
    write(options.out, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
