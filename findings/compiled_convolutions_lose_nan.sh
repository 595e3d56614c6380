#!/usr/bin/env bash
# Guessed: torch.compile returns NaN where the network does; a checkpoint with a NaN weight has no finite score.
# True: with frozen weights on a CPU a convolution and its ReLU become one oneDNN operator, whose ReLU makes 0 of NaN. Without
# freezing they stay apart, and NaN stays NaN.
# Matters: a network that diverged gets plausible scores and maps once it is compiled for speed, so whoever counts NaN to find
# broken models counts none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
TORCHINDUCTOR_CACHE_DIR="$folder/cache" "$folder/venv/bin/python" - <<'PYTHON'
import math

import torch
import torch._inductor.config as inductor
from torch import nn

print("torch", torch.__version__)
torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1)
).eval()
with torch.no_grad():
    network[0].weight[2, 0, 1, 1] = float("nan")
image = torch.rand(1, 3, 16, 16)
scores = {}
with torch.no_grad():
    scores["eager"] = network(image).item()
    scores["compiled"] = torch.compile(network)(image).item()
    torch._dynamo.reset()
    with inductor.patch(freezing=True):
        scores["compiled with frozen weights"] = torch.compile(network)(image).item()
print("score of a network with a NaN weight:", scores)
if [math.isnan(score) for score in scores.values()] != [True, True, False]:
    raise SystemExit("the behaviour has changed")
PYTHON
