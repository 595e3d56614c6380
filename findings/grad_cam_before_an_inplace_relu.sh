#!/usr/bin/env bash
# Guessed: nn.ReLU(inplace=True) saves memory and changes nothing else, so Grad-CAM at the layer before it is the same map.
# True: pytorch-grad-cam and torchcam keep a reference to the layer's output, which the ReLU overwrites: activations after it
# are combined with the gradient before it (run on a CPU). Of the last batch norm of torchvision's ResNet the block's output is
# kept, with its shortcut and without what is negative.
# Matters: papers explain the layer before the last activation, torchvision's ReLUs are in place, and the flag decides which
# map is drawn.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchvision==0.28.0 grad-cam==1.5.7 torchcam==0.5.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings
from importlib.metadata import version

import torch

warnings.simplefilter("ignore")
# torchvision beside a CPU build of torch asks for operators that only its compiled part defines.
library = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchcam.methods import GradCAM as TorchcamGradCAM
from torchvision.models import resnet18


def network(inplace):
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=inplace))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()


def by_pytorch_grad_cam(model, image):
    with GradCAM(model=model, target_layers=[model[1]]) as cam:
        return torch.from_numpy(cam(image, targets=[ClassifierOutputTarget(0)])[0])


def by_torchcam(model, image):
    with TorchcamGradCAM(model, model[1]) as extractor:
        return extractor(0, model(image.clone().requires_grad_()))[0][0].detach()


print("grad-cam", version("grad-cam"), "torchcam", version("torchcam"), "torch", torch.__version__)
image = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    same = torch.equal(network(False)(image), network(True)(image))
print("logits with and without inplace the same:", same)
changes = {}
for explain in (by_pytorch_grad_cam, by_torchcam):
    changes[explain] = (explain(network(False), image) - explain(network(True), image)).abs().max().item()
    print(f"{explain.__name__}: largest change of a map in [0, 1]: {changes[explain]:.2f}")

torch.manual_seed(0)
resnet = resnet18().eval()
blocks = []
resnet.layer4[-1].register_forward_hook(lambda module, inputs, output: blocks.append(output.detach().clone()))
with GradCAM(model=resnet, target_layers=[resnet.layer4[-1].bn2]) as cam:
    cam(torch.randn(1, 3, 64, 64), targets=[ClassifierOutputTarget(0)])
    kept = cam.activations_and_grads.activations[0]
print("kept for resnet18's last batch norm is the block's output:", torch.equal(kept, blocks[0]))
if not (same and min(changes.values()) > 0.3 and torch.equal(kept, blocks[0])):
    raise SystemExit("the behaviour has changed")
PYTHON
