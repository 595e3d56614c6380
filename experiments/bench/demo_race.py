"""The steps of the demo in this checkout and in another one on the same few faces: seconds, and the findings of both.

    python experiments/bench/demo_race.py OTHER_CHECKOUT [--count 800] [--only other|this]

writes ``experiments/bench/demo-race.json``. ``--only`` measures one of the two and keeps the other's figures, where a
machine is free for a few minutes at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CODE = """
import contextlib, json, sys
from dataclasses import replace
from pathlib import Path
from bincam.cli import demo

if __name__ == "__main__":
    with contextlib.suppress(ImportError):  # as the command does, in checkouts that have it
        from bincam.openmp import bound_spinning
        bound_spinning()
    names = [*demo.INFLUENCE, "Male", "Young", "No_Beard"]
    train = demo.PRESETS["faces"].train
    train = train | {"data": train["data"] | {"size": 64, "attributes": names}, "epochs": 2}
    few = dict(train=train, count=int(sys.argv[2]), size=(64, 78), influence_images=20, seconds=None)
    page, findings = demo.carry_out(Path(sys.argv[1]), "faces", 0, replace(demo.PRESETS["faces"], **few))
    print(json.dumps(findings))
"""


def run(checkout: Path, count: int) -> dict[str, Any]:
    """Return the seconds by step, and the findings."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(CODE)
        began, steps = time.perf_counter(), [("start", 0.0)]
        process = subprocess.Popen(
            [sys.executable, str(script), f"{folder}/demo", str(count)], cwd=checkout, text=True,
            env=os.environ | {"PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        headings = (line for line in process.stderr if line[:1].isdigit() and line[1:2] == "/")
        steps += [(line[4:].strip(), time.perf_counter() - began) for line in headings]
        findings = json.loads(process.stdout.read() or "[]")
        if process.wait():
            raise SystemExit(f"the demo of {checkout} failed")
    ends = [at for _, at in steps[1:]] + [time.perf_counter() - began]
    seconds = {name: round(end - at, 1) for (name, at), end in zip(steps, ends, strict=True)}
    return {"seconds": seconds | {"everything": round(ends[-1], 1)}, "findings": findings}


def main() -> None:
    """Run, compare, write."""
    from race import machine, write

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of another commit, such as a git worktree")
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--only", choices=("other", "this"))
    parser.add_argument("--out", type=Path, default=HERE / "demo-race.json")
    options = parser.parse_args()
    result: dict[str, Any] = json.loads(options.out.read_text()) if options.out.is_file() and options.only else {}
    result |= {"machine": machine(), "faces": options.count}
    for name, checkout in {"other": options.other.resolve(), "this": HERE.parents[1]}.items():
        if options.only in (None, name):
            result[name] = run(checkout, options.count)
    if "other" in result and "this" in result:
        everything = [result[name]["seconds"]["everything"] for name in ("this", "other")]
        result["ratio"] = round(everything[0] / everything[1], 3)
    write(options.out, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
