from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from tests.conftest import TinyNet, randomize


@pytest.mark.parametrize("name", ["resnet10t", "resnet18", "densenet121", "regnetx_002"])
def test_adds_up_for_relu_networks(name: str) -> None:
    torch.manual_seed(0)
    options = {"growth_rate": 8, "block_config": (2, 2, 2, 2)} if name == "densenet121" else {}
    model = randomize(timm.create_model(name, num_classes=2, **options)).double()
    images = torch.randn(2, 3, 64, 48, dtype=torch.float64)
    explanation = Explainer(model, method="fullgrad")(images)
    assert explanation.complete
    assert explanation.maps.shape == (2, 2, 64, 48)
    scale = explanation.maps.abs().sum((-2, -1)).mean()
    assert float(explanation.identity_gap.abs().max()) < 1e-10 * float(scale)


@pytest.mark.parametrize("name", ["efficientnet_b0", "convnext_atto", "seresnet18"])
def test_says_that_it_does_not_add_up_elsewhere(name: str) -> None:
    torch.manual_seed(0)
    model = randomize(timm.create_model(name, num_classes=2))
    explanation = Explainer(model, method="fullgrad")(torch.randn(1, 3, 64, 64))
    assert not explanation.complete
    assert float(explanation.identity_gap.abs().max()) > 1e-4


def test_by_hand() -> None:
    """One convolution of one weight, ReLU, mean: relu(2x - 1), every pixel above the kink."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 1))
    with torch.no_grad():
        model[0].weight.fill_(2)
        model[0].bias.fill_(-1)
        model[4].weight.fill_(3)
        model[4].bias.fill_(5)
    images = torch.tensor([[[[1.0, 2.0]]]])
    explanation = Explainer(model, method="fullgrad")(images, "positive")
    # Each pixel: input 2x·3/2 and bias -1·3/2; without a place: 5.
    torch.testing.assert_close(explanation.maps[0, 0, 0], torch.tensor([1.5, 4.5]))
    assert float(explanation.bias) == 5


def test_in_place_activations_do_not_matter(images: Tensor) -> None:
    torch.manual_seed(0)
    model = randomize(TinyNet())
    expected = Explainer(model, method="fullgrad")(images).maps
    model.relu.inplace = False
    torch.testing.assert_close(Explainer(model, method="fullgrad")(images).maps, expected)
