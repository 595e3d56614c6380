"""Memory, time and files of an audit of one set of 1,000 outputs.

    python experiments/bench/audit_sets.py

writes ``experiments/bench/audit-sets.json``. Images are 64 x 64 pixels of noise, the model is a resnet10t with random
weights. Each audit runs in a process of its own; its pass over the images and its summary are measured apart.
"""

from __future__ import annotations

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
from race import machine, write

OUTPUTS = 1000
COUNTS = (500, 2000)
SIDE = 64
HERE = Path(__file__).parent


def write_pictures(folder: Path, count: int) -> Path:
    """Write images and a table with a column of class names, every class as often as the others."""
    from PIL import Image

    random = np.random.default_rng(0)
    lines = ["image,thing"]
    for row in range(count):
        pixels = random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{row:05d}.png", compress_level=1)
        lines.append(f"{row:05d}.png,c{row % OUTPUTS:04d}")
    (folder / "table.csv").write_text("\n".join(lines))
    return folder / "table.csv"


def peak() -> float:
    """Peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def audit(folder: Path) -> dict[str, Any]:
    """Audit the images of a folder in this process."""
    import torch

    from bincam.audit import Settings
    from bincam.audit.pipeline import runner
    from bincam.data import load
    from bincam.models import build

    torch.manual_seed(0)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    names = [f"thing=c{k:04d}" for k in range(OUTPUTS)]
    table = load(folder / "table.csv", one_of_columns={"thing": [f"c{k:04d}" for k in range(OUTPUTS)]})
    model = build("resnet10t", names, one_of={"thing": names}, input_size=(SIDE, SIDE)).eval()
    settings = Settings(split=None, gate_images=0, batch_size=16, reference_split=None)
    before, start = peak(), time.perf_counter()
    times: dict[str, float] = {}
    memory: dict[str, float] = {}
    finish = runner.finish

    def finished(*parts: Any) -> None:
        times["pass [s]"], memory["after the pass [MB]"] = time.perf_counter() - start, peak()
        finish(*parts)

    runner.finish = finished  # type: ignore[assignment]
    done = runner.run(model, table, folder / "audit", settings)
    times["whole [s]"], memory["after the summary [MB]"] = time.perf_counter() - start, peak()
    sizes = {
        kind: sum(file.stat().st_size for file in (done.folder / kind).rglob("*") if file.is_file()) / 1e6
        for kind in ("records", "scores", "maps")
    }
    sizes["summary.json"] = (done.folder / "summary.json").stat().st_size / 1e6
    return {
        "images": len(table),
        "before the audit [MB]": round(before),
        **{name: round(value) for name, value in memory.items()},
        **{name: round(value, 1) for name, value in times.items()},
        "files [MB]": {name: round(size, 2) for name, size in sizes.items()},
    }


def main() -> None:
    if len(sys.argv) > 1:
        print("RESULT " + json.dumps(audit(Path(sys.argv[1]))))
        return
    runs = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), count)
            child = subprocess.run([sys.executable, __file__, folder], check=True, capture_output=True, text=True)
            line = next(line for line in child.stdout.splitlines() if line.startswith("RESULT "))
            runs.append(json.loads(line.removeprefix("RESULT ")))
    write(HERE / "audit-sets.json", {"outputs": OUTPUTS, "side": SIDE, "runs": runs, "machine": machine()})


if __name__ == "__main__":
    main()
