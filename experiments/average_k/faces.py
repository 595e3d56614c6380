"""Label sets of a balanced and an unbalanced model of generated faces: whom they leave out, and what mending it costs.

    bincam audit --model RUNS/balanced --data FACES --split validation --gate-images 0 --out AUDITS/balanced-validation
    (likewise the test split, and the unbalanced model)
    python experiments/average_k/faces.py AUDITS [--out FILE]

Calibrates on each model's audit of the validation split, judges the test split, and writes the means over attributes to
``experiments/average_k/faces.json``. Attributes whose minority has fewer than 20 judged images or five people are left
out of the means, and named.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bincam.audit import open_audit
from bincam.stats.estimate import Estimate
from bincam.studies.sets.settings import SetsSettings
from bincam.studies.sets.study import run_sets

MODELS = ("unbalanced", "balanced")
RULES = ("average_k=1", "lac", "class_conditional")
OF_ALL = ("global", "per_attribute", "crc")
RAREST = 10


def mean(figures: list[Estimate]) -> float:
    return round(float(np.mean([figure.value for figure in figures])), 3)


def of_model(audits: Path, name: str) -> dict[str, Any]:
    """Run one study, and return the means over the attributes that can be judged."""
    with tempfile.TemporaryDirectory() as folder:
        audit = open_audit(audits / f"{name}-test")
        settings = SetsSettings(sizes=(1.0,))
        calibration = audits / f"{name}-validation"
        summary = run_sets(audit, settings, calibration=calibration, out=Path(folder) / "sets").summary
    subjects = summary["subjects"]
    judged = [
        subject
        for subject, entry in subjects.items()
        if all(
            rule in entry["rules"] and Estimate.from_json(entry["rules"][rule]["minority_coverage"]).status == "ok"
            for rule in RULES
        )
    ]
    keys = ("coverage", "majority_coverage", "minority_coverage", "size", "several", "empty")
    rules = {
        rule: {key: mean([Estimate.from_json(subjects[one]["rules"][rule][key]) for one in judged]) for key in keys}
        for rule in RULES
    }
    of_all = summary["attributes"]
    prevalence = of_all["prevalence"]
    rarest = sorted(judged, key=lambda one: min(prevalence[one], 1 - prevalence[one]))
    recalled = [one for one in sorted(of_all["answers"], key=lambda one: prevalence[one] or 1.0) if one in judged]
    recall = {
        rule: {
            "labels_per_image": round(of_all["rules"][rule]["size"]["value"], 2),
            "recall": mean([Estimate.from_json(of_all["rules"][rule]["recall"][one]) for one in recalled]),
            f"recall_of_{RAREST}_rarest": mean(
                [Estimate.from_json(of_all["rules"][rule]["recall"][one]) for one in recalled[:RAREST]]
            ),
        }
        for rule in OF_ALL
    }
    kept = [
        one for one in subjects if subjects[one]["rules"].get("class_conditional", {}).get("fitted", {})["always_kept"]
    ]
    return {
        "calibration": summary["calibration"]["images"],
        "judged": summary["judged"],
        "attributes": len(judged),
        "left_out": sorted(set(subjects) - set(judged)),
        "rarest": rarest[:RAREST],
        "always_kept": kept,
        "rules": rules,
        "all_at_once": recall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audits", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "faces.json")
    options = parser.parse_args()
    results = {name: of_model(options.audits, name) for name in MODELS}
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    for name, found in results.items():
        print(f"{name}: {found['attributes']} attributes, {found['judged']}")
        for rule, figures in {**found["rules"], **found["all_at_once"]}.items():
            print(f"  {rule}: {figures}")


if __name__ == "__main__":
    main()
