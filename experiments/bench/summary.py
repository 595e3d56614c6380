"""Measure the summary of an audit of millions of images: peak memory, and its time beside that of reading the records.

    python -m experiments.bench.summary make FOLDER --images 3300000 --distinct 1459200
    python -m experiments.bench.summary measure FOLDER --file summary.json

``make`` writes records without a model: labels, logits and measures are drawn, about 361 images of a person as in
MAAD-Face (Terhörst et al. 2021). With ``--distinct`` further shards are links to the first ones, which takes less disk
and time and costs a summary the same. ``measure`` makes the summary and reads the same files with pyarrow, in processes
of their own and in turn: the processor time of each counts, so that neither other work nor the disk decides. pyarrow
reads every column of the records, all at once (``joint``), and column by column, each in a scan of its own
(``by_column``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import queue
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder import reader
from bincam.audit.folder.manifest import KIND, SCHEMA, Manifest
from bincam.audit.folder.parts.shard import Shard, records_table
from bincam.audit.folder.schema import measure_columns
from bincam.files import write_json
from bincam.references import FITTED

NAMES = (*(f"attribute_{n:02d}" for n in range(45)), "Male", "Young")
METHOD = "grad_cam"
PEOPLE = 9131
SHARD = 256
POOL = 32
"""Different draws of the measures of a shard; they are used in turn, each time by other images."""


def manifest_of(images: int, names: tuple[str, ...] = NAMES) -> Manifest:
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
        attributes=names,
        methods=(METHOD,),
        side="predicted",
        thresholds=dict.fromkeys(names, 0.0),
        head="logits",
        references=dict.fromkeys(FITTED, digest),
        train_counts=dict.fromkeys(names, (9000, 1000)),
        train_counts_from="card",
        logit_shift=dict.fromkeys(names, 0.5),
        grid={METHOD: [7, 7]},
        image_size=[224, 224],
        seed=0,
        shard_images=SHARD,
        settings_digest=digest,
    )  # fmt: skip


def make(folder: Path, images: int, *, people: int = PEOPLE, distinct: int | None = None, seed: int = 0) -> None:
    """Write the records and the table of images of an audit, as the pass over the images would.

    Args:
        folder: The audit's folder.
        images: How many.
        people: How many; 0 for an audit that names none.
        distinct: Images whose records are written; those of the others are links. All by default.
        seed: Of the draws.
    """
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
    pool = [{name: drawn_measure(name, (SHARD, A), rng) for name in columns} for _ in range(POOL)]
    written = manifest.shards if distinct is None else max(1, distinct // SHARD)
    own = {*range(min(written, manifest.shards)), manifest.shards - 1}  # the last may have fewer images than others
    for number in sorted(own):
        rows = np.arange(number * SHARD, min((number + 1) * SHARD, images))
        write_records(folder, manifest, number, lean[person[rows]], prevalence, pool, (rng, rng))
    for number in sorted({*range(manifest.shards)} - own):
        file = reader.records_file(folder, number)
        file.unlink(missing_ok=True)
        file.hardlink_to(reader.records_file(folder, number % written))
    names = pa.array([f"n{one:06d}" if people else "" for one in person])
    table = {
        "row": pa.array(np.arange(images, dtype=np.int32)),
        "image": pa.array([f"n{one:06d}/{n:07d}.jpg" for n, one in enumerate(person)]),
        "identity": names,
        "group.age": pa.array(np.array(["child", "young", "middle", "old"])[rng.integers(0, 4, images)]),
        "skipped": pa.array([""] * images),
    }
    pq.write_table(pa.table(table), folder / reader.IMAGES, compression="zstd")


def write_records(
    folder: Path,
    manifest: Manifest,
    number: int,
    lean: NDArray[np.float32],
    prevalence: NDArray[np.float64],
    pool: Sequence[Mapping[str, Any]],
    randoms: tuple[np.random.Generator, np.random.Generator],
) -> None:
    """Draw the records of a shard and write them.

    Args:
        folder: The audit's.
        manifest: Its manifest.
        number: Of the shard.
        lean: ``(N, A)``: what the logits of each image's person are moved by.
        prevalence: ``(A,)``, of the labels.
        pool: Measures that shards take in turn, each from another row on.
        randoms: What labels are drawn from, and what the model says.
    """
    import pyarrow.parquet as pq

    data, model = randoms
    shape = lean.shape
    label = (data.random(shape) < prevalence).astype(np.float32)
    logit = 3 * (label - 0.6) + lean + model.normal(size=shape).astype(np.float32)
    label[data.random(shape) < 0.01] = np.nan
    side = np.where(logit >= 0, 1, -1)
    outcome = np.where(side > 0, np.where(label > 0, 0, 1), np.where(label > 0, 2, 3))
    turned = int(model.integers(SHARD))
    drawn = {name: np.roll(values, turned, 0)[: len(lean)] for name, values in pool[number % POOL].items()}
    shard = Shard(
        {
            "row": number * SHARD + np.arange(len(lean)), "label": label, "logit": logit,
            "threshold": np.zeros(shape[1], np.float32), "side": side,
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


def drawn_measure(name: str, shape: tuple[int, int], rng: np.random.Generator) -> Any:
    """Draw the values of a column of the records."""
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


def summarise_once(folder: Path, result: Any) -> None:
    """Make the summary, and return its time and the greatest memory of this process."""
    from bincam.audit import summarise
    from bincam.audit.folder.reader import open_audit

    audit = open_audit(folder, unfinished=True)
    before = time.process_time()
    summary = summarise(audit)
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result.put({"seconds": seconds, "peak_bytes": peak, "images": summary["images"], **summary["streamed"]})


def read_once(folder: Path, columns: list[str] | None, shards: int, result: Any) -> None:
    """Read columns of all records with pyarrow, and return the time."""
    import pyarrow.dataset as ds

    files = [str(reader.records_file(folder, number)) for number in range(shards)]
    data = ds.dataset(files, format="parquet")
    before = time.process_time()
    for _ in data.to_batches(columns=columns, use_threads=False):
        pass
    result.put(time.process_time() - before)


def apart(work: Any, *arguments: Any) -> Any:
    """Run a function in a process of its own, and return what it puts into the queue."""
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    process = context.Process(target=work, args=(*arguments, result))
    process.start()
    while True:
        with contextlib.suppress(queue.Empty):
            found = result.get(timeout=5)
            process.join()
            return found
        if not process.is_alive():
            raise SystemExit(f"a process ended with exit status {process.exitcode}")


def measure(folder: Path, *, every: int) -> dict[str, Any]:
    """Measure an audit's summary.

    Args:
        folder: The audit's folder.
        every: Columns are read one by one from one shard in so many, and the time is multiplied.
    """
    from bincam.audit.folder.reader import open_audit

    audit = open_audit(folder, unfinished=True)
    names = audit.schema.names
    joint = apart(read_once, folder, None, audit.shards)
    summary = apart(summarise_once, folder)
    again = apart(read_once, folder, None, audit.shards)
    some = max(1, audit.shards // every)
    by_column = sum(apart(read_once, folder, [name], some) for name in names) * audit.shards / some
    return {
        "attributes": len(audit.attributes),
        "columns": len(names),
        "shards": audit.shards,
        "summary": summary,
        "pyarrow_seconds": {"joint": [joint, again], "by_column": by_column},
        "times_joint": summary["seconds"] / ((joint + again) / 2),
        "times_by_column": summary["seconds"] / by_column,
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=3_300_000)
    parser.add_argument("--distinct", type=int)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--file", type=Path, help="where measure writes its figures; stdout by default")
    arguments = parser.parse_args()
    if arguments.what == "make":
        make(arguments.folder, arguments.images, people=arguments.people, distinct=arguments.distinct)
        return
    found = json.dumps(measure(arguments.folder, every=arguments.every), indent=1)
    if arguments.file is None:
        print(found)
    else:
        arguments.file.write_text(found + "\n", "utf-8")


if __name__ == "__main__":
    main()
