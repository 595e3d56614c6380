"""Effects of balancing in the demo's pairs, and agreement of three kinds of regions about the evidence.

Reads the folders that ``bincam demo --seed N --out FOLDER`` made, and writes a JSON file and a Markdown page next to
it. Each figure is the mean over the demos, with its range; counts of significant differences are sums over the demos:

1. errors of the minority and the majority class, unbalanced, unbalanced with adjusted thresholds, and balanced;
2. for the majority class, evidence in the region, share of maps without positive evidence and bias share, for every
   method, layer and reference: the mean over attributes, and the number of intervals of differences without zero;
3. rank correlations over images between the energy in regions, in object masks and in influence masks.

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
from bincam.stats.formatting import UNDEFINED, number

ARMS = ("unbalanced", "balanced")
RATES = ("minority_error", "majority_error", "balanced_error")
GROUPS = ("true:majority", "alike:majority", "true:minority")
MASKS = ("energy", "object_energy", "influence_energy")
FEWEST = 20
"""Fewest images with both energies defined for which a rank correlation is computed."""


def errors(contrast: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return the mean over attributes by rate and column."""
    return {
        rate: {
            column: mean([entry["errors"][rate][column]["value"] for entry in contrast["attributes"].values()])
            for column in contrast["columns"]
        }
        for rate in RATES
    }


def measures(contrast: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return both arms' means over attributes and the significant paired differences, by column and group."""
    attributes = contrast["attributes"].values()
    names = list(dict.fromkeys(name for entry in attributes for name in entry["differences"]))
    return {
        name: {
            group: summary
            for group in GROUPS
            if (summary := paired([entry["differences"].get(name, {}).get(group) for entry in attributes])) is not None
        }
        for name in names
    }


def paired(entries: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Return means over the attributes where both arms' values are defined; None where there is none."""
    defined = [e for e in entries if e is not None and e["first"] is not None and e["second"] is not None]
    if not defined:
        return None
    differences = [
        e["difference"] for e in defined if e["difference"]["status"] == "ok" and e["difference"]["low"] is not None
    ]
    return {
        "attributes": len(defined),
        ARMS[0]: mean([e["first"] for e in defined]),
        ARMS[1]: mean([e["second"] for e in defined]),
        "surely_higher_unbalanced": sum(d["low"] > 0 for d in differences),
        "surely_lower_unbalanced": sum(d["high"] < 0 for d in differences),
        "judged": len(differences),
    }


def agreement(audit: Audit) -> dict[str, dict[str, Any]]:
    """Return the mean over attributes of Spearman's ρ over images, by method and pair of region kinds."""
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
    """Return True if the records have a column."""
    mask = column.rpartition(".")[2].removesuffix("_energy")
    return mask == "energy" or mask in audit.masks


def over_attributes(records: pd.DataFrame, a: str, b: str) -> dict[str, Any]:
    """Return mean and range of the attributes' ρ."""
    rho = []
    for _, rows in records.groupby("attribute", observed=True):
        both = rows[[a, b]].dropna()
        if len(both) >= FEWEST and both.nunique().min() > 1:
            rho.append(float(both.corr("spearman").iloc[0, 1]))
    return {"attributes": len(rho), "mean": mean(rho), "low": min(rho, default=None), "high": max(rho, default=None)}


def mean(values: list[float | None]) -> float | None:
    """Return the mean of the defined values; None where there is none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def over_demos(parts: list[Any]) -> Any:
    """Merge structures of the same form: counts are added, other numbers become mean, low and high."""
    first = parts[0]
    if isinstance(first, dict):
        names = list(dict.fromkeys(name for part in parts for name in part))
        return {name: over_demos([part[name] for part in parts if name in part]) for name in names}
    if isinstance(first, int):
        return sum(parts)
    defined = [part for part in parts if part is not None]
    return {"mean": mean(defined), "low": min(defined, default=None), "high": max(defined, default=None)}


def page(results: dict[str, Any]) -> str:
    """Write the tables in Markdown."""
    columns = list(results["errors"][RATES[0]])
    demos = results["demos"]
    images, people = (", ".join(str(demo[key]) for demo in demos) for key in ("images", "identities"))
    lines = ["# What balancing changed", "", f"{len(demos)} demos: {images} test images of {people} people.", ""]
    lines += ["| mean over attributes | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    lines += [
        f"| {rate.replace('_', ' ')} | {' | '.join(shown(by_column[c]) for c in columns)} |"
        for rate, by_column in results["errors"].items()
    ]
    for group in GROUPS:
        lines += [
            "",
            f"## {group}",
            "",
            "Paired on the same images; `>` and `<`: attributes whose difference has an interval without zero, over "
            "all demos.",
            "",
        ]
        lines += [f"| measure | {ARMS[0]} | {ARMS[1]} | > | < | of |", "|---|---|---|---|---|---|"]
        for name, by_group in results["measures"].items():
            if group in by_group:
                h = by_group[group]
                lines.append(
                    f"| `{name}` | {shown(h[ARMS[0]])} | {shown(h[ARMS[1]])} | {h['surely_higher_unbalanced']} | "
                    f"{h['surely_lower_unbalanced']} | {h['judged']} |"
                )
    lines += ["", "## Do the regions agree?", ""]
    lines += ["Spearman's ρ over images: mean over attributes, and the lowest and highest attribute's.", ""]
    lines += ["| model | method | energies | ρ | lowest | highest | attributes |", "|---|---|---|---|---|---|---|"]
    for arm, methods in results["agreement"].items():
        for method, pairs in methods.items():
            for pair, h in pairs.items():
                cells = (shown(h["mean"]), plain(h["low"]["low"]), plain(h["high"]["high"]), str(h["attributes"]))
                lines.append(f"| {arm} | {method} | {pair} | {' | '.join(cells)} |")
    lines += ["", "## Does the method depend on the model?", ""]
    lines += ["Excess of |Spearman| with maps of random parameters, same image less other people's: upper bound.", ""]
    lines += ["| model | method | bound |", "|---|---|---|"]
    lines += [f"| {a} | {m} | {shown(bound)} |" for a, gates in results["gates"].items() for m, bound in gates.items()]
    return "\n".join(lines) + "\n"


def shown(value: dict[str, float | None]) -> str:
    """Write mean and range over the demos."""
    spread = "" if value["low"] == value["high"] else f" [{plain(value['low'])}, {plain(value['high'])}]"
    return plain(value["mean"]) + spread


def plain(value: float | None) -> str:
    """Write a number with three decimals."""
    return UNDEFINED if value is None else number(value, 3)


def read(folder: Path) -> dict[str, Any]:
    """Read the results of one demo."""
    contrast = read_json(folder / "contrast" / "contrast.json", kind="bincam-contrast", schema=1)
    audits = {arm: open_audit(folder / "audits" / arm) for arm in ARMS}
    return {
        "errors": errors(contrast),
        "measures": measures(contrast),
        "agreement": {arm: agreement(audit) for arm, audit in audits.items()},
        "gates": {
            arm: {method: gate["excess"]["high"] for method, gate in audit.sample["gates"].items()}
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
    results = {
        "kind": "bincam-experiment-contrast",
        "schema": 2,
        "demos": [demo.pop("demo") for demo in demos],
        **over_demos(demos),
    }
    write_json(arguments.out, results)
    text = page(results)
    with atomic(arguments.out.with_suffix(".md")) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
