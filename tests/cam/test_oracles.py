"""The same maps as pytorch-grad-cam, captum and torch-cam, on random weights and inputs."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_grad_cam
import timm
import torch
import torchcam.methods
from captum.attr import LayerGradCam
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import Tensor, nn

from bincam.cam import Explainer, target, targets
from tests.conftest import randomize

A = 3
SHARED = {
    "grad_cam": "GradCAM",
    "hirescam": "HiResCAM",
    "elementwise": "GradCAMElementWise",
    "grad_cam_pp": "GradCAMPlusPlus",
    "xgrad_cam": "XGradCAM",
    "layer_cam": "LayerCAM",
}
# Name: timm model, options, size, a layer as grad-cam takes it (above and below the last stage).
MODELS = {
    "resnet": ("resnet10t", {"channels": (16, 24, 32, 40), "stem_width": 8}, (64, 96), ("layer4", "layer3")),
    "densenet": (
        "densenet121",
        {"growth_rate": 8, "block_config": (2, 2, 2, 2)},
        (64, 64),
        ("features", "features.denseblock3"),
    ),
    "convnext": (
        "convnext_atto",
        {"depths": (1, 1, 2, 1), "dims": (16, 24, 32, 40)},
        (64, 96),
        ("stages", "stages.2"),
    ),
    "vit": ("vit_tiny_patch16_224", {"img_size": 64, "depth": 3}, (64, 64), ("blocks.2.norm1", "blocks.1")),
}


def make(name: str) -> tuple[nn.Module, Tensor, tuple[str, ...]]:
    torch.manual_seed(0)
    timm_name, options, size, layers = MODELS[name]
    # In double precision: the peers divide each map by its own maximum, which makes float noise of a faint map large.
    model = randomize(timm.create_model(timm_name, num_classes=A, **options)).double()
    return model, torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(5)).double(), layers


def as_grad_cam(maps: Tensor, size: tuple[int, int]) -> np.ndarray:
    """grad-cam's own way from a raw map to a picture: rectify, rescale, enlarge, rescale."""
    scaled = scale_cam_image(np.maximum(maps.numpy(), 0), (size[1], size[0]))
    return scale_cam_image(np.maximum(scaled, 0))


@pytest.mark.parametrize("side", ["positive", "negative"])
@pytest.mark.parametrize("method", SHARED)
@pytest.mark.parametrize("name", MODELS)
def test_equal_to_grad_cam(name: str, method: str, side: str) -> None:
    model, images, layers = make(name)
    for layer in (None, *layers):
        explainer = Explainer(model, method=method, layer=layer)
        ours = explainer(images, side)
        module = dict(model.named_modules())[layer or ours.layer]
        layout = explainer.anatomy(tuple(images.shape[2:])).layer.layout
        cls = getattr(pytorch_grad_cam, SHARED[method])
        with cls(model, [module], reshape_transform=layout.grid_of) as theirs:
            for attribute in range(A):
                expected = theirs(images.clone(), targets=[target(attribute, side)] * len(images))
                got = as_grad_cam(ours.maps[:, attribute], ours.image_size)
                np.testing.assert_allclose(got, expected, atol=1e-5, err_msg=f"{layer} {attribute}")


@pytest.mark.parametrize("name", ["resnet", "convnext"])
def test_predicted_side_drives_grad_cam_image_by_image(name: str) -> None:
    model, images, _ = make(name)
    ours = Explainer(model)(images, "predicted")
    module = dict(model.named_modules())[ours.layer]
    with pytorch_grad_cam.GradCAM(model, [module]) as theirs:
        for attribute in range(A):
            per_image = targets(ours.logits, attribute, "predicted")
            assert [t.sign for t in per_image] == ours.side[:, attribute].tolist()
            expected = theirs(images.clone(), targets=per_image)
            np.testing.assert_allclose(as_grad_cam(ours.maps[:, attribute], ours.image_size), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet", "densenet", "convnext"])
def test_equal_to_captum(name: str) -> None:
    model, images, layers = make(name)
    for layer in layers:
        ours = Explainer(model, method="grad_cam", layer=layer)(images, "positive")
        captum = LayerGradCam(model, dict(model.named_modules())[layer])
        for attribute in range(A):
            expected = captum.attribute(images, target=attribute)[:, 0].detach()
            torch.testing.assert_close(ours.maps[:, attribute], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("method", "cls"), [("grad_cam", "GradCAM"), ("layer_cam", "LayerCAM"), ("cam", "CAM")])
@pytest.mark.parametrize("name", ["resnet", "densenet"])
def test_equal_to_torch_cam(name: str, method: str, cls: str) -> None:
    model, images, layers = make(name)
    ours = Explainer(model, method=method)(images, "positive")
    options = {"fc_layer": "fc" if name == "resnet" else "classifier"} if cls == "CAM" else {}
    with getattr(torchcam.methods, cls)(model, layers[0], **options) as theirs:
        scores = model(images)
        for attribute in range(A):
            again = {} if cls == "CAM" else {"retain_graph": True}
            raw = theirs(attribute, scores, normalized=False, **again)[0].detach()
            got = ours.maps[:, attribute]
            # torch-cam rectifies its gradient methods, and does not divide its CAM by the number of cells.
            got = got * got[0].numel() if cls == "CAM" else got.relu()
            torch.testing.assert_close(got, raw, rtol=1e-4, atol=1e-6)


def test_fullgrad_input_term_equals_captum() -> None:
    from captum.attr import InputXGradient

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, A, bias=False)
    )
    images = torch.randn(2, 3, 9, 8, requires_grad=True)
    ours = Explainer(model, method="fullgrad")(images, "positive")
    for attribute in range(A):
        expected = InputXGradient(model).attribute(images, target=attribute).sum(1).detach()
        torch.testing.assert_close(ours.maps[:, attribute], expected)
