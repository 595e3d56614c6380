"""Measure the summary of an audit of millions of images: peak memory, and its time beside that of reading the records.

    python -m experiments.bench.summary make FOLDER --images 3300000
    python -m experiments.bench.summary measure FOLDER

``make`` writes records without a model: labels, logits and measures are drawn, about 361 images of a person as in
MAAD-Face (Terhörst et al. 2021). ``measure`` takes the summary in a process of its own, and then lets pyarrow read the
same files, every column that the summary needs once; both run on the same cores, and the files are read once before so
that neither waits for the disk.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from bincam.audit.folder import reader
from bincam.audit.folder.manifest import KIND, SCHEMA, Manifest
from bincam.audit.folder.parts.shard import Shard, records_table
from bincam.audit.folder.schema import measure_columns
from bincam.files import write_json
from bincam.references import FITTED

HERE = Path(__file__).parent
NAMES = (*(f"attribute_{n:02d}" for n in range(45)), "Male", "Young")
METHOD = "grad_cam"
PEOPLE = 9131
SHARD = 256
POOL = 32
"""Different draws of the measures of a shard; they are used in turn, each time by other images."""


def manifest_of(images: int) -> Manifest:
    """State an audit of drawn records."""
    digest = "0" * 64
    return Manifest(
        version="0.1.0",
        versions={},
        model={"source": "none", "digest": digest, "name": "drawn", "card": {"name": "drawn"}},
        data={
            "source": "none", "root": "none", "digest": digest, "split": "test", "images": images,
            "images_hash": digest,
        },
        attributes=NAMES,
        methods=(METHOD,),
        side="predicted",
        thresholds=dict.fromkeys(NAMES, 0.0),
        head="logits",
        references=dict.fromkeys(FITTED, digest),
        train_counts=dict.fromkeys(NAMES, (9000, 1000)),
        train_counts_from="card",
        logit_shift=dict.fromkeys(NAMES, 0.5),
        grid={METHOD: [7, 7]},
        image_size=[224, 224],
        seed=0,
        shard_images=SHARD,
        settings_digest=digest,
    )  # fmt: skip


def make(folder: Path, images: int, *, people: int = PEOPLE, seed: int = 0) -> None:
    """Write the records and the table of images of an audit, as the pass over the images would."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    manifest = manifest_of(images)
    A = len(NAMES)
    for room in ("records", "maps"):
        (folder / room).mkdir(parents=True, exist_ok=True)
    write_json(folder / reader.MANIFEST, {"kind": KIND, "schema": SCHEMA, **manifest.to_json()})
    person = np.sort(rng.integers(0, max(people, 1), images))
    prevalence = rng.uniform(0.05, 0.5, A)
    lean = rng.normal(0, 0.5, (max(people, 1), A)).astype(np.float32)
    columns = measure_columns((METHOD,))
    pool = [{name: _measure(name, (SHARD, A), rng) for name in columns} for _ in range(POOL)]
    for number in range(manifest.shards):
        rows = np.arange(number * SHARD, min((number + 1) * SHARD, images))
        shape = (len(rows), A)
        label = (rng.random(shape) < prevalence).astype(np.float32)
        logit = 3 * (label - 0.6) + lean[person[rows]] + rng.normal(size=shape).astype(np.float32)
        label[rng.random(shape) < 0.01] = np.nan
        side = np.where(logit >= 0, 1, -1)
        outcome = np.where(side > 0, np.where(label > 0, 0, 1), np.where(label > 0, 2, 3))
        turned = int(rng.integers(SHARD))
        drawn = {name: np.roll(values, turned, 0)[: len(rows)] for name, values in pool[number % POOL].items()}
        shard = Shard(
            {
                "row": rows, "label": label, "logit": logit, "threshold": np.zeros(A, np.float32), "side": side,
                "outcome": np.where(np.isnan(label), -1, outcome), **drawn,
            },
            {},
        )  # fmt: skip
        pq.write_table(
            records_table(manifest, shard),
            reader.records_file(folder, number),
            compression="zstd",
            use_dictionary=["attribute", "outcome"],
        )
    names = pa.array([f"n{one:06d}" if people else "" for one in person])
    table = {
        "row": pa.array(np.arange(images, dtype=np.int32)),
        "image": pa.array([f"n{one:06d}/{n:07d}.jpg" for n, one in enumerate(person)]),
        "identity": names,
        "group.age": pa.array(np.array(["child", "young", "middle", "old"])[rng.integers(0, 4, images)]),
        "skipped": pa.array([""] * images),
    }
    pq.write_table(pa.table(table), folder / reader.IMAGES, compression="zstd")


def _measure(name: str, shape: tuple[int, int], rng: np.random.Generator) -> Any:
    measure = name.rpartition(".")[2]
    if measure in ("empty", "pointing"):
        values = (rng.random(shape) < 0.1).astype(np.float32)
    elif measure in ("support", "opposition", "lift", "mass"):
        values = rng.gamma(2.0, 1.0, shape).astype(np.float32)
    elif measure == "gain":
        values = np.clip(rng.normal(0.3, 0.3, shape), -0.3, 1).astype(np.float32)
    else:
        values = rng.random(shape, np.float32)
    values[rng.random(shape) < 0.02] = np.nan
    return values
