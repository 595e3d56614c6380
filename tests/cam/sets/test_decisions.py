"""Decisions in a set, of which exactly one output is taken: the ledger, thresholds, labels, and undefined scores."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.cam.requests.request import Request
from bincam.cam.requests.selection import select
from bincam.errors import InputError
from bincam.metrics import randomisation
from bincam.models import AttributeClassifier, make_card
from tests.cam.sets.six_outputs import NAMES, RACE, SETS, network


def test_exactly_one_output_of_a_set_is_taken_and_the_ledger_balances(pictures: Tensor) -> None:
    explanation = Explainer(network(), names=NAMES, one_of=SETS)(pictures)
    taken = explanation.side == 1
    assert taken[:, RACE].sum(1).tolist() == [1] * 5
    assert taken[:, 4:].sum(1).tolist() == [1] * 5
    assert torch.equal(explanation.predicted, taken)
    ledger = explanation.ledger()
    torch.testing.assert_close(ledger.support - ledger.opposition, explanation.side * explanation.logits)
    assert ledger.gap.abs().max() < 1e-13
    assert explanation.alternatives is not None
    torch.testing.assert_close(ledger.alternatives, explanation.side * explanation.alternatives)
    assert not ledger.alternatives[:, 3:].any(), "a yes-or-no attribute and a set of two have none"
    assert (explanation.alternatives[:, RACE] < 0).all()
    assert (explanation.alternatives[:, RACE] >= -math.log(2) - 1e-12).all()
    bias = explanation.side * explanation.decomposition.bias
    torch.testing.assert_close(ledger.bias_share, torch.where(bias > 0, bias, 0.0) / ledger.support)
    below = [(i, a) for i in range(5) for a in range(3) if taken[i, a] and explanation.logits[i, a] < 0]
    assert below, "the fixture has an image whose prediction has p < 1/2"
    image, column = below[0]
    assert explanation.taken_with(image, column) == pytest.approx(explanation.probability[image, column].item())
    assert f"{NAMES[column]}, taken with p = 0." in repr(
        Explainer(network(), names=NAMES, one_of=SETS)(pictures[[image]])
    )
    assert ledger.support[image, column] < ledger.opposition[image, column]


def test_thresholds_of_outputs_in_sets_are_refused_and_the_advice_works(pictures: Tensor) -> None:
    with pytest.raises(InputError, match="give thresholds by name"):
        Explainer(network(), names=NAMES, one_of=SETS, threshold=0.5)
    with pytest.raises(InputError, match="threshold has one for 'White' of set 'race'"):
        Explainer(network(), names=NAMES, one_of=SETS, threshold={"White": 0.5})
    explanation = Explainer(network(), names=NAMES, one_of=SETS, threshold={"Male": 50.0})(pictures)
    assert (explanation.side[:, 3] == -1).all()
    assert (
        Explainer(network(), ["Male"], names=NAMES, one_of=SETS, threshold=50.0)(pictures).side.tolist() == [[-1]] * 5
    )


def test_a_classifier_with_sets_is_borrowed(pictures: Tensor) -> None:
    card = make_card(attributes=NAMES, architecture="factory", name="x:y", input_size=(9, 7), one_of=SETS)
    classifier = AttributeClassifier(network(), card).train()
    classifier.network[0].eval()
    before = [(module, module.training, dict(module._forward_hooks)) for module in classifier.modules()]
    explainer = Explainer(classifier)
    assert explainer.model is classifier
    explainer(pictures)
    assert [(module, module.training, dict(module._forward_hooks)) for module in classifier.modules()] == before
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert randomisation(explainer, pictures, stages=2, draws=1).stages[0] == "network.4"
    changed = card.model_copy(update={"thresholds": {"White": 1.0}})  # which does not validate
    with pytest.raises(InputError, match="the card has one for 'White' of set 'race'"):
        Explainer(AttributeClassifier(network(), changed))


def test_equal_scores_take_the_first_and_nan_leaves_the_whole_set_undefined(pictures: Tensor) -> None:
    model = network()
    with torch.no_grad():
        model[-1].weight[RACE], model[-1].bias[RACE] = 0.0, 0.0
    explanation = Explainer(model, names=NAMES, one_of=SETS)(pictures)
    assert explanation.side[:, RACE].tolist() == [[1, -1, -1]] * 5
    assert explanation.probability[:, RACE].flatten().tolist() == pytest.approx([1 / 3] * 15)
    assert not explanation.maps[:, RACE].any()

    scores = network()(pictures).detach()
    scores[:, 1] = torch.nan
    for versus in (None, "runner_up", "mean", "nothing"):
        request = Request(select(NAMES, None, None, {}, SETS), versus)
        columns = request.combination(scores)
        z = columns.explained()
        assert z[:, RACE].isnan().all()
        assert request.sides(columns, z)[:, RACE].isnan().all()
        assert z[:, 3:].isfinite().all()
        assert not request.decided(columns)[:, RACE].any()


@pytest.mark.parametrize("method", ["grad_cam", "score_cam"])
def test_a_model_with_nan_in_one_score_has_no_maps_of_its_set(pictures: Tensor, method: str) -> None:
    class Holed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()

        def forward(self, images: Tensor) -> Tensor:
            scores = self.model(images)
            hole = torch.zeros_like(scores)
            hole[:, 1] = torch.nan
            return scores + hole

    if method == "score_cam":
        with pytest.raises(InputError, match="the side of image 0 is unknown"):
            Explainer(Holed(), ["Asian"], names=NAMES, one_of=SETS, method=method)(pictures)
        return
    explanation = Explainer(Holed(), names=NAMES, one_of=SETS, method=method)(pictures)
    whole = Explainer(network(), names=NAMES, one_of=SETS)(pictures)
    for values in (explanation.logits, explanation.side, explanation.maps.sum((-2, -1))):
        assert values[:, RACE].isnan().all()
    for field in ("maps", "logits", "side"):
        torch.testing.assert_close(getattr(explanation, field)[:, 3:], getattr(whole, field)[:, 3:])


def test_the_true_side_and_labels(pictures: Tensor) -> None:
    labels = torch.tensor([[0, 1, 0, 1, 0, 1]] * 5)
    explainer = Explainer(network(), names=NAMES, one_of=SETS)
    assert explainer(pictures, "true", labels).side[0].tolist() == [-1, 1, -1, 1, -1, 1]
    with pytest.raises(InputError, match="image 3 has several true labels in set 'race'"):
        explainer(pictures, "true", labels.index_put((torch.tensor(3), torch.tensor(0)), torch.tensor(1)))
