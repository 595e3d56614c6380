"""Measure contrasts and pages of long audits: peak memory and processor time.

    python -m experiments.bench.long_audits make FOLDER --images 500000 --attributes 20
    python -m experiments.bench.long_audits measure FOLDER --file figures.json
    python -m experiments.bench.long_audits make FOLDER --images 3300000 --attributes 47 --distinct 102400

``make`` writes two audits of the same images without a model: labels, logits and measures are drawn, as in
``experiments.bench.summary``. ``measure`` compares the two, and makes the page of the first and that of the contrast,
each in a process of its own with one thread.

With ``--distinct`` further shards are links to the first ones, whose rows are numbered on reading, and the summaries
are empty: such audits are compared alone, without gaps between groups, and no page is made.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from bincam.audit.folder import reader
from bincam.audit.folder.audit import Audit
from bincam.audit.folder.manifest import KIND, SCHEMA, Manifest
from bincam.audit.folder.schema import measure_columns
from bincam.audit.folder.stored import write_tensors
from bincam.audit.folder.writer import AuditWriter
from bincam.files import write_json
from experiments.bench.summary import METHOD, PEOPLE, POOL, SHARD, apart, drawn_measure, manifest_of, write_records

GRID = (7, 7)
MOVED = -0.5
"""Adjusted threshold of every attribute, in logit units."""


def make(folder: Path, images: int, attributes: int, *, people: int = PEOPLE, distinct: int | None = None) -> None:
    """Write the audits ``a`` and ``b``, with their summaries.

    Args:
        folder: Where to.
        images: How many.
        attributes: How many.
        people: How many; 0 for audits that name none.
        distinct: Images whose records are written; those of the others are links. All by default.
    """
    for seed, name in enumerate("ab"):
        _make(folder / name, images, attributes, people=people, distinct=distinct, seed=seed)


def _make(folder: Path, images: int, attributes: int, *, people: int, distinct: int | None, seed: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from bincam.audit import summarise
    from bincam.audit.folder.reader import open_audit

    data, model = np.random.default_rng(0), np.random.default_rng(1 + seed)
    names = tuple(f"attribute_{n:02d}" for n in range(attributes))
    manifest: Manifest = manifest_of(images, names)
    for room in ("records", f"maps/{METHOD}"):
        (folder / room).mkdir(parents=True, exist_ok=True)
    write_json(folder / reader.MANIFEST, {"kind": KIND, "schema": SCHEMA, **manifest.to_json()})
    person = np.sort(data.integers(0, max(people, 1), images))
    prevalence = data.uniform(0.05, 0.5, attributes)
    lean = model.normal(0, 0.5, (max(people, 1), attributes)).astype(np.float32)
    columns = measure_columns((METHOD,))
    pool = [{name: drawn_measure(name, (SHARD, attributes), model) for name in columns} for _ in range(POOL)]
    maps = model.normal(size=(SHARD, attributes, *GRID)).astype(np.float16)
    written = manifest.shards if distinct is None else max(1, distinct // SHARD)
    for number in range(manifest.shards):
        if written <= number < manifest.shards - 1:
            for file_of in (reader.records_file, lambda place, n: reader.maps_file(place, METHOD, n)):
                file_of(folder, number).unlink(missing_ok=True)
                file_of(folder, number).hardlink_to(file_of(folder, number % written))
            continue
        rows = np.arange(number * SHARD, min((number + 1) * SHARD, images))
        write_records(folder, manifest, number, lean[person[rows]], prevalence, pool, (data, model))
        file = reader.maps_file(folder, METHOD, number)
        file.unlink(missing_ok=True)
        if number and len(rows) == SHARD:
            file.hardlink_to(reader.maps_file(folder, METHOD, 0))  # the page opens few of them
        else:
            np.save(file, maps[: len(rows)])
    counts = np.full((attributes, 4), float(images // 4))
    sums = model.normal(size=(attributes, 4, *GRID)) * counts[..., None, None]
    write_tensors(folder / reader.MEANS, {f"{METHOD}.sum": sums, f"{METHOD}.count": counts})
    table = {
        "row": pa.array(np.arange(images, dtype=np.int32)),
        "image": pa.array([f"n{one:06d}/{n:07d}.jpg" for n, one in enumerate(person)]),
        "identity": pa.array([f"n{one:06d}" if people else "" for one in person]),
        "group.age": pa.array(np.array(["child", "young", "middle", "old"])[data.integers(0, 4, images)]),
        "skipped": pa.array([""] * images),
    }
    pq.write_table(pa.table(table), folder / reader.IMAGES, compression="zstd")
    summary: dict[str, Any] = {"level": 0.95, "attributes": {}}
    if distinct is None:
        summary = summarise(open_audit(folder, unfinished=True))
    AuditWriter(folder, manifest).write_summary(summary)


def _figures(before: float, **more: Any) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": time.process_time() - before, "peak_bytes": peak, **more}


def _number_rows() -> None:
    """Let every shard have the rows of its place, also those that are links."""
    parts = Audit.record_parts

    def numbered(audit: Audit, columns: Any = None) -> Any:
        A = len(audit.attributes)
        for number, table in enumerate(parts(audit, columns)):
            rows = np.repeat(number * SHARD + np.arange(table.num_rows // A, dtype=np.int32), A)
            at = table.schema.get_field_index("row")
            yield table.set_column(at, table.schema.field(at), [rows])

    Audit.record_parts = numbered  # type: ignore[method-assign]  # in a process of its own


def compare_once(folder: Path, result: Any) -> None:
    """Compare the two audits, and return the time and the greatest memory of this process."""
    from bincam.audit.folder.reader import open_audit
    from bincam.compare import compare

    first, second = (open_audit(folder / name) for name in "ab")
    if not (first.summary or {}).get("attributes"):
        _number_rows()
    before = time.process_time()
    found = compare(first, second, folder / "contrast", moved=dict.fromkeys(first.attributes, MOVED))
    result.put(_figures(before, images=found["images"]))


def report_once(folder: Path, name: str, result: Any) -> None:
    """Make a page, and return the time and the greatest memory of this process."""
    from bincam.report import write_report

    before = time.process_time()
    page = write_report(folder / name, folder / f"{name}.html")
    result.put(_figures(before, page_bytes=page.stat().st_size))


def measure(folder: Path) -> dict[str, Any]:
    """Compare the two audits, and make the pages of the first and of the contrast."""
    from bincam.audit.folder.reader import open_audit

    compared = {"compare": apart(compare_once, folder)}
    if not (open_audit(folder / "a").summary or {}).get("attributes"):
        return compared
    return {
        **compared,
        "report": apart(report_once, folder, "a"),
        "report_of_contrast": apart(report_once, folder, "contrast"),
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=500_000)
    parser.add_argument("--attributes", type=int, default=20)
    parser.add_argument("--distinct", type=int)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--file", type=Path, help="where measure writes its figures; stdout by default")
    arguments = parser.parse_args()
    if arguments.what == "make":
        sizes = arguments.images, arguments.attributes
        make(arguments.folder, *sizes, people=arguments.people, distinct=arguments.distinct)
        return
    found = json.dumps(measure(arguments.folder), indent=1)
    if arguments.file is None:
        print(found)
    else:
        arguments.file.write_text(found + "\n", "utf-8")


if __name__ == "__main__":
    main()
