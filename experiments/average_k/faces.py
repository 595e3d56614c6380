"""Label sets of a balanced and an unbalanced model of generated faces: whom they leave out, and what mending it costs.

    python experiments/average_k/faces.py UNBALANCED BALANCED [--out FILE]

takes audits of both models on the same images (``bincam demo`` makes such), calibrates on half of the people and judges
the others, who are the same for both, and writes the means over attributes to ``experiments/average_k/faces.json``.
Attributes whose minority has fewer than 20 judged images or five people, or too few to calibrate, are left out.
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


def study_of(audit: Path) -> dict[str, Any]:
    """Run one study, and return its summary."""
    with tempfile.TemporaryDirectory() as folder:
        return run_sets(open_audit(audit), SetsSettings(sizes=(1.0,)), out=Path(folder) / "sets").summary


def judged_in(summary: dict[str, Any]) -> list[str]:
    """List the attributes whose minority has enough judged images by every rule."""
    subjects = summary["subjects"]
    return [
        subject
        for subject, entry in subjects.items()
        if not entry["rules"].get("class_conditional", {}).get("fitted", {}).get("always_kept")
        and all(
            rule in entry["rules"] and Estimate.from_json(entry["rules"][rule]["minority_coverage"]).status == "ok"
            for rule in RULES
        )
    ]


def of_model(summary: dict[str, Any], judged: list[str]) -> dict[str, Any]:
    """Return the means over attributes."""
    subjects = summary["subjects"]
    keys = ("coverage", "majority_coverage", "minority_coverage", "size", "several", "empty")
    rules = {
        rule: {key: mean([Estimate.from_json(subjects[one]["rules"][rule][key]) for one in judged]) for key in keys}
        for rule in RULES
    }
    of_all = summary["attributes"]
    prevalence = of_all["prevalence"]
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
        "rarest": recalled[:RAREST],
        "always_kept": kept,
        "rules": rules,
        "all_at_once": recall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("unbalanced", type=Path)
    parser.add_argument("balanced", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "faces.json")
    options = parser.parse_args()
    summaries = {name: study_of(getattr(options, name)) for name in MODELS}
    in_both = [one for one in judged_in(summaries[MODELS[0]]) if one in judged_in(summaries[MODELS[1]])]
    results = {name: of_model(summary, in_both) for name, summary in summaries.items()}
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    for name, found in results.items():
        print(f"{name}: {found['attributes']} attributes, {found['judged']}")
        for rule, figures in {**found["rules"], **found["all_at_once"]}.items():
            print(f"  {rule}: {figures}")


if __name__ == "__main__":
    main()
