"""Tables of the finished jobs: claims with what is published and what was found, and the figures behind them.

    PYTHONPATH=. python -m experiments.scenes.tables

writes ``tables.md`` from the JSON files alone. A claim *holds* if its criterion is met in every finished seed, *fails*
if in none, and *depends* otherwise; what is not finished says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bincam.files import atomic
from experiments.scenes.campaign import Job, Sample, jobs
from experiments.scenes.claims import (
    DILUTION,
    SINGLE,
)
from experiments.scenes.figure_tables import (
    Results,
    boxes,
    cells_by_size,
    claims,
    cues,
    learning,
    localisers,
    of,
    photographs,
    shortcuts,
    sizes,
    strides,
    trained,
)
from experiments.scenes.over_seeds import Result
from experiments.scenes.pages import COUNT, pages_table
from experiments.scenes.run import HERE, finished


def collected(out: Path, listed: Sequence[Job], sample: Sample) -> dict[str, Result]:
    """Read the finished jobs; those of other settings are none of these."""
    found = ((job, finished(job, sample, out)) for job in listed)
    return {job.name: result for job, result in found if result is not None}


def document(results: Results, out: Path) -> str:
    """Make all tables."""
    listed = jobs()
    kinds = {result["training"]["dtype"] for result in results.values()}
    spent = sum(result["training"]["cpu_s"] + result["measuring"]["cpu_s"] for result in results.values())
    single, gap = of(results, "one", "mean"), of(results, "all", "mean")
    parts = [
        "# Scenes: tables",
        f"{len(results)} of {len(listed)} trainings are finished ({spent / 60:.0f} minutes of processor time"
        f"{', ' + ' and '.join(sorted(kinds)) if kinds else ''}). Made by `tables.py`; do not edit.",
        "## 1. One label per image",
        claims(SINGLE, single),
        learning(single),
        "## 2. What a mean loses with size",
        claims(DILUTION, gap),
        trained(results),
        "Misses of trained poolings at thresholds that say yes as often as is true of validation, at the sizes of "
        "training; of others, as often as the mean does there.",
        sizes(results),
        "The cells of GAP:",
        cells_by_size(results),
        "## 3. GAP, GMP and LSE as localisers",
        localisers(results),
        "One τ for all shapes, the shape known. *evidence* is gradient times feature in every cell, what the logit is "
        "made of; *cells* is the head applied to every cell, the class activation map of any pooling.",
        boxes(results),
        "### Coarser grids",
        strides(results),
        "## 4. Faces",
        "Recovery among errors, and boxes, of balanced and unbalanced models: `experiments/faces_grid/tables.md`.",
        "## 5. Planted shortcuts",
        shortcuts(results),
        "On scenes in which cue and shape are independent: how often *yes* is said, and "
        "the share of the positive evidence where the shape is shown.",
        cues(results),
        f"Whether the page of an audit says so, four fifths of {COUNT} scenes each (`pages.py`):",
        pages_table(out / "pages.json"),
        "## 6. Photographs",
        photographs(out / "photographs.json"),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=Path, default=HERE / "jobs", help="folder of the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "tables.md")
    options = parser.parse_args()
    text = document(collected(options.jobs, jobs(), Sample()), HERE)
    with atomic(options.out) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
