"""What balancing changed in the demo's pair, and whether three kinds of regions agree on where a model looks.

Reads the folder that ``bincam demo --out FOLDER`` made, and writes a JSON file and a Markdown page beside it:

1. errors of the minority and the majority class, unbalanced, unbalanced with its thresholds moved, and balanced;
2. for the majority class, evidence in the region, share of empty maps and bias share, for every method and layer and
   against every reference: the mean over attributes, and for how many of them the paired difference is sure;
3. rank correlations over images between the energy in regions, on the exact masks and on influence masks.

Run from the repository: ``PYTHONPATH=. python experiments/contrast/findings.py FOLDER --out FILE.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bincam.audit import Audit, open_audit
from bincam.files import atomic, read_json, write_json

ARMS = ("unbalanced", "balanced")
RATES = ("minority_error", "majority_error", "balanced_error")
GROUPS = ("true:majority", "alike:majority", "true:minority")
MASKS = ("energy", "object_energy", "influence_energy")
FEWEST = 20
"""Images in which both energies are defined, below which an attribute has no rank correlation."""


def errors(contrast: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Rate to column to the mean over attributes."""
    return {
        rate: {
            column: mean([entry["errors"][rate][column]["value"] for entry in contrast["attributes"].values()])
            for column in contrast["columns"]
        }
        for rate in RATES
    }


def measures(contrast: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Column to group to both arms' means over attributes, and how many paired differences are sure, by their sign."""
    attributes = contrast["attributes"].values()
    names = list(dict.fromkeys(name for entry in attributes for name in entry["differences"]))
    return {
        name: {
            group: told
            for group in GROUPS
            if (told := paired([entry["differences"].get(name, {}).get(group) for entry in attributes])) is not None
        }
        for name in names
    }


def paired(entries: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Means over the attributes where both arms' values are defined; None where there is none."""
    known = [e for e in entries if e is not None and e["first"] is not None and e["second"] is not None]
    if not known:
        return None
    sure = [e["difference"] for e in known if e["difference"]["status"] == "ok" and e["difference"]["low"] is not None]
    return {
        "attributes": len(known),
        ARMS[0]: mean([e["first"] for e in known]),
        ARMS[1]: mean([e["second"] for e in known]),
        "surely_higher_unbalanced": sum(d["low"] > 0 for d in sure),
        "surely_lower_unbalanced": sum(d["high"] < 0 for d in sure),
        "judged": len(sure),
    }


def agreement(audit: Audit) -> dict[str, dict[str, Any]]:
    """Method to pair of region kinds to the mean over attributes of Spearman's ρ over images."""
    result: dict[str, dict[str, Any]] = {}
    for method in audit.methods:
        columns = [f"{method}.{kind}" for kind in MASKS if has(audit, f"{method}.{kind}")]
        records = audit.records(["attribute", *columns])
        result[method] = {
            f"{a.rpartition('.')[2]} and {b.rpartition('.')[2]}": over_attributes(records, a, b)
            for i, a in enumerate(columns)
            for b in columns[i + 1 :]
        }
    return result


def has(audit: Audit, column: str) -> bool:
    """Whether the records hold a column."""
    mask = column.rpartition(".")[2].removesuffix("_energy")
    return mask == "energy" or mask in audit.masks


def over_attributes(records: pd.DataFrame, a: str, b: str) -> dict[str, Any]:
    """Mean and range of the attributes' ρ."""
    rho = []
    for _, rows in records.groupby("attribute", observed=True):
        both = rows[[a, b]].dropna()
        if len(both) >= FEWEST and both.nunique().min() > 1:
            rho.append(float(both.corr("spearman").iloc[0, 1]))
    return {"attributes": len(rho), "mean": mean(rho), "low": min(rho, default=None), "high": max(rho, default=None)}


def mean(values: list[float | None]) -> float | None:
    """Of those that are defined."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def page(found: dict[str, Any]) -> str:
    """The tables in Markdown."""
    columns = list(found["errors"][RATES[0]])
    lines = ["# What balancing changed", "", f"{found['images']} test images of {found['identities']} people.", ""]
    lines += ["| mean over attributes | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    lines += [
        f"| {rate.replace('_', ' ')} | {' | '.join(shown(held[c]) for c in columns)} |"
        for rate, held in found["errors"].items()
    ]
    for group in GROUPS:
        lines += [
            "",
            f"## {group}",
            "",
            "Paired on the same images; `>` and `<`: attributes whose difference is sure.",
            "",
        ]
        lines += [f"| measure | {ARMS[0]} | {ARMS[1]} | > | < | of |", "|---|---|---|---|---|---|"]
        for name, held in found["measures"].items():
            if group in held:
                h = held[group]
                lines.append(
                    f"| `{name}` | {shown(h[ARMS[0]])} | {shown(h[ARMS[1]])} | {h['surely_higher_unbalanced']} | "
                    f"{h['surely_lower_unbalanced']} | {h['judged']} |"
                )
    lines += ["", "## Do the regions agree?", "", "Spearman's ρ over images, mean over attributes [range].", ""]
    lines += ["| model | method | energies | ρ | attributes |", "|---|---|---|---|---|"]
    for arm, methods in found["agreement"].items():
        for method, pairs in methods.items():
            for pair, h in pairs.items():
                span = f" [{shown(h['low'])}, {shown(h['high'])}]" if h["attributes"] else ""
                lines.append(f"| {arm} | {method} | {pair} | {shown(h['mean'])}{span} | {h['attributes']} |")
    return "\n".join(lines) + "\n"


def shown(value: float | None) -> str:
    """Three places, or that it is undefined."""
    return "undefined" if value is None else f"{value:.3f}"


def main() -> None:
    """Read, collect, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    arguments = parser.parse_args()
    contrast = read_json(arguments.folder / "contrast" / "contrast.json", kind="bincam-contrast", schema=1)
    found = {
        "kind": "bincam-experiment-contrast",
        "schema": 1,
        "demo": {
            k: v for k, v in json.loads((arguments.folder / "demo.json").read_text()).items() if k in ("data", "seed")
        },
        "images": contrast["images"],
        "identities": contrast["identities"],
        "errors": errors(contrast),
        "measures": measures(contrast),
        "agreement": {arm: agreement(open_audit(arguments.folder / "audits" / arm)) for arm in ARMS},
    }
    write_json(arguments.out, found)
    text = page(found)
    with atomic(arguments.out.with_suffix(".md")) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
