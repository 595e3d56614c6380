#!/usr/bin/env bash
# Guessed: Quantus' model-parameter randomisation draws every layer independently, and its average correlation is over the
# randomised networks.
# True: the seed is set anew before each layer, so layers of the same shape get the same weights; and the average includes the
# comparison of the original network with itself, which is 1.
# Matters: the "random" network repeats one layer; and maps that become unrelated at once average 1/(L+1) instead of 0, so
# networks are ranked by their number of layers L.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet quantus==0.6.0 cachetools==5.5.0 torch==2.13.0 captum==0.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
import quantus
import torch
from quantus.helpers.model.pytorch_model import PyTorchModel
from torch import nn

warnings.simplefilter("ignore")
print("quantus", version("quantus"), "torch", torch.__version__)
torch.manual_seed(0)
layers = (nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3))
model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)).eval()
*_, (_, random) = PyTorchModel(model).get_random_layer_generator("top_down", 0)
same = torch.equal(random[2].weight, random[3].weight)
print("learned convolutions the same:", torch.equal(model[2].weight, model[3].weight), " random ones:", same)

first = model[6].weight.detach().clone()


def unrelated(model, inputs, targets, **_):
    """Maps that are uncorrelated as soon as the head is randomised."""
    maps = np.sort(np.random.default_rng(0).random(144)).reshape(1, 1, 12, 12)
    changed = not torch.equal(model[6].weight, first)
    return np.repeat(np.abs(maps - 0.5) if changed else maps, len(inputs), 0)


images = np.random.default_rng(0).normal(size=(4, 3, 12, 12)).astype(np.float32)
arguments = {"model": model, "x_batch": images, "y_batch": np.zeros(4, int), "explain_func": unrelated}
options = {"disable_warnings": True, "abs": False, "normalise": False}
stages = {name: round(scores[0], 3) for name, scores in quantus.MPRT(**options)(**arguments).items()}
average = quantus.MPRT(return_average_correlation=True, **options)(**arguments)[0]
random_stages = np.mean([score for name, score in stages.items() if name != "original"])
print("correlations:", stages)
print(f"mean of the randomised networks {random_stages:.3f}, average that is reported {average:.3f}")
if not (same and abs(average - np.mean(list(stages.values()))) < 1e-3 and average - random_stages > 0.15):
    raise SystemExit("the behaviour has changed")
PYTHON
