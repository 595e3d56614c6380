"""Models whose logits combine several pooled tensors: the refusal names layers, and each of them can be explained."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import UnsupportedError
from tests.conftest import randomize

A = 3


class Towers(nn.Module):
    """Two convolutions, each pooled for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(8, A)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.cat([self.left(images).mean((2, 3)), self.right(images).mean((2, 3))], 1))


class TokenAndPatches(nn.Module):
    """A class token beside the mean of the patches, as in Dinov2; with ``maximum`` their maximum, as in VOLO."""

    def __init__(self, *, maximum: bool = False) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.before = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.after = nn.LayerNorm(8)
        self.head, self.second = nn.Linear(8, A), nn.Linear(8, A)
        self.maximum = maximum

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(images), -1, -1), patches], 1)
        normed = self.before(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        tokens = self.after(tokens)
        rest = self.second(tokens[:, 1:])
        return self.head(tokens[:, 0]) + (rest.amax(1) if self.maximum else rest.mean(1))


class Apart(nn.Module):
    """Pooled tensors that no module returns: there is nothing to name."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 4, 3, 1, 1))
        self.head = nn.Linear(8, A)

    def forward(self, images: Tensor) -> Tensor:
        pooled = [torch.conv2d(images, weight).mean((2, 3)) for weight in self.weight]
        return self.head(torch.cat(pooled, 1))


def noise(count: int) -> Tensor:
    return torch.randn(count, 3, 12, 16, generator=torch.Generator().manual_seed(1))


def refusal(model: nn.Module) -> tuple[str, list[str]]:
    with pytest.raises(UnsupportedError, match="the logits combine 2 pooled tensors") as caught:
        Explainer(model)(noise(2))
    return str(caught.value), re.findall(r"layer='([^']+)'", str(caught.value))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Towers, ["left", "right"]),
        (TokenAndPatches, ["after"]),
        # Above the last attention a cell reaches the logits only where it is the maximum, so an earlier layer is named.
        (lambda: TokenAndPatches(maximum=True), ["before"]),
    ],
)
def test_the_layers_that_a_refusal_names_can_be_explained(make, expected) -> None:
    torch.manual_seed(0)
    model = randomize(make())
    message, layers = refusal(model)
    assert layers == expected
    assert "\n" not in message
    for layer in layers:
        explanation = Explainer(model, layer=layer, method="hirescam")(noise(2), "positive")
        assert explanation.kind == "diagnostic"
        assert explanation.bias is None
        assert f"what passes through {layer!r} alone" in explanation.reason
        assert (explanation.maps != 0).all()
        assert (explanation.identity_gap.abs() > 1e-4).any()  # measured, not claimed to be nothing


def test_the_named_branches_of_two_towers_add_up_to_the_logit() -> None:
    torch.manual_seed(0)
    model = randomize(Towers()).double()
    images = noise(2).double()
    parts = [Explainer(model, layer=layer, method="hirescam")(images, "positive").maps for layer in refusal(model)[1]]
    total = sum(part.sum((-2, -1)) for part in parts) + model.head.bias
    torch.testing.assert_close(total, model(images))


def test_where_no_module_returns_a_grid_the_refusal_names_none() -> None:
    torch.manual_seed(0)
    message, layers = refusal(Apart())
    assert not layers
    assert "no module before them returns one tensor with a grid" in message
