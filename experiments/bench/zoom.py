"""Cost of views: bincam's batches against a loop that decodes per view, and against the bare passes of the model.

    python experiments/bench/zoom.py [--part views|memo] [--rounds N] [--out FILE]

writes ``experiments/bench/zoom.json``. ResNet-18 with random weights, two JPEG files of 500 x 375 pixels, the short
plan (54 views each), one thread, processor time of interleaved rounds. The loop is that of the public script of arXiv
2304.05538: every view decodes, resizes, crops and normalises its image anew, in batches of 16. The bare passes get
ready tensors, in channels-last order as bincam's, and in plain order as the loop's. Without ``--part`` both parts are
measured; one alone is put beside the other in the file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from race import machine, milliseconds, race, ratios, write
from torch import Tensor

from bincam.data.images import decode
from bincam.inference import marginal_entropies, predict, random_crops, view_batches, view_plan, zoom_memo
from bincam.inference.zoom.batches import normalised
from bincam.models import AttributeClassifier, make_card
from bincam.models.borrowing.borrow import channels_last
from bincam.models.classifier import timm_model

SIZE = (224, 224)
COUNT = 2


def photographs(folder: Path) -> list[Path]:
    """Smooth noise, which compresses like a photograph."""
    rng = np.random.default_rng(0)
    files = [folder / f"{n}.jpg" for n in range(COUNT)]
    for file in files:
        coarse = Image.fromarray(rng.integers(0, 256, (47, 63, 3), np.uint8))
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(file, quality=90)
    return files


def one_view(file: Path, size: int, row: int, column: int, mean: Tensor, std: Tensor) -> Tensor:
    picture = Image.open(file).convert("RGB")
    w, h = picture.size
    picture = picture.resize((int(size * w / h), size), Image.Resampling.BICUBIC)  # all are wider than high
    x = column * (picture.width // 3) + (picture.width // 3) // 2 - SIZE[1] // 2
    y = row * (picture.height // 3) + (picture.height // 3) // 2 - SIZE[0] // 2
    pixels = np.array(picture.crop((x, y, x + SIZE[1], y + SIZE[0])))
    return (torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float().div(255) - mean) / std


def per_view(seconds: dict[str, list[float]], views: int) -> dict[str, Any]:
    return {
        "milliseconds_per_view": {name: round(value / views, 3) for name, value in milliseconds(seconds).items()},
        "over_bincam": ratios(seconds, "bincam"),
    }


def views(model: AttributeClassifier, files: list[Path], rounds: int) -> dict[str, Any]:
    """All views of the images predicted, and only made."""
    network, plan = model.network, view_plan("short", SIZE)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (model.card.mean, model.card.std))

    def made_by_loop() -> list[Tensor]:
        return [one_view(file, *view, mean, std) for view in plan.views for file in files]

    @torch.no_grad()
    def loop() -> list[Tensor]:
        done: list[Tensor] = []
        waiting: list[Tensor] = []
        for view in plan.views:
            for file in files:
                waiting.append(one_view(file, *view, mean, std))
                if len(waiting) == 16:
                    done.append(network(torch.stack(waiting)))
                    waiting = []
        return [*done, network(torch.stack(waiting))] if waiting else done

    batches = [part.images for part in view_batches(files, plan, model.card)]
    plain = [batch.contiguous() for batch in batches]

    @torch.no_grad()
    def forward(given: list[Tensor]) -> list[Tensor]:
        return [network(batch) for batch in given]

    def forward_last() -> list[Tensor]:
        with channels_last(network):
            return forward(batches)

    own = predict(model, files, plan).logits.transpose(1, 0, 2).reshape(-1, 4)
    assert np.abs(own - torch.cat(loop()).numpy()).max() < 1e-3  # what is raced gives the same numbers
    predicting: dict[str, Callable[[], object]] = {
        "bincam": lambda: predict(model, files, plan, check=False),
        "loop that decodes per view": loop,
        "bare forward": forward_last,
        "bare forward, plain order": lambda: forward(plain),
    }
    making: dict[str, Callable[[], object]] = {
        "bincam": lambda: [part.images for part in view_batches(files, plan, model.card)],
        "loop that decodes per view": made_by_loop,
    }
    count = COUNT * len(plan)
    return {
        "images": COUNT,
        "views": len(plan),
        "predictions": per_view(race(predicting, rounds, clock=time.process_time), count),
        "making_views": per_view(race(making, rounds, clock=time.process_time), count),
    }


def memo(model: AttributeClassifier, files: list[Path], rounds: int) -> dict[str, Any]:
    """zoom-MEMO of one image against the forward and backward pass of its 64 views alone."""
    network, photo = model.network, decode(files[0])
    crops = normalised(random_crops(photo, SIZE, 64, np.random.default_rng((0, 0))), model.card)

    def bare() -> object:
        with channels_last(network):
            loss = marginal_entropies(network(crops), {}).sum()
            return torch.autograd.grad(loss, list(network.parameters()))

    runners: dict[str, Callable[[], object]] = {
        "zoom-MEMO": lambda: zoom_memo(model, [photo]),
        "zoom-MEMO, running statistics alone": lambda: zoom_memo(model, [photo], prior=None),
        "bare forward and backward": bare,
    }
    seconds = race(runners, rounds, clock=time.process_time)
    return {
        "zoom_memo": {
            "milliseconds_per_image": milliseconds(seconds),
            "over_zoom_memo": ratios(seconds, "zoom-MEMO"),
        }
    }


PARTS = {"views": views, "memo": memo}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "zoom.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = timm_model("resnet18", pretrained=False, num_classes=4).eval()
    card = make_card(attributes=("a", "b", "c", "d"), architecture="timm", name="resnet18", input_size=SIZE)
    model = AttributeClassifier(network, card).eval()
    results: dict[str, Any] = json.loads(options.out.read_text()) if options.part and options.out.exists() else {}
    results["machine"] = machine()
    with TemporaryDirectory() as folder:
        files = photographs(Path(folder))
        for name, part in PARTS.items():
            if options.part in (None, name):
                results |= part(model, files, options.rounds)
                print(results, flush=True)
                write(options.out, results)


if __name__ == "__main__":
    main()
