"""Two synthetic audits of the same images: thresholds to move, and their records side by side."""

import json

import numpy as np

from bincam.compare.paired_differences import COLUMNS
from tests.audit.synthetic import reseal

MOVED = {"Bald": -1.5, "Eyeglasses": -0.8, "Young": 1.0, "No_Beard": 1.4, "Wearing_Hat": -1.2}
FIRST, THRESHOLD, SECOND = COLUMNS


def edit(folder, **changes):
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return reseal(folder)


def joined(audits, name):
    tables = []
    for audit in audits:
        held = audit.records()
        tables.append(held[held["attribute"] == name].set_index("row"))
    both = tables[0].add_suffix(".a").join(tables[1].add_suffix(".b"))
    both = both[both["logit.a"].notna() & both["logit.b"].notna()]
    minority = 1 if audits[0].minority(name) > 0 else 0
    for arm in "ab":
        both[f"yes.{arm}"] = both[f"logit.{arm}"] >= both[f"threshold.{arm}"]
        both[f"wrong.{arm}"] = (both[f"yes.{arm}"] != (both["label.a"] == 1)).where(both["label.a"].notna())
    both["moved"] = (both["logit.a"] >= MOVED.get(name, np.nan)) != (both["label.a"] == 1)
    return both, both["label.a"] == minority, minority
