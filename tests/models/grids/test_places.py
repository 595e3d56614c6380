"""Cells of a tensor as places in the image: models with a known truth, and planted wrong orders that are noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bincam.cam import Explainer
from bincam.errors import UnsupportedError
from bincam.models import resolve
from bincam.models.grids.placement import prove
from bincam.models.grids.spread import spreads_as_claimed
from tests.models.grids.token_models import GRID, noise, read


@pytest.mark.parametrize("turn", [lambda x: x.flip(3), lambda x: x.transpose(2, 3), lambda x: x.rot90(2, (2, 3))])
def test_images_turned_inside_the_model_are_turned_back(turn: Callable[[Tensor], Tensor]) -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 6, 4, stride=4)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.embed(turn(images)).mean((2, 3)))

    torch.manual_seed(0)
    model = Turned().double().eval()
    image = noise().double()
    explanation = Explainer(model, method="cam")(image)
    assert explanation.kind == "exact"
    cells = functional.conv2d(image, turn(model.embed.weight), model.embed.bias, stride=4)
    evidence = torch.einsum("bchw,ac->bahw", cells, model.head.weight) / 15
    assert explanation.decomposition is not None
    torch.testing.assert_close(explanation.decomposition.evidence, evidence.detach())


def test_half_of_the_image_is_not_stretched_over_the_whole() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Conv2d(3, 6, 4, stride=4)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            left, right = images[..., :8], images[..., 8:]
            return self.head(self.encoder(left).mean((2, 3)) + self.encoder(right).mean((2, 3)))

    torch.manual_seed(0)
    with pytest.raises(UnsupportedError, match="runs 2 times in one pass, on parts or copies of the image"):
        resolve(Halves().eval(), noise((12, 16)), read, layer="encoder")


def test_the_proof_sees_a_wrong_order_of_cells() -> None:
    """Planted: a layout that names other cells than its twin, on the same tensor."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ).eval()
    images = noise((24, 32))
    layer = resolve(model, images, read).layer
    cells = torch.arange(48).reshape(6, 8)
    wrong = {
        "permuted": torch.randperm(48, generator=torch.Generator().manual_seed(0)),
        "mirrored": cells.flip(1).flatten(),
        "upside down": cells.flip(0).flatten(),
        "shifted": cells.flatten().roll(4),
        "windows": cells.reshape(3, 2, 4, 2).transpose(1, 2).flatten(),
    }
    layers = [layer, *(replace(layer, layout=replace(layer.layout, cells=tuple(c.tolist()))) for c in wrong.values())]
    proofs = prove(model, images, read, layers)
    assert [proof.holds for proof in proofs] == [True] + [False] * len(wrong)
    assert proofs[0].agreement == 1.0
    assert proofs[0].reaches


def test_a_convolution_over_the_whole_grid_is_a_head() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.ReLU(), nn.Conv2d(5, 7, GRID), nn.Flatten(), nn.Linear(7, 2))
    model = model.double().eval()
    explanation = Explainer(model, method="cam")(noise(count=2).double())
    assert (explanation.kind, tuple(explanation.maps.shape[-2:])) == ("exact", GRID)
    assert float(explanation.identity_gap.abs().max()) < 1e-12
    model.insert(3, nn.ReLU())
    assert resolve(model, noise().double(), read).kind == "diagnostic"
    assert resolve(model, noise().double(), read).layer.layout.grid == GRID


def test_a_spread_over_wrong_cells_is_noticed() -> None:
    """Planted: weights of a flattened grid in another order, and a token without a place counted as a cell."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.Flatten(), nn.Linear(5 * 15, 2)).eval()
    anatomy = resolve(model, noise(), read)
    assert anatomy.weight is not None
    claim = (model, noise(), read, anatomy.layer, "flatten")
    assert spreads_as_claimed(*claim, anatomy.weight)
    assert not spreads_as_claimed(*claim, anatomy.weight.flip(-1))
    assert not spreads_as_claimed(*claim, anatomy.weight.roll(1, -2))
    averaged = anatomy.weight.sum((-2, -1))  # the same sum over cells of equal features
    assert not spreads_as_claimed(*claim[:-1], "mean", averaged)


def test_other_readers_of_the_pooled_tensor_are_noticed() -> None:
    class Corner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 6, 4, stride=4)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            features = self.embed(images)
            return self.head(features.mean((2, 3)) + features[:, :, 0, 0])

    torch.manual_seed(0)
    anatomy = resolve(Corner().eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name) == ("diagnostic", "embed")
