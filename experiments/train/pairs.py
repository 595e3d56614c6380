"""Train a pair for several seeds, and for every fold if the configuration has folds; report both arms' test errors.

Three columns: the unbalanced model, the same with thresholds tuned on validation, and the balanced model. Counts are
added over folds, because these together test every image once; mean and range are over seeds.

Run from the repository: ``PYTHONPATH=. python experiments/train/pairs.py CONFIG --out FILE.json``; a Markdown table of
the same name is written too. Finished runs are not trained again, and interrupted runs are resumed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import collect
import jobs

from bincam import provenance
from bincam.files import atomic, write_json
from bincam.train import fit_pair, read_config
from bincam.train.runs.manifest import revision


def run(config: Path, overrides: list[str], seed: int, fold: int | None) -> dict[str, Any]:
    """Train one pair; return its test counts and the training counts, which determine the minority class."""
    subfolder = f"seed-{seed}" + ("" if fold is None else f"/fold-{fold}")
    base = read_config(config, overrides)
    settings = [*overrides, f"seed={seed}", f"out={base.out}/{subfolder}"]
    if fold is not None:
        settings.append(f"data.fold={fold}")
    began = time.perf_counter()
    pair = fit_pair(read_config(config, settings), resume=True)
    if not pair.identical:
        raise SystemExit(f"{pair.folder}: the arms did not see the same images")
    rates = {name: [record["images_per_second"] for record in arm.history] for name, arm in pair.arms.items()}
    facts = json.loads((pair.folder / "unbalanced" / "manifest.json").read_text())
    return {
        "seed": seed,
        "fold": fold,
        "folder": str(pair.folder),
        "seconds": round(time.perf_counter() - began, 1),
        "images_per_second": {name: round(max(values), 1) for name, values in rates.items()},
        "device": facts["device"],
        "train_counts": facts["train_counts"],
        "best_epoch": {name: arm.best_epoch for name, arm in pair.arms.items()},
        "test": {name: arm.test for name, arm in pair.arms.items()},
    }


def minority(runs: list[dict[str, Any]], attribute: str) -> str:
    """Return the rarer class over the training splits of all runs."""
    negatives, positives = (sum(run["train_counts"][attribute][i] for run in runs) for i in (0, 1))
    return "positive" if positives <= negatives else "negative"


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise columns and measures over seeds, for each attribute and their mean."""
    seeds = sorted({run["seed"] for run in runs})
    attributes = list(runs[0]["train_counts"])
    rarer = {name: minority(runs, name) for name in attributes}
    of_seed = {
        (seed, name, column): collect.pooled(
            [collect.column(run["test"], column)[name] for run in runs if run["seed"] == seed], rarer[name]
        )
        for seed in seeds
        for name in attributes
        for column in collect.COLUMNS
    }
    rows = {
        name: {c: collect.over_seeds([of_seed[s, name, c] for s in seeds]) for c in collect.COLUMNS}
        for name in attributes
    }

    def over_attributes(seed: int, column: str) -> collect.Row:
        rows_of_seed = [of_seed[seed, name, column] for name in attributes]
        return {m: collect.mean([v for row in rows_of_seed if (v := row[m]) is not None]) for m in collect.MEASURES}

    whole = {c: collect.over_seeds([over_attributes(s, c) for s in seeds]) for c in collect.COLUMNS}
    return {"seeds": seeds, "minority": rarer, "mean": whole, "attributes": rows}


def main() -> None:
    """Train, collect, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0")
    parser.add_argument("--jobs", type=int, default=1, help="pairs trained in parallel")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for bincam train")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    arguments = parser.parse_args()
    config = read_config(arguments.config, arguments.set)
    folds = [None] if config.data.folds is None else list(range(config.data.folds))
    calls = [(arguments.config, arguments.set, s, f) for s in range(arguments.seeds) for f in folds]
    runs = jobs.each(run, calls, arguments.jobs)
    summary = summarise(runs)
    result = {
        "kind": "bincam-experiment-pairs",
        "schema": 1,
        "config": config.model_dump(mode="json"),
        "versions": provenance.versions("training"),
        "git": revision(),
        **summary,
        "runs": [{key: value for key, value in run_.items() if key not in {"test", "train_counts"}} for run_ in runs],
    }
    write_json(arguments.out, result)
    table = collect.markdown("attribute", {**summary["attributes"], "**mean**": summary["mean"]})
    with atomic(arguments.out.with_suffix(".md")) as part:
        part.write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
