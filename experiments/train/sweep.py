"""Sweep of one attribute's prevalence in training from 0.5 to 0.02 with everything else fixed.

All faces are generated once, of different identities and with independent labels. For each prevalence p the training
split has ``--count`` of them, a share p of positives and 1 - p of negatives, selected in a fixed order, so smaller sets
of positives are subsets of larger ones; likewise for validation, a fifth as large. Every model is tested on the same
faces, half of them positive. Errors are per class, so they do not depend on the test split's prevalence.

Run from the repository: ``PYTHONPATH=. python experiments/train/sweep.py --out FILE.json``; a table (``.md``) and a
figure (``.png``) of the same name are written too. Finished parts are not repeated.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import collect
import jobs
import numpy as np
import torch
from figures import prevalence_sweep
from numpy.typing import NDArray

from bincam import data, provenance
from bincam.data import AttributeTable
from bincam.faces.dataset.writer import make
from bincam.files import atomic, write_json
from bincam.report.figures.pictured.explanation import save_figure
from bincam.train import fit_pair
from bincam.train.configuration.config import make_config
from bincam.train.runs.manifest import revision

PREVALENCES = (0.5, 0.2, 0.1, 0.05, 0.02)


def needed(count: int, prevalences: Sequence[float], test: int) -> tuple[int, int]:
    """Compute the numbers of positives and negatives that the pool must contain."""
    high = max(prevalences)
    return round(high * count) + round(high * (count // 5)) + test // 2, count + count // 5 + test // 2


def pool(folder: Path, attribute: str, size: tuple[int, int], positives: int, negatives: int) -> AttributeTable:
    """Generate the faces to select from; a tenth more than needed, because labels are random."""
    share = positives / (positives + negatives)
    count = int(1.1 * (positives + negatives)) + 50
    make(folder, count, 0, prevalence="independent", set={attribute: share}, size=size, images_per_person=1)
    return data.load(folder)


def rows(
    table: AttributeTable, attribute: str, p: float, count: int, high: float, test: int
) -> dict[str, NDArray[Any]]:
    """Select the rows of each split at a prevalence.

    Raises:
        SystemExit: The pool is too small.
    """
    labels = table.labels[:, table.index(attribute)]
    order = np.random.default_rng(0).permutation(len(table))
    by_class = {value: order[labels[order] == value] for value in (1, 0)}
    result: dict[str, list[NDArray[Any]]] = {"train": [], "validation": [], "test": []}
    for value, ordered in by_class.items():
        start = 0
        for split, n, own in (("test", test, 0.5), ("validation", count // 5, p), ("train", count, p)):
            size = round(own * n) if value else n - round(own * n)
            result[split].append(ordered[start : start + size])
            if len(result[split][-1]) < size:
                raise SystemExit(f"the pool has too few faces with {attribute} {value}: {len(ordered)}")
            # Reserve the largest number of this class at any p, so that a face is always in the same split.
            start += n // 2 if split == "test" else round(high * n) if value else n
    return {split: np.sort(np.concatenate(parts)) for split, parts in result.items()}


def write_table(file: Path, table: AttributeTable, attribute: str, splits: dict[str, NDArray[Any]]) -> None:
    """Write the selected rows as a CSV."""
    labels = table.labels[:, table.index(attribute)]
    lines = [f"image,split,{attribute}"]
    lines += [
        f"{table.ids[r]},{split},{int(labels[r])}" for split, selected in splits.items() for r in selected.tolist()
    ]
    with atomic(file) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def csv_of(arguments: argparse.Namespace, p: float) -> Path:
    """Return the path of the CSV for a prevalence."""
    return Path(arguments.faces / f"{arguments.attribute}-p{p:g}.csv")


def train(arguments: argparse.Namespace, images: Path, p: float, seed: int) -> dict[str, Any]:
    """Train a pair; return both arms' test counts."""
    config = make_config(
        {
            "data": {
                "source": str(csv_of(arguments, p)),
                "options": {"images": str(images), "split": "split"},
                "size": arguments.size,
                "fit": "stretch",
                "memory": True,
            },
            "model": {"name": arguments.model},
            "optimizer": {"lr": arguments.lr},
            "schedule": {"warmup_epochs": 0.5},
            "epochs": arguments.epochs,
            "batch_size": 64,
            "precision": arguments.precision,
            "seed": seed,
            "out": str(arguments.runs / arguments.attribute / f"p{p:g}" / f"seed-{seed}"),
        }
    )
    pair = fit_pair(config, resume=True)
    if not pair.identical:
        raise SystemExit(f"{pair.folder}: the arms did not see the same images")
    return {name: arm.test for name, arm in pair.arms.items()}


def main() -> None:
    """Generate, train, collect, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    parser.add_argument("--faces", type=Path, default=Path("data/sweep"), help="folder of the generated faces")
    parser.add_argument("--runs", type=Path, default=Path("runs/sweep"))
    parser.add_argument("--attribute", default="Bangs")
    parser.add_argument("--prevalences", type=float, nargs="+", default=PREVALENCES)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument("--count", type=int, default=4000, help="training faces")
    parser.add_argument("--test", type=int, default=2000, help="test faces")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--model", default="resnet10t")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--jobs", type=int, default=1, help="pairs trained in parallel")
    arguments = parser.parse_args()

    size = (arguments.size, round(arguments.size * 218 / 178))
    positives, negatives = needed(arguments.count, arguments.prevalences, arguments.test)
    table = pool(arguments.faces / arguments.attribute, arguments.attribute, size, positives, negatives)
    high = max(arguments.prevalences)
    for p in arguments.prevalences:
        splits = rows(table, arguments.attribute, p, arguments.count, high, arguments.test)
        write_table(csv_of(arguments, p), table, arguments.attribute, splits)
    calls = [(arguments, table.root, p, seed) for p in arguments.prevalences for seed in range(arguments.seeds)]
    tests = dict(zip([call[2:] for call in calls], jobs.each(train, calls, arguments.jobs), strict=True))
    errors: dict[float, dict[str, Any]] = {
        p: {
            column: collect.over_seeds(
                [
                    collect.pooled([collect.column(tests[p, seed], column)[arguments.attribute]], "positive")
                    for seed in range(arguments.seeds)
                ]
            )
            for column in collect.COLUMNS
        }
        for p in arguments.prevalences
    }
    result = {
        "kind": "bincam-experiment-sweep",
        "schema": 1,
        "settings": {name: value for name, value in vars(arguments).items() if not isinstance(value, Path)},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": provenance.versions("training"),
        "git": revision(),
        "note": "minority: positives, at a prevalence of one half too; mean and range over seeds",
        "prevalences": {f"{p:g}": columns for p, columns in errors.items()},
    }
    write_json(arguments.out, result)
    text = collect.markdown(
        f"prevalence of {arguments.attribute}", {f"{p:g}": columns for p, columns in errors.items()}
    )
    with atomic(arguments.out.with_suffix(".md")) as part:
        part.write_text(text, encoding="utf-8")
    save_figure(prevalence_sweep(errors, arguments.attribute), arguments.out.with_suffix(".png"))
    print(text)


if __name__ == "__main__":
    main()
