"""Tables of the finished models: scores of every kind of map, over all pairs and per attribute.

    PYTHONPATH=. python -m experiments.truth.counterfactual.tables

writes ``tables.md`` from the JSON files alone. A figure is the mean over seeds; its brackets go from the lowest lower
to the highest upper end of the seeds' 95 % intervals over people, so that they hold both kinds of variation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bincam.files import atomic
from bincam.stats.estimate import Estimate
from experiments.scenes.over_seeds import OPEN, number, seeds, table
from experiments.truth.counterfactual.run import ARMS, FACES, HERE, JOBS, METHODS, SEEDS, finished

ROWS = (*METHODS[:-1], "rise", METHODS[-1])
"""Kinds of maps in the order of the tables: methods, references, the control."""

Result = Mapping[str, Any]
Take = Callable[[Result], Mapping[str, Any] | None]
FIGURES = (
    ("held", "held"),
    ("held there", "held_inside"),
    ("of other pairs", "other_held_inside"),
    ("in the mask", "toward"),
    ("less area", "toward_over_area"),
    ("cell AUROC", "auroc"),
    ("less other pairs", "auroc_over_other"),
    ("tracking", "tracking"),
)
PLAIN = ("held", "other_held_inside", "toward", "auroc")
"""Figures that are shown without their interval, which stands in the files."""
ATTRIBUTE_FIGURES = (
    ("Held where the face was edited", "held_inside"),
    ("Cell AUROC, less that of other pairs' maps", "auroc_over_other"),
    ("Tracking", "tracking"),
)


def collected(out: Path) -> dict[str, list[Result]]:
    """Read the finished models, by arm; where RISE is not run yet, its figures are missing."""
    found = {arm: [_joined(out, seed, arm) for seed in SEEDS] for arm in ARMS}
    return {arm: [result for result in results if result is not None] for arm, results in found.items()}


def _joined(out: Path, seed: int, arm: str) -> Result | None:
    result, further = (finished(out, seed, arm, part) for part in ("maps", "rise"))
    if result is not None and further is not None:
        methods, more = result["truth"]["methods"], further["truth"]["methods"]
        methods["rise"] = more["rise"]
        methods["grad_cam"]["agreement"] |= more["grad_cam"]["agreement"]
    return result


def over_seeds(results: Sequence[Result], take: Take, *, ends: bool = True) -> str:
    """Show the mean of a figure over seeds, and the outermost ends of its intervals.

    >>> one, two = ({"f": {"value": v, "low": v - 0.1, "high": v + 0.1, "status": "ok"}} for v in (0.4, 0.6))
    >>> over_seeds([one, two], lambda result: result["f"]), over_seeds([one], lambda result: None)
    ('.50 [.30, .70]', '–')
    """
    if not results:
        return OPEN
    taken = [Estimate.from_json(take(result)) for result in results]
    known = [figure for figure in taken if figure.defined]
    if not known:
        return "–"
    mean = number(sum(figure.value for figure in known) / len(known))
    small = "†" if any(figure.small for figure in known) else ""
    bounded = [figure for figure in known if figure.low == figure.low]
    if not ends or len(bounded) < len(known) or all(figure.low == figure.high for figure in known):
        return f"{mean}{small}"
    return f"{mean}{small} [{number(min(f.low for f in bounded))}, {number(max(f.high for f in bounded))}]"


def headline(results: Sequence[Result]) -> str:
    """Make the table of all pairs, a row per kind of map."""
    rows = []
    for spec in ROWS:
        cells = [over_seeds(results, _of_group("all", name, spec), ends=name not in PLAIN) for _, name in FIGURES]
        agreed = [over_seeds(results, _agreement(spec, name), ends=False) for name in ("occlusion", "rise")]
        rows.append([f"`{spec}`", *cells, *agreed])
    return table(["map", *(head for head, _ in FIGURES), "with occlusion", "with RISE"], rows)


def of_attributes(results: Sequence[Result], figure: str) -> str:
    """Make the table of one figure, a row per attribute and a column per kind of map that has it."""
    names = results[0]["truth"]["attributes"] if results else []
    rows = {name: [over_seeds(results, _of_group(name, figure, spec), ends=False) for spec in ROWS] for name in names}
    kept = [at for at in range(len(ROWS)) if any(cells[at] != "–" for cells in rows.values())]
    head = ["attribute", *(f"`{ROWS[at]}`" for at in kept)]
    return table(head, [[name, *(cells[at] for at in kept)] for name, cells in rows.items()])


def edits(results: Sequence[Result]) -> str:
    """Make the table of what the edits do to the logit."""
    names = results[0]["truth"]["attributes"] if results else []
    rows = []
    for name in ("all", *names):
        judged = [_score(result, name)["judged"] for result in results]
        pairs = _score(results[0], name)["pairs"] if results else 0
        rows.append(
            [
                name,
                str(pairs),
                "–" if not judged else " to ".join(str(n) for n in sorted({min(judged), max(judged)})),
                over_seeds(results, _of_group(name, "size")),
                over_seeds(results, _of_group(name, "response")),
                over_seeds(results, lambda result, name=name: result["truth"]["edits"][name]["of_mask"]),  # type: ignore[misc]
                over_seeds(results, _of_group(name, "reach"), ends=False),
            ]
        )
    heads = ("attribute", "pairs", "judged", "mean \\|Δz\\|", "follows the edit", "of the mask's pixels", "reach")
    return table(heads, rows)


def document(found: Mapping[str, Sequence[Result]]) -> str:
    """Make all tables."""
    parts = [
        "# Counterfactual truth on generated faces: tables",
        f"{FACES} faces, each of another person; {', '.join(f'{arm}: {seeds(found[arm])}' for arm in ARMS)}. Made by "
        "`tables.py`; do not edit. A figure is the mean over seeds, its brackets the outermost ends of the seeds' 95 % "
        "intervals over people; † too few pairs, or no interval.",
    ]
    for arm in ARMS:
        results = found[arm]
        parts += [f"## {arm.capitalize()}", headline(results), f"### {arm.capitalize()}: the edits", edits(results)]
        for title, figure in ATTRIBUTE_FIGURES:
            parts += [f"### {arm.capitalize()}: {title[0].lower()}{title[1:]}", of_attributes(results, figure)]
    return "\n\n".join(parts) + "\n"


def _score(result: Result, group: str, spec: str = METHODS[0]) -> Mapping[str, Any]:
    entry = result["truth"]["methods"].get(spec)
    if entry is None:
        return {"figures": {}}
    score: Mapping[str, Any] = entry["all"] if group == "all" else entry["attributes"][group]
    return score


def _of_group(group: str, figure: str, spec: str = METHODS[0]) -> Take:
    return lambda result: _score(result, group, spec)["figures"].get(figure)


def _agreement(spec: str, reference: str) -> Take:
    return lambda result: result["truth"]["methods"].get(spec, {}).get("agreement", {}).get(reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=JOBS, help="folder of the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "tables.md")
    options = parser.parse_args()
    text = document(collected(options.results))
    with atomic(options.out) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
