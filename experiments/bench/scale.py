"""What an audit costs besides its pass, for each image and each shard: the figures behind docs/scale.md.

Measured are the bytes of a shard's files (a small ResNet at 224 pixels, 40 attributes with a region each, the midpoint
fitted: the sizes depend on attributes and grid, not on the network), and the work of the machine that runs the command:
the digest of the image files, the table in memory and pickled, the search for missing shards, and the sums and digests
of shards at the end. Files have just been written, so that no disk is waited for.
``python experiments/bench/scale.py --out experiments/bench/scale.json``.
"""

from __future__ import annotations

import argparse
import json
import pickle
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from cells import pictures
from race import machine

import bincam.torchvision_ops  # noqa: F401  # before timm
from bincam.audit import Settings
from bincam.audit.folder.digest import file_digest
from bincam.audit.folder.parts.shard import read_state
from bincam.audit.folder.stored import read_tensors
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.engines.shards import measure_shards
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.references import fit_references
from bincam.cam import Explainer
from bincam.data import AttributeTable, Regions
from bincam.models import build
from bincam.provenance import images_hash

SIDE, ATTRIBUTES, SHARD = 224, 40, 256
ROWS, SHARDS = 400_000, 20_000


def seconds_of(act: Callable[[], object], rounds: int = 3) -> float:
    """The median time of a few runs, after one that is not timed."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def audited(folder: Path) -> tuple[AuditWriter, AttributeTable]:
    """Write the only shard of an audit."""
    table = pictures(folder, SHARD)
    masks = {}
    for place, name in enumerate(table.names):
        masks[name] = np.zeros((SIDE, SIDE), bool)
        masks[name][place : place + SIDE // 3, place : place + SIDE // 3] = True
    model = build("resnet10t", list(table.names), input_size=(SIDE, SIDE))
    settings = Settings(regions=Regions.drawn(masks, source="squares"), gate_images=0, shard_images=SHARD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = make_plan(model, table, settings)
        explainer = Explainer(model, list(table.names), method="cam")
        batches = [(batch.images, batch.labels) for batch in plan.loader(plan.reference_table)]
        plan = replace(plan, references=fit_references(explainer, batches))
        writer = AuditWriter.begin(folder / "audit", plan.manifest)
        for _ in measure_shards(plan, writer, [0]):
            pass
    return writer, table


def of_a_table() -> dict[str, float]:
    """What a row of a table takes in memory and pickled: a name of 30 characters, a split, a person, the labels."""
    random, before = np.random.default_rng(0), psutil.Process().memory_info().rss
    table = AttributeTable(
        names=tuple(f"a{n:02d}" for n in range(ATTRIBUTES)),
        labels=random.integers(0, 2, (ROWS, ATTRIBUTES)).astype(np.float32),
        ids=tuple(f"n{n // 360:07d}/{n:016d}.jpg" for n in range(ROWS)),
        root=Path("images"),
        splits=np.full(ROWS, "test"),
        identities=np.array([f"n{n // 360:07d}" for n in range(ROWS)]),
    )
    held = psutil.Process().memory_info().rss - before
    pickled = pickle.dumps(table)
    return {
        "bytes_in_memory": round(held / ROWS),
        "bytes_pickled": round(len(pickled) / ROWS),
        "microseconds_to_unpickle": round(1e6 * seconds_of(lambda: pickle.loads(pickled)) / ROWS, 2),  # noqa: S301  # its own
    }


def main() -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_table = of_a_table()  # first, while little memory is free within the process
        writer, table = audited(folder)
        files = {
            room: sum(file.stat().st_size for file in (writer.folder / room).rglob("*") if file.is_file())
            for room in ("records", "maps", "state")
        }
        sums, state = (writer.folder / "state" / f"part-00000{suffix}" for suffix in (".safetensors", ".json"))
        large = folder / "large"
        large.write_bytes(bytes(1 << 28))
        for number in range(SHARDS):
            shutil.copyfile(state, writer.folder / "records" / f"part-{number:05d}.parquet")
        many = writer.manifest.data.model_copy(update={"images": SHARDS * SHARD})
        listing = replace(writer, manifest=writer.manifest.model_copy(update={"data": many}))
        result: dict[str, Any] = {
            "machine": machine(),
            "attributes": ATTRIBUTES,
            "shard_images": SHARD,
            "files_of_a_shard": 4,
            "bytes_of_an_image": {room: round(size / SHARD) for room, size in files.items()},
            "row_of_the_table": in_table,
            "images_digest": {
                "bytes_of_an_image": round(np.mean([table.path(row).stat().st_size for row in range(len(table))])),
                "images_per_second": round(len(table) / seconds_of(lambda: images_hash(table))),
            },
            "missing_shards_per_second": round(SHARDS / seconds_of(lambda: listing.missing)),
            "sums_of_shards_per_second": round(1 / seconds_of(lambda: (read_tensors(sums), read_state(state)), 50)),
            "digest_megabytes_per_second_of_a_thread": round(
                large.stat().st_size / 1e6 / seconds_of(lambda: file_digest(large))
            ),
        }
    text = json.dumps(result, indent=1)
    if options.out is None:
        print(text)
    else:
        options.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
