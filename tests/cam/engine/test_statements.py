"""Statements about the model and the question: mistakes are named, and every stated head gives the same maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError, UnsupportedError
from bincam.models import AttributeClassifier, build, make_card
from tests.conftest import ATTRIBUTES, randomize


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"torch.uint8.*floats.*preprocess"),
        (torch.zeros(3, 8, 8), r"\(B, C, H, W\), got \(3, 8, 8\)"),
        (torch.zeros(0, 3, 8, 8), "empty batch"),
        (np.zeros((1, 3, 8, 8)), "torch.Tensor.*ndarray"),
        (torch.full((2, 3, 8, 8), torch.nan), "2 of 2 images have NaN"),
        (torch.cat([torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), torch.inf)]), r"1 of 2 .*index 1"),
    ],
)
def test_bad_images(tiny: nn.Module, batch: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Explainer(tiny)(batch)


def test_wrong_channel_count_names_both(tiny: nn.Module) -> None:
    with pytest.raises(InputError, match=r"\(1, 1, 8, 8\).*3 channels"):
        Explainer(tiny)(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attributes": ["Smilling"], "names": ATTRIBUTES}, r"'Smilling'; did you mean 'Smiling'"),
        ({"attributes": ["Bald", "Bald"], "names": ATTRIBUTES}, "'Bald' is selected twice"),
        ({"names": ["a", "a", "b", "c"]}, "'a' is named twice"),
        ({"attributes": [], "names": ATTRIBUTES}, "no attribute"),
        ({"attributes": [9], "names": ATTRIBUTES}, "attribute 9 of a model with 4"),
        ({"names": ATTRIBUTES, "threshold": {"Bold": 1.0}}, r"unknown attribute 'Bold'; did you mean 'Bald'"),
        ({"names": ATTRIBUTES, "threshold": float("nan")}, "finite"),
        ({"method": "grad_cmm"}, "'grad_cmm'.*'grad_cam'"),
        ({"precision": "fp16"}, "'fp16'"),
        ({"chunk": 0}, "chunk=0"),
        ({"head": "logit"}, "head='logit'.*logits"),
    ],
)
def test_bad_statements(tiny: nn.Module, images: Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Explainer(tiny, **options)(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "needs labels"),
        (torch.zeros(3, 2), r"\(3, 2\).*\(3, 4\)"),
        (torch.tensor([[0, 1, 0, 1], [0, 1, 2, 1], [0, 0, 0, 0]]), "label 2 of image 1, attribute 2"),
        (torch.full((3, 4), 0.5), "label 0.5 of image 0, attribute 0.*12 are not"),
    ],
)
def test_bad_labels(tiny: nn.Module, images: Tensor, labels: Tensor | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Explainer(tiny)(images, "true", labels)


def test_unknown_side(tiny: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match=r"'postive'.*'positive'"):
        Explainer(tiny)(images, "postive")  # type: ignore[arg-type]


def test_names_that_do_not_fit_the_output_name_both(tiny: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match=r"shape \(1, 4\).*2 attributes"):
        Explainer(tiny, names=["a", "b"])(images)


def test_cam_is_refused_where_the_head_has_no_account(mlp: nn.Module, images: Tensor) -> None:
    with pytest.raises(UnsupportedError, match=r"'tanh'.*not affine.*another method"):
        Explainer(mlp, method="cam")(images)


def test_a_card_is_not_contradicted(tiny: nn.Module) -> None:
    card = make_card(
        attributes=ATTRIBUTES, architecture="factory", name="m:f", input_size=(12, 16), mean=(0,) * 3, std=(1,) * 3
    )
    model = AttributeClassifier(tiny, card)
    assert Explainer(model).selection.attributes == ATTRIBUTES
    with pytest.raises(InputError, match="card"):
        Explainer(model, head="logits")


class Returning(nn.Module):
    def __init__(self, inner: nn.Module, how: Any) -> None:
        super().__init__()
        self.inner = inner
        self.how = how

    def forward(self, images: Tensor) -> Any:
        return self.how(self.inner(images))


@pytest.mark.parametrize(
    ("how", "options"),
    [
        (torch.sigmoid, {"head": "probabilities"}),
        (lambda z: torch.stack([torch.zeros_like(z), z], -1), {"head": "two_logits"}),
        (lambda z: (None, z), {"output": 1}),
        (lambda z: {"aux": z * 0, "logits": z}, {"output": "logits"}),
        (lambda z: z, {"head": "margin"}),
    ],
)
def test_every_stated_head_gives_the_same_logits_and_maps(
    tiny: nn.Module, images: Tensor, how: Any, options: dict[str, Any]
) -> None:
    expected = Explainer(tiny.double(), ATTRIBUTES)(images.double())
    got = Explainer(Returning(tiny, how), names=ATTRIBUTES, **options)(images.double())
    torch.testing.assert_close(got.logits, expected.logits)
    torch.testing.assert_close(got.maps, expected.maps)
    assert got.kind == "exact"
    assert float(got.ledger().gap.abs().max()) < 1e-9


@pytest.mark.parametrize("how", [lambda z: z[:, 0], lambda z: z[:, :1]])
def test_single_logit(tiny: nn.Module, images: Tensor, how: Any) -> None:
    expected = Explainer(tiny, ["Smiling"], names=ATTRIBUTES)(images)
    got = Explainer(Returning(tiny, how), ["Smiling"])(images)
    assert got.logits.shape == (3, 1)
    torch.testing.assert_close(got.maps, expected.maps)


def test_saturated_probabilities_are_refused_with_their_count(tiny: nn.Module, images: Tensor) -> None:
    model = Returning(tiny, lambda z: torch.sigmoid(1e4 * z))
    with pytest.raises(InputError, match=r"12 of 12 probabilities are exactly 0 or 1"):
        Explainer(model, head="probabilities")(images)
    with pytest.raises(InputError, match=r"outside \[0, 1\].*before a sigmoid are head=.logits"):
        Explainer(Returning(tiny, lambda z: z * 10), head="probabilities")(images)


def test_built_models_explain_themselves() -> None:
    torch.manual_seed(0)
    model = randomize(build("resnet10t", ATTRIBUTES, input_size=(64, 48), thresholds={"Bald": 0.25}))
    explainer = Explainer(model)
    assert explainer.selection.thresholds.tolist() == [0, 0.25, 0, 0]
    picture = explainer.preprocess(Image.new("RGB", (80, 100), (255, 0, 0)))
    assert picture.shape == (3, 64, 48)
    assert explainer(picture[None]).maps.shape == (1, 4, 2, 2)
    assert explainer.anatomy((64, 48)).kind == "exact"
