#!/usr/bin/env bash
# Guessed: where the target layer runs twice in a forward pass (a backbone on an image and on its mirror image, or on two
# crops), pytorch-grad-cam explains both runs, or the last one, or refuses.
# True: it keeps the activations of all runs and pairs only the first with its gradient: the map is that of the first
# run, and evidence that the second run found is not in it. Nothing is said.
# Matters: a two-view model that decides by its second view alone gets an empty map of the first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchvision==0.28.0 grad-cam==1.5.7 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch

# torchvision beside a CPU build of torch asks for operators that only its compiled part defines.
library = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn


class TwoViews(nn.Module):
    def __init__(self, first: float, second: float) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU())
        nn.init.ones_(self.features[0].weight)
        self.shares = (first, second)

    def forward(self, images):
        views = (images, images.flip(-1))
        means = [self.features(view).mean((2, 3)) for view in views]
        return sum(share * mean for share, mean in zip(self.shares, means))


print("grad-cam", version("grad-cam"), "torch", torch.__version__)
image = torch.zeros(1, 1, 8, 8)
image[..., 2, 1] = 1.0  # in the mirrored view it is in column 6
peaks = {}
for name, shares in {"first view decides": (1.0, 0.0), "second view decides": (0.0, 1.0)}.items():
    model = TwoViews(*shares).eval()
    with GradCAM(model=model, target_layers=[model.features]) as cam:
        map_ = cam(image, targets=[ClassifierOutputTarget(0)])[0]
    peaks[name] = [tuple(map(int, cell)) for cell in torch.from_numpy(map_ > 0.5).nonzero()]
    print(f"{name}: cells of the map with evidence: {peaks[name]}")
if peaks != {"first view decides": [(2, 1)], "second view decides": []}:
    raise SystemExit("the behaviour has changed")
PYTHON
