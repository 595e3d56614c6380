#!/usr/bin/env bash
# Guessed: torch.ao.quantization.quantize_dynamic changes weights and rounds activations image by image, so the logit of
# an image is the same in every batch, as in any network without batch statistics.
# True: the scale of a layer's input is taken over the whole batch, so one image of high contrast changes the logits of
# all others.
# Matters: error rates and maps of an audit depend on the batch size and on the order of the images.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")
print("torch", torch.__version__, "engine", torch.backends.quantized.engine)
torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)).eval()
quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
image = torch.randn(1, 3, 16, 16)
others = {
    "alone": image[:0],
    "with one like it": torch.randn(1, 3, 16, 16),
    "with one of ten times the contrast": 10 * torch.randn(1, 3, 16, 16),
}
spread = {}
for name, network in (("float", model), ("dynamically quantised", quantised)):
    with torch.no_grad():
        logits = {what: network(torch.cat([image, other]))[0] for what, other in others.items()}
    alone = logits["alone"]
    spread[name] = max((logit - alone).abs().max().item() for logit in logits.values()) / alone.abs().max().item()
    print(f"{name}: logits of one image")
    for what, logit in logits.items():
        print(f"  {what:34} {[round(value, 4) for value in logit.tolist()]}")
    print(f"  largest change: {100 * spread[name]:.2f} % of the largest logit")
if not (spread["float"] < 1e-5 and spread["dynamically quantised"] > 0.01):
    raise SystemExit("the behaviour has changed")
PYTHON
