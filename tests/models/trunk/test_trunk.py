"""A folded network is accepted where it differs by rounding, and refused where it computes something else."""

import pytest
import torch
from torch import nn

from bincam.models.trunk import trunk as trunk_room
from bincam.models.trunk.trunk import trunk_of


class Amplifying(nn.Module):
    """A convolution with its normalisation, whose output is amplified so that its last bits reach the logits."""

    def __init__(self, factor):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 2)
        self.factor = factor

    def forward(self, images):
        return self.head((self.factor * self.norm(self.conv(images))).sin().mean((2, 3)))


@pytest.fixture
def network():
    def make(factor):
        torch.manual_seed(0)
        model = Amplifying(factor).eval()
        with torch.no_grad():
            model.norm.running_mean.uniform_(-1, 1)
            model.norm.running_var.uniform_(0.5, 2)
        return model

    return make


def trunk(model):
    probe = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    return trunk_of(model, model, probe, lambda raw: raw, "folded", weights=0)


@pytest.mark.parametrize("factor", [1.0, 3e4])
def test_rounding_is_accepted_however_much_the_network_amplifies_it(network, factor):
    assert trunk(network(factor)).kind == "folded"


@pytest.mark.parametrize("factor", [1.0, 3e4])
def test_another_computation_is_refused(network, monkeypatch, factor):
    right = trunk_room.foldable

    def wrong(trace, model):
        found = right(trace, model)
        for one in found:
            one.bias = one.bias * 1.01
        return found

    monkeypatch.setattr(trunk_room, "foldable", wrong)
    refused = trunk(network(factor))
    assert refused.kind == "eager"
    assert "something else" in refused.reason
    assert refused.falls_back
