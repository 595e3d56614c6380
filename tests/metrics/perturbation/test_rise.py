"""RISE against its formula written out, on planted places, and its masks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics.perturbation.rise import random_masks, rise
from tests.conftest import ATTRIBUTES


def test_it_is_its_formula(tiny: nn.Module, images: Tensor) -> None:
    """Equation 6 with a cell for each pixel, all masks at once, and the constant of the masks' mean removed."""
    found = rise(Explainer(tiny, ATTRIBUTES), images, (12, 16), masks=40, shown=0.4, coarse=3, seed=5)
    masks = torch.stack(list(random_masks((12, 16), 40, shown=0.4, coarse=3, seed=5)))
    base = images.mean((-2, -1), keepdim=True)
    with torch.no_grad():
        scores = torch.stack([tiny(images * m + base * (1 - m)) for m in masks]).double()  # (N, B, A)
    weighted = torch.einsum("nba,nhw->bahw", scores - scores.mean(0), masks.double()) / (40 * 0.4)
    torch.testing.assert_close(found.double(), weighted, rtol=1e-4, atol=1e-6)


def test_cells_are_means_of_their_pixels(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    pixels, cells = (rise(explainer, images, grid, masks=10) for grid in ((12, 16), (3, 4)))
    torch.testing.assert_close(cells, nn.functional.avg_pool2d(pixels, 4), rtol=1e-4, atol=1e-6)


def test_a_planted_place_is_found_and_its_twin_is_not() -> None:
    """Two bright squares, of which the model reads one; the other has the same pixels."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(24 * 24, 1)).eval()
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].weight.view(24, 24)[:8, 16:] = 1.0
    images = torch.zeros(1, 1, 24, 24)
    images[..., :8, 16:] = images[..., 16:, :8] = 3.0
    found = rise(Explainer(model, ["a"], names=["a"]), images, (3, 3), masks=300, coarse=3)[0, 0]
    assert found.argmax() == 2
    assert found[2, 0].abs() < 0.2 * found[0, 2]


def test_a_model_without_an_opinion_has_an_empty_map() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1)).eval()
    with torch.no_grad():
        model[1].weight.zero_()
    found = rise(Explainer(model, ["a"], names=["a"]), torch.rand(2, 3, 2, 2), (2, 2), masks=5)
    assert found.abs().max() < 1e-6


def test_masks_are_those_of_the_seed_whatever_their_number() -> None:
    few, many = (torch.stack(list(random_masks((30, 20), count, seed=2))) for count in (3, 400))
    assert torch.equal(few, many[:3])
    assert not torch.equal(few, torch.stack(list(random_masks((30, 20), 3, seed=3))))
    assert many.min() >= 0
    assert many.max() <= 1
    assert many.mean() == pytest.approx(0.5, abs=0.02)
    assert many.mean(0).std() < 0.05  # every place is shown alike


def test_nothing_of_the_caller_changes(tiny: nn.Module, images: Tensor) -> None:
    tiny.train()
    before, state = images.clone(), torch.get_rng_state()
    first = rise(Explainer(tiny, ATTRIBUTES), images, (2, 2), masks=4)
    assert tiny.training
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, rise(Explainer(tiny, ATTRIBUTES), images, (2, 2), masks=4))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"masks": 1}, "masks=1"), ({"shown": 1.0}, "shown=1"), ({"coarse": 0}, "coarse=0")],
)
def test_mistakes_are_refused(tiny: nn.Module, images: Tensor, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rise(Explainer(tiny, ATTRIBUTES), images, (2, 2), **options)  # type: ignore[arg-type]
