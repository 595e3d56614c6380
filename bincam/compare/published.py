"""Comparison with the figures of the source paper.

Zhang, Bieri and Günther, "Biased Binary Attribute Classifiers Ignore the Majority Classes", SDS 2024, arXiv 2403.14435:
error rates and energies of an unbalanced and a balanced network on CelebA's frontal test images.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from bincam.compare.paired_differences import Contrasted
from bincam.compare.pairs.paired import Paired
from bincam.stats.estimate import Estimate
from bincam.stats.outcomes import class_part

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

FRONTAL_IMAGES = 10_458
TEST_IMAGES = (182_638, 202_599)
"""First and last number of CelebA's test images."""

METHODS = {"gradcam": "grad_cam", "hirescam": "hirescam"}
"""The paper's names of the methods to those of bincam."""
LAYER = "pre_activation"
"""The layer of the paper's maps: before the last activation."""


@cache
def published() -> Mapping[str, Mapping[str, float]]:
    """Read the paper's figures: attribute to column to figure.

    >>> published()["Bald"]["unbalanced_fnr"]
    0.191
    """
    text = resources.files("bincam.compare").joinpath("assets/published_celeba_results.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row.pop("attribute"): {name: float(value) for name, value in row.items()} for row in rows}


def on_frontal_test(audit: Audit) -> bool:
    """Decide if the audited images are those of the paper, by split, number and CelebA's own file names."""
    if audit.manifest.data.split != "test" or len(audit.images) != FRONTAL_IMAGES:
        return False
    names = audit.images["image"].astype(str).str.rpartition("/")[2].str.partition(".")[0]
    return bool((names.str.fullmatch(r"\d{6}") & names.between(f"{TEST_IMAGES[0]:06d}", f"{TEST_IMAGES[1]:06d}")).all())


def beside(figures: Mapping[str, Mapping[str, tuple[Estimate, Estimate]]], *, graded: bool) -> list[dict[str, Any]]:
    """Make rows of the paper's figures and ours.

    Args:
        figures: Attribute to figure (``fnr``, ``fpr``, ``gradcam_energy_pred_pos``, ...) to the unbalanced and the
            balanced model's.
        graded: True if the images are the paper's; otherwise sizes are not compared.

    Returns:
        Per attribute and figure, both pairs, ``direction`` (``same``, ``other``, or ``not shown`` where our two
        intervals overlap or a figure is undefined; ``equal`` where the paper's two are) and ``size``: for each model,
        if our interval contains the paper's figure, None where not graded.
    """
    rows: list[dict[str, Any]] = []
    for attribute, our_figures in figures.items():
        theirs = published().get(attribute)
        if theirs is None:
            continue
        for figure, ours in our_figures.items():
            pair = tuple(theirs[_column(figure, arm)] for arm in ("unbalanced", "balanced"))
            rows.append(
                {
                    "attribute": attribute,
                    "figure": figure,
                    "published": {"unbalanced": pair[0], "balanced": pair[1]},
                    "ours": {"unbalanced": ours[0].to_json(), "balanced": ours[1].to_json()},
                    "direction": _direction(pair, ours),
                    "size": {
                        arm: _inside(value, estimate) if graded else None
                        for arm, value, estimate in zip(("unbalanced", "balanced"), pair, ours, strict=True)
                    },
                }
            )
    return rows


def _column(figure: str, arm: str) -> str:
    if figure in ("fnr", "fpr"):
        return f"{arm}_{figure}"
    method, _, side = figure.partition("_energy_")
    return f"{method}_energy_{arm}_{side}"


def _direction(pair: tuple[float, ...], ours: tuple[Estimate, Estimate]) -> str:
    if pair[0] == pair[1]:
        return "equal"
    if not (ours[0].low > ours[1].high or ours[0].high < ours[1].low):  # NaN is not shown either
        return "not shown"
    return "same" if (ours[0].value > ours[1].value) == (pair[0] > pair[1]) else "other"


def _inside(value: float, estimate: Estimate) -> bool | None:
    low, high = estimate.low, estimate.high
    return low <= value <= high if math.isfinite(low) and math.isfinite(high) else None


def contrast_published(first: Audit, pair: Paired, contrasted: Mapping[str, Contrasted]) -> dict[str, Any]:
    """Compare the source paper's figures with those of a contrast; its classes are the positive and the negative one.

    Args:
        first: The audit of the unbalanced model.
        pair: What both audits have.
        contrasted: Attribute to its comparison.

    Returns:
        The rows of ``beside``, how many of them agree, and what the comparison rests on.
    """
    graded = on_frontal_test(first)
    specs = {theirs: _paper_method(ours, pair) for theirs, ours in METHODS.items()}
    figures: dict[str, dict[str, tuple[Estimate, Estimate]]] = {}
    for a, (name, attribute) in enumerate(contrasted.items()):
        positive, negative = (class_part(sign, int(pair.minority[a])) for sign in (1, -1))
        columns = {"fnr": attribute.errors[f"{positive}_error"], "fpr": attribute.errors[f"{negative}_error"]}
        for theirs, spec in specs.items():
            if spec is not None:
                by_class = attribute.measures[f"{spec}.published_energy"]
                columns[f"{theirs}_energy_pred_pos"] = by_class[f"predicted:{positive}"]
                columns[f"{theirs}_energy_pred_neg"] = by_class[f"predicted:{negative}"]
        figures[name] = {figure: (three[0], three[2]) for figure, three in columns.items()}
    rows = beside(figures, graded=graded)
    directions = Counter(row["direction"] for row in rows)
    return {
        "source": "Zhang, Bieri and Günther, SDS 2024, arXiv 2403.14435",
        "graded": graded,
        "reason": "" if graded else "sizes are compared on CelebA's 10,458 frontal test images alone",
        "regions": None if first.manifest.regions is None else first.manifest.regions.source,
        "methods": specs,
        "same_direction": directions["same"],
        "other_direction": directions["other"],
        "not_shown": directions["not shown"],
        "equal": directions["equal"],
        "rows": rows,
    }


def _paper_method(name: str, pair: Paired) -> str | None:
    return next((spec for spec in (f"{name}@{LAYER}", name) if spec in pair.methods), None)
