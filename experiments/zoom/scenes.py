"""Zoom studies of generated scenes, of which it is known where the objects are and how large.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.zoom.scenes

writes ``scenes.json``. The networks are those of ``experiments.scenes`` (one label per image, stride 8), whose training
scenes have objects anywhere, with sides of .18 to .28. A killed run goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam import scenes
from bincam.data import load as load_table
from bincam.files import write_json
from bincam.inference import Plan, view_plan
from bincam.models import load
from bincam.provenance import versions
from bincam.stats import Clusters, oracles, rightness
from bincam.stats.framing.averages import mean
from bincam.studies.zoom import SeenViews, Subject, run_zoom
from bincam.studies.zoom.encoding import encoded
from bincam.train.runs.manifest import revision

HERE = Path(__file__).parent
MODELS = Path.home() / ".cache" / "bincam-scenes" / "runs"
WORK = Path.home() / ".cache" / "bincam-zoom"
SMALL = (0.12, 0.16)
"""Sides of objects in the scenes about places: so small that a quarter of the image has room for five."""

SIZES = (0.12, 0.16, 0.2, 0.28)
SCALES = (96, 115, 137, 165, 192, 230, 274, 320)
"""Scales S for the needed zoom, in pixels; the networks read 96."""

IMAGES, SIZED_IMAGES, SEED = 300, 150, 4000
SHUFFLES = 50


@dataclass(frozen=True)
class Set:
    """A set of scenes and the views of its study.

    Attributes:
        name: Of its folders.
        count: Scenes.
        options: Of ``scenes.make``.
        plan: The views.
    """

    name: str
    count: int
    options: dict[str, Any]
    plan: Plan


def sets() -> list[Set]:
    """List the sets: objects in a corner and anywhere, of one size each."""
    short = view_plan("short", (96, 96))
    sized = view_plan([(size, row, column) for size in SCALES for row in range(3) for column in range(3)], (96, 96))
    return [
        Set("corner", IMAGES, {"places": "corner", "scale": SMALL}, short),
        Set("any", IMAGES, {"places": "any", "scale": SMALL}, short),
        *(Set(f"size-{size:g}", SIZED_IMAGES, {"scale": size}, sized) for size in SIZES),
    ]


def study(of: Set, model: str = "one-mean-stride8-seed0", labels: str = "label.csv") -> SeenViews:
    """Make the scenes and look at them, or read what is finished."""
    folder = WORK / of.name
    scenes.make(folder / "data", of.count, SEED, rule="one", workers=1, **of.options)
    opened = load(MODELS / model / "model", factory="experiments.scenes.network:make")
    subject = Subject.of_data(opened, load_table(folder / "data" / labels), split=None)
    return run_zoom(subject, of.plan, folder / model, resume=True)


def corner_contrast(seen: SeenViews, corner: tuple[int, int]) -> dict[str, Any]:
    """Estimate how much more often views of one corner are right than those of the other three, paired by image."""
    answers, true = seen.answers("shape")
    right, strict, anchors = rightness(answers, true), seen.places.strict, seen.places.anchors

    def accuracy(at: tuple[int, int]) -> NDArray[np.float32]:
        own = strict & (anchors == np.array(at)).all(1) & np.isfinite(right)
        of_image: NDArray[np.float32] = np.where(own, right, 0).sum(1) / own.sum(1)
        return of_image

    others = [at for at in ((0, 0), (0, 2), (2, 0), (2, 2)) if at != corner]
    difference = accuracy(corner) - np.mean([accuracy(at) for at in others], axis=0)
    return dict(encoded(mean(difference, seen.clusters, (-1.0, 1.0))))


def shuffled(seen: SeenViews) -> dict[str, Any]:
    """Compute the excess of the right-oracle when labels are dealt to other images, many times."""
    answers, true = seen.answers("shape")
    clusters = Clusters.of([""] * len(true))
    rng = np.random.default_rng(0)
    found = [oracles(answers, rng.permutation(true), clusters, count=10).excess for _ in range(SHUFFLES)]
    return {
        "shuffles": SHUFFLES,
        "mean_excess": float(np.mean([one.value for one in found])),
        "greatest": float(max(abs(one.value) for one in found)),
        "intervals_with_0": sum(one.low <= 0 <= one.high for one in found),
    }


def places(seen: SeenViews) -> dict[str, Any]:
    """Take the figures about places from a study's summary."""
    entry = seen.summary["questions"]["shape"]
    return {
        "images": seen.summary["images"],
        "views": seen.summary["plan"]["views"],
        "own_crop": entry["own_crop"],
        "oracles": {name: entry["oracles"][name] for name in ("right", "wrong", "null", "excess")},
        "centred": entry["positions"]["centred"]["accuracy"]["deviations"],
        "visible": entry["positions"]["visible"]["accuracy"]["deviations"],
        "corners": {f"{row}{column}": corner_contrast(seen, (row, column)) for row in (0, 2) for column in (0, 2)},
        "shuffled": shuffled(seen),
    }


def needed(seen: SeenViews, size: float) -> dict[str, Any]:
    """Take the scale that is needed for objects of one size."""
    scales = seen.summary["questions"]["shape"]["scales_of_object"]
    best = scales["needed"]
    return {
        "images": seen.summary["images"],
        "needed": best,
        "side_at_needed": None if best is None else round(size * best, 1),
        "curve": {str(s): one for s, one in zip(scales["sizes"], scales["curve"], strict=True)},
        "gain": scales["gain"],
    }


def yes_or_no() -> dict[str, Any]:
    """Look at the scenes with objects anywhere with the network of ten yes-or-no attributes."""
    summary = study(sets()[1], "all-mean-stride8-seed0", "present.csv").summary
    return {
        "images": summary["images"],
        "attributes": {
            name: {
                "own_crop": entry["own_crop"],
                **{key: entry["oracles"][key] for key in ("right", "wrong", "null", "excess")},
                "sensitivity": entry["sensitivity"]["all"],
            }
            for name, entry in summary["questions"].items()
        },
        "exact_match": summary["exact_match"],
    }


def main() -> None:
    """Run all studies and write their figures."""
    result: dict[str, Any] = {"kind": "bincam-experiment-zoom-scenes", "schema": 1, "commit": revision()}
    result["versions"] = versions()
    result["places"], result["sizes"] = {}, {}
    for of in sets():
        seen = study(of)
        if of.name.startswith("size-"):
            size = of.name.removeprefix("size-")
            result["sizes"][size] = needed(seen, float(size))
        else:
            result["places"][of.name] = places(seen)
    result["yes_or_no"] = yes_or_no()
    write_json(HERE / "scenes.json", result)


if __name__ == "__main__":
    main()
