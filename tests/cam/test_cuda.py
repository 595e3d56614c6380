"""The same results on a GPU, if there is one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer
from tests.conftest import ATTRIBUTES

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("method", METHODS)
def test_fp32_as_on_the_cpu(tiny: nn.Module, images: Tensor, method: str) -> None:
    expected = Explainer(tiny.double(), ATTRIBUTES, method=method)(images.double())
    got = Explainer(tiny.cuda(), ATTRIBUTES, method=method)(images.cuda())
    assert got.maps.is_cuda
    torch.testing.assert_close(got.maps.cpu(), expected.maps)
    torch.testing.assert_close(got.ledger().support.cpu(), expected.ledger().support)


def test_images_are_moved_to_the_model(tiny: nn.Module, images: Tensor) -> None:
    assert Explainer(tiny.cuda(), ATTRIBUTES)(images).maps.is_cuda


def test_bf16_autocast(tiny: nn.Module, images: Tensor) -> None:
    exact = Explainer(tiny.cuda(), ATTRIBUTES)(images.cuda())
    rough = Explainer(tiny, ATTRIBUTES, precision="bf16")(images.cuda())
    assert rough.maps.dtype == torch.float32
    assert (rough.maps - exact.maps).norm() < 0.05 * exact.maps.norm()


def test_the_random_state_of_the_gpu_is_borrowed(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny.cuda(), ATTRIBUTES)
    before = torch.cuda.get_rng_state()
    explainer(images.cuda())
    assert torch.equal(torch.cuda.get_rng_state(), before)
