"""Maps of the log-odds of an output in a set: identities, oracles, invariance, and planted evidence."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer, target, targets
from bincam.models import AttributeClassifier, make_card
from bincam.models.log_odds import set_log_odds
from tests.cam.sets.six_outputs import NAMES, RACE, SETS, network


def with_odds(model: nn.Sequential, image: Tensor, odds: float) -> nn.Sequential:
    """Move the bias of the first output so that its log-odds for an image are as given."""
    with torch.no_grad():
        now = set_log_odds(model(image[None])[:, RACE])[0, 0]
        model[-1].bias[0] += odds - now
    return model


PROBABILITIES = (1e-6, 1e-3, 0.38, 0.5, 0.9997, 1 - 1e-6, 1 - 1e-12)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_the_map_is_grad_cam_of_the_log_odds_and_sums_to_them(pictures: Tensor, p: float) -> None:
    model = with_odds(network(), pictures[0], math.log(p) - math.log1p(-p))
    explanation = Explainer(model, names=NAMES, one_of=SETS)(pictures, "positive")
    assert explanation.kind == "conditional"
    assert "weights of the alternatives fixed" in explanation.reason
    assert explanation.complete
    assert explanation.identity_gap.abs().max() < 1e-13
    assert explanation.probability[0, 0].item() == pytest.approx(p, rel=1e-9)
    features = model[:2](pictures).detach().requires_grad_()
    z = set_log_odds(model[2:](features)[:, RACE])
    for output in RACE:
        (gradient,) = torch.autograd.grad(z[:, output].sum(), features, retain_graph=True)
        weights = gradient.mean((-2, -1), keepdim=True)  # the pooling's 1 / hw is in the gradient
        expected = (weights * features).sum(1).detach()
        torch.testing.assert_close(explanation.maps[:, output], expected, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(explanation.logits[:, RACE], z.detach())
    torch.testing.assert_close(explanation.probability[:, RACE], model(pictures)[:, RACE].softmax(-1).detach())


@pytest.mark.parametrize("p", PROBABILITIES)
def test_float32_loses_no_digits(pictures: Tensor, p: float) -> None:
    model = with_odds(network(), pictures[0], math.log(p) - math.log1p(-p))
    exact = Explainer(model, names=NAMES, one_of=SETS)(pictures)
    single = Explainer(model.float(), names=NAMES, one_of=SETS)(pictures.float())
    scale = exact.maps.abs().max()
    assert (single.maps.double() - exact.maps).abs().max() < 2e-6 * scale
    assert (single.logits.double() - exact.logits).abs().max() < 2e-5
    assert single.identity_gap.abs().max() < 2e-5


@pytest.mark.parametrize("method", [name for name in METHODS if name != "cam"])
@pytest.mark.parametrize("head", ["linear", "norm", "mlp"])
def test_every_method_explains_the_log_odds_as_the_logit_of_a_model_that_returns_them(
    pictures: Tensor, method: str, head: str
) -> None:
    """The same gradients, features and sides as of a model with the log-odds as its outputs."""

    class Odds(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: Tensor) -> Tensor:
            scores = self.model(images)
            return torch.cat([set_log_odds(scores[:, RACE]), scores[:, 3:4]], 1)

    layers = {
        "linear": (nn.Linear(8, 6),),
        "norm": (nn.LayerNorm(8), nn.Linear(8, 6)),
        "mlp": (nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 6)),
    }
    model = network(*layers[head])
    own = Explainer(model, NAMES[:4], names=NAMES, one_of=SETS, method=method)(pictures, "positive")
    theirs = Explainer(Odds(model), names=NAMES[:4], method=method)(pictures, "positive")
    torch.testing.assert_close(own.maps, theirs.maps, rtol=1e-8, atol=1e-11)


def raw_grad_cam(model: nn.Sequential, images: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """Maps of pytorch-grad-cam before it rectifies and rescales them."""
    kept = []
    with GradCAM(model, [model[1]]) as runner:
        original = runner.get_cam_image

        def keep(*args: object) -> object:
            kept.append(original(*args))
            return kept[-1]

        runner.get_cam_image = keep
        runner(images, targets=[of] * len(images))
    return torch.as_tensor(kept[0]).double()


def test_oracles_on_the_log_odds(pictures: Tensor) -> None:
    """captum of a classifier with a card, and pytorch-grad-cam with bincam's target on the raw scores."""
    model = network()
    card = make_card(attributes=NAMES, architecture="factory", name="x:y", input_size=(9, 7), one_of=SETS)
    classifier = AttributeClassifier(model, card).eval()
    explanation = Explainer(classifier)(pictures, "positive")
    raw = Explainer(model, names=NAMES, one_of=SETS)(pictures, "positive")
    torch.testing.assert_close(explanation.maps, raw.maps)
    assert explanation.layer == "network.1"
    for output in RACE:
        captum = LayerGradCam(classifier, model[1]).attribute(pictures, target=output, relu_attributions=False)
        torch.testing.assert_close(explanation.maps[:, output], captum[:, 0], rtol=1e-9, atol=1e-12)
    for sign, side in ((1, "positive"), (-1, "negative")):
        theirs = raw_grad_cam(model, pictures, target(1, side, one_of=RACE))
        torch.testing.assert_close(sign * explanation.maps[:, 1], theirs, rtol=1e-4, atol=1e-7)
    signs = [t.sign for t in targets(model(pictures), 1, "predicted", one_of=RACE)]
    assert signs == Explainer(classifier)(pictures).side[:, 1].tolist()


