"""Tables of the finished seeds: claims with their criteria, and the figures behind them.

    PYTHONPATH=. python -m experiments.faces_grid.tables

writes ``tables.md`` from the JSON files alone. Figures are means over seeds with their range; a claim *holds* if its
criterion is met in every finished seed, *fails* if in none, and *depends* otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bincam.files import atomic
from experiments.faces_grid.measures import ALL, FIRST, GROUPS, SECOND
from experiments.faces_grid.run import COUNT, HEADS, HERE, MEAN, SEEDS, finished
from experiments.scenes.over_seeds import OPEN, Result, at, seeds, shown, table, verdict

Criterion = Callable[[Result, str], bool]
"""Whether a seed meets the criterion in a group of attributes."""


def collected(out: Path, count: int = COUNT, pooling: str = MEAN) -> list[Result]:
    """Read the finished seeds of a pooling."""
    found = (finished(out, seed, count, pooling) for seed in SEEDS)
    return [result for result in found if result is not None]


def figure(results: Sequence[Result], group: str, of: str, name: str) -> str:
    """Show a figure of a group over the seeds; ``of`` is ``arms/NAME`` or ``paired``.

    >>> result = {"figures": {"groups": {"all": {"paired": {"x": {"value": 0.5}}}}}}
    >>> figure([result], "all", "paired", "x")
    '.50'
    """
    return shown([at(result, f"groups/{group}/{of}/{name}") for result in results])


def above(path: str, bound: float = 0.0) -> Criterion:
    """Make the criterion that a figure's interval is above a bound."""

    def met(result: Result, group: str) -> bool:
        low = at(result, f"groups/{group}/{path}/low")
        return low is not None and low > bound

    return met


def claims(results: Sequence[Result]) -> str:
    """Make the table of claims, of all attributes and of the rarest."""
    stated: list[tuple[str, Criterion, list[tuple[str, str, str]], str]] = [
        *(
            (
                f"The {arm} model's cells hold the evidence of what the image misses",
                above(f"arms/{arm}/missed, less chance"),
                [
                    ("recovery", f"arms/{arm}", "missed, recovery"),
                    ("less chance", f"arms/{arm}", "missed, less chance"),
                ],
                "interval of recovery less chance above 0",
            )
            for arm in (FIRST, SECOND)
        ),
        (
            "Of what the unbalanced model misses, the balanced one's cells hold more",
            above("paired/missed by the first, less chance, difference"),
            [
                ("unbalanced", "paired", "missed by the first, less chance, first"),
                ("balanced", "paired", "missed by the first, less chance, second"),
                ("difference", "paired", "missed by the first, less chance, difference"),
            ],
            "interval of the paired difference above 0",
        ),
        (
            "Also of what both miss",
            above("paired/missed by both, less chance, difference"),
            [("difference", "paired", "missed by both, less chance, difference")],
            "interval of the paired difference above 0",
        ),
        *(
            (
                f"Maps of the {arm} model box better than a constant box",
                above(f"arms/{arm}/box, chosen over constant"),
                [
                    ("map", f"arms/{arm}", "box, chosen"),
                    ("constant", f"arms/{arm}", "box, constant"),
                    ("difference", f"arms/{arm}", "box, chosen over constant"),
                ],
                "interval of the paired difference above 0",
            )
            for arm in (FIRST, SECOND)
        ),
        (
            "Balanced training helps maps to box",
            above("paired/box, chosen, difference"),
            [("difference", "paired", "box, chosen, difference")],
            "interval of the paired difference above 0",
        ),
    ]
    rows = []
    for claim, met, figures, criterion in stated:
        for group in (ALL, next(iter(GROUPS))):
            known = [result for result in results if result["figures"]["groups"][group]["attributes"]]
            here = "; ".join(f"{text} {figure(known, group, of, name)}" for text, of, name in figures)
            rows.append(
                [
                    claim,
                    group,
                    here if known else OPEN,
                    seeds(known),
                    criterion,
                    verdict([met(r, group) for r in known]),
                ]
            )
    head = ["claim", "attributes by positives", "here, mean [range over seeds]", "seeds", "criterion", "verdict"]
    return table(head, rows)


