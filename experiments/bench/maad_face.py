"""Time and memory of reading 3.3 million rows of 47 attributes, as MAAD-Face has them, beside pyarrow's own read.

Run from the repository: ``python experiments/bench/maad_face.py --out experiments/bench/maad-face.json``. Each read is
a process of its own, so that its peak memory is known; the sides take turns. pyarrow reads the file as it is (numbers
become int64), and with the labels as int8; what it leaves has neither Python text nor a meaning of its values.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bincam.files import write_json

SIDES = ("pyarrow", "pyarrow int8", "bincam")
READ = """
import json, resource, sys, time
file, side = sys.argv[1:]
import pyarrow, pyarrow.csv
from bincam.data.readers.faces.maad_face import maad_face
import bincam.data.attribute_table
own = resource.getrusage(resource.RUSAGE_SELF)
start = time.perf_counter()
if side == "bincam":
    kept = maad_face(file)
else:
    options = None
    if side == "pyarrow int8":
        names = open(file).readline().strip().split(",")[2:]
        options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.int8()))
    kept = pyarrow.csv.read_csv(file, convert_options=options)
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
cpu = used.ru_utime + used.ru_stime - own.ru_utime - own.ru_stime
print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": used.ru_maxrss / 1e3,
                  "peak_before_mb": own.ru_maxrss / 1e3}))
"""


def make(file: Path, count: int) -> None:
    """Write a file of MAAD-Face's form, block by block."""
    import pyarrow as pa
    import pyarrow.csv

    rng, step = np.random.default_rng(0), 100_000
    names = ["Filename", "Identity", *(f"Attribute_{i}" for i in range(47))]
    file.write_text(",".join(names) + "\n")
    with file.open("ab") as stream:
        for start in range(0, count, step):
            rows = range(start, min(start + step, count))
            people = [f"n{row // 360 + 1:06d}" for row in rows]
            columns = {
                "Filename": [f"{person}/{row % 360:04d}_01.jpg" for person, row in zip(people, rows, strict=True)],
                "Identity": people,
            }
            labels = rng.choice(np.array([-1, 0, 1], np.int8), (47, len(rows)), p=[0.5, 0.2, 0.3])
            table = pa.table({**columns, **dict(zip(names[2:], labels, strict=True))})
            options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
            pa.csv.write_csv(table, stream, options)


def measure(file: Path, rounds: int) -> dict[str, Any]:
    """Read the file with every side in turn; the first round warms the file's cache and does not count."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for number in range(rounds + 1):
        for side in SIDES:
            command = [sys.executable, "-c", READ, str(file), side]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            if number:
                runs[side].append(result)
            print(number, side, {key: round(value, 2) for key, value in result.items()}, flush=True)
    return {
        side: {key: statistics.median(run[key] for run in of_side) for key in of_side[0]}
        for side, of_side in runs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=3_300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", type=Path, help="a file that was made before, or where to keep it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = options.file or Path(folder, "MAAD_Face.csv")
        if not file.exists():
            make(file, options.rows)
        sides = measure(file, options.rounds)
        size = file.stat().st_size
    import pyarrow as pa

    of = {
        key: {side: sides["bincam"][key] / sides[side][key] for side in SIDES[:2]} for key in ("seconds", "cpu_seconds")
    }
    write_json(
        options.out,
        {
            "kind": "bincam-bench-maad-face",
            "schema": 1,
            "rows": options.rows,
            "attributes": 47,
            "bytes": size,
            "rounds": options.rounds,
            "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "pyarrow": pa.__version__},
            "sides": sides,
            "ratio_of_seconds": of["seconds"],
            "ratio_of_cpu_seconds": of["cpu_seconds"],
        },
    )


if __name__ == "__main__":
    main()
