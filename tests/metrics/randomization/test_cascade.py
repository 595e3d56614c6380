"""The test of a model: methods that read it pass, those that draw the image or the frame fail; stages are figures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics import randomisation
from tests.conftest import ATTRIBUTES
from tests.metrics.randomization.conftest import Drawing


def centre(maps: Tensor, _: nn.Module) -> Tensor:
    y, x = (torch.linspace(-1, 1, n) for n in maps.shape[-2:])
    return torch.exp(-(y[:, None] ** 2) - x**2).expand_as(maps).contiguous()


def constant(maps: Tensor, _: nn.Module) -> Tensor:
    return torch.ones_like(maps)


def edges(maps: Tensor, _: nn.Module) -> Tensor:
    """What depends on the image but not on the model."""
    return torch.randn(maps.shape, generator=torch.Generator().manual_seed(3))


def drawn_from_weights(maps: Tensor, model: nn.Module) -> Tensor:
    weights = torch.cat([p.detach().flatten().double() for p in model.parameters()])
    seed = int((weights * torch.arange(len(weights))).sum().abs().item() * 1e6) % 2**31
    return torch.randn(maps.shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("method", ["cam", "hirescam", "layer_cam"])
def test_methods_that_read_the_model_pass(tiny: nn.Module, photos: Tensor, method: str) -> None:
    got = randomisation(Explainer(tiny, ATTRIBUTES, method=method), photos)
    assert got.passed, got.reason
    assert got.reason == ""
    assert len(got.stages) == 1
    assert got.correlation.shape == (2, 1, 40, 4)
    assert got.dependence.variance_left.value > 0.9
    assert not got.undefined.any()
    assert len(got.dependence.excess_by_draw) == 2
    assert got.dependence.excess.high == max(draw.high for draw in got.dependence.excess_by_draw)


def test_a_map_of_the_frame_is_the_same_for_every_image(tiny: nn.Module, photos: Tensor) -> None:
    got = randomisation(Drawing(tiny, centre), photos)
    assert got.verdict == "fail"
    assert "the same map for every image" in got.reason
    assert got.dependence.variance_left.value < 1e-9
    assert not got.dependence.excess.defined


def test_a_map_of_the_image_alone_fails(tiny: nn.Module, photos: Tensor) -> None:
    got = randomisation(Drawing(tiny, edges), photos)
    assert got.verdict == "fail"
    assert "remain more alike" in got.reason
    assert got.dependence.without_template.same == pytest.approx(1)
    assert got.mean[-1] == pytest.approx(1)


def test_constant_maps_tell_nothing(tiny: nn.Module, photos: Tensor) -> None:
    got = randomisation(Drawing(tiny, constant), photos)
    assert got.verdict == "cannot tell"
    assert "100\u202f% of the maps are constant" in got.reason
    assert got.undefined.tolist() == [1]
    assert torch.isnan(got.mean).all()


def test_maps_that_die_with_the_parameters_are_counted(tiny: nn.Module, photos: Tensor) -> None:
    def most(maps: Tensor, model: nn.Module) -> Tensor:
        return torch.cat((constant(maps[:10], model), drawn_from_weights(maps[10:], model)))

    got = randomisation(Drawing(tiny, most), photos)
    assert got.passed, got.reason
    assert got.dependence.undefined == pytest.approx(0.25)
    assert got.dependence.excess.images == 30


def test_no_parameters_below_the_layer_cannot_be_told(photos: Tensor) -> None:
    """Its features are the same in every random network, so that only another head looks at them."""
    model = nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    got = randomisation(Explainer(model, layer="0"), photos)
    assert got.verdict == "cannot tell"
    assert got.reason.startswith("no parameters below 0")
    deeper = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    assert "below" not in randomisation(Explainer(deeper, layer="1"), photos).reason


def test_the_side_may_be_asked_for(tiny: nn.Module, photos: Tensor) -> None:
    few, labels = photos[:4], torch.tensor([[1, 0, torch.nan, 1]] * 4)
    explainer = Explainer(tiny, ATTRIBUTES, method="layer_cam")
    true = randomisation(explainer, few, "true", labels).correlation
    assert torch.isnan(true[:, :, :, 2]).all()
    positive, negative = (randomisation(explainer, few, side).correlation for side in ("positive", "negative"))
    torch.testing.assert_close(true[..., [0, 3]], positive[..., [0, 3]])
    torch.testing.assert_close(true[..., 1], negative[..., 1])
    # It cannot say of which side its map is.
    blind = Explainer(tiny, ["Bald"], names=ATTRIBUTES, method="eigen_cam", layer="conv2")
    assert randomisation(blind, photos[:20], "any").dependence.excess.defined


def test_images_may_be_explained_a_few_at_a_time(tiny: nn.Module, photos: Tensor) -> None:
    labels = torch.tensor([[1.0, 0.0, 1.0, 0.0]] * 40)
    explainer = Explainer(tiny, ATTRIBUTES, method="cam")
    whole = randomisation(explainer, photos, "true", labels)
    parts = randomisation(explainer, photos, "true", labels, batch_size=7)
    torch.testing.assert_close(parts.correlation, whole.correlation, rtol=0, atol=0.02)  # a near-tie may turn round
    assert parts.verdict == whole.verdict
    assert parts.dependence.excess.value == pytest.approx(whole.dependence.excess.value, abs=5e-3)


def test_people_reach_the_verdict(tiny: nn.Module, photos: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    got = randomisation(explainer, photos, identities=["ann"] * 40)
    assert "one person" in got.reason
    paired = randomisation(explainer, photos, identities=[f"p{n // 2}" for n in range(40)]).dependence
    assert paired.excess.identities == 20


def test_stages_are_figures(tiny: nn.Module, photos: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    many = randomisation(explainer, photos, stages=50, draws=1)
    assert many.stages == ("head", "conv2", "bn", "conv1")
    assert many.mean[0] > many.mean[-1]  # a random head looks at the same features
    two = randomisation(explainer, photos[:2], stages=2, draws=1)
    assert two.stages == ("head", "conv2 to conv1 (3)")
    assert two.verdict == "cannot tell"


def test_draws_follow_the_seed_and_images_do_not_meet(tiny: nn.Module, photos: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    one, again = (randomisation(explainer, photos, seed=2).correlation for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, randomisation(explainer, photos, seed=7).correlation)
    some = randomisation(explainer, photos[2:5], seed=2).correlation
    torch.testing.assert_close(some, one[:, :, 2:5], rtol=0, atol=0.02)  # a near-tie may turn round


def test_wrong_input_is_refused(tiny: nn.Module, photos: Tensor) -> None:
    options: list[tuple[dict[str, Any], str]] = [
        ({"stages": 0}, "at least one of each"),
        ({"draws": 0}, "at least one of each"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"identities": ["ann"]}, "1 name of a person for 40 images"),
        ({"side": "true", "labels": torch.ones(41, 4)}, "41 rows of labels for 40 images"),
    ]
    for wrong, message in options:
        with pytest.raises(InputError, match=message):
            randomisation(Explainer(tiny, ATTRIBUTES), photos, **wrong)