CELLS = (
    ("misses", "misses"),
    ("recovery of these", "missed, recovery"),
    ("chance", "missed, chance"),
    ("less chance", "missed, less chance"),
    ("the same against the midpoint", "missed, less chance, against the midpoint"),
    ("of what is found, less chance", "found, less chance"),
    ("cell AUROC of misses less null", "missed, cell AUROC less null"),
    ("false alarm of cells", "false alarm of cells"),
    ("misses smaller than a cell", "smaller than a cell"),
)
BOXES = (
    ("τ = .2", "box, fixed"),
    ("chosen τ", "box, chosen"),
    ("constant box", "box, constant"),
    ("τ = .2 less constant", "box, fixed over constant"),
    ("chosen τ less constant", "box, chosen over constant"),
)


def arms_table(results: Sequence[Result], columns: Sequence[tuple[str, str]], counted: str) -> str:
    """Make a table with a row per group and model.

    Args:
        results: Of the seeds.
        columns: Heads and names of figures.
        counted: ``attributes`` or ``judged``: which are counted.
    """
    rows = []
    for group in (*GROUPS, ALL):
        number = len(results[0]["figures"]["groups"][group][counted]) if results else 0
        for arm in (FIRST, SECOND):
            cells = [figure(results, group, f"arms/{arm}", name) for _, name in columns]
            rows.append([group, str(number), arm, *cells])
    return table(["attributes by positives", "attributes", "model", *(head for head, _ in columns)], rows)


HEAD_COLUMNS = (
    *CELLS[:4],
    ("chosen τ", "box, chosen"),
    ("constant box", "box, constant"),
    ("chosen τ less constant", "box, chosen over constant"),
)


def heads_table(heads: Mapping[str, Sequence[Result]]) -> str:
    """Make a table with a row per pooling and model, over all attributes and the seeds that every pooling has.

    Args:
        heads: Finished seeds by pooling.
    """
    common = set.intersection(*({result["seed"] for result in done} for done in heads.values() if done), set(SEEDS))
    rows = []
    for pooling, done in heads.items():
        used = [result for result in done if result["seed"] in common]
        for arm in (FIRST, SECOND):
            cells = [figure(used, ALL, f"arms/{arm}", name) for _, name in HEAD_COLUMNS]
            rows.append([pooling, arm, seeds(used), *(cells if used else [OPEN] * len(cells))])
    return table(["pooling", "model", "seeds", *(head for head, _ in HEAD_COLUMNS)], rows)


def document(results: Sequence[Result], heads: Mapping[str, Sequence[Result]] | None = None) -> str:
    """Make all tables.

    Args:
        results: Finished seeds of the mean pooling.
        heads: Finished seeds by pooling; None for those of the mean alone.
    """
    images = f", {results[0]['images']['test']:,} test images" if results else ""
    return (
        "\n\n".join(
            [
                "# Faces: recovery and boxes of balanced and unbalanced models",
                f"{seeds(results)}{images}. Made by `tables.py`; do not edit.",
                claims(results),
                "## Cells",
                "Attributes with a mask of their object, by the share of positives in training; of images with the "
                "attribute, but for false alarms.",
                arms_table(results, CELLS, "attributes"),
                "## Boxes",
                "Attributes that the grid allows to judge.",
                arms_table(results, BOXES, "judged"),
                "## Heads",
                "All attributes, the same seeds of every pooling. Cells are those of the reading that the pooling "
                "permits, frozen or pointwise; maps are Grad-CAM's.",
                heads_table(heads or {MEAN: results}),
            ]
        )
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE, help="folder of the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "tables.md")
    options = parser.parse_args()
    text = document(
        collected(options.results), {pooling: collected(options.results, pooling=pooling) for pooling in HEADS}
    )
    with atomic(options.out) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
