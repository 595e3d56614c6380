"""Models with further inputs: inputs= adds them to every pass, also to probes and to copies of one image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer
from bincam.errors import InputError
from bincam.models import AttributeClassifier, make_card


class WithAge(nn.Module):
    """Adds a function of a number per image to the pooled features."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
        self.head, self.shift = nn.Linear(6, 2), nn.Linear(1, 2)

    def forward(self, images: Tensor, meta: Tensor) -> Tensor:
        return self.head(self.body(images).mean((-2, -1))) + self.shift(meta)


class TwoViews(nn.Module):
    """Reads a mirrored copy of the channels beside the image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Conv2d(6, 6, 3), nn.Linear(6, 2)

    def forward(self, images: Tensor, *, mirrored: Tensor) -> Tensor:
        return self.head(self.body(torch.cat([images, mirrored], 1)).mean((-2, -1)))


class Gated(WithAge):
    """The further input changes the head's weights, not only its constant."""

    def forward(self, images: Tensor, meta: Tensor) -> Tensor:
        return self.head(self.body(images).mean((-2, -1)) * (1 + meta)) + self.shift(meta)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 10, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def ages() -> Tensor:
    return torch.tensor([[0.5], [-1.0], [3.0], [0.0]])


@pytest.mark.parametrize("method", [*METHODS, "score_cam"])
@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_each_image_is_explained_with_its_own_further_inputs(
    images: Tensor, ages: Tensor, method: str, batch_size: int | None
) -> None:
    model = WithAge().eval()
    explainer = Explainer(
        model, names=["a", "b"], method=method, batch_size=batch_size, inputs=lambda pictures: (pictures, ages)
    )
    explanation = explainer(images, "positive")
    torch.testing.assert_close(explanation.logits, model(images, ages).detach())
    torch.testing.assert_close(explainer.logits(images), explanation.logits)
    assert explanation.kind == "exact"
    for image in range(4):
        age = ages[image : image + 1]
        alone = Explainer(
            model, names=["a", "b"], method=method, inputs=lambda one, age=age: {"images": one, "meta": age}
        )
        torch.testing.assert_close(alone(images[image : image + 1], "positive").maps[0], explanation.maps[image])
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("kind", [WithAge, Gated])
def test_the_head_of_each_image_contains_its_further_inputs(images: Tensor, ages: Tensor, kind: type[WithAge]) -> None:
    model = kind().eval()
    explanation = Explainer(model, inputs=lambda pictures: (pictures, ages))(images)
    assert explanation.kind == "exact"
    assert explanation.identity_gap.abs().max() < 1e-5
    torch.testing.assert_close(explanation.bias, (model.head.bias + model.shift(ages)).detach())
    again = Explainer(model, inputs=lambda pictures: (pictures, ages[:1].expand(len(pictures), -1)))
    torch.testing.assert_close(again(images).maps[0], explanation.maps[0])
    assert again(images).identity_gap.abs().max() < 1e-5


def test_inputs_that_are_computed_from_the_images(images: Tensor) -> None:
    model = TwoViews().eval()
    explainer = Explainer(model, inputs=lambda pictures: {"images": pictures, "mirrored": pictures.flip(1)})
    explanation = explainer(images)
    torch.testing.assert_close(explanation.logits, model(images, mirrored=images.flip(1)).detach())
    assert explanation.kind == "exact"
    assert explanation.identity_gap.abs().max() < 1e-5


def test_a_model_with_a_second_input_is_refused_with_one_line_and_the_advice_works(
    images: Tensor, ages: Tensor
) -> None:
    with pytest.raises(InputError, match=r"takes 2 inputs \(images, meta\); pass inputs=") as caught:
        Explainer(WithAge())
    assert "\n" not in str(caught.value)
    card = make_card(attributes=("a", "b"), architecture="factory", name="x:y", input_size=(10, 12))
    with pytest.raises(InputError, match=r"takes 2 inputs \(images, meta\)"):
        Explainer(AttributeClassifier(WithAge(), card))

    class Alone(nn.Module):  # what a factory would return
        def __init__(self) -> None:
            super().__init__()
            self.model = WithAge()

        def forward(self, pictures: Tensor) -> Tensor:
            return self.model(pictures, pictures.new_zeros(len(pictures), 1))

    factory = Explainer(AttributeClassifier(Alone(), card).eval())(images)
    stated = Explainer(AttributeClassifier(WithAge(), card).eval(), inputs=lambda pictures: (pictures, 0 * ages))(
        images
    )
    torch.testing.assert_close(factory.maps, stated.maps)
    with pytest.raises(InputError, match="inputs= returned a Tensor; expected a tuple"):
        Explainer(WithAge().eval(), inputs=lambda pictures: pictures)(images)


def test_no_hook_remains_after_an_error(images: Tensor) -> None:
    model = WithAge().eval()

    with pytest.raises(InputError, match=r"inputs= raised RuntimeError for images of shape \(1, 3, 10, 12\)"):
        Explainer(model, inputs=lambda pictures: (pictures, torch.cat([torch.zeros(3, 1), pictures])))(images)
    of_others = torch.zeros(3, 1)
    with pytest.raises((InputError, RuntimeError)):
        Explainer(model, inputs=lambda pictures: (pictures, of_others))(images)
    assert not model._forward_pre_hooks
