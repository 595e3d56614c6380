"""Occlusion against captum's, and on a model that is the sum of its pixels."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics.perturbation.occlusion import edges, occlusion
from tests.conftest import ATTRIBUTES


def test_it_is_captums(tiny: nn.Module, images: Tensor) -> None:
    """Of 12 x 16 pixels in 3 x 4 windows of four pixels, each image with its own mean as the baseline."""
    found = occlusion(Explainer(tiny, ATTRIBUTES), images, (3, 4))
    base = images.mean((-2, -1), keepdim=True).expand_as(images)
    for column in range(len(ATTRIBUTES)):
        pixels = Occlusion(tiny).attribute(images, (3, 4, 4), strides=(3, 4, 4), baselines=base, target=column)
        torch.testing.assert_close(found[:, column], pixels[:, 0, ::4, ::4], rtol=1e-4, atol=1e-6)


def test_of_a_sum_of_pixels_it_adds_up_to_what_hiding_all_costs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).double()
    images = torch.randn(2, 3, 7, 10, dtype=torch.float64)  # cells of unequal size
    found = occlusion(Explainer(model, ["a", "b"]), images, (3, 4))
    hidden = images.mean((-2, -1), keepdim=True).expand_as(images)
    torch.testing.assert_close(found.sum((-2, -1)), model(images) - model(hidden), rtol=0, atol=1e-12)


def test_a_model_that_reads_one_place_has_falls_there_alone() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 1)).eval()
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].weight.view(3, 8, 8)[:, 2:4, 6:8] = 1.0
    images = torch.rand(2, 3, 8, 8)
    falls = occlusion(Explainer(model, ["a"], names=["a"]), images, (4, 4))[:, 0]
    assert (falls[:, 1, 3] != 0).all()
    falls[:, 1, 3] = 0
    assert not falls.any()


def test_nothing_of_the_caller_changes(tiny: nn.Module, images: Tensor) -> None:
    tiny.train()
    before, state = images.clone(), torch.get_rng_state()
    occlusion(Explainer(tiny, ATTRIBUTES), images, (2, 2), baseline="blur")
    assert tiny.training
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in tiny.parameters())


def test_edges_divide_as_equally_as_pixels_allow() -> None:
    sizes = torch.tensor(edges(5, 64)).diff()
    assert sizes.sum() == 64
    assert sizes.max() - sizes.min() == 1


@pytest.mark.parametrize(("grid", "message"), [((0, 2), "a grid of 0 cells"), ((2, 17), "along 16 pixels")])
def test_mistakes_are_refused(tiny: nn.Module, images: Tensor, grid: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        occlusion(Explainer(tiny, ATTRIBUTES), images, grid)
    with pytest.raises(InputError, match="baseline='zero'"):
        occlusion(Explainer(tiny, ATTRIBUTES), images, (2, 2), baseline="zero")  # type: ignore[arg-type]
