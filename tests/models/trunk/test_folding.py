"""Folded convolutions: the same numbers as the network, and no others where anything else reads what they compute."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from bincam.models.tracing.cut import Cut, Place
from bincam.models.tracing.trace import record
from bincam.models.trunk.folding import foldable
from bincam.models.trunk.trunk import Trunk
from tests.conftest import randomize


def of_class(norm: nn.Module, convolution: nn.Module) -> nn.Module:
    """A convolution, its normalisation, and a head."""
    return randomize(
        nn.Sequential(convolution, norm, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    )


def both(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, int]:
    """Logits of the model's own calls, logits with folded ones, and how many are folded."""
    trace = record(model, images, lambda output: output)
    folded = foldable(trace, model)
    with torch.no_grad(), Cut(None, below=Trunk(tuple(folded)).below(model, images, ())):
        return trace.logits, model(images), len(folded)


CONVOLUTIONS = {
    "plain": lambda: nn.Conv2d(4, 8, 3, padding=1, bias=False),
    "with a bias": lambda: nn.Conv2d(4, 8, 3),
    "grouped": lambda: nn.Conv2d(4, 8, 3, stride=2, groups=2),
    "of each channel": lambda: nn.Conv2d(4, 8, 3, dilation=2, groups=4),
    "padded by name": lambda: nn.Conv2d(4, 8, 3, padding="same"),
    "padded by reflection": lambda: nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"),
    "transposed": lambda: nn.ConvTranspose2d(4, 8, 3, stride=2, output_padding=1),
    "transposed in groups": lambda: nn.ConvTranspose2d(4, 8, 3, groups=2),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("affine", [True, False])
def test_folded_convolutions_compute_the_same(name, affine):
    torch.manual_seed(0)
    model = of_class(nn.BatchNorm2d(8, affine=affine), CONVOLUTIONS[name]()).double()
    images = torch.randn(2, 4, 9, 10, dtype=torch.float64)
    expected, computed, folded = both(model, images)
    assert folded == 1
    assert torch.allclose(computed, expected, rtol=1e-12, atol=1e-13)


def test_a_hand_case():
    """W = 3, b = 1, μ = 2, σ² + ε = 4, γ = 5, β = 7: W' = 7.5 and b' = 4.5."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=1.0)).eval()
    for tensor, value in zip((*model[0].parameters(), *model[1].parameters()), (3.0, 1.0, 5.0, 7.0), strict=True):
        tensor.data.fill_(value)
    model[1].running_mean.fill_(2.0)
    model[1].running_var.fill_(3.0)
    (folded,) = foldable(record(model, torch.ones(1, 1, 1, 1), lambda output: output), model)
    assert (folded.weight.item(), folded.bias.item()) == (7.5, 4.5)
    assert model[0].weight.item() == 3.0


class Twice(nn.Module):
    """One convolution that runs twice, with a normalisation of its own each time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.conv(self.first(self.conv(images)).relu())).mean((2, 3))


def test_shared_weights_are_folded_call_by_call():
    expected, computed, folded = both(randomize(Twice()), torch.randn(2, 4, 9, 9))
    assert folded == 2
    assert torch.allclose(computed, expected, atol=1e-6)


class Other(nn.Module):
    """A convolution and a normalisation, with something between them or beside them."""

    def __init__(self, between: str) -> None:
        super().__init__()
        self.conv, self.norm, self.between = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), between

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)
        if self.between == "a branch that reads the convolution":
            return (self.norm(x) + x).mean((2, 3))
        if self.between == "a value that is read":
            return self.norm(x).mean((2, 3)) * float(x.max())
        if self.between == "a change in place":
            x += 1.0
        if self.between == "an activation":
            x = x.relu()
        return self.norm(x).mean((2, 3))


@pytest.mark.parametrize(
    "between",
    ["a branch that reads the convolution", "a value that is read", "a change in place", "an activation"],
)
def test_convolutions_with_other_readers_are_not_folded(between):
    expected, computed, folded = both(randomize(Other(between)), torch.randn(2, 4, 9, 9))
    assert folded == 0
    assert torch.equal(computed, expected)


NORMS = {
    "statistics of the batch": lambda: nn.BatchNorm2d(8, track_running_stats=False),
    "of groups": lambda: nn.GroupNorm(2, 8),
}


@pytest.mark.parametrize("name", NORMS)
def test_normalisations_without_fixed_statistics_are_not_folded(name):
    model = nn.Sequential(nn.Conv2d(4, 8, 3), NORMS[name]()).eval()
    assert both(model, torch.randn(2, 4, 9, 9))[2] == 0


def test_a_normalisation_in_training_mode_is_not_folded():
    model = of_class(nn.BatchNorm2d(8), nn.Conv2d(4, 8, 3))
    model[1].train()
    assert both(model, torch.randn(2, 4, 9, 9))[2] == 0


def test_weights_that_a_pass_computes_are_not_folded():
    """Nothing would tell when they have changed: timm's standardised weights, parametrised ones, generated ones."""
    from timm.layers import StdConv2d

    standardised = of_class(nn.BatchNorm2d(8), StdConv2d(4, 8, 3))
    parametrised = of_class(nn.BatchNorm2d(8), parametrizations.weight_norm(nn.Conv2d(4, 8, 3)))
    for model in (standardised, parametrised):
        expected, computed, folded = both(model, torch.randn(2, 4, 9, 9))
        assert folded == 0
        assert torch.equal(computed, expected)


def test_half_precision_is_not_folded():
    model = of_class(nn.BatchNorm2d(8), nn.Conv2d(4, 8, 3)).bfloat16()
    assert both(model, torch.randn(2, 4, 9, 9).bfloat16())[2] == 0


def test_pairs_above_the_explained_tensor_are_left():
    """A cut between a convolution and its normalisation, and above, keeps what the model itself computes there."""
    model = randomize(Twice())
    images = torch.randn(2, 4, 9, 9)
    trace = record(model, images, lambda output: output)
    trunk = Trunk(tuple(foldable(trace, model)))
    convolution = next(call for call in trace.calls.values() if call.function is F.conv2d and call.index > 1)
    place = Place(convolution.index, convolution.name, "output")
    with torch.no_grad(), (cut := Cut(place, below=trunk.below(model, images, [place]))):
        model(images)
    assert torch.allclose(cut.kept[0], convolution.output, atol=1e-6)
    norm = next(one.norm for one in trunk.folded if one.convolution == convolution.index)
    assert not torch.allclose(cut.kept[0], trace.calls[norm].output, atol=1e-2)
