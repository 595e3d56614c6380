"""Infidelity against captum's, and on a model whose evidence is exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captums
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics.faithfulness.infidelity import infidelity, square_patches
from bincam.resample import upsample
from tests.conftest import ATTRIBUTES


class Linear(nn.Module):
    """A cell is a pixel and the logits are linear in them, without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 1, bias=False)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv(images).mean((-2, -1)))


@pytest.mark.parametrize("normalize", [False, True])
def test_it_is_captums(tiny: nn.Module, images: Tensor, normalize: bool) -> None:
    """With its evidence spread over the pixels of one channel and the removal as a 0/1 perturbation."""
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    got = infidelity(explainer, images, explanation, patches=20, seed=3)
    masks = torch.from_numpy(square_patches((12, 16), 20, seed=3)).float()
    spread = upsample(explanation.maps, (12, 16)) * (6 * 8 / (12 * 16))

    def perturb(batch: Tensor) -> tuple[Tensor, Tensor]:
        m = masks.repeat(len(batch) // 20, 1, 1)[:, None]
        one_channel = torch.zeros_like(batch)
        one_channel[:, :1] = m
        return one_channel, batch * (1 - m) + batch.mean((-2, -1), keepdim=True) * m

    for a in range(4):
        attributions = torch.zeros_like(images)
        attributions[:, 0] = spread[:, a]
        side = explanation.side[:, a]

        def forward(batch: Tensor, a: int = a, side: Tensor = side) -> Tensor:
            return side.repeat_interleave(len(batch) // 3) * tiny(batch)[:, a]

        expected = captums(forward, perturb, images, attributions, n_perturb_samples=20, normalize=normalize)
        ours = got.scaled if normalize else got.raw
        torch.testing.assert_close(ours[:, a].float(), expected, rtol=2e-3, atol=1e-6)


def test_exact_evidence_has_none() -> None:
    """Images without mean, removed to their mean: every patch takes its evidence with it, and nothing else."""
    torch.manual_seed(0)
    model = Linear().double()
    images = torch.randn(2, 2, 9, 9, dtype=torch.float64)
    images -= images.mean((-2, -1), keepdim=True)
    explainer = Explainer(model, names=("a", "b", "c"))
    explanation = explainer(images)
    got = infidelity(explainer, images, explanation)
    assert got.raw.max() < 1e-12
    torch.testing.assert_close(got.scale, torch.ones(2, 3, dtype=torch.float64))
    double = infidelity(explainer, images, replace(explanation, maps=-2 * explanation.maps))
    torch.testing.assert_close(double.scale, torch.full((2, 3), -0.5, dtype=torch.float64))
    assert double.raw.min() > 1e-6
    assert double.unexplained.max() < 1e-9


def test_maps_without_evidence_explain_nothing(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    got = infidelity(explainer, images, replace(explanation, maps=torch.zeros_like(explanation.maps)), patches=5)
    assert torch.isnan(got.scale).all()
    torch.testing.assert_close(got.unexplained, torch.ones_like(got.unexplained))
    torch.testing.assert_close(got.raw, got.scaled)


def test_undefined_is_nan(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images, "true", torch.tensor([[1, 0, torch.nan, 1]] * 3))
    got = infidelity(explainer, images, explanation, patches=4)
    for value in (got.raw, got.scale, got.scaled, got.unexplained):
        assert torch.isnan(value).tolist() == [[False, False, True, False]] * 3
    flat = torch.zeros(1, 2, 9, 9)  # removing a patch from an image of one colour changes nothing
    linear = Explainer(Linear(), names=("a", "b", "c"))
    unchanged = infidelity(linear, flat, linear(flat), patches=4)
    assert torch.isnan(unchanged.unexplained).all()
    assert (unchanged.raw == 0).all()


def test_falls_of_rounding_errors_have_no_unexplained_share() -> None:
    """Patches are replaced by the mean of an image of one colour, which is that colour up to rounding."""
    flat = torch.full((1, 2, 9, 9), 0.1)
    linear = Explainer(Linear().float(), names=("a", "b", "c"))
    explanation = linear(flat)
    got = infidelity(linear, flat, replace(explanation, maps=torch.randn_like(explanation.maps)), patches=4)
    assert torch.isnan(got.unexplained).all()


def test_batches_do_not_matter(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    whole = infidelity(explainer, images, explainer(images), patches=6, baseline="blur")
    for index in range(3):
        one = images[index : index + 1]
        alone = infidelity(explainer, one, explainer(one), patches=6, baseline="blur")
        torch.testing.assert_close(alone.raw[0], whole.raw[index], rtol=1e-4, atol=1e-7)


def test_patches() -> None:
    masks = square_patches((20, 31), 200, seed=1)
    areas = masks.sum((1, 2))
    assert (np.sqrt(areas) % 1 == 0).all()  # whole squares
    assert areas.min() == 9
    assert areas.max() == 100
    assert square_patches((1, 1), 3).all()
    assert np.array_equal(masks, square_patches((20, 31), 200, seed=1))


def test_wrong_input_is_refused(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    with pytest.raises(InputError, match="patches"):
        infidelity(explainer, images, explanation, patches=0)
    with pytest.raises(InputError, match="were explained"):
        infidelity(explainer, images[:1], explanation)
