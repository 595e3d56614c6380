"""Train pairs on generated faces, edit other faces one attribute at a time, and score maps; JSON files per model.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.truth.counterfactual.run

Faces, models, pairs and maps are in ``--work``, not in the repository; what is finished there is not done again, and
what was interrupted goes on. Afterwards ``python -m experiments.truth.counterfactual.tables`` makes the tables.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.errors import BincamError, BincamWarning
from bincam.files import read_json, write_json
from experiments.truth.counterfactual.training import ARMS, COUNT, SIZE, trained

if TYPE_CHECKING:
    from bincam.models import AttributeClassifier

HERE = Path(__file__).parent
JOBS = HERE / "jobs"
KIND, SCHEMA = "bincam-experiment-counterfactual", 1
SEEDS = (0, 1, 2)
FACES, PAIRS_SEED = 30, 99
"""Faces that are edited, each of another person, and none of those that were trained on."""
ATTRIBUTES = (
    "Bangs",
    "Blond_Hair",
    "Eyeglasses",
    "Goatee",
    "Heavy_Makeup",
    "Smiling",
    "Wearing_Hat",
    "Wearing_Necktie",
)
EARLIER = "network.backbone.layer2"
METHODS = (
    "grad_cam",
    "grad_cam@pre_activation",
    "layer_cam",
    "elementwise",
    "grad_cam_pp",
    f"grad_cam@{EARLIER}",
    f"hirescam@{EARLIER}",
    "fullgrad",
    "occlusion",
    "brightness",
)
PARTS = {"maps": METHODS, "rise": ("grad_cam", "rise")}
"""Kinds of maps that are scored together; RISE costs as much as all others, and has a file of its own."""
MASKS = 200
PER_ATTRIBUTE = ("held", "held_inside", "toward_over_area", "auroc", "auroc_over_other", "tracking", "reach", "size",
                 "response")  # fmt: skip
"""Figures that are kept of every attribute; of all pairs all are."""


def pairs(work: Path) -> Path:
    """Draw the pairs, or find them: their table."""
    from bincam.faces.counterfactuals.writer import write_pairs

    folder = work / "pairs"
    if not (folder / "card.json").is_file():
        write_pairs(folder, ATTRIBUTES, FACES, PAIRS_SEED, size=SIZE)
    return folder / "pairs.csv"


def result(work: Path, seed: int, arm: str, part: str, count: int) -> dict[str, Any]:
    """Carry out a part of what there is to do for a model."""
    from bincam.models import load
    from bincam.train.runs.manifest import revision

    folders, training = trained(work, count, seed)
    began = time.process_time()
    truth = scored(load(folders[arm]), pairs(work), work / "truth" / name(seed, arm, part), PARTS[part])
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "seed": seed,
        "arm": arm,
        "part": part,
        "faces": {"trained": count, "edited": FACES, "size": list(SIZE)},
        "git": revision(),
        "training": {"config": training["config"], "test": training["test"][arm]},
        "cpu_s": round(time.process_time() - began, 1),
        "truth": truth,
    }


def scored(
    model: AttributeClassifier,
    table: Path,
    folder: Path,
    methods: Sequence[str] = METHODS,
    masks: int = MASKS,
    attributes: Sequence[str] = ATTRIBUTES,
) -> dict[str, Any]:
    """Score all kinds of maps of a model, or read what was scored: the summary, with some figures per attribute."""
    from bincam.studies.counterfactual import TruthSettings, read_pairs, run_truth

    settings = TruthSettings(methods=tuple(methods), masks=masks)
    summary = run_truth(model, read_pairs(table).of(attributes), folder, settings, resume=True).summary
    for entry in summary["methods"].values():
        for score in entry["attributes"].values():
            score["figures"] = {figure: score["figures"][figure] for figure in PER_ATTRIBUTE}
    return dict(rounded(summary))


def rounded(content: Any) -> Any:
    """Round all numbers to six decimals, which no table shows."""
    if isinstance(content, float):
        return round(content, 6)
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    return [rounded(value) for value in content] if isinstance(content, list) else content


def name(seed: int, arm: str, part: str) -> str:
    """Name a part of a model's results.

    >>> name(0, "balanced", "rise")
    'seed-0-balanced-rise'
    """
    return f"seed-{seed}-{arm}-{part}"


def finished(out: Path, seed: int, arm: str, part: str) -> dict[str, Any] | None:
    """Read a part of a model's results; None if there is none."""
    file = out / f"{name(seed, arm, part)}.json"
    return read_json(file, kind=KIND, schema=SCHEMA) if file.is_file() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = Path.home() / ".cache" / "bincam-counterfactual"
    parser.add_argument("--work", type=Path, default=work, help="folder of faces, models, pairs and maps")
    parser.add_argument("--out", type=Path, default=JOBS, help="folder of the JSON files")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--count", type=int, default=COUNT, help="number of faces to train on")
    options = parser.parse_args()
    warnings.simplefilter("ignore", BincamWarning)
    try:
        for part, seed, arm in product(options.parts, options.seeds, options.arms):
            if finished(options.out, seed, arm, part) is None:
                found = result(options.work, seed, arm, part, options.count)
                write_json(options.out / f"{name(seed, arm, part)}.json", found, compact=True)
                print(f"{name(seed, arm, part)}: done", flush=True)
    except BincamError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
