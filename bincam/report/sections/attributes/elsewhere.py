"""Attributes that a model tells apart well although its evidence is not on their objects: a rule on an audit's figures.

The rule is ours. An attribute is one of these if all of the following hold, each at the end of its interval:

- it is told apart well: AUROC above ``WELL``;
- the evidence is not on the object: where it is found, the chance-corrected energy on the object's mask is below
  ``OFF_OBJECT`` (0: as a uniform map has it, 1: all of it);
- the map's peak is on the object less than ``PEAKED`` more often than chance would have it, because of a small object a
  map that spreads has little energy on it even if it peaks there;
- the grid could show it: boxes can be judged on it.

So it says nothing of small samples, of coarse grids, and of cues on the object itself, such as its colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.metrics.localization.boxes.verdict import JUDGED
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.words.sentences import place
from bincam.report.view.parts import Definition
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate, undefined
from bincam.stats.formatting import counted, interval, listed, shown, stated, written
from bincam.stats.proportions import shares

WELL, OFF_OBJECT, PEAKED = 0.75, 0.1, 0.25
FOUND = "outcome:TP"
SIDES = ("predicted", "true", "positive")
"""Explained sides for which a map of a found image is evidence for *yes*."""
MOST_NAMED = 6
LOOKS_ELSEWHERE = Definition(
    "Looks elsewhere than at the object",
    "Said of an attribute that is told apart well (AUROC above 0.75) although its evidence is not on the object: where "
    "it is found, the chance-corrected energy on the object's mask is below 0.1, and the map peaks on the object less "
    "than 25 points more often than by chance; all of them whole intervals. Not said where boxes cannot be judged on "
    "the grid. A cue on the object itself, such as its colour, is not found by it. The rule has no published "
    "definition.",
)


@dataclass(frozen=True)
class Elsewhere:
    """An attribute or output whose evidence is not on its object.

    Attributes:
        name: Its name.
        auroc: How well it is told apart.
        gain: Chance-corrected energy on the object, of the images where it is found.
        peaked: How often the peak of the map is on the object.
        chance: How often chance would have it.
        place: Where most of these images have their peak, such as ``lower right``; empty where they share no place.
        share: Share of the found images with their peak there; undefined without such a place.
    """

    name: str
    auroc: Estimate
    gain: Estimate
    peaked: Estimate
    chance: Estimate
    place: str
    share: Estimate


def elsewhere(arm: Arm) -> dict[str, Elsewhere]:
    """Find the attributes and outputs to which the rule applies, by name.

    Args:
        arm: An audited model. Without masks of objects, and without boxes, there are none.
    """
    if arm.audit.manifest.side not in SIDES or "object" not in arm.audit.masks:
        return {}
    measured = (arm.summary.get("boxes") or {}).get("attributes") or {}
    found: dict[str, tuple[Estimate, Estimate, Estimate, Estimate]] = {}
    for name, entry in _entries(arm):
        auroc = Estimate.from_json(entry["rates"].get("auroc"))
        gain = Estimate.from_json((entry["measures"].get(f"{arm.method}.object_gain") or {}).get(FOUND))
        if not (_certain(auroc) and _certain(gain) and auroc.low > WELL and gain.high < OFF_OBJECT):
            continue
        boxes = measured.get(name)
        over = Estimate.from_json((boxes or {}).get("pointing_over_chance"))
        if boxes is not None and boxes["judgement"] == JUDGED and _certain(over) and over.high < PEAKED:
            peaked, chance = (Estimate.from_json(boxes[key]) for key in ("pointing", "pointing_chance"))
            found[name] = auroc, gain, peaked, chance
    places = _places(arm, list(found))
    return {name: Elsewhere(name, *figures, *places[name]) for name, figures in found.items()}


def finding(found: Mapping[str, Elsewhere], whose: str = "the model") -> str:
    """Say for the first screen which attributes are told apart without their objects; empty for none.

    Args:
        found: Of ``elsewhere``.
        whose: The model in a sentence.
    """
    if not found:
        return ""
    if len(found) == 1:
        one = next(iter(found.values()))
        return f"{one.name}: {whose} looks elsewhere than at the object. {sentence(one)}"
    names = list(found)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    named = f"{', '.join(names[:MOST_NAMED])}{more}" if more else listed(names)
    return (
        f"{counted(len(names), 'attribute')} of which {whose} looks elsewhere than at the object, although it tells "
        f"them apart well: {named}. Their cards say where the evidence is."
    )


def sentence(one: Elsewhere) -> str:
    """Say of an attribute that its evidence is not on the object, where it is, and what to look at next."""
    text = (
        f"It is told apart well (AUROC {written(one.auroc)}), but where it is found the evidence is not on the object: "
        f"its chance-corrected energy there is {stated(one.gain)}; 0 is that of a uniform map, 1 is all of it. The map "
        f"peaks on the object in {written(one.peaked, 'percent')} of the images, and would by chance in "
        f"{shown(one.chance, 'percent')}"
    )
    if one.place:
        text += (
            f". In {shown(one.share, 'percent')} {interval(one.share, 'percent')} of the images where it is found, the "
            f"peak is at the {one.place} of the image"
        )
    return f"{text}. Something that goes with it may give the answer: compare images that have one without the other."


def _entries(arm: Arm) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the yes-or-no attributes and the outputs of sets with what the summary has of them."""
    yield from arm.summary["attributes"].items()
    for of_set in (arm.summary.get("sets") or {}).values():
        yield from ((name, entry) for name, entry in of_set["outputs"].items() if "measures" in entry)


def _certain(estimate: Estimate) -> bool:
    """Whether an estimate has an interval, and is of enough images."""
    return estimate.defined and not estimate.small and bool(np.isfinite([estimate.low, estimate.high]).all())


def _places(arm: Arm, names: Sequence[str]) -> dict[str, tuple[str, Estimate]]:
    """Name the ninth of the image in which most of the found images have their peak, with their share, by attribute."""
    result = {}
    identity = arm.audit.images["identity"].astype(str).to_numpy() if names else np.zeros(0, str)
    for name, (rows, columns, images) in _peaks(arm, names).items():
        if not len(images):
            result[name] = "", undefined("no peak")
            continue
        # There are as many different peaks as cells of a map.
        peaks, which = np.unique(np.stack([rows, columns], 1), axis=0, return_inverse=True)
        places = np.array([place(row, column) for row, column in peaks.tolist()])[which.reshape(-1)]
        ninths, counts = np.unique(places, return_counts=True)
        most = str(ninths[counts.argmax()])
        clusters = Clusters.of(identity[images])
        share = shares((places == most).astype(float), np.ones(len(places), bool), clusters).estimate()
        result[name] = (most, share) if share.low > 0.5 else ("", undefined("no common place"))
    return result


def _peaks(arm: Arm, names: Sequence[str]) -> dict[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Read where maps of found images have their peak, shard by shard: row and column of it, and row of the image."""
    if not names:
        return {}
    columns = ["row", "outcome", f"{arm.method}.peak_y", f"{arm.method}.peak_x"]
    every = len(arm.audit.attributes)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for table in arm.audit.record_parts(columns):
        for name in names:
            of_name = table.take(np.arange(arm.index(name), table.num_rows, every))
            row, outcome, y, x = (of_name[column].to_numpy() for column in columns)
            found = (outcome.astype(str) == "TP") & np.isfinite(x)
            parts[name].append(np.stack([y[found], x[found], row[found]]).astype(np.float64))
    whole = {name: np.concatenate(of_name, 1) for name, of_name in parts.items()}
    return {name: (y, x, row.astype(np.int64)) for name, (y, x, row) in whole.items()}
