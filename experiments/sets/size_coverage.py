"""The figure of docs/average-k.md: coverage against size, of scenes in closed form and of a head with a rare class.

    python experiments/sets/size_coverage.py

writes ``docs/assets/average-k.png`` and ``experiments/sets/size-coverage.json``. The head is simulated: its logit is
the true log-odds of two normal densities 1.9 apart, with a class of 10 %. It is calibrated on 20,000 images and judged
on 20,000 others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bincam.postprocessing.average_k import fit_average_k
from bincam.postprocessing.conformal import class_conditional, lac
from bincam.postprocessing.label_sets import LabelSets, at_least, yes_no_scores
from bincam.scenes import best_average_k_accuracy, best_top_k_accuracy
from bincam.stats import Clusters, set_coverage

HERE = Path(__file__).parent
IMAGES, ALPHA, PREVALENCE, DISTANCE = 20_000, 0.1, 0.1, 1.9


def head(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    true = (rng.random(IMAGES) < PREVALENCE).astype(np.int64)
    x = rng.normal(size=IMAGES) + DISTANCE * true
    return yes_no_scores(DISTANCE * x - DISTANCE**2 / 2 + np.log(PREVALENCE / (1 - PREVALENCE))), true


def told(sets: LabelSets, true: NDArray[np.int64]) -> dict[str, Any]:
    found = set_coverage(sets.members, true, [False, True], Clusters.of([""] * len(true)))
    named = {"all": found.coverage, "majority": found.per_class[0], "minority": found.per_class[1]}
    shown = {name: estimate.to_json() for name, estimate in named.items()}
    return {"size": found.size.value, "cannot say": found.several.value, "empty": found.empty.value, **shown}


def draw_scenes(axes: Axes) -> None:
    sizes = np.linspace(0, 5, 101)
    blue, orange = sns.color_palette("colorblind")[:2]
    axes.plot(
        sizes, [best_average_k_accuracy(size) for size in sizes], color=blue, label="average-K: K labels on average"
    )
    ranks = range(6)
    axes.plot(ranks, [best_top_k_accuracy(k) for k in ranks], "o--", color=orange, label="top-K: K labels for each")
    axes.set(xlabel="K, labels per image", ylabel="best share of images with their label", ylim=(0, 1.02), xlim=(0, 5))
    axes.set_title("Scenes of 3 to 5 shapes, one drawn as label", fontsize=10)
    axes.legend(frameon=False, loc="lower right", fontsize=9)


def draw_head(axes: Axes, curve: list[dict[str, Any]], points: dict[str, dict[str, Any]]) -> None:
    colours = dict(zip(("all", "majority", "minority"), sns.color_palette("colorblind"), strict=False))
    styles = {"all": "-", "majority": "--", "minority": "-."}
    sizes = [one["size"] for one in curve]
    for name, colour in colours.items():
        axes.plot(sizes, [one[name]["value"] for one in curve], styles[name], color=colour, label=name)
    markers = {"average-K, K = 1": "o", "LAC, α = .1": "s", "class-conditional LAC, α = .1": "D"}
    for label, marker in markers.items():
        one = points[label]
        for name, colour in colours.items():
            axes.plot(one["size"], one[name]["value"], marker, color=colour, markersize=7, markeredgecolor="black")
        axes.plot([], [], marker, color="white", markeredgecolor="black", label=label)
    axes.axhline(1 - ALPHA, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel="mean size of the sets, labels", ylabel="share of images with their label", ylim=(0, 1.02))
    axes.set_title("A yes-or-no head, minority of 10 %", fontsize=10)
    axes.legend(frameon=False, loc="lower right", fontsize=9)


def main() -> None:
    (p, true), (new, labels) = head(0), head(1)
    ordered = np.sort(p.ravel())[::-1]
    cuts = [ordered[round(size * IMAGES)] for size in np.linspace(0.6, 1.6, 41)]
    curve = [told(at_least(new, float(cut)), labels) for cut in cuts]
    points = {
        "average-K, K = 1": told(fit_average_k(p, 1).sets(new), labels),
        "LAC, α = .1": told(lac(p, true, ALPHA).sets(new), labels),
        "class-conditional LAC, α = .1": told(class_conditional(p, true, ALPHA).sets(new), labels),
    }
    with sns.axes_style("whitegrid"):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    draw_scenes(left)
    draw_head(right, curve, points)
    figure.savefig(HERE.parents[1] / "docs" / "assets" / "average-k.png", dpi=110)
    text = json.dumps({"images": IMAGES, "alpha": ALPHA, "points": points}, indent=1, ensure_ascii=False)
    (HERE / "size-coverage.json").write_text(text + "\n", "utf-8")
    for label, one in points.items():
        print(
            label, {name: round(value["value"] if isinstance(value, dict) else value, 3) for name, value in one.items()}
        )


if __name__ == "__main__":
    main()
