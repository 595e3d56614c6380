"""What balancing changed in the demo's pairs, and whether three kinds of regions agree on where a model looks.

Reads the folders that ``bincam demo --seed N --out FOLDER`` made, and writes a JSON file and a Markdown page beside it.
Each figure is the mean over the demos, with its range; counts of sure differences are added up over them:

1. errors of the minority and the majority class, unbalanced, unbalanced with its thresholds moved, and balanced;
2. for the majority class, evidence in the region, share of empty maps and bias share, for every method and layer and
   against every reference: the mean over attributes, and for how many of them the paired difference is sure;
3. rank correlations over images between the energy in regions, on the exact masks and on influence masks.

Run from the repository: ``PYTHONPATH=. python experiments/contrast/findings.py FOLDER ... --out FILE.json``.
"""

from __future__ import annotations

import argparse
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


def over_demos(parts: list[Any]) -> Any:
    """One structure from several that are alike: counts are added up, other numbers become mean, low and high."""
    first = parts[0]
    if isinstance(first, dict):
        names = list(dict.fromkeys(name for part in parts for name in part))
        return {name: over_demos([part[name] for part in parts if name in part]) for name in names}
    if isinstance(first, int):
        return sum(parts)
    known = [part for part in parts if part is not None]
    return {"mean": mean(known), "low": min(known, default=None), "high": max(known, default=None)}


def page(found: dict[str, Any]) -> str:
    """The tables in Markdown."""
    columns = list(found["errors"][RATES[0]])
    demos = found["demos"]
    images, people = (", ".join(str(one[key]) for one in demos) for key in ("images", "identities"))
    lines = ["# What balancing changed", "", f"{len(demos)} demos: {images} test images of {people} people.", ""]
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
            "Paired on the same images; `>` and `<`: attributes whose difference is sure, over all demos.",
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
    lines += ["", "## Do the regions agree?", ""]
    lines += ["Spearman's ρ over images: mean over attributes, and the lowest and highest attribute's.", ""]
    lines += ["| model | method | energies | ρ | lowest | highest | attributes |", "|---|---|---|---|---|---|---|"]
    for arm, methods in found["agreement"].items():
        for method, pairs in methods.items():
            for pair, h in pairs.items():
                cells = (shown(h["mean"]), plain(h["low"]["low"]), plain(h["high"]["high"]), str(h["attributes"]))
                lines.append(f"| {arm} | {method} | {pair} | {' | '.join(cells)} |")
    lines += ["", "## Does the method depend on the model?", ""]
    lines += ["Magnitude of Spearman's ρ of the maps with those of all-random parameters: upper bound of its mean.", ""]
    lines += ["| model | method | bound |", "|---|---|---|"]
    lines += [f"| {a} | {m} | {shown(bound)} |" for a, gates in found["gates"].items() for m, bound in gates.items()]
    return "\n".join(lines) + "\n"


def shown(value: dict[str, float | None]) -> str:
    """Mean and range over the demos."""
    spread = "" if value["low"] == value["high"] else f" ({plain(value['low'])} to {plain(value['high'])})"
    return plain(value["mean"]) + spread


def plain(value: float | None) -> str:
    """Three places, or that it is undefined."""
    return "undefined" if value is None else f"{value:.3f}"


def read(folder: Path) -> dict[str, Any]:
    """One demo's findings."""
    contrast = read_json(folder / "contrast" / "contrast.json", kind="bincam-contrast", schema=1)
    audits = {arm: open_audit(folder / "audits" / arm) for arm in ARMS}
    return {
        "errors": errors(contrast),
        "measures": measures(contrast),
        "agreement": {arm: agreement(audit) for arm, audit in audits.items()},
        "gates": {
            arm: {method: gate["upper"][-1] for method, gate in audit.sample["gates"].items()}
            for arm, audit in audits.items()
        },
        "demo": {
            **{key: read_json(folder / "demo.json", kind="bincam-demo", schema=1)[key] for key in ("data", "seed")},
            "images": contrast["images"],
            "identities": contrast["identities"],
        },
    }


def main() -> None:
    """Read, collect, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    arguments = parser.parse_args()
    demos = [read(folder) for folder in arguments.folders]
    found = {
        "kind": "bincam-experiment-contrast",
        "schema": 2,
        "demos": [demo.pop("demo") for demo in demos],
        **over_demos(demos),
    }
    write_json(arguments.out, found)
    text = page(found)
    with atomic(arguments.out.with_suffix(".md")) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
