"""An error of a model's own forward is told in a line with the model's name, wherever the model is called."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam import Explainer
from bincam.errors import InputError
from bincam.models import AttributeClassifier, make_card
from bincam.models.borrowing.borrow import evaluating
from tests.conftest import ATTRIBUTES, TinyNet

ERRORS = (
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    ZeroDivisionError,
    NotImplementedError,
    RuntimeError,
)


class Failing(TinyNet):
    error: type[Exception] | None = None

    def forward(self, images: Tensor) -> Tensor:
        if self.error is not None:
            raise self.error("of\nits own")
        return super().forward(images)


@pytest.mark.parametrize("error", ERRORS)
def test_it_names_the_model_and_keeps_the_cause(images: Tensor, error: type[Exception]) -> None:
    model = Failing().train()
    explainer = Explainer(model, ATTRIBUTES)
    model.error = error
    for call in (explainer, explainer.logits):
        with pytest.raises(InputError) as caught:
            call(images)
        assert "of" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "Failing" in str(caught.value) or "the model does not take images" in str(caught.value)
        assert isinstance(caught.value.__cause__, error)
    assert model.training


def test_later_passes_and_classifiers_with_a_card_likewise(images: Tensor) -> None:
    card = make_card(attributes=ATTRIBUTES, architecture="factory", name="mine:make", input_size=(12, 16))
    network = Failing()
    explainer = Explainer(AttributeClassifier(network, card))
    explainer(images)
    network.error = IndexError
    with pytest.raises(InputError, match="mine:make: its forward raised IndexError: of"):
        explainer(images)


def test_an_error_outside_of_the_model_s_forward_is_not_its_own() -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(TypeError), evaluating(model):  # noqa: PT012  # it is raised after a pass
        model(torch.zeros(1, 1))
        raise TypeError("of the caller")
