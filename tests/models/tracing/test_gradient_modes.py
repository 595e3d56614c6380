"""Networks that end their graph: frozen backbones are explained, lost gradients are refused, true zeros are kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import UnsupportedError
from tests.conftest import TinyNet, randomize


class NoGradBackbone(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.features(images)
        return self.head(features.mean((2, 3)))


class NoGradThroughout(TinyNet):
    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)


class InferenceBackbone(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        with torch.inference_mode():
            features = self.features(images)
        return self.head(features.mean((2, 3)))


class InferenceThroughout(TinyNet):
    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)


class GradModeSet(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        features = self.features(images)
        torch.set_grad_enabled(before)
        return self.head(features.mean((2, 3)))


class DetachedFeatures(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).detach().mean((2, 3)))


class DetachedVector(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)).detach())


class DataOfVector(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)).data)


class Frozen(TinyNet):
    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(False)


FROZEN = [
    NoGradBackbone,
    NoGradThroughout,
    InferenceBackbone,
    InferenceThroughout,
    GradModeSet,
    DetachedFeatures,
    DetachedVector,
    DataOfVector,
    Frozen,
]


def made(kind: type[TinyNet]) -> nn.Module:
    torch.manual_seed(0)
    return randomize(kind())


def noise() -> Tensor:
    return torch.randn(2, 3, 12, 16, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("kind", FROZEN)
@pytest.mark.parametrize(
    ("method", "layer"),
    [("cam", None), ("grad_cam", None), ("hirescam", "conv1"), ("fullgrad", None), ("shapley_cam", "conv2")],
)
def test_a_frozen_network_gets_the_map_of_its_twin(kind: type[TinyNet], method: str, layer: str | None) -> None:
    images = noise()
    expected = Explainer(made(TinyNet), method=method, layer=layer)(images, "positive")
    frozen = Explainer(made(kind), method=method, layer=layer)(images, "positive")
    assert frozen.kind == "exact"
    assert expected.maps.abs().max() > 0
    torch.testing.assert_close(frozen.maps, expected.maps)
    torch.testing.assert_close(frozen.logits, expected.logits)


class DetachedMlp(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.tanh(self.features(images).mean((2, 3)).detach()))


class Mlp(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.tanh(self.features(images).mean((2, 3))))


def test_a_detached_vector_before_an_mlp_gets_the_map_of_its_twin() -> None:
    expected = Explainer(made(Mlp))(noise(), "positive")
    torch.testing.assert_close(Explainer(made(DetachedMlp))(noise(), "positive").maps, expected.maps)


class StraightThrough(TinyNet):
    """Rounds its vector, with the gradient of the vector: a detach on purpose, which stays closed."""

    def forward(self, images: Tensor) -> Tensor:
        vector = self.features(images).mean((2, 3))
        return self.head(torch.tanh(vector + (vector.round() - vector).detach()))


def test_a_straight_through_estimator_keeps_its_gradient() -> None:
    model = made(StraightThrough)
    with torch.no_grad():
        model.conv2.bias.add_(1)  # vectors around 1, not around 0
    explanation = Explainer(model)(noise(), "positive")
    with torch.no_grad():
        features = model.features(noise())
    features.requires_grad_()
    vector = features.mean((2, 3))
    logits = model.head(torch.tanh(vector + (vector.round() - vector).detach()))
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), features)
    expected = (gradient.mean((2, 3), keepdim=True) * features).sum(1)
    torch.testing.assert_close(explanation.maps[:, 0], expected.detach())


class Opaque(torch.autograd.Function):
    @staticmethod
    def forward(_context: object, vector: Tensor) -> Tensor:
        return torch.tanh(vector)

    @staticmethod
    def backward(_context: object, gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient)


class ZeroBackward(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(Opaque.apply(self.features(images).mean((2, 3))))


class Checkpointed(TinyNet):
    reentrant = True

    def forward(self, images: Tensor) -> Tensor:
        features = torch.utils.checkpoint.checkpoint(self.features, images, use_reentrant=self.reentrant)
        return self.head(features.mean((2, 3)))


def test_a_gradient_that_is_lost_is_refused_and_the_advice_works() -> None:
    with pytest.raises(UnsupportedError, match=r"layer 'relu' has no map: .*custom autograd function"):
        Explainer(made(ZeroBackward))(noise())
    model = made(Checkpointed)
    with pytest.raises(UnsupportedError, match=r"use_reentrant=True; pass layer= with a layer after it, or set"):
        Explainer(model, layer="conv1")(noise())
    with pytest.raises(UnsupportedError, match="use_reentrant"):
        Explainer(model, method="fullgrad")(noise())
    assert Explainer(model)(noise()).maps.any()
    model.reentrant = False
    assert Explainer(model, layer="conv1")(noise()).maps.any()


class DeadMlp(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.features(images).mean((2, 3)) - 1e3))


def test_a_zero_that_is_true_is_shown() -> None:
    explanation = Explainer(made(DeadMlp))(noise(), "positive")
    assert explanation.kind == "diagnostic"
    assert not explanation.maps.any()


class OneDead(TinyNet):
    """The first logit does not depend on the image; the second does, through a detached branch."""

    def forward(self, images: Tensor) -> Tensor:
        vector = torch.tanh(self.features(images).mean((2, 3)))
        logits = self.head(vector)
        return torch.stack([logits[:, 0] * 0 + 1, self.head(vector.detach())[:, 1]], 1)


def test_zeros_are_judged_for_each_attribute() -> None:
    maps = Explainer(made(OneDead))(noise(), "positive").maps
    assert not maps[:, 0].any()
    assert maps[:, 1].any()
