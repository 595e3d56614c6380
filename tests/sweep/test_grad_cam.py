"""The maps of a sample of convolutional families are pytorch-grad-cam's."""

from __future__ import annotations

import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from bincam.cam import Explainer
from tests.sweep.cases import CASES
from tests.sweep.outcome import Case, noise, seeded, settle

pytestmark = pytest.mark.slow

SAMPLE = {
    "timm": ("cspnet", "densenet", "dla", "efficientnet", "regnet", "resnet", "vovnet", "xception"),
    "torchvision": ("mnasnet", "mobilenetv2", "resnet", "shufflenetv2"),
    "huggingface": (
        "BitForImageClassification",
        "MobileNetV1ForImageClassification",
        "MobileNetV2ForImageClassification",
    ),
}


class Logits(nn.Module):
    """A model that returns its logits alone, as pytorch-grad-cam reads it."""

    def __init__(self, model: nn.Module, output: str | int | None) -> None:
        super().__init__()
        self.model = model
        self.output = output

    def forward(self, images: Tensor) -> Tensor:
        raw = self.model(images)
        return raw if self.output is None else raw[self.output]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.family in SAMPLE[case.source]],
    ids=lambda case: f"{case.source} {case.family}",
)
def test_maps_are_pytorch_grad_cam_s(case: Case) -> None:
    size = case.sizes[0]
    model = seeded(case.make, size)
    settle(model, noise(8, size))
    model = model.double()  # the peer divides each map by its own maximum, which makes float noise of a faint map large
    images = noise(2, size).double()
    ours = Explainer(model, method="grad_cam", output=case.output)(images, "positive")
    assert ours.kind == "exact"
    layer = dict(model.named_modules())[ours.layer]
    for column in range(3):
        with GradCAM(Logits(model, case.output), [layer]) as theirs:
            theirs(images.clone(), targets=[ClassifierOutputTarget(column)] * 2)
            weights = theirs.activations_and_grads.gradients[0].mean((2, 3), keepdim=True)
            raw = (weights * theirs.activations_and_grads.activations[0]).sum(1)
        torch.testing.assert_close(ours.maps[:, column], raw.detach(), rtol=1e-6, atol=1e-9)
