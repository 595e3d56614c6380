"""What a pass stores in a model is removed again, in both modes and after an error; stale caches are not read."""

from __future__ import annotations

import copy
import random
from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bincam import Explainer
from bincam.errors import InputError
from bincam.models.borrowing.borrow import at_precision, evaluating, fingerprint


class Hoarder(nn.Module):
    """Stores results of its passes in every way that Python offers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)
        self.register_buffer("passes", torch.zeros(1))
        self.register_buffer("mask", None)
        self.count = 0
        self.last: Tensor | None = None
        self.cache: dict[str, Any] = {"inner": {"list": [1]}}
        self.log: list[str] = []
        self.seen: set[str] = set()
        self.recent: deque[int] = deque(maxlen=2)
        self.plain = torch.zeros(2)
        self.array = np.zeros(2)
        self.state = SimpleNamespace(step=0, tensors=[torch.zeros(1)])
        self.generator = torch.Generator()
        self.fails = False

    def forward(self, images: Tensor) -> Tensor:
        features = self.conv(images).relu()
        self.passes += 1
        if self.mask is None:
            self.mask = torch.ones(4)
        if not hasattr(self, "lazy"):
            self.register_buffer("lazy", torch.ones(1))
        self.count += 1
        self.last = features
        self.last_attention = features.detach()
        self.cache["inner"]["list"].append(2)
        self.cache["bias"] = features.sum()
        self.log.append("pass")
        self.seen.add("pass")
        self.recent.append(1)
        self.plain.add_(1)
        self.array += 1
        self.state.step += 1
        self.state.tensors[0].mul_(3).add_(1)
        self.state.new = True
        torch.rand(1, generator=self.generator)
        self.conv.weight.requires_grad_(False)
        self.head.extra = nn.Linear(1, 1)
        if self.fails:
            raise KeyError("out of luck")
        return self.head(features.mean((2, 3)))


def contents(value: Any, depth: int = 0) -> Any:
    """A copy of all that is reachable from a model, with the identity of every container."""
    if isinstance(value, Tensor):
        return (id(value), tuple(value.flatten().tolist()), value.requires_grad)
    if isinstance(value, torch.Generator):
        return tuple(value.get_state().tolist())
    if isinstance(value, np.ndarray):
        return id(value), value.tobytes()
    if isinstance(value, (nn.Module, SimpleNamespace)):
        return id(value), {name: contents(inner, depth + 1) for name, inner in vars(value).items()}
    if isinstance(value, dict):
        return id(value), [(name, contents(inner, depth + 1)) for name, inner in value.items()]
    if isinstance(value, (list, deque)):
        return id(value), [contents(inner, depth + 1) for inner in value]
    return value if not isinstance(value, set) else (id(value), sorted(value))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_it_was(training: bool, fails: bool, images: Tensor) -> None:
    model = Hoarder().train(training)
    model.head.eval()
    before = contents(model)
    model.fails = fails
    expected = contents(model)
    if fails:
        with pytest.raises(InputError, match="Hoarder: its forward raised KeyError: 'out of luck'"), evaluating(model):
            model(images)
    else:
        with evaluating(model):
            first = model(images)
            assert torch.equal(first, model(images))
            assert model.count == 1, "every pass begins in the same state"
    assert contents(model) == expected
    model.fails = False
    assert contents(model) == before


def test_an_explanation_leaves_nothing(images: Tensor) -> None:
    model = Hoarder()
    model.generator = None  # a pass that draws is refused, if the draw matters; here nothing shall be drawn
    model.forward = _without_drawing(model)  # type: ignore[method-assign]
    before = contents(model)
    explainer = Explainer(model)
    explanation = explainer(images)
    explainer.logits(images)
    assert explanation.complete
    assert contents(model) == before


def _without_drawing(model: Hoarder) -> Any:
    def forward(images: Tensor) -> Tensor:
        features = model.conv(images).relu()
        model.count += 1
        model.cache["bias"] = features
        model.passes += 1
        return model.head(features.mean((2, 3)))

    return forward


class Cached(nn.Module):
    """Attention biases as timm's LeViT, EfficientFormer and TinyViT have them: cached in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bias = nn.Parameter(torch.randn(4))
        self.head = nn.Linear(4, 2)
        self.cache: dict[str, Tensor] = {}

    def train(self, mode: bool = True) -> Cached:
        super().train(mode)
        if mode and self.cache:
            self.cache = {}
        return self

    def biases(self) -> Tensor:
        if self.training:
            return self.bias.exp()
        if "cpu" not in self.cache:
            self.cache["cpu"] = self.bias.exp()
        return self.cache["cpu"]

    def forward(self, images: Tensor) -> Tensor:
        features = (self.conv(images) + self.biases()[:, None, None]).relu()
        return self.head(features.mean((2, 3)))


