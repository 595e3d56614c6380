"""Does the page of an audit say that a network answers from a shortcut, and nothing of the kind of its twin without?

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.scenes.pages

audits trained networks (``run.py``) with ``--grid`` and ``--boxes``, on scenes in which the cues agree with their
shapes in the same share as in training, and on scenes without cues; it writes ``pages.json``. Networks that are not
trained yet are left out. What is finished in ``--work`` is not done again.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

from bincam import provenance, scenes
from bincam.audit import Audit, Settings
from bincam.audit import run as audit
from bincam.errors import BincamWarning
from bincam.files import read_json, write_json
from bincam.models import load
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes.elsewhere import elsewhere
from bincam.train.runs.manifest import revision
from experiments.scenes import network
from experiments.scenes.campaign import CUED, STRENGTHS, Job
from experiments.scenes.over_seeds import OPEN, shown, table

HERE = Path(__file__).parent
KIND, SCHEMA = "bincam-experiment-pages", 1
COUNT, SEED = 400, 7001
SHAPES = tuple(cue.partition(":")[2] for cue in CUED)


def cases() -> list[tuple[Job, float | None]]:
    """List networks and the strength of the cues in the scenes: as in training, and none; the clean twin on all."""
    clean = Job("all", "mean", 0)
    planted = [Job("all", "mean", 0, strength=strength) for strength in STRENGTHS if strength > 0.5]  # .5 tells nothing
    return [
        *((job, strength) for job in planted for strength in (job.strength, None)),
        *((clean, strength) for strength in (max(STRENGTHS), None)),
    ]


def figures_of(audited: Audit) -> dict[str, Any]:
    """Say for which shapes the page tells that the model looks elsewhere, and the figures of those with a cue."""
    arm = Arm("audit", audited, audited.summary or {})
    boxes = arm.summary["boxes"]["attributes"]
    return {
        "images": len(audited.images),
        "elsewhere": {name: one.place for name, one in elsewhere(arm).items()},
        "shapes": {
            shape: {
                "auroc": arm.entry(shape)["rates"]["auroc"],
                "misses": arm.entry(shape)["rates"]["fnr"],
                "object_gain": arm.measure(shape, "object_gain", "outcome:TP").to_json(),
                "pointing": boxes[shape]["pointing"],
                "pointing_chance": boxes[shape]["pointing_chance"],
                "recovery": arm.measure(shape, "recovery", "true:positive").to_json(),
                "chance": arm.measure(shape, "cells.chance", "true:positive").to_json(),
            }
            for shape in SHAPES
        },
    }


def pages_table(file: Path) -> str:
    """Make the table of what pages say."""
    if not file.is_file():
        return f"What the page says: {OPEN}."
    rows = []
    for case in read_json(file, kind=KIND, schema=SCHEMA)["cases"]:
        for shape, found in case["shapes"].items():
            said = case["elsewhere"]
            others = [name for name in said if name not in SHAPES]
            figures = [shown([found[name]["value"]]) for name in ("auroc", "misses", "object_gain", "pointing")]
            nulls = [shown([found[name]["value"]]) for name in ("pointing_chance", "recovery", "chance")]
            verdict = f"yes: {said[shape]}" if shape in said else "no"
            rows.append(
                [case["trained"], case["scenes"], shape, *figures, *nulls, verdict, ", ".join(others) or "none"]
            )
    head = ["trained with cues", "scenes", "shape", "AUROC", "misses", "gain on the object", "peak on it", "chance"]
    return table([*head, "recovery", "chance", "said to look elsewhere", "of other shapes"], rows)


def strength_text(strength: float | None) -> str:
    """Say how strong cues are.

    >>> strength_text(0.9), strength_text(None)
    ('strength 0.9', 'no cues')
    """
    return "no cues" if strength is None else f"strength {strength:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = Path.home() / ".cache" / "bincam-scenes"
    parser.add_argument("--work", type=Path, default=work, help="folder of scenes, weights and audits")
    parser.add_argument("--out", type=Path, default=HERE / "pages.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore", BincamWarning)
    settings = Settings(split="train", grid=True, boxes=True, gate_images=0)
    found = []
    for job, strength in cases():
        folder = options.work / "runs" / job.name / "model"
        if not folder.is_dir():
            continue
        cue = "" if strength is None else f"-cue{round(100 * strength)}"
        data = options.work / "pages" / f"scenes{cue}"
        planted = None if strength is None else dict.fromkeys(CUED, strength)
        scenes.make(data, COUNT, seed=SEED, rule="all", shortcut=planted, workers=1)
        model = load(folder, factory=network.FACTORY)
        out = options.work / "pages" / f"{job.name}{cue}"
        audited = audit(model, data / "present.csv", out, settings, resume=True, source=job.name)
        of_job = {"trained": strength_text(job.strength), "scenes": strength_text(strength)}
        found.append({"job": job.name, **of_job, **figures_of(audited)})
        print(f"{job.name}{cue}: {', '.join(found[-1]['elsewhere']) or 'nothing'} said to look elsewhere", flush=True)
    document = {"kind": KIND, "schema": SCHEMA, "versions": provenance.versions("audit"), "git": revision()}
    write_json(options.out, {**document, "count": COUNT, "seed": SEED, "cases": found})


if __name__ == "__main__":
    main()
