"""The page of the documentation about model families, made from the table of expected outcomes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.sweep import table
from tests.sweep.cases import CASES
from tests.sweep.outcome import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "model-families.md"
SOURCES = {
    "timm": "timm 1.0.31, the smallest model of each module",
    "torchvision": "torchvision 0.28",
    "huggingface": "Hugging Face's transformers 5.24, small configurations",
}
HEAD = """\
# Which model families were tried?

{counts}
This page is made by `python -m tests.sweep --write` from the table that the tests compare with, so it shows what bincam
does with the pinned versions of these libraries. Large models are made shallow by options, and weights are random. For
each model and image size the tests check:

- **Places.** Noise is laid on the pixels of one cell after another, and of any two cells each must respond most to its
  own pixels.
- **Identity.** For exact and conditional heads z = bias + prefix + ΣS, and an exact head's bias is the same for all
  images.
- **Advice.** A layer that a refusal names can be explained, and its map has places.
- **pytorch-grad-cam.** On a sample of the convolutional models the maps are equal.

What the kinds claim is stated under [models](models.md#which-models-can-be-explained). With bincam's own head and
`mean` pooling (`models.build`) {builds} timm backbones were tried, at least one of each module: all are exact.
"""
COLUMNS = ("family", "model", "image", "result", "grid", "layer", "reason")


def render() -> str:
    """Compose the page."""
    from tests.sweep.builds import builds

    outcomes = table.read()
    first = [outcomes[table.key(case, case.sizes[0])] for case in CASES]
    kinds = Counter(outcome.result for outcome in first)
    explained = sum(kinds[kind] for kind in ("exact", "conditional", "diagnostic"))
    counts = (
        f"Of {len(CASES)} models {explained} are explained ({kinds['exact']} exact, {kinds['conditional']} "
        "conditional,\n"
        f"{kinds['diagnostic']} diagnostic) and {kinds['refused']} refused with a reason."
    )
    parts = [HEAD.format(counts=counts, builds=len(builds(everything=True)))]
    for source, title in SOURCES.items():
        rule = "|" + "---|" * len(COLUMNS)
        parts.append(f"## {title}\n\n| {' | '.join(COLUMNS)} |\n{rule}\n")
        for case in CASES:
            if case.source != source:
                continue
            for size in case.sizes:
                outcome = outcomes.get(table.key(case, size))
                if outcome is not None:
                    parts[-1] += _row(case.family, case.model, f"{size[0]} × {size[1]}", outcome)
    return "\n".join(parts)


def _row(family: str, model: str, size: str, outcome: Outcome) -> str:
    grid = "" if outcome.grid is None else f"{outcome.grid[0]} × {outcome.grid[1]}"
    layer = f"`{outcome.layer}`" if outcome.layer else ""
    cells = (family, model, size, outcome.result, grid, layer, outcome.reason.replace("|", "\\|"))
    return f"| {' | '.join(cells)} |\n"