class Prepared(Cached):
    """As in the published LeViT: ``eval()`` computes the biases, and a pass in evaluation mode requires them."""

    def train(self, mode: bool = True) -> Prepared:
        nn.Module.train(self, mode)
        if mode and hasattr(self, "prepared"):
            del self.prepared
        elif not mode:
            self.register_buffer("prepared", self.bias.exp().detach(), persistent=False)
        return self

    def biases(self) -> Tensor:
        return self.bias.exp() if self.training else self.prepared


class Merging(Cached):
    """As loralib: ``eval()`` adds an update to the weights in place, and ``train()`` subtracts it."""

    merged = False

    def train(self, mode: bool = True) -> Merging:
        nn.Module.train(self, mode)
        if mode == self.merged:
            self.bias.data += -0.1 if mode else 0.1
            self.merged = not mode
        return self

    def biases(self) -> Tensor:
        return self.bias if self.merged else self.bias + 0.1


@pytest.mark.parametrize("kind", [Cached, Prepared, Merging])
@pytest.mark.parametrize("training", [False, True])
def test_new_weights_give_new_logits(kind: type[Cached], training: bool, images: Tensor) -> None:
    torch.manual_seed(0)
    model, fresh = kind(), kind()
    model.train(training)
    if not training:
        with torch.no_grad():
            model(images)  # fills the cache with what follows from the first weights
    explainer = Explainer(model)
    before = contents(model)
    first = explainer(images)
    assert contents(model) == before
    torch.testing.assert_close(first.logits, copy.deepcopy(model).eval()(images).detach())
    weights = {name: value + 0.5 for name, value in fresh.train().state_dict().items()}
    model.train(kind is Merging or training)
    model.load_state_dict(weights)
    model.train(training)
    fresh.load_state_dict(weights)
    with torch.no_grad():
        expected = fresh.eval()(images)
    assert not torch.allclose(expected, first.logits)
    torch.testing.assert_close(explainer.logits(images), expected)
    again = explainer(images)
    torch.testing.assert_close(again.logits, expected)
    assert again.kind == "exact"
    assert float(again.identity_gap.abs().max()) < 1e-5


def test_a_cache_that_the_caller_fills_changes_the_path_and_not_the_reason(images: Tensor) -> None:
    class Plain(Cached):
        train = nn.Module.train

    model = Plain().eval()
    explainer = Explainer(model)
    first = explainer(images)
    model(images)
    torch.testing.assert_close(explainer(images).maps, first.maps)


@pytest.mark.parametrize("training", [False, True])
def test_frozen_parts_stay_frozen_and_are_evaluated(training: bool, images: Tensor) -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU())
            self.head = nn.Linear(4, 1)

        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self.net[1].eval()
            self.net[0].requires_grad_(not mode)
            return self

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.net(images).mean((2, 3)))

    model = Frozen().train(training)
    before = contents(model)
    logits = Explainer(model)(images).logits
    assert contents(model) == before
    assert not model.net[1].training
    assert model.net[2].training == training
    torch.testing.assert_close(logits, model.eval()(images).detach())


def test_dropout_that_eval_leaves_on_is_not_switched_off_in_silence(images: Tensor) -> None:
    class MonteCarlo(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1))
            self.head = nn.Linear(4, 1)

        def train(self, mode: bool = True) -> MonteCarlo:
            super().train(mode)
            self.net[3].train()
            return self

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.net(images))

    with pytest.raises(Exception, match=r"random in evaluation mode \(dropout in Dropout 'net.3'\)"):
        Explainer(MonteCarlo())(images)


def test_values_at_another_precision_come_back(tiny: nn.Module) -> None:
    tiny.bfloat16()
    before = [(id(p), p.data_ptr(), p.dtype) for p in (*tiny.parameters(), *tiny.buffers())]
    weights = fingerprint(tiny)
    with at_precision(tiny, torch.float32):
        assert {p.dtype for p in tiny.parameters()} == {torch.float32}
    assert [(id(p), p.data_ptr(), p.dtype) for p in (*tiny.parameters(), *tiny.buffers())] == before
    assert fingerprint(tiny) == weights


def test_global_random_states_come_back(images: Tensor) -> None:
    class Drawing(Cached):
        def forward(self, images: Tensor) -> Tensor:
            random.random()
            np.random.rand()  # noqa: NPY002
            torch.rand(1)
            return super().forward(images)

    model = Drawing()
    states = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()  # noqa: NPY002
    Explainer(model)(images)
    assert (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()) == states  # noqa: NPY002
