"""Images in plain order where a model does not take channels-last ones: the same maps, nothing to set, nothing said."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.models.borrowing.borrow import channels_last
from bincam.models.tracing.memory_order import plain_image, takes_channels_last
from tests.conftest import TinyNet, randomize


class Viewing(TinyNet):
    """LeNet's style: the grid is flattened by ``view``."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6 * 48, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.flat(self.features(images)))

    def flat(self, features: Tensor) -> Tensor:
        return features.view(features.size(0), -1)


class Reshaping(Viewing):
    def flat(self, features: Tensor) -> Tensor:
        return features.reshape(len(features), -1)


class Classifying(Viewing):
    """VGG's style: two layers after the view, which is not the first call on the grid."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(6 * 48, 6)

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        return self.head(F.relu(self.hidden(features.view(-1, 6 * 48))))


class Strided(TinyNet):
    """Reads memory in the order in which it expects it, without an error."""

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        flat = features.as_strided((len(features), 6, 48), (6 * 48, 48, 1))
        return self.head(flat.mean(2))


def made(kind: type[TinyNet]) -> nn.Module:
    torch.manual_seed(0)
    return randomize(kind())


def noise(*size: int) -> Tensor:
    return torch.randn(2, 3, *(size or (12, 16)), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("method", ["cam", "grad_cam", "fullgrad", "score_cam"])
def test_a_view_gets_the_maps_of_its_twin_without_a_word(method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = "conv2" if method == "score_cam" else None  # the activation behind it runs twice
        viewing = Explainer(made(Viewing), method=method, layer=layer)
        explanation = viewing(noise(), "positive")
        scores = viewing.logits(noise())
    expected = Explainer(made(Reshaping), method=method, layer=layer)(noise(), "positive")
    assert explanation.kind == expected.kind == "exact"
    torch.testing.assert_close(explanation.maps, expected.maps)
    torch.testing.assert_close(scores, expected.logits)


@pytest.mark.parametrize("kind", [Viewing, Classifying])
def test_scores_alone_are_retried_too(kind: type[TinyNet]) -> None:
    model = made(kind)
    explainer = Explainer(model, names=list("abcd"))
    with torch.no_grad():
        torch.testing.assert_close(explainer.logits(noise()), model(noise()))
    assert explainer.anatomy((12, 16)).layer.layout.grid == (6, 8)


def test_an_order_that_changes_the_result_is_not_used() -> None:
    model = made(Strided)
    assert not takes_channels_last(model, noise())
    with torch.no_grad():
        torch.testing.assert_close(Explainer(model)(noise()).logits, model(noise()))


def test_the_order_is_remembered_and_nothing_else_changes() -> None:
    model = made(Viewing).train()
    model.bn.eval()
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    pointers = [parameter.data_ptr() for parameter in model.parameters()]
    state = torch.get_rng_state()
    assert not takes_channels_last(model, noise())
    assert len(calls) <= 2
    assert not takes_channels_last(model, noise())
    assert len(calls) <= 2
    assert torch.equal(torch.get_rng_state(), state)
    assert [parameter.data_ptr() for parameter in model.parameters()] == pointers
    assert model.training
    assert not model.bn.training
    assert takes_channels_last(made(TinyNet), noise())


def test_weights_in_channels_last_order_are_part_of_the_question() -> None:
    model = made(Viewing)
    with channels_last(model), pytest.raises(RuntimeError, match="view"):
        model(noise())
    assert not takes_channels_last(model, noise())


def test_a_size_that_no_order_cures_keeps_its_reason() -> None:
    with pytest.raises(InputError, match=r"does not take images of shape \(1, 3, 20, 20\)"):
        Explainer(made(Viewing))(noise(20, 20))


def test_an_image_for_the_question_has_the_models_type() -> None:
    image = plain_image(made(TinyNet).double(), 3, (12, 16))
    assert image.dtype == torch.float64
    assert image.shape == (1, 3, 12, 16)
