from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer, flips, smooth
from bincam.errors import InputError
from tests.conftest import ATTRIBUTES


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "fullgrad"])
def test_no_noise_is_the_clean_map(tiny: nn.Module, images: Tensor, method: str) -> None:
    explainer = Explainer(tiny, ATTRIBUTES, method=method)
    clean = explainer(images)
    averaged = smooth(explainer, images, samples=3, noise=0.0)
    torch.testing.assert_close(averaged.maps, clean.maps)
    assert averaged.method == f"smooth({method})"
    assert not averaged.complete


def test_smoothing_is_the_mean_for_the_clean_side(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES, method="layer_cam")
    clean = explainer(images)
    state = torch.get_rng_state()
    averaged = smooth(explainer, images, samples=2, noise=0.5, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    generator = torch.Generator().manual_seed(7)
    spread = 0.5 * (images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True))
    expected = torch.zeros_like(clean.maps)
    for _ in range(2):
        noisy = images + spread * torch.randn(images.shape, generator=generator)
        expected += explainer(noisy, "true", clean.side).maps / 2
        assert not torch.equal(explainer(noisy).side, clean.side)  # its map counts for the clean side
    torch.testing.assert_close(averaged.maps, expected)
    assert torch.equal(averaged.logits, clean.logits)
    assert torch.equal(averaged.side, clean.side)
    again = smooth(explainer, images, samples=2, noise=0.5, seed=7)
    assert torch.equal(again.maps, averaged.maps)


def test_flips(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    clean = explainer(images)
    averaged = flips(explainer, images)
    expected = (clean.maps + explainer(images.flip(-1), "true", clean.side).maps.flip(-1)) / 2
    torch.testing.assert_close(averaged.maps, expected)
    symmetric = (images + images.flip(-1)) / 2
    torch.testing.assert_close(flips(explainer, symmetric).maps, flips(explainer, symmetric).maps.flip(-1))


@pytest.mark.parametrize("options", [{"samples": 0}, {"noise": -0.1}])
def test_bad_options(tiny: nn.Module, images: Tensor, options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="at least one sample"):
        smooth(Explainer(tiny), images, **options)
