"""The zoom study of an off-the-shelf network and its yes-or-no twin, on nine packaged photographs.

EfficientNet-Lite0 names a thousand classes of ImageNet. Its twin has the same views and answers yes where the class it
names has a number below 500. An oracle over views says something of the first and nothing of the second.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.zoom.photographs

writes ``photographs.json`` (needs ``bincam[lite0]``). Nine photographs are few: the figures show what the measures do,
not how good the network is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bincam.data import AttributeTable
from bincam.files import write_json
from bincam.inference import view_plan
from bincam.stats import attribute_answers, oracles
from bincam.studies.zoom import SeenViews, Subject, run_zoom
from bincam.studies.zoom.encoding import encoded
from bincam.train.runs.manifest import revision
from experiments.imagenet import classifier
from experiments.scenes.photographs import PHOTOGRAPHS

HERE = Path(__file__).parent
WORK = Path.home() / ".cache" / "bincam-zoom" / "photographs"
HALF = 500


def table(names: tuple[str, ...]) -> AttributeTable:
    """Write the photographs to a folder and label each with its nearest class."""
    folder = WORK / "data"
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.zeros((len(PHOTOGRAPHS), len(names)), np.float32)
    for row, photograph in enumerate(PHOTOGRAPHS):
        photograph.image().save(folder / f"{Path(photograph.file).stem}.png")
        labels[row, photograph.classes[0]] = 1
    ids = tuple(f"{Path(photograph.file).stem}.png" for photograph in PHOTOGRAPHS)
    return AttributeTable(names, labels, ids, folder, one_of={"class": names})


def figures(seen: SeenViews) -> dict[str, Any]:
    """Compute the oracles of the network, whose answers among a photograph's nearest classes count, and of its twin."""
    answers, _ = seen.answers("class")
    one_crop = seen.plan.one_crop
    assert one_crop is not None
    first = np.array([photograph.classes[0] for photograph in PHOTOGRAPHS])
    near = answers.copy()
    for row, photograph in enumerate(PHOTOGRAPHS):
        near[row, np.isin(answers[row], photograph.classes)] = first[row]
    of_class = oracles(near, first, seen.clusters, count=1000, plain=near[:, one_crop])
    yes = answers < HALF
    twin, true = attribute_answers(yes, answers < 0, (first < HALF).astype(float))
    of_twin = oracles(twin, true, seen.clusters, plain=twin[:, one_crop])
    return {
        "photographs": len(PHOTOGRAPHS),
        "views": len(seen.plan),
        "positives_of_twin": int(true.sum()),
        "network": encoded(of_class),
        "twin": encoded(of_twin),
        "answers": {
            photograph.file: sorted({int(answer) for answer in answers[row]})[:12]
            for row, photograph in enumerate(PHOTOGRAPHS)
        },
    }


def main() -> None:
    """Run the study and write its figures."""
    model = classifier()
    subject = Subject.of_data(model, table(model.card.attributes), split=None)
    seen = run_zoom(subject, view_plan("short", model.card.input_size), WORK / "zoom", resume=True)
    result = {"kind": "bincam-experiment-zoom-photographs", "schema": 1, "commit": revision(), **figures(seen)}
    write_json(HERE / "photographs.json", result)


if __name__ == "__main__":
    main()
