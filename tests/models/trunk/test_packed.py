"""Convolutions in oneDNN's order: the numbers of torch's own, and torch's own wherever oneDNN has no part in it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bincam.models.tracing.cut import Cut
from bincam.models.tracing.trace import record
from bincam.models.trunk import folding
from bincam.models.trunk.folding import foldable
from bincam.models.trunk.packed import pack, packable
from bincam.models.trunk.trunk import Trunk
from tests.conftest import randomize

pytestmark = pytest.mark.skipif(not packable(torch.ones(1, 1, 1, 1), torch.float32), reason="torch without oneDNN")
SHAPES = {
    "plain": (8, 12, 3, {"padding": 1}),
    "one pixel": (8, 12, 1, {}),
    "strides": (8, 12, 3, {"stride": (2, 1), "padding": [0, 2]}),
    "dilated": (8, 12, 3, {"dilation": 2, "padding": 2}),
    "grouped": (8, 12, 3, {"groups": 4}),
    "of each channel": (8, 8, 5, {"groups": 8, "padding": 2}),
    "first": (3, 16, 7, {"stride": 2, "padding": 3}),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [(2, 20, 17), (1, 9, 9)])
def test_results_are_those_of_torch(name, size):
    torch.manual_seed(0)
    channels, out, side, options = SHAPES[name]
    images = torch.randn(size[0], channels, *size[1:]).to(memory_format=torch.channels_last)
    weight = torch.randn(out, channels // options.get("groups", 1), side, side)
    bias = torch.randn(out)
    stated = [options.get(key, usual) for key, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))]
    packed = pack(images, weight, bias, stated)
    assert packed is not None
    expected = F.conv2d(images, weight, bias, **options)
    computed = packed(images)
    torch.testing.assert_close(computed, expected, rtol=1e-5, atol=1e-5)
    assert computed.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(packed(images[:1]), expected[:1], rtol=1e-5, atol=1e-5)  # of another batch
    if size == (2, 20, 17):
        torch.testing.assert_close(  # of another size
            packed(images[..., :14, :]), F.conv2d(images[..., :14, :], weight, bias, **options), rtol=1e-5, atol=1e-5
        )


def test_numbers_that_are_not_finite_stay_what_they_are():
    images = torch.randn(2, 4, 8, 8)
    images[0, 0, 3, 3], images[1, 1, 5, 5] = float("nan"), float("inf")
    weight, bias = torch.randn(6, 4, 3, 3), torch.randn(6)
    packed = pack(images, weight, bias, (1, 1, 1, 1))
    assert packed is not None
    expected = F.conv2d(images, weight, bias, padding=1)
    assert expected.isnan().any()
    assert expected.isinf().any()
    assert torch.equal(packed(images).isnan(), expected.isnan())
    assert torch.equal(packed(images).isinf(), expected.isinf())


def test_what_onednn_has_no_part_in():
    images = torch.ones(1, 2, 4, 4).to(memory_format=torch.channels_last)
    assert packable(images, torch.float32)
    assert not packable(images.double(), torch.float64)
    assert not packable(images[0], torch.float32)
    assert not packable(images.contiguous(), torch.float32)
    assert not packable(images[:0], torch.float32)
    assert not packable(images.to("meta"), torch.float32)
    assert not packable(images.clone().requires_grad_(), torch.float32)
    with torch.no_grad():
        assert packable(images.clone().requires_grad_(), torch.float32)
    with torch.backends.mkldnn.flags(enabled=False):
        assert not packable(images, torch.float32)
    assert pack(images, torch.ones(1, 2, 3, 3), torch.ones(1), (1, "same", 1, 1)) is None


def network() -> nn.Module:
    return randomize(
        nn.Sequential(
            *(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
            *(nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(8), nn.SiLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)),
        )
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_folded_convolutions_are_packed_and_keep_their_precision(dtype, monkeypatch):
    model, images = network(), torch.randn(2, 3, 20, 20).to(memory_format=torch.channels_last)
    calls = []
    monkeypatch.setattr(folding, "pack", lambda *given: calls.append(given) or pack(*given))
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        folded = foldable(record(model, images, lambda output: output), model)
        trunk = Trunk(tuple(folded))
        results = []
        for _ in range(2):
            with Cut(None, below=trunk.below(model, images, ())):
                results.append(model(images))
        plain = {index: call for one in folded for index, call in one.replacements(packing=False).items()}
        with Cut(None, below=type(trunk.below(model, images, ()))(plain)):
            expected = model(images)
    bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert len(calls) == (2 if dtype == torch.float32 or bf16 else 0)  # once for each convolution
    assert {given[1].dtype for given in calls} <= {dtype}
    assert torch.equal(*results)
    torch.testing.assert_close(results[0], expected, rtol=2e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-5)


def test_weights_of_another_call_are_not_taken():
    """A pass that convolves with other weights at this place is another pass."""
    model, images = network(), torch.randn(2, 3, 20, 20).to(memory_format=torch.channels_last)
    folded = foldable(record(model, images, lambda output: output), model)
    trunk = Trunk(tuple(folded))
    with torch.no_grad(), Cut(None, below=trunk.below(model, images, ())):
        model(images)
    model[0].weight = nn.Parameter(model[0].weight.detach().clone())
    with (
        pytest.raises(Exception, match="took another path"),
        torch.no_grad(),
        Cut(None, below=trunk.below(model, images, ())),
    ):
        model(images)
