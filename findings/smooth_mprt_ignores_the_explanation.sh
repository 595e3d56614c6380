#!/usr/bin/env bash
# Guessed: Quantus' smooth MPRT tests the explanation function that it is given, like its MPRT and every other metric, so maps
# that never look at the model (the brightness of the image) score 1.
# True: noisy inputs are explained by quantus.explain, the input's gradient, whatever explain_func is; two methods that have
# nothing in common get the same scores, to the last digit.
# Matters: a method that shows the image alone passes the sanity check of another method, and no error says so.
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
from torch import nn

warnings.simplefilter("ignore")
print("quantus", version("quantus"), "torch", torch.__version__)
torch.manual_seed(0)
layers = (nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)).eval()
images = np.random.default_rng(0).normal(size=(6, 3, 12, 12)).astype(np.float32)


def brightness(model, inputs, targets, **_):
    return np.asarray(inputs).mean(1, keepdims=True)


def ramp(model, inputs, targets, **_):
    return np.broadcast_to(np.linspace(0, 1, 12), (len(inputs), 1, 12, 12)).copy()


found = {}
for test in (quantus.MPRT, quantus.SmoothMPRT):
    for explain in (brightness, ramp):
        np.random.seed(0)
        metric = test(disable_warnings=True, return_last_correlation=True)
        scores = metric(model=model, x_batch=images, y_batch=np.zeros(6, int), explain_func=explain)
        found[test.__name__, explain.__name__] = scores
        print(f"{test.__name__:10} of {explain.__name__:10}", np.round(scores, 3).tolist())
smooth = [found["SmoothMPRT", name] for name in ("brightness", "ramp")]
if not (np.allclose(found["MPRT", "brightness"], 1) and smooth[0] == smooth[1] and max(smooth[0]) < 0.9):
    raise SystemExit("the behaviour has changed")
PYTHON