def test_adding_one_vector_to_every_output_changes_raw_maps_alone(pictures: Tensor) -> None:
    model = network()
    changed = network()
    with torch.no_grad():
        changed[-1].weight[RACE] += torch.randn(8, dtype=torch.float64)
        changed[-1].bias[RACE] += 3.0
    for versus in (None, "runner_up", "mean", "Black"):
        options = {"names": NAMES, "one_of": SETS, "versus": versus}
        chosen = ["White", "Asian"]
        one, other = (Explainer(m, chosen, **options)(pictures) for m in (model, changed))
        torch.testing.assert_close(one.maps, other.maps, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(one.logits, other.logits)
        torch.testing.assert_close(one.ledger().bias_share, other.ledger().bias_share, equal_nan=True)
    one, other = (
        Explainer(m, ["White"], names=NAMES, one_of=SETS, versus="nothing")(pictures, "positive")
        for m in (model, changed)
    )
    assert (one.maps - other.maps).abs().max() > 0.1 * one.maps.abs().max()
    torch.testing.assert_close(one.probability, other.probability)


def test_planted_evidence_of_each_class_is_found_in_its_corner() -> None:
    """Channel c is bright in corner c alone; class c reads channel c, and all classes read a channel of the centre."""
    weight = torch.cat([4 * torch.eye(4), 9 * torch.ones(4, 1)], 1)

    class Corners(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grid = nn.Identity()
            self.head = nn.Linear(5, 4)
            self.head.weight = nn.Parameter(weight)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.grid(images * 1.0).mean((-2, -1)))

    images = torch.zeros(2, 5, 6, 6)
    corners = [(0, 0), (0, 5), (5, 0), (5, 5)]
    for channel, (row, column) in enumerate(corners):
        images[0, channel, row, column] = 1.0
    images[1, 2, 5, 0] = 20.0
    images[:, 4, 2:4, 2:4] = 5.0  # common to all classes: no evidence for any of them
    names = list("abcd")
    model = Corners().eval()
    explanation = Explainer(model, names=names, one_of={"corner": names}, layer="grid")(images, "positive")
    raw = Explainer(model, names=names, one_of={"corner": names}, layer="grid", versus="nothing")(images, "positive")
    for column, corner in enumerate(corners):
        evidence = explanation.maps[0, column]
        assert divmod(int(evidence.argmax()), 6) == corner
        assert evidence[2:4, 2:4].abs().max() < 1e-6
        assert all(evidence[other] < 0 for other in corners if other != corner)
        assert divmod(int(raw.maps[0, column].argmax()), 6) in [(2, 2), (2, 3), (3, 2), (3, 3)]
    assert explanation.predicted is not None
    assert explanation.predicted[1].tolist() == [False, False, True, False]
    assert divmod(int(explanation.maps[1, 2].argmax()), 6) == corners[2]
    assert divmod(int(explanation.maps[1, 0].argmin()), 6) == corners[2]
