"""The caller's modes and the model's state: results do not depend on modes, and state is restored."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer
from bincam.errors import BincamWarning, InputError
from tests.conftest import ATTRIBUTES, TinyNet, randomize


@pytest.mark.parametrize("method", METHODS)
def test_modes_of_the_caller(tiny: nn.Module, images: Tensor, method: str) -> None:
    expected = Explainer(tiny, method=method)(images).maps
    for parameter in tiny.parameters():
        parameter.requires_grad_(False)
    torch.testing.assert_close(Explainer(tiny, method=method)(images).maps, expected)
    with torch.no_grad():
        torch.testing.assert_close(Explainer(tiny, method=method)(images).maps, expected)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        made_inside = images.clone()
        got = Explainer(tiny, method=method)(made_inside).maps
        assert torch.is_inference_mode_enabled()
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(
        Explainer(tiny, method=method)(images.to(memory_format=torch.channels_last)).maps, expected
    )
    torch.testing.assert_close(Explainer(tiny, method=method, channels_last=False)(images).maps, expected)
    tiny.train()
    torch.testing.assert_close(Explainer(tiny, method=method)(images).maps, expected)
    wrapped = nn.DataParallel(tiny)
    torch.testing.assert_close(Explainer(wrapped, method=method)(images).maps, expected)


def test_after_compile(tiny: nn.Module, images: Tensor) -> None:
    expected = Explainer(tiny, method="hirescam")(images).maps
    compiled = torch.compile(tiny, backend="eager")
    compiled(images)
    torch.testing.assert_close(Explainer(compiled, method="hirescam")(images).maps, expected)


@pytest.mark.parametrize("method", METHODS)
def test_double_adds_up_to_rounding(tiny: nn.Module, images: Tensor, method: str) -> None:
    explanation = Explainer(tiny.double(), method=method)(images.double())
    assert explanation.maps.dtype == torch.float64
    if explanation.complete:
        tolerance = 1e-6 if method == "xgrad_cam" else 1e-12  # 1e-7 in its denominator
        assert float(explanation.identity_gap.abs().max()) < tolerance


@pytest.mark.parametrize("method", [m for m in METHODS if m != "grad_cam_pp"])
def test_bf16_autocast_stays_close(tiny: nn.Module, images: Tensor, method: str) -> None:
    exact = Explainer(tiny, method=method)(images)
    rough = Explainer(tiny, method=method, precision="bf16")(images)
    assert rough.maps.dtype == torch.float32
    assert (rough.maps - exact.maps).norm() < 0.1 * exact.maps.norm()  # a ReLU near zero may switch
    assert not torch.equal(rough.logits, exact.logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ambient = Explainer(tiny, method=method)(images)
        assert torch.is_autocast_enabled("cpu")
    assert torch.equal(ambient.maps, rough.maps)
    if method not in ("layer_cam", "elementwise", "fullgrad"):  # summed in float32, so not a bf16 number
        assert not torch.equal(rough.maps, rough.maps.bfloat16().float())


class State:
    """Everything about a model and the process that an explainer could leave changed."""

    def __init__(self, model: nn.Module) -> None:
        self.modes = [module.training for module in model.modules()]
        self.wants = [parameter.requires_grad for parameter in model.parameters()]
        self.grads = [parameter.grad for parameter in model.parameters()]
        self.values = [tensor.clone() for tensor in model.state_dict().values()]
        self.modules = list(model.modules())
        self.hooks = [
            (len(module._forward_hooks), len(module._forward_pre_hooks), len(module._backward_hooks))
            for module in model.modules()
        ]
        self.rng = torch.get_rng_state()
        self.numpy = np.random.get_state()[1].copy()  # noqa: NPY002  # the global state is what is watched
        self.enabled = torch.is_grad_enabled()

    def assert_same(self, model: nn.Module) -> None:
        now = State(model)
        assert now.modes == self.modes
        assert now.wants == self.wants
        assert all(a is b for a, b in zip(now.grads, self.grads, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(now.values, self.values, strict=True))
        assert all(a is b for a, b in zip(now.modules, self.modules, strict=True))
        assert now.hooks == self.hooks
        assert torch.equal(now.rng, self.rng)
        assert np.array_equal(now.numpy, self.numpy)
        assert now.enabled == self.enabled


BRIDGED_QUESTIONS = [
    ("score_cam", "predicted"),
    ("eigen_cam", "any"),
    ("random_cam", "any"),
    ("shapley_cam", "predicted"),
]


@pytest.mark.parametrize(("method", "side"), [*[(m, "predicted") for m in METHODS], *BRIDGED_QUESTIONS])
def test_state_is_borrowed(tiny: nn.Module, images: Tensor, method: str, side: Any) -> None:
    tiny.train()
    tiny.bn.eval()
    tiny.conv1.weight.requires_grad_(False)
    tiny.head.weight.grad = torch.ones_like(tiny.head.weight)
    before = State(tiny)
    layer = "conv2" if method in ("score_cam", "eigen_cam", "random_cam", "shapley_cam") else None
    Explainer(tiny, ["Bald"], names=ATTRIBUTES, method=method, layer=layer)(images, side)
    before.assert_same(tiny)


@pytest.mark.parametrize(("method", "side"), [*[(m, "predicted") for m in METHODS], *BRIDGED_QUESTIONS])
def test_state_comes_back_when_the_model_raises(images: Tensor, method: str, side: Any) -> None:
    class Brittle(TinyNet):
        armed = False

        def forward(self, images: Tensor) -> Tensor:
            hidden = self.features(images)
            torch.rand(1)
            if self.armed:
                raise RuntimeError("out of luck")
            return self.head(hidden.mean((2, 3)))

    torch.manual_seed(0)
    model = randomize(Brittle()).train()
    model.head.weight.grad = torch.ones_like(model.head.weight)
    layer = "conv2" if side == "any" or method in ("score_cam", "shapley_cam") else None
    explainer = Explainer(model, ["Bald"], names=ATTRIBUTES, method=method, layer=layer)
    explainer(images, side)  # resolves
    before = State(model)
    model.armed = True
    with pytest.raises(InputError, match="its forward raised RuntimeError: out of luck"):
        explainer(images, side)
    before.assert_same(model)


def test_weights_may_change_between_calls(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    before = explainer(images)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.5)
    tiny(images).sum().backward()
    optimizer.step()
    stepped = explainer(images)
    assert not torch.allclose(stepped.maps, before.maps)
    torch.testing.assert_close(stepped.maps, Explainer(tiny, ATTRIBUTES)(images).maps)
    assert float(stepped.identity_gap.abs().max()) < 1e-5
    torch.manual_seed(9)
    tiny.load_state_dict(TinyNet().state_dict())
    assert float(explainer(images).identity_gap.abs().max()) < 1e-5
    tiny.head.weight.data = tiny.head.weight.data * 3
    assert float(explainer(images).identity_gap.abs().max()) < 1e-5
    assert explainer(images).maps.dtype == torch.float32
    tiny.double()
    assert explainer(images).maps.dtype == torch.float64


class Greedy(TinyNet):
    """Has memory for four images in a pass."""

    sizes: list[int]

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        if len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(images)


def test_memory_that_is_too_small_halves_the_passes():
    model, images = randomize(Greedy()), torch.randn(10, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    model.sizes = []
    whole = Explainer(randomize(TinyNet()))
    whole.model.load_state_dict(model.state_dict())
    explainer = Explainer(model)
    with pytest.warns(BincamWarning, match="memory is too small for") as told:
        explained = explainer(images)
    assert [str(one.message).split("gets ")[1] for one in told] == ["5", "2"]
    assert torch.allclose(explained.maps, whole(images).maps, rtol=1e-5, atol=1e-6)
    assert explainer.halved_to == explainer.batch_size == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = explainer.logits(images)
    assert torch.allclose(logits, whole.logits(images), rtol=1e-5, atol=1e-6)


def test_memory_that_is_too_small_for_one_image_is_an_error():
    class Full(TinyNet):
        def forward(self, _: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Explainer(randomize(Full())).logits(torch.randn(1, 3, 12, 16))


class Counting(nn.Module):
    """A network that counts its passes in a buffer, and stores its last image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 1)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        self.last = images
        return self.head(self.conv(images).relu().mean((2, 3))) + self.passes


def test_a_model_that_is_held_for_several_calls_is_as_it_was_between_and_after_them():
    model, images = Counting().train(), torch.rand(4, 3, 8, 8)
    explainer = Explainer(model, names=["x"])
    alone = [explainer(part) for part in images.split(2)]
    with explainer.held(), explainer.held():
        assert not model.training
        together = [explainer(part) for part in images.split(2)]
    assert model.training
    assert model.passes == 0
    assert not hasattr(model, "last")
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.logits, other.logits)
        assert torch.equal(one.maps, other.maps)
    with torch.no_grad():
        model.head.bias += 1
    assert torch.equal(explainer(images[:2]).logits, alone[0].logits + 1)


def test_a_held_model_is_given_back_after_an_error():
    model = Counting().train()
    explainer = Explainer(model, names=["x"])

    def interrupted() -> None:
        with explainer.held():
            explainer(torch.rand(2, 3, 8, 8))
            raise RuntimeError("ended")

    with pytest.raises(RuntimeError, match="ended"):
        interrupted()
    assert model.training
    assert model.passes == 0
    state = torch.random.get_rng_state()
    with explainer.held():
        torch.rand(1)
    assert not torch.equal(torch.random.get_rng_state(), state)  # what a user draws meanwhile is drawn
