"""Are the majority's maps empty? From stored features alone, on validation images: seconds of processor time per pair.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.claims.empty_maps

writes ``empty/NAME.json`` for every pair of generated faces whose last stage is trained in ``--work``; no audit need be
there. With x the sum before the last activation (ReLU6, then the mean over h × w cells and a linear layer w), the
gradient of a logit is w/hw where 0 < x < 6, else 0. So Grad-CAM's map before the activation is
Σ mean(0 < x < 6)·w·x / hw over the channels, HiResCAM's is Σ w·x·(0 < x < 6) / hw, and at the pooled tensor both are
Σ w·ReLU6(x) / hw. A map is empty where no cell speaks for the predicted class. Thresholds are 0, so nothing was tuned
on these images.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.files import read_json, write_json
from bincam.models import AttributeClassifier
from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from experiments.claims.campaign import HERE, Job, jobs
from experiments.claims.last_stage import Features, Top
from experiments.contrast.findings import ARMS

KIND, SCHEMA = "bincam-experiment-empty-maps", 1
MAPS = ("Grad-CAM before the activation", "HiResCAM before the activation", "both at the pooled tensor")
ROUNDING = 1e-6
"""Cells below this share of a map's largest magnitude are rounding errors."""


def maps_and_logits(top: Top, seen: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Return signed maps ``(N, A, h, w)`` by name, and logits ``(N, A)``, of features ``(N, C, h, w)``."""
    x = top.convolution(top.stage(seen))
    normed = torch.nn.functional.batch_norm(
        x, top.norm.running_mean, top.norm.running_var, top.norm.weight, top.norm.bias, eps=top.norm.eps
    )
    inside = ((normed > 0) & (normed < 6)).to(normed)
    weight = top.head.weight / normed[0, 0].numel()
    drawn = (normed * inside.mean((-2, -1), keepdim=True), normed * inside, normed.clamp(0, 6))
    found = {name: torch.einsum("ac,nchw->nahw", weight, each) for name, each in zip(MAPS, drawn, strict=True)}
    return found, top(seen)


def empty(maps: Tensor, side: Tensor) -> NDArray[np.bool_]:
    """Return ``(N, A)``: True where no cell speaks for the side, 1 or -1."""
    signed = maps * side[..., None, None]
    return (signed.amax((-2, -1)) <= ROUNDING * maps.abs().amax((-2, -1))).numpy()


def figures(model: AttributeClassifier, seen: Features, people: Clusters) -> dict[str, Any]:
    """Count errors and empty maps of one model, by class."""
    top = Top(model.network).eval()
    with torch.inference_mode():
        parts = [maps_and_logits(top, part) for part in seen.plain.split(64)]
    logits = torch.cat([part[1] for part in parts])
    counts = [model.card.train_counts[name] for name in model.card.attributes]
    majority = np.array([positive > negative for negative, positive in counts])
    answer, label = logits.numpy() >= 0, seen.labels.numpy()
    side = torch.where(logits >= 0, 1.0, -1.0)
    shares = {name: empty(torch.cat([part[0][name] for part in parts]), side) for name in MAPS}
    of_majority = label == majority
    wrong = np.where(np.isnan(label), np.nan, answer != (label == 1))
    classes = {"majority": answer == majority, "minority": answer != majority}
    return {
        "errors": {
            "majority": mean(np.where(of_majority, wrong, np.nan), people),
            "minority": mean(np.where(of_majority, np.nan, wrong), people),
        },
        "empty": {
            name: {of: mean(np.where(chosen, share, np.nan), people) for of, chosen in classes.items()}
            for name, share in shares.items()
        },
        "attributes": {
            attribute: {
                "majority_share": max(counts[a]) / sum(counts[a]),
                "images": {of: int(chosen[:, a].sum()) for of, chosen in classes.items()},
                "empty": {
                    name: {of: _share(share[:, a], chosen[:, a]) for of, chosen in classes.items()}
                    for name, share in shares.items()
                },
            }
            for a, attribute in enumerate(model.card.attributes)
        },
    }


def _share(values: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float | None:
    return round(float(values[chosen].mean()), 4) if chosen.any() else None


def mean(values: NDArray[np.floating], people: Clusters) -> dict[str, Any]:
    """Estimate the mean over attributes of means over images, ``(N, A)`` with NaN: of the images, clustered by person.

    Every value is divided by its attribute's number, so that each attribute counts the same.
    """
    count = np.isfinite(values).sum(0)
    known = count > 0
    weighed = np.nan_to_num(values[:, known]) * (len(values) / count[known])
    found = overall_means(weighed.mean(1)[:, None], people, (0.0, np.inf)).estimate(0, 0).to_json()
    return {
        **{name: found[name] for name in ("value", "low", "high", "images", "status")},
        "attributes": int(known.sum()),
        "pairs": int(count.sum()),
    }


def result(job: Job, work: Path) -> dict[str, Any] | None:
    """Measure a pair, if both of its models are there."""
    from safetensors import safe_open

    from bincam.data import load
    from bincam.models import load as load_model

    folders = {arm: work / "runs" / job.name / arm for arm in ARMS}
    if not all((folder / "card.json").is_file() for folder in folders.values()):
        return None
    table = load(work / f"faces-{job.count}").split("validation")
    with safe_open(work / "features" / f"{job.data}-{job.count}" / "validation.safetensors", "pt") as stored:
        seen = Features(stored.get_tensor("plain"), None, torch.tensor(table.labels))
    identities = [""] * len(table) if table.identities is None else list(map(str, table.identities))
    people = Clusters.of(identities)
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "name": job.name,
        "images": len(table),
        "people": people.count,
        "arms": {arm: figures(load_model(folder), seen, people) for arm, folder in folders.items()},
    }


def read(out: Path, name: str) -> Mapping[str, Any] | None:
    """Read the file of a pair; None if there is none."""
    file = out / f"{name}.json"
    return read_json(file, kind=KIND, schema=SCHEMA) if file.is_file() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "bincam-claims")
    parser.add_argument("--out", type=Path, default=HERE / "empty", help="folder of the JSON files")
    options = parser.parse_args()
    for job in jobs():
        if job.data == "faces" and job.trained == "last-stage" and read(options.out, job.name) is None:
            found = result(job, options.work)
            if found is not None:
                write_json(options.out / f"{job.name}.json", found)
                print(f"{job.name}: done", flush=True)


if __name__ == "__main__":
    main()
