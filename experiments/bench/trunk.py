"""Time of an audit's pass by the way in which the network runs below the explained tensor.

    python experiments/bench/trunk.py [--networks NAME ...] [--kinds eager folded compiled] [--images N] [--rounds N]

writes ``experiments/bench/trunk.json``, one network after another. Processor time of one thread, so that it can be
measured on a busy machine: of explaining batches of 8 images of 224 pixels, 40 attributes, random weights, Grad-CAM,
and of the pass of an audit over generated faces (references, tests and summary left out), relative to timm's plain
eager forward pass of the same images in memory, in turn. Compiling is stated beside, in seconds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from audit import classifier, eager, faces, in_memory
from race import machine, race, ratios, write
from torch import Tensor

from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.engines.missing import measure_missing
from bincam.audit.pipeline.planning import explain_noise, make_plan
from bincam.audit.settings import Settings
from bincam.cam import Explainer
from bincam.data import AttributeTable
from bincam.models import AttributeClassifier
from bincam.models.borrowing.borrow import channels_last

HERE = Path(__file__).parent
BATCH = 8


def measured(model: AttributeClassifier, table: AttributeTable, images: Tensor, kinds: list[str], rounds: int) -> Any:
    """Measure one network."""
    plain = eager(model.network, images, BATCH)
    runners: dict[str, Callable[[], object]] = {"eager forward": plain}
    found: dict[str, Any] = {}
    settings = Settings(gate_images=0, reference_split=None)
    with channels_last(model), tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            begin = time.process_time()
            plan = make_plan(model, table, settings.replace(trunk=kind))
            explainer = plan.any_explainer
            for _ in range(2):
                explain_noise(explainer, settings, BATCH)
            found[f"seconds until the second batch, {kind}"] = round(time.process_time() - begin, 1)
            found[f"ran, {kind}"] = [explainer.trunk.ran, explainer.trunk.reason]

            def explaining(explainer: Explainer = explainer) -> None:
                for part in images.split(BATCH):
                    explainer(part)

            def passing(plan: Any = plan, kind: str = kind) -> None:
                out = Path(folder) / f"{kind}-{time.monotonic_ns()}"
                measure_missing(plan, AuditWriter.begin(out, plan.manifest))

            runners[f"explaining, {kind}"] = explaining
            runners[f"audit pass, {kind}"] = passing
        seconds = race(runners, rounds, clock=time.process_time)
    per_image = {name: round(1000 * min(values) / len(images), 1) for name, values in seconds.items()}
    return {"over the eager forward": ratios(seconds, "eager forward"), "milliseconds per image": per_image, **found}


def main() -> None:
    """Measure the networks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", nargs="*", default=["resnet50", "resnet18", "convnext_tiny"])
    parser.add_argument("--kinds", nargs="*", default=["eager", "folded", "compiled"])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="Where faces are kept between runs.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    file = HERE / "trunk.json"
    result = json.loads(file.read_text()) if file.is_file() else {}
    result["machine"] = machine("cpu")
    with tempfile.TemporaryDirectory() as own:
        table = faces(options.folder or Path(own), options.images)
        for name in options.networks:
            model = classifier(name, table, 224)
            images = in_memory(model, table)
            result.setdefault("networks", {})[name] = measured(model, table, images, options.kinds, options.rounds)
            write(file, result)


if __name__ == "__main__":
    main()
