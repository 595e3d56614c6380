"""The model is borrowed: its parameters are exchanged, never written to, and restored."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics import randomisation
from bincam.metrics.randomization.permutation import CalledModules, permute
from tests.conftest import ATTRIBUTES, TinyNet, randomize
from tests.metrics.randomization.conftest import Drawing


def _state(model: nn.Module) -> list[tuple[int, int, Tensor]]:
    return [(id(p), p._version, p.detach().clone()) for p in (*model.parameters(), *model.buffers())]


def test_everything_comes_back(tiny: nn.Module, photos: Tensor) -> None:
    tiny.conv1.bias.requires_grad_(False)
    tiny.train()
    before, rng = _state(tiny), torch.random.get_rng_state()
    randomisation(Explainer(tiny, ATTRIBUTES), photos[:2], draws=1)
    _same(before, _state(tiny))
    assert torch.equal(torch.random.get_rng_state(), rng)
    assert all(module.training and not module._forward_pre_hooks for module in tiny.modules())
    assert [p.requires_grad for p in tiny.conv1.parameters()] == [True, False]
    assert all(p.grad is None for p in tiny.parameters())


@pytest.mark.parametrize("at", [0, 1, 2])
def test_everything_comes_back_after_an_error(tiny: nn.Module, photos: Tensor, at: int) -> None:
    calls = []

    def fail(maps: Tensor, _: nn.Module) -> Tensor:
        calls.append(1)
        if len(calls) > at:
            raise RuntimeError("in the midst")
        return maps

    before, rng = _state(tiny), torch.random.get_rng_state()
    with pytest.raises(RuntimeError, match="in the midst"):
        randomisation(Drawing(tiny, fail), photos)
    _same(before, _state(tiny))
    assert torch.equal(torch.random.get_rng_state(), rng)
    assert not any(module._forward_pre_hooks for module in tiny.modules())


def _same(before: list[tuple[int, int, Tensor]], after: list[tuple[int, int, Tensor]]) -> None:
    for (one, writes, value), (other, writes_after, value_after) in zip(before, after, strict=True):
        assert one == other
        assert writes == writes_after
        assert torch.equal(value, value_after)


def test_the_explainer_forgets_the_random_models(tiny: nn.Module, photos: Tensor) -> None:
    """It folds the head once and keeps it; neither the draws nor what comes afterwards may meet an old one."""
    explainer = Explainer(tiny, ATTRIBUTES, method="cam")
    before = explainer(photos).maps
    with torch.inference_mode():
        one_stage = randomisation(explainer, photos, stages=1, draws=3)
    assert not torch.equal(one_stage.correlation[0], one_stage.correlation[1])
    assert not torch.equal(one_stage.correlation[1], one_stage.correlation[2])
    assert torch.equal(explainer(photos).maps, before)


def test_every_draw_begins_with_what_was_learned(tiny: nn.Module, photos: Tensor) -> None:
    def of_first_layer(maps: Tensor, model: nn.Module) -> Tensor:
        return model.conv1.weight.detach().flatten()[: maps[0, 0].numel()].reshape(maps.shape[-2:]).expand_as(maps)

    got = randomisation(Drawing(tiny, of_first_layer), photos, stages=4, draws=3)
    assert got.stages[-1] == "conv1"
    assert (got.correlation[:, :3] > 0.999).all()
    assert (got.correlation[:, 3] < 0.9).all()


def test_shared_parameters_stay_shared(photos: Tensor) -> None:
    class Shared(TinyNet):
        def __init__(self) -> None:
            super().__init__()
            self.twin = nn.Linear(6, 4)
            self.twin.weight = self.head.weight

        def forward(self, images: Tensor) -> Tensor:
            assert self.twin.weight is self.head.weight
            return super().forward(images)

    model = randomize(Shared())
    weight = model.head.weight
    randomisation(Explainer(model, ATTRIBUTES), photos[:2], draws=1)
    assert model.twin.weight is model.head.weight is weight


def test_permuting_keeps_the_values(tiny: nn.Module) -> None:
    before = tiny.conv2.weight.detach().clone()
    with torch.no_grad():
        permute(tiny.conv2, torch.Generator().manual_seed(0))
    assert not torch.equal(tiny.conv2.weight, before)
    assert torch.equal(tiny.conv2.weight.flatten().sort().values, before.flatten().sort().values)


def test_what_is_below_a_layer(tiny: nn.Module, photos: Tensor) -> None:
    called = CalledModules.of(tiny, lambda: tiny(photos[:1]))
    assert [called.names[module] for module in called.last_first] == ["head", "conv2", "bn", "conv1"]
    assert called.below("relu")
    assert called.below("conv1")  # its own
    assert called.below("a function")
    pooled = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(126, 1))
    assert not CalledModules.of(pooled, lambda: pooled(photos[:1])).below("0")
    with pytest.raises(InputError, match="no parameters"):
        CalledModules.of(nn.ReLU(), lambda: None)
