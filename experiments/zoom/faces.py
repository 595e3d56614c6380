"""Zoom and methods at test time on generated faces, of a model that was trained on rare attributes without balancing.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.zoom.faces

writes ``faces.json`` and ``faces.md``. Faces and models are those of ``experiments.faces_grid``, which is run before. A
killed run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bincam.data import load as load_table
from bincam.files import atomic, read_json, write_json
from bincam.inference import view_plan
from bincam.models import load
from bincam.provenance import versions
from bincam.stats.estimate import Estimate
from bincam.studies.at_test_time import run_test_time
from bincam.studies.zoom import Subject, run_zoom
from bincam.train.runs.manifest import revision
from experiments.scenes.over_seeds import table

HERE = Path(__file__).parent
FACES = Path.home() / ".cache" / "bincam-faces-grid"
WORK = Path.home() / ".cache" / "bincam-zoom" / "faces"
KIND, SCHEMA = "bincam-experiment-zoom-faces", 1
ARM, IMAGES, ADAPTED = "unbalanced", 240, 128
METHODS = ("flip", "memo", "zoom-memo")
PARTS_OF_ERROR = ("minority", "majority", "pull")
SCALES = (
    "part",
    "attribute",
    "needed S",
    "gain over the mean of scales",
    "depends on the view",
    "of the minority",
    "of the majority",
)
ERRORS = ("method", "minority error", "majority error", "pull")
PARTS: Mapping[str, Sequence[str]] = {
    "small": ("Eyeglasses", "Wearing_Earrings", "Narrow_Eyes", "Mouth_Slightly_Open", "Bushy_Eyebrows", "Mustache"),
    "large": ("Black_Hair", "Blond_Hair", "Brown_Hair", "Straight_Hair", "Wavy_Hair", "Wearing_Hat"),
}
"""Attributes of small parts of the face, and of its hair and hat."""


def measured(seed: int = 0) -> dict[str, Any]:
    """Run both studies of the model of a seed, or read what is finished."""
    model = load(FACES / "runs" / f"seed-{seed}" / ARM)
    data = load_table(FACES / "faces")
    plan = view_plan("short", model.card.input_size)
    subject = Subject.of_data(model, data, limit=IMAGES)
    seen = run_zoom(subject, plan, WORK / f"{ARM}-seed{seed}", resume=True)
    adapted = run_test_time(
        subject, WORK / f"{ARM}-seed{seed}-test-time", METHODS, plan=plan, limit=ADAPTED, resume=True
    )
    questions = seen.summary["questions"]
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "versions": versions("training"),
        "git": revision(),
        "model": {"arm": ARM, "seed": seed},
        "images": seen.summary["images"],
        "people": seen.summary["people"],
        "views": len(plan),
        "attributes": {name: attribute_figures(questions[name]) for name in questions},
        "adapted_images": adapted["images"],
        "methods": {
            method: {
                name: {part: figures[method][part] for part in PARTS_OF_ERROR if part in figures[method]}
                for name, figures in adapted["questions"].items()
            }
            for method in METHODS
        },
    }


def attribute_figures(question: Mapping[str, Any]) -> dict[str, Any]:
    """Take what an attribute's framing does from a study's summary."""
    return {
        "own_crop": question["own_crop"],
        "sensitivity": {part: question["sensitivity"][part] for part in ("all", "minority", "majority")},
        "needed": question["scales"]["needed"],
        "gain": question["scales"]["gain"],
        **{name: question["oracles"][name] for name in ("right", "wrong", "null", "excess")},
    }


def mean_of(entries: Sequence[Mapping[str, Any]]) -> str:
    """Write the mean of figures that rest on enough images, their number, and how many exclude 0 to either side."""
    told = [one for one in map(Estimate.from_json, entries) if one.status == "ok"]
    if not told:
        return "too few images"
    below, above = sum(one.high < 0 for one in told), sum(one.low > 0 for one in told)
    mean = f"{fmean(one.value for one in told):+.3f}".replace("-", "−")
    return f"{mean} ({len(told)} attributes; below 0 in {below}, above in {above})"


def tables(results: Mapping[str, Any]) -> str:
    """Write the results as Markdown."""
    attributes, model = results["attributes"], results["model"]
    scales = [
        [
            part,
            name,
            str(attributes[name]["needed"]),
            _written(attributes[name]["gain"]),
            *(_written(attributes[name]["sensitivity"][which]) for which in ("all", "minority", "majority")),
        ]
        for part, names in PARTS.items()
        for name in names
    ]
    errors = [
        [
            method,
            *(
                mean_of([figures[part]["difference"] for figures in by_name.values() if part in figures])
                for part in PARTS_OF_ERROR
            ),
        ]
        for method, by_name in results["methods"].items()
    ]
    lines = [
        "# Zoom on generated faces",
        "",
        f"One model ({model['arm']}, seed {model['seed']}), {results['images']} test images of {results['people']} "
        f"people, {results['views']} views. Made by `faces.py`; do not edit. Means over attributes have no interval: "
        "attributes of one image are not independent, and the people are the same.",
        "",
        "## Which scale do parts need?",
        "",
        "S is the shorter side of the resized crop; the model reads 96. Needed and gain are fitted on one half of the "
        "people and judged on the other.",
        "",
        table(SCALES, scales),
        "",
        "## What methods at test time do to errors",
        "",
        f"{results['adapted_images']} images; differences of error rates, after less before, and of the share of "
        "answers of the majority (*pull*).",
        "",
        table(ERRORS, errors),
        "",
    ]
    return "\n".join(lines)


def _written(entry: Mapping[str, Any]) -> str:
    one = Estimate.from_json(entry)
    figures = f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]".replace("-0.00", "0.00").replace("-", "−")
    return f"{figures}{'' if one.status == 'ok' else ' (few images)'}"


def main() -> None:
    write_json(HERE / "faces.json", measured(), compact=True)
    with atomic(HERE / "faces.md") as part:
        part.write_text(tables(read_json(HERE / "faces.json", kind=KIND, schema=SCHEMA)), encoding="utf-8")


if __name__ == "__main__":
    main()
