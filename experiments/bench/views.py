"""Cost of explaining the mean over eight views, against eight plain forward passes and one plain explanation.

    python experiments/bench/views.py [--rounds N] [--out FILE]

writes ``experiments/bench/views.json``. EfficientNet-Lite0 with random weights and a set of a thousand outputs, two
JPEG files of 500 x 375 pixels, the first eight views of the short plan, one thread, processor time of interleaved
rounds. The passes get ready tensors in channels-last order, without gradients; explanations begin at the file, explain
the output with the highest score, and end with its map. The views alone are also made by themselves.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from race import machine, milliseconds, race, ratios, write
from zoom import SIZE, photographs

from bincam.cam import Explainer, Explanation
from bincam.inference import centred_first, view_plan
from bincam.models import AttributeClassifier, make_card, open_image
from bincam.models.borrowing.borrow import channels_last
from bincam.models.classifier import timm_model

VIEWS, OUTPUTS = 8, 1000


def measured(rounds: int) -> dict[str, Any]:
    torch.manual_seed(0)
    names = tuple(f"class {n}" for n in range(OUTPUTS))
    card = make_card(
        attributes=names, architecture="timm", name="tf_efficientnet_lite0", input_size=SIZE, one_of={"class": names}
    )
    network = timm_model("tf_efficientnet_lite0", pretrained=False, num_classes=OUTPUTS)
    model = AttributeClassifier(network, card).eval()
    explainer, plan = Explainer(model, top=1), centred_first(view_plan("short", SIZE), VIEWS)
    with TemporaryDirectory() as folder:
        files = photographs(Path(folder))

        def explained() -> list[Explanation]:
            return [explainer(explainer.views_of([file], plan)) for file in files]

        def plain() -> list[Explanation]:
            return [explainer(explainer.preprocess(open_image(file))[None]) for file in files]

        ready = [explainer.views_of([file], plan).flat.contiguous(memory_format=torch.channels_last) for file in files]

        @torch.no_grad()
        def forward() -> list[torch.Tensor]:
            return [model.network(images) for images in ready]

        with channels_last(model):
            seconds = race(
                {
                    "explain, 8 views": explained,
                    "8 plain forward passes": forward,
                    "explain, the plain image": plain,
                    "8 views made": lambda: [explainer.views_of([file], plan) for file in files],
                },
                rounds,
                clock=time.process_time,
            )
    per_image = {name: round(value / len(files), 2) for name, value in milliseconds(seconds).items()}
    return {"milliseconds_per_image": per_image, "over_explain": ratios(seconds, "explain, 8 views")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("views.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    write(given.out, {"machine": machine(), "views": VIEWS, "outputs": OUTPUTS, **measured(given.rounds)})


if __name__ == "__main__":
    main()
