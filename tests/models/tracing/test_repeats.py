"""A module that runs on parts or copies of an image is refused by its name, and the advice gives the right map."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam import Explainer
from bincam.cam import flips
from bincam.errors import UnsupportedError


class Net(nn.Module):
    """Stem, encoder, mean pooling, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.encoder = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(self.stem(images)).mean((2, 3)))


class FlipAverage(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Net()

    def forward(self, images: Tensor) -> Tensor:
        return (self.net(images) + self.net(images.flip(-1))) / 2


class FlipAverageInOneBatch(FlipAverage):
    def forward(self, images: Tensor) -> Tensor:
        return self.net(torch.cat([images, images.flip(-1)])).unflatten(0, (2, -1)).mean(0)


class Crops(FlipAverage):
    def forward(self, images: Tensor) -> Tensor:
        corners = torch.stack([images[..., :6, :6], images[..., -6:, -6:]], 1)  # (B, 2, C, H, W)
        return self.net(corners.flatten(0, 1)).unflatten(0, (-1, 2)).mean(1)


class Halves(Net):
    def forward(self, images: Tensor) -> Tensor:
        left, right = self.stem(images).chunk(2, -1)
        return self.head((self.encoder(left).mean((2, 3)) + self.encoder(right).mean((2, 3))) / 2)


class Siamese(Net):
    def forward(self, images: Tensor) -> Tensor:
        other = self.encoder(self.stem(0.5 * images))
        return self.head(self.encoder(self.stem(images)).mean((2, 3)) - other.amax((2, 3)))


@pytest.mark.parametrize("kind", [FlipAverage, FlipAverageInOneBatch, Crops])
def test_copies_are_refused_at_every_layer(kind: type[nn.Module], images: Tensor) -> None:
    model = kind().eval()
    for layer in (None, "net.stem", "net.encoder", "net.encoder.0", "net.encoder.1"):
        for count in (1, 2):
            with pytest.raises(UnsupportedError, match=r"parts or copies of (the image|it).*none.*bincam\.cam\.flips"):
                Explainer(model, layer=layer)(images[:count])


def test_the_advice_for_mirrored_images_gives_their_map(images: Tensor) -> None:
    model = FlipAverage().eval()
    symmetric = flips(Explainer(model.net), images, "positive")
    with torch.no_grad():
        logits = model(images)
    evidence = symmetric.maps.sum((2, 3)) + model.net.head.bias
    torch.testing.assert_close(evidence, logits)  # in place, and complete


def test_halves_are_refused_and_a_layer_that_is_listed_can_be_explained(images: Tensor) -> None:
    model = Halves().eval()
    for layer in (None, "encoder", "encoder.0"):
        with pytest.raises(UnsupportedError, match=r"'encoder(\.0)?' runs 2 times.*layers with a grid: stem;"):
            Explainer(model, layer=layer)(images)
    bright = images.clone()
    bright[..., :4, 12:] += 20
    change = Explainer(model, layer="stem", method="hirescam")
    difference = (change(bright, "positive").maps - change(images, "positive").maps).abs().sum((0, 1))
    assert difference[:5, 11:].sum() > 0.9 * difference.sum()


def test_two_towers_of_one_module_are_refused_by_name(images: Tensor) -> None:
    model = Siamese().eval()
    with pytest.raises(UnsupportedError, match="because module 'encoder' runs 2 times"):
        Explainer(model)(images)
    with pytest.raises(UnsupportedError, match="layer 'stem' runs 2 times"):
        Explainer(model, layer="stem")(images)


def test_halves_joined_again_are_one_map(images: Tensor) -> None:
    class Joined(Halves):
        def forward(self, images: Tensor) -> Tensor:
            halves = [self.encoder(half) for half in self.stem(images).chunk(2, -1)]
            return self.head(torch.cat(halves, 3).mean((2, 3)))

    explanation = Explainer(Joined().eval())(images)
    assert explanation.kind == "exact"
    assert explanation.maps.shape == (3, 2, 12, 16)


class Repeated(Net):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        features = self.encoder(self.stem(images))
        for _ in range(3):
            features = self.block(features)
        return self.head(features.mean((2, 3)))


def test_a_module_that_runs_on_its_own_output_is_explained_at_the_last(images: Tensor) -> None:
    model = Repeated().eval()
    named, default = Explainer(model, layer="block")(images), Explainer(model)(images)
    assert torch.equal(named.maps, default.maps)
    assert named.complete


def test_pytorch_grad_cam_would_explain_the_first_run(images: Tensor) -> None:
    model = Repeated().eval()
    with pytest.raises(UnsupportedError, match="'block' runs 3 times in one pass; pass layer="):
        Explainer(model, method="score_cam")(images)
    assert Explainer(model, method="score_cam", layer="encoder")(images).maps.any()


def test_a_run_that_reaches_no_logit_does_not_count(images: Tensor) -> None:
    class Auxiliary(Net):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            self.encoder(self.stem(images.flip(-1)))
            return logits

    torch.manual_seed(0)
    named = Explainer(Auxiliary().eval(), layer="encoder")(images)
    torch.testing.assert_close(named.maps, Explainer(Net().eval(), layer="encoder")(images).maps)
