#!/usr/bin/env bash
# Guessed: the relevance mass accuracy of Quantus, the share of a map's mass that is on the object, lies between 0 and 1 and
# grows with the evidence on the object; a signed map is cut at 0 or taken by its magnitude.
# True: positive and negative cells are summed as they are. A map whose evidence against is off the object scores above 1, and
# the same evidence on the object lowers the score, so that less evidence elsewhere can score worse.
# Matters: signed maps (CAM before its ReLU, LRP, gradient × input) are the ones such tables compare, and means over images are
# led by the few whose sum is near 0.
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
from torch import nn

warnings.simplefilter("ignore")
print("quantus", version("quantus"))
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
mask = np.zeros((1, 1, 8, 8))
mask[..., 2:5, 2:5] = 1
honest = mask.astype(float)  # all evidence on the object
against = np.where(mask > 0, 1.0, -0.15)  # the same, and evidence against off it
spread = np.where(mask > 0, 1.0, 0.15)  # evidence off the object
scores = {}
for name, shown in {"all on the object": honest, "evidence against off it": against, "evidence off it": spread}.items():
    metric = quantus.RelevanceMassAccuracy(disable_warnings=True)
    arguments = {"model": model, "x_batch": np.zeros((1, 1, 8, 8), np.float32), "y_batch": np.zeros(1, int)}
    scores[name] = float(metric(a_batch=shown.copy(), s_batch=mask, **arguments)[0])
    print(f"{name:24} {scores[name]:.2f}")
random = np.random.default_rng(0)
signed = random.normal(size=(200, 1, 8, 8))
metric = quantus.RelevanceMassAccuracy(disable_warnings=True)
arguments = {"model": model, "x_batch": np.zeros((200, 1, 8, 8), np.float32), "y_batch": np.zeros(200, int)}
noise = np.array(metric(a_batch=signed.copy(), s_batch=mask.repeat(200, 0), **arguments))
print(f"200 maps of noise, of which the object covers {mask.mean():.2f}: {noise.min():.1f} to {noise.max():.1f}")
if not (abs(scores["all on the object"] - 1) < 1e-6 and scores["evidence against off it"] > 5 and noise.max() > 2):
    raise SystemExit("the behaviour has changed")
PYTHON
