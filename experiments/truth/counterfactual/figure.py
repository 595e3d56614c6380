"""Figure of some pairs: original, edited, mask, and the change of three kinds of maps.

PYTHONPATH=. python -m experiments.truth.counterfactual.figure --work DIR --out docs/assets/truth.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bincam.data.images import decode
from bincam.resample import upsample
from bincam.studies.counterfactual import ImagePair, read_pairs
from bincam.studies.counterfactual.shards import PairShard
from experiments.truth.counterfactual.run import pairs as pair_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("Wearing_Hat", "Eyeglasses", "Goatee", "Smiling")
MAPS = ("grad_cam", "occlusion")
"""Kinds of maps in logit units, which share a scale in each row."""


def changes(measured: PairShard, listed: Sequence[ImagePair], person: int) -> Figure:
    """Draw a row for each attribute, of one face.

    Args:
        measured: What was kept of the pairs.
        listed: The pairs, in order.
        person: Which of the faces, in their order.

    Returns:
        The figure, for the caller to save.
    """
    import seaborn as sns
    import torch
    from matplotlib.figure import Figure

    image = list(dict.fromkeys(pair.image for pair in listed))[person]
    figure = Figure(figsize=(8.2, 2.05 * len(SHOWN)), layout="constrained")
    axes = figure.subplots(len(SHOWN), 3 + len(MAPS))
    palette, edge = sns.color_palette("vlag", as_cmap=True), sns.color_palette("colorblind")[2]
    for line, name in zip(axes, SHOWN, strict=True):
        row = next(n for n, pair in enumerate(listed) if pair.image == image and pair.attribute == name)
        pair, size = listed[row], decode(image).shape[:2]
        assert pair.influence is not None
        mask = decode(pair.influence).any(-1)
        z = measured.logits[row]
        values = [measured.maps[spec].after[row] - measured.maps[spec].before[row] for spec in MAPS]
        limit = max(float(np.abs(value).max()) for value in values)
        for axis, shown in zip(line, (decode(image), decode(pair.flipped), mask), strict=False):
            axis.imshow(shown, cmap="gray")
        for axis, value in zip(line[3:], values, strict=True):
            drawn = axis.imshow(upsample(torch.from_numpy(value), size), cmap=palette, vmin=-limit, vmax=limit)
            axis.contour(mask, levels=[0.5], colors=[edge], linewidths=0.9)
        figure.colorbar(drawn, ax=list(line[3:]), shrink=0.8, pad=0.02).ax.tick_params(labelsize=7)
        titles = ("original", f"{name.replace('_', ' ')}, Δz {z[1] - z[0]:+.1f}".replace("-", "\u2212"), "mask")
        for axis, title in zip(line, (*titles, *(f"change of {spec}" for spec in MAPS)), strict=True):
            axis.set_title(title, fontsize=8, pad=3)
            axis.set_axis_off()
    figure.supxlabel("colours: change of the map, in logit units per cell; outline: the mask", fontsize=8)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "bincam-counterfactual")
    parser.add_argument("--model", default="seed-2-balanced-maps")
    parser.add_argument("--person", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    parts = sorted((options.work / "truth" / options.model).glob("pairs-*.npz"))
    if not parts:
        raise SystemExit(f"error: {options.work}: no maps of {options.model}; run makes them where its JSON is missing")
    measured = PairShard.joined([PairShard.read(part) for part in parts])
    figure = changes(measured, read_pairs(pair_table(options.work)).pairs, options.person)
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
