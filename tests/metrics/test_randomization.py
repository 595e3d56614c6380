"""The test passes only for maps that depend on the learned parameters, and the model is restored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from bincam.cam import Explainer, Explanation
from bincam.errors import InputError
from bincam.metrics.randomization import _judge, randomisation, spearman
from tests.conftest import ATTRIBUTES, TinyNet, randomize


class Drawing(Explainer):
    """A method whose maps are what it is told to draw."""

    def __init__(self, model: nn.Module, draw: Callable[[Tensor, nn.Module], Tensor]) -> None:
        super().__init__(model, ATTRIBUTES)
        self.draw = draw

    def __call__(self, images: Tensor, side: Any = "predicted", labels: Tensor | None = None) -> Explanation:
        explanation = super().__call__(images, side, labels)
        return replace(explanation, maps=self.draw(explanation.maps, self.model))


def centre(maps: Tensor, _: nn.Module) -> Tensor:
    y, x = (torch.linspace(-1, 1, n) for n in maps.shape[-2:])
    return torch.exp(-(y[:, None] ** 2) - x**2).expand_as(maps).contiguous()


def constant(maps: Tensor, _: nn.Module) -> Tensor:
    return torch.ones_like(maps)


def edges(maps: Tensor, _: nn.Module) -> Tensor:
    """What depends on the image but not on the model."""
    return torch.arange(maps.numel()).reshape(maps.shape).float().cos()


def drawn_from_weights(maps: Tensor, model: nn.Module) -> Tensor:
    weights = torch.cat([p.detach().flatten().double() for p in model.parameters()])
    seed = int((weights * torch.arange(len(weights))).sum().abs().item() * 1e6) % 2**31
    return torch.randn(maps.shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def photos() -> Tensor:
    return torch.randn(8, 3, 16, 20, generator=torch.Generator().manual_seed(5))


# -- the verdict -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cam", "grad_cam", "hirescam"])
def test_methods_that_read_the_model_pass(tiny: nn.Module, photos: Tensor, method: str) -> None:
    got = randomisation(Explainer(tiny, ATTRIBUTES, method=method), photos)
    assert got.passed, got.reason
    assert got.stages[0] == "head"
    assert got.stages[-1].endswith("conv1")
    assert got.correlation.shape == (2, 4, 8, 4)
    assert got.upper[-1] < 0.3
    assert (got.upper > got.mean).all()
    assert not got.undefined.any()
    assert got.reason == ""


def test_the_side_may_be_asked_for(tiny: nn.Module, photos: Tensor) -> None:
    labels = torch.tensor([[1, 0, torch.nan, 1]] * 8)
    explainer = Explainer(tiny, ATTRIBUTES, method="layer_cam")
    true = randomisation(explainer, photos, "true", labels).correlation
    assert torch.isnan(true[:, :, :, 2]).all()
    positive, negative = (randomisation(explainer, photos, side).correlation for side in ("positive", "negative"))
    torch.testing.assert_close(true[..., [0, 3]], positive[..., [0, 3]])
    torch.testing.assert_close(true[..., 1], negative[..., 1])
    # It cannot say of which side its map is.
    blind = Explainer(tiny, ["Bald"], names=ATTRIBUTES, method="eigen_cam", layer="conv2")
    assert torch.isfinite(randomisation(blind, photos[:3], "any").upper).all()


@pytest.mark.parametrize("draw", [centre, edges])
def test_maps_that_do_not_read_the_model_fail(tiny: nn.Module, photos: Tensor, draw: Any) -> None:
    got = randomisation(Drawing(tiny, draw), photos)
    assert not got.passed
    torch.testing.assert_close(got.mean, torch.ones(4, dtype=torch.float64))
    assert "1.00" in got.reason


def test_a_constant_map_fails_although_it_has_no_correlation(tiny: nn.Module, photos: Tensor) -> None:
    got = randomisation(Drawing(tiny, constant), photos)
    assert not got.passed
    assert torch.isnan(got.correlation).all()
    assert torch.isnan(got.mean).all()
    assert got.undefined.tolist() == [1, 1, 1, 1]
    assert "100\u202f% of the maps are constant" in got.reason


def test_a_map_that_dies_with_the_parameters_is_counted(tiny: nn.Module, photos: Tensor) -> None:
    def quarter(maps: Tensor, model: nn.Module) -> Tensor:
        return torch.cat((constant(maps[:2], model), drawn_from_weights(maps[2:], model)))

    got = randomisation(Drawing(tiny, quarter), photos)
    assert got.passed, got.reason
    torch.testing.assert_close(got.undefined, torch.full((4,), 0.25, dtype=torch.float64))
    assert torch.isfinite(got.mean).all()


def test_the_bound_is_students(tiny: nn.Module, photos: Tensor) -> None:
    got = randomisation(Drawing(tiny, drawn_from_weights), photos, stages=2, draws=3)
    per_image = got.correlation.abs().mean(-1).numpy()  # (draws, stages, B)
    worst = [
        max(
            stats.t.interval(0.9, 7, loc=d.mean(), scale=stats.sem(d))[1]  # both sides 90 %: one side 95 %
            for d in per_image[:, stage]
        )
        for stage in range(2)
    ]
    np.testing.assert_allclose(got.upper.numpy(), worst)
    np.testing.assert_allclose(got.mean.numpy(), per_image.mean((0, 2)))


def test_one_image_is_too_few(tiny: nn.Module, photos: Tensor) -> None:
    got = randomisation(Explainer(tiny, ATTRIBUTES), photos[:1])
    assert not got.passed
    assert "fewer than two images" in got.reason
    assert torch.isfinite(got.mean).all()


def test_a_coarse_grid_is_reported(photos: Tensor) -> None:
    tiny = randomize(TinyNet())
    got = randomisation(Explainer(tiny, ATTRIBUTES), photos[:, :, :4, :4])  # a grid of 2 x 2
    assert got.chance == pytest.approx((2 / np.pi / 3) ** 0.5)
    assert not got.passed
    assert "with 4 cells" in got.reason
    assert "cannot be passed on this grid" in got.reason
    coarse = randomisation(Drawing(tiny, centre), photos[:, :, :6, :6])  # 3 x 3: in doubt, but not hopeless
    assert "with 9 cells unrelated maps have about 0.28" in coarse.reason
    assert "cannot be passed" not in coarse.reason


# -- the model is borrowed ---------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("at", [0, 1, 2, 4])
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


def test_draws_follow_the_seed_and_images_do_not_meet(tiny: nn.Module, photos: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    one, again = (randomisation(explainer, photos, seed=2).correlation for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, randomisation(explainer, photos, seed=7).correlation)
    some = randomisation(explainer, photos[2:5], seed=2).correlation
    torch.testing.assert_close(some, one[:, :, 2:5], rtol=0, atol=0.02)  # a near-tie may turn round


def test_stages(tiny: nn.Module, photos: Tensor) -> None:
    assert len(randomisation(Explainer(tiny, ATTRIBUTES), photos, stages=1).stages) == 1
    many = randomisation(Explainer(tiny, ATTRIBUTES), photos, stages=50, draws=1).stages
    assert many == ("head", "conv2", "bn", "conv1")
    two = randomisation(Explainer(tiny, ATTRIBUTES), photos, stages=2, draws=1).stages
    assert two == ("head", "conv2 to conv1 (3)")


def test_wrong_input_is_refused(tiny: nn.Module, photos: Tensor) -> None:
    for options in ({"stages": 0}, {"draws": 0}):
        with pytest.raises(InputError, match="at least one"):
            randomisation(Explainer(tiny, ATTRIBUTES), photos, **options)


# -- Spearman ----------------------------------------------------------------------------------------------------------


def test_spearman_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 6, (3, 2, 5, 4)), rng.normal(size=(3, 2, 5, 4))
    got = spearman(torch.from_numpy(one).float(), torch.from_numpy(other).float())
    for b in range(3):
        for a in range(2):
            expected = stats.spearmanr(one[b, a].ravel(), other[b, a].ravel()).statistic
            assert got[b, a].item() == pytest.approx(expected)


def test_spearman_is_undefined_for_constants() -> None:
    one, other = torch.rand(1, 4, 3, 3), torch.rand(1, 4, 3, 3)
    one[0, 0], other[0, 1], one[0, 2, 0, 0] = 2.0, 0.0, torch.nan
    got = spearman(one, other)
    assert torch.isnan(got).tolist() == [[True, True, True, False]]
    assert torch.isnan(spearman(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))).all()
    assert spearman(one[:, 3:], -one[:, 3:]).item() == pytest.approx(-1)


def test_equal_correlations_are_no_bound() -> None:
    """One image given twice has equal correlations: they do not show how much those of other images vary."""
    low = torch.full((1, 1, 1, 4), 0.1, dtype=torch.float64)  # draws, stages, images and attributes
    found = _judge(("head",), low, cells=49)
    assert not found.passed
    assert "all have the same" in found.reason
    varied = low.clone()
    low_too = torch.cat([varied, varied + 0.01], 2)
    assert _judge(("head",), torch.cat([low_too, low_too - 0.02], 2), cells=49).passed
    equal = torch.full((1, 1, 6, 2), 0.1, dtype=torch.float64)
    assert not _judge(("head",), equal, cells=49).passed
    high = _judge(("head",), equal * 9, cells=49)
    assert "keep a |Spearman|" in high.reason


def test_no_bound_of_a_correlation_is_above_one():
    nearly_kept = torch.tensor([1.0, 1.0, 0.9, 0.95]).view(1, 1, 4, 1).double()
    found = _judge(("head",), nearly_kept, cells=49)
    assert float(stats.t.ppf(0.95, 3) * nearly_kept.std() / 2 + nearly_kept.mean()) > 1
    assert found.upper.tolist() == [1.0]
    assert "up to 1.00" in found.reason
