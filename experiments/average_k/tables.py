"""Tables of the finished jobs: claims with what is published and what was found, and the figures behind them.

    PYTHONPATH=. python -m experiments.average_k.tables --jobs experiments/average_k/jobs

writes ``tables.md`` from the JSON files alone. A claim *holds* if its criterion is met in every finished seed, *fails*
if in none, and *depends* otherwise; what is not finished says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bincam.files import atomic
from experiments.average_k.campaign import SIZES, Sample, SetJob, jobs
from experiments.average_k.claims import CLAIMS, HEAD, KINDS, NAMES, RARE_HALF, Results, methods_of, of, path
from experiments.average_k.run import HERE, finished
from experiments.scenes.over_seeds import OPEN, Result, at, seeds, shown, table

PER_K = [f"K = {K:g}" for K in SIZES]


def collected(out: Path, listed: Sequence[SetJob], sample: Sample) -> dict[str, Result]:
    """Read the finished jobs; those of other settings are none of these."""
    found = ((job, finished(job, sample, out)) for job in listed)
    return {job.name: result for job, result in found if result is not None}


def cells(results: Results, method: str, kind: str, figures: Sequence[str], digits: int = 3) -> list[str]:
    """Make a method's row: its name, its seeds, and figures over them."""
    chosen = list(of(results, method, kind).values())
    values = [shown((at(result, path(method, figure)) for result in chosen), digits) for figure in figures]
    return [NAMES[method], seeds(chosen), *values]


def accuracies(results: Results, kind: str) -> str:
    """Tabulate average-K accuracies, and the limit at the sizes that were asked for."""
    rows = [cells(results, method, kind, [f"average_k/{K:g}/accuracy" for K in SIZES]) for method in methods_of(kind)]
    limit = next((result for method in methods_of(kind) for result in of(results, method, kind).values()), None)
    best = [OPEN if limit is None else shown([at(limit, f"sets/average_k/{K:g}/limit_at_k")], 3) for K in SIZES]
    return table(["average-K accuracy", "", *PER_K], [*rows, ["*the best possible at this K*", "", *best]])


def shortfalls(results: Results, kind: str) -> str:
    """Tabulate by how much sets fall short of the limit at their own mean size."""
    rows = [cells(results, method, kind, [f"average_k/{K:g}/gap" for K in SIZES]) for method in methods_of(kind)]
    return table(["short of the best at the realised size", "", *PER_K], rows)


def tops(results: Results, kind: str) -> str:
    """Tabulate top-K accuracies."""
    whole = [int(K) for K in SIZES if K % 1 == 0]
    rows = [cells(results, method, kind, [f"top_k/{k}/accuracy" for k in whole]) for method in methods_of(kind)]
    limit = next((result for method in methods_of(kind) for result in of(results, method, kind).values()), None)
    best = [OPEN if limit is None else shown([at(limit, f"sets/top_k/{k}/limit")], 3) for k in whole]
    head = ["top-K accuracy", "", *(f"K = {k}" for k in whole)]
    return table(head, [*rows, ["*the best possible*", "", *best]])


def sizes(results: Results, kind: str) -> str:
    """Tabulate realised sizes, sizes by the number of shapes, and the mean average precision of presence."""
    figures = ["average_k/2/size", *(f"average_k/2/size_by_shapes/{k}" for k in (3, 4, 5)), "map"]
    rows = [cells(results, method, kind, figures, 2) for method in methods_of(kind)]
    head = ["sets at K = 2", "", "mean size on the test", "of 3 shapes", "of 4", "of 5", "mAP of what is shown"]
    return table(head, rows)


def rare(results: Results) -> str:
    """Tabulate coverage of rare and other shapes."""
    figures = [f"average_k/{K:g}/{group}" for K in (1, 2, 4) for group in ("of_few", "of_others")]
    rows = [cells(results, method, RARE_HALF, figures, 2) for method in methods_of(RARE_HALF)]
    columns = [f"K = {K}, {who}" for K in (1, 2, 4) for who in ("rare", "others")]
    head = ["coverage of rare and other shapes", "", *columns]
    return table(head, rows)


def document(results: Results) -> str:
    """Make all tables."""
    listed = jobs()
    kinds = {result["training"]["dtype"] for result in results.values()}
    spent = sum(result["training"]["cpu_s"] + result["measuring"]["cpu_s"] for result in results.values())
    parts = [
        "# Label sets on scenes: tables",
        f"{len(results)} of {len(listed)} trainings are finished ({spent / 60:.0f} minutes of processor time"
        f"{', ' + ' and '.join(sorted(kinds)) if kinds else ''}). Made by `tables.py`; do not edit.",
        "## Claims",
        table(HEAD, [claim.row(results) for claim in CLAIMS]),
        "λ is found on other scenes, so sets of the test are a little larger or smaller than asked for; *short of the "
        "limit* is the best accuracy at the size that they have, less theirs.",
    ]
    for kind, text in KINDS.items():
        parts.append(f"## {text[0].upper()}{text[1:]}")
        if not any(of(results, method, kind) for method in methods_of(kind)):
            parts.append(f"{OPEN[0].upper()}{OPEN[1:]}.")
            continue
        parts += [accuracies(results, kind), shortfalls(results, kind), tops(results, kind), sizes(results, kind)]
        if kind == RARE_HALF:
            parts.append(rare(results))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=Path, default=HERE / "jobs", help="folder of the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "tables.md")
    options = parser.parse_args()
    text = document(collected(options.jobs, jobs(), Sample()))
    with atomic(options.out) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
