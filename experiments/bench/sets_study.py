"""Cost of a study of sets: ``bincam sets`` of an audit of 200,000 images and 40 yes-or-no attributes.

    python experiments/bench/sets_study.py [--images N] [--attributes N] [--out FILE]

writes ``experiments/bench/sets-study.json``. Two audits are written, one to calibrate on and one to judge, with all
columns of the records and four images of each person. Each study runs in a process of its own: processor seconds of the
whole command, and its peak of resident memory, imports included. Once all images are judged (a calibration folder),
once half of them. The time of one partition of 20 million numbers, and the processes that waited for its processors
(the load), say how fast and how busy the machine was.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from race import machine, write

from bincam.audit.folder.manifest import Manifest
from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.schema import measure_columns
from bincam.audit.folder.writer import AuditWriter

SHARD = 5000


def write_audit(folder: Path, images: int, attributes: int, seed: int) -> Path:
    """Write an audit without maps: labels, logits, outcomes, and a constant in place of every measure."""
    rng = np.random.default_rng(seed)
    names = [f"attribute {a}" for a in range(attributes)]
    prevalence = np.linspace(0.02, 0.6, attributes)
    card = {"name": "made", "train_counts": {n: [1000, 1000] for n in names}}
    manifest = Manifest(
        model={"source": "made", "digest": "0" * 64, "name": "made", "card": card},
        data={"source": f"made {seed}", "root": "", "digest": f"{seed:064x}", "split": "test", "images": images,
              "images_hash": f"{seed:064x}"},
        attributes=names,
        methods=["grad_cam"],
        thresholds=dict.fromkeys(names, 0.0),
        train_counts={n: [round(10_000 * (1 - p)), round(10_000 * p)] for n, p in zip(names, prevalence, strict=True)},
        shard_images=SHARD,
        slice_by=["sex", "age"],
        settings_digest=f"{seed:064x}",
    )  # fmt: skip
    writer = AuditWriter.begin(folder, manifest)
    measures = measure_columns(["grad_cam"])
    for number in range(manifest.shards):
        rows = np.arange(number * SHARD, min((number + 1) * SHARD, images))
        label = (rng.random((len(rows), attributes)) < prevalence).astype(np.float32)
        logit = (3 * (label - 0.5) + np.log(prevalence / (1 - prevalence)) + rng.normal(size=label.shape)).astype(
            np.float32
        )
        yes = logit >= 0
        outcome = np.where(yes, np.where(label > 0, 0, 1), np.where(label > 0, 2, 3))
        constant = dict.fromkeys(measures, np.zeros(label.shape, np.float32))
        columns = {"row": rows, "label": label, "logit": logit, "threshold": np.zeros(attributes),
                   "side": np.where(yes, 1, -1), "outcome": outcome, **constant}  # fmt: skip
        writer.write_shard(
            number, Shard(columns, {"grad_cam": np.zeros((len(rows), attributes, 1, 1), np.float16)}, {}, {})
        )
    people = rng.permutation(np.arange(images) // 4)
    writer.write_images(
        {
            "image": [f"{row:06d}.jpg" for row in range(images)],
            "identity": [f"{seed}-{person}" for person in people],
            "group.sex": np.where(people % 2, "f", "m").tolist(),
            "group.age": np.where(people % 3, "young", "old").tolist(),
            "skipped": [""] * images,
        }
    )
    writer.write_summary({"level": 0.95, "attributes": {}})
    return folder


def measured(*arguments: str) -> dict[str, Any]:
    """Run ``bincam sets`` in a process of its own; its processor seconds and its peak of memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "bincam", "sets", *arguments], check=True, stdout=subprocess.DEVNULL
    )  # our own command
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "peak_mebibytes": round(after.ru_maxrss / 1024)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--attributes", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "sets-study.json")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine(), "images": options.images, "attributes": options.attributes}
    with tempfile.TemporaryDirectory() as place:
        judged, other = (write_audit(Path(place, str(n)), options.images, options.attributes, n) for n in (0, 1))
        # The smaller one first: the peak is that of the largest child so far.
        half, folder = Path(place, "half"), Path(place, "folder")
        results["half of the people"] = measured(str(judged), "--calibrate", "half", "--out", str(half))
        values = np.random.default_rng(0).random(20_000_000)
        begin = time.process_time()
        np.partition(values, 10_000_000)
        results["load"] = round(os.getloadavg()[0], 1)
        results["partition_seconds"] = round(time.process_time() - begin, 3)
        del values
        results["another audit"] = measured(str(judged), "--calibrate", str(other), "--out", str(folder))
        summary = json.loads((folder / "summary.json").read_text())
        results["judged"] = summary["judged"]
        results["rules"] = sum(len(entry["rules"]) for entry in summary["subjects"].values()) + len(
            summary["attributes"]["rules"]
        )
        files = [file for file in folder.rglob("*") if file.is_file()]
        results["megabytes_written"] = round(sum(file.stat().st_size for file in files) / 1e6, 1)
    print(results)
    write(options.out, results)


if __name__ == "__main__":
    main()
