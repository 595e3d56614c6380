"""ROAD against pytorch-grad-cam where the two agree, and where pytorch-grad-cam fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics import road as theirs
from pytorch_grad_cam.metrics.perturbation_confidence import RemoveLeastRelevantFirst, RemoveMostRelevantFirst
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics.faithfulness.pixel_ranking import ranks, strongest
from bincam.metrics.faithfulness.road import impute, road
from tests.conftest import ATTRIBUTES


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # grad-cam hands numpy torch's tensors
def test_imputation_is_grad_cams() -> None:
    images = torch.randn(3, 3, 14, 11, generator=torch.Generator().manual_seed(0))
    missing = (
        torch.rand(3, 14, 11, generator=torch.Generator().manual_seed(1))
        < torch.tensor([0.1, 0.5, 0.95])[:, None, None]
    )
    got = impute(images, missing, noise=0)
    oracle = theirs.NoisyLinearImputer(noise=0)
    for image, holes, filled in zip(images, missing, got, strict=True):
        torch.testing.assert_close(filled, oracle(image, (~holes).float()), rtol=1e-5, atol=1e-5)


def test_imputation_by_hand() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    centre, corner = torch.zeros(1, 3, 3, dtype=torch.bool), torch.zeros(1, 3, 3, dtype=torch.bool)
    centre[0, 1, 1], corner[0, 0, 0] = True, True
    assert impute(image, centre, 0)[0, 0, 1, 1].item() == pytest.approx(4)  # a plane is kept
    # Beside the corner are 1 and 3 with weight 1/6, across is 4 with 1/12: (1/6 + 3/6 + 4/12) / (5/12).
    assert impute(image, corner, 0)[0, 0, 0, 0].item() == pytest.approx(2.4)
    assert torch.equal(impute(image, torch.zeros_like(centre)), image)


def test_noise_is_added_to_missing_pixels_only_and_is_seeded() -> None:
    images, missing = torch.zeros(2, 3, 40, 40), torch.zeros(2, 40, 40, dtype=torch.bool)
    missing[:, :20] = True
    state = torch.random.get_rng_state()
    got = impute(images, missing, noise=0.5, seed=4)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not got[:, :, 20:].any()
    assert got[:, :, :20].std().item() == pytest.approx(0.5, rel=0.05)
    assert torch.equal(got[1:], impute(images[1:], missing[1:], noise=0.5, seed=4))
    assert not torch.equal(got, impute(images, missing, noise=0.5, seed=5))


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize("side", ["positive", "negative"])
def test_scores_are_grad_cams_on_maps_without_ties(tiny: nn.Module, side: str) -> None:
    """On 100 pixels its percentile p removes exactly 100 - p of them."""
    images = torch.randn(2, 3, 10, 10, generator=torch.Generator().manual_seed(0))
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images, side)  # type: ignore[arg-type]
    maps = torch.rand(2, 4, 10, 10, generator=torch.Generator().manual_seed(2))
    got = road(explainer, images, replace(explanation, maps=maps), ["Bald"], fractions=(0.2, 0.6), noise=0)
    sign = 1 if side == "positive" else -1
    probability = [lambda z: torch.sigmoid(sign * z[1])] * 2
    for remove, ours in ((RemoveMostRelevantFirst, got.most), (RemoveLeastRelevantFirst, got.least)):
        for step, percentile in enumerate((80, 40)):
            metric = theirs.PerturbationConfidenceMetric(remove(percentile, theirs.NoisyLinearImputer(noise=0)))
            expected = metric(images, maps[:, 1].numpy(), probability, tiny, return_diff=False)
            np.testing.assert_allclose(ours[:, 0, step].numpy(), expected, rtol=1e-4)
    torch.testing.assert_close(got.score, (got.least - got.most).mean(-1) / 2)


def test_a_sparse_map_keeps_its_fraction() -> None:
    """Grad-cam's percentile of a sparse map is 0, nothing is below it, and the whole image goes."""
    sparse = torch.zeros(10, 10)
    sparse[5, 5] = 1
    assert not bool((sparse < np.percentile(sparse.numpy(), 80)).any())
    assert int(strongest(ranks(sparse, (10, 10)), 0.2).sum()) == 20


def test_a_constant_map_scores_as_a_random_order(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    constant = replace(explanation, maps=torch.ones_like(explanation.maps))
    seeds = torch.stack([road(explainer, images, constant, fractions=(0.5,), seed=s).score for s in range(12)])
    spread = seeds.std(0) / 12**0.5
    assert ((seeds.mean(0) / spread).abs() < 4.5).all()  # zero but for chance


def test_batches_do_not_matter(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    whole = road(explainer, images, explainer(images), fractions=(0.1, 0.5))
    assert torch.isfinite(whole.score).all()
    for index in range(3):
        one = images[index : index + 1]
        alone = road(explainer, one, explainer(one), ["Young"], fractions=(0.1, 0.5))
        torch.testing.assert_close(alone.score[0, 0], whole.score[index, 3])


def test_undefined_is_nan(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    labels = torch.tensor([[1, 0, torch.nan, 1]] * 3)
    got = road(explainer, images, explainer(images, "true", labels), fractions=(0.5,))
    assert torch.isnan(got.score).tolist() == [[False, False, True, False]] * 3


def test_wrong_input_is_refused(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    for fractions in ((), (0.5, 1.0), (-0.1,)):
        with pytest.raises(InputError, match="fractions"):
            road(explainer, images, explanation, fractions=fractions)
    with pytest.raises(InputError, match="every pixel of image 1"):
        impute(images, torch.tensor([False, True, False])[:, None, None].expand(3, 12, 16))
    with pytest.raises(InputError, match="differ"):
        impute(images, torch.zeros(3, 12, 15, dtype=torch.bool))
    with pytest.raises(InputError, match="noise"):
        impute(images, torch.zeros(3, 12, 16, dtype=torch.bool), noise=-1)
