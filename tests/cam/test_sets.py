"""Explanations of outputs of which exactly one is true: identities, oracles, invariance, and planted evidence."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer, flips, smooth, target, targets
from bincam.cam.request import Request
from bincam.cam.selection import select
from bincam.errors import InputError, UnsupportedError
from bincam.metrics import deletion, infidelity, randomisation
from bincam.models import AttributeClassifier, make_card
from bincam.models.log_odds import set_log_odds

NAMES = ("White", "Black", "Asian", "Male", "young", "old")
SETS = {"race": ["White", "Black", "Asian"], "age": ["old", "young"]}
RACE = [0, 1, 2]


def network(*head: nn.Module, outputs: int = 6, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = head or (nn.Linear(8, outputs),)
    body = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*body, *layers).double().eval()


@pytest.fixture
def pictures() -> Tensor:
    return torch.randn(5, 3, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


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


@pytest.mark.parametrize("method", ["grad_cam", "fullgrad", "hirescam"])
@pytest.mark.parametrize("top", [None, 2])
@pytest.mark.parametrize("versus", ["runner_up", "mean", "nothing"])
def test_linear_questions_are_exact(pictures: Tensor, versus: str, top: int | None, method: str) -> None:
    model = network()
    explanation = Explainer(model, names=NAMES, one_of=SETS, versus=versus, top=top, method=method)(pictures)
    scores = model(pictures).detach()
    assert (explanation.kind, explanation.complete) == ("exact", True)
    assert explanation.identity_gap.abs().max() < 1e-12
    assert explanation.ledger().gap.abs().max() < 1e-12
    assert explanation.alternatives is not None
    assert not explanation.alternatives.any()
    own = Explainer(model, names=NAMES, one_of=SETS)(pictures)
    for image in range(5):
        for column, name in enumerate(explanation.output_names(image)):
            place = NAMES.index(name)
            members = next(([NAMES.index(n) for n in s] for s in SETS.values() if name in s), [place])
            others = [scores[image, m] for m in members if m != place]
            expected = {
                "runner_up": scores[image, place] - max(others, default=torch.tensor(0.0)),
                "mean": scores[image, place] - (scores[image, members].mean() if others else 0.0),
                "nothing": scores[image, place],
            }[versus]
            assert explanation.logits[image, column].item() == pytest.approx(float(expected))
            assert explanation.probability[image, column].item() == pytest.approx(own.probability[image, place].item())


def test_a_named_rival(pictures: Tensor) -> None:
    model = network()
    explanation = Explainer(model, names=NAMES, one_of=SETS, versus="Black")(pictures, "positive")
    raw = Explainer(model, names=NAMES)(pictures, "positive")
    assert explanation.attributes == ("White", "Asian")
    torch.testing.assert_close(explanation.maps, raw.maps[:, [0, 2]] - raw.maps[:, 1:2])
    with pytest.raises(InputError, match="'Male' is not one of them"):
        Explainer(model, ["White", "Male"], names=NAMES, one_of=SETS, versus="Black")
    with pytest.raises(InputError, match="versus='Blck'; did you mean 'Black'"):
        Explainer(model, names=NAMES, one_of=SETS, versus="Blck")
    with pytest.raises(InputError, match="'Male' is a yes-or-no attribute"):
        Explainer(model, names=NAMES, one_of=SETS, versus="Male")
    with pytest.raises(InputError, match="none are stated; state them with one_of="):
        Explainer(model, names=NAMES, versus="runner_up")
    with pytest.raises(InputError, match="is a question, but also the name of an output"):
        Explainer(network(outputs=2), names=("mean", "b"), one_of={"x": ["mean", "b"]}, versus="mean")
    best = Explainer(model, names=NAMES, one_of=SETS, top=1)(pictures).output_names(0)[1]
    with pytest.raises(InputError, match="image 0 would be explained for this output itself"):
        Explainer(model, names=NAMES, one_of=SETS, top=1, versus=best)(pictures[:1])


class Flattened(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()), nn.Linear(5 * 7 * 5, 6)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).flatten(1))


class Tokens(nn.Module):
    """A token without a position is averaged with the cells, and a norm follows."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm, self.head = nn.Conv2d(3, 5, 3), nn.LayerNorm(5), nn.Linear(5, 6)
        self.token = nn.Parameter(torch.randn(5))

    def forward(self, images: Tensor) -> Tensor:
        cells = self.body(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token * cells.mean(1, keepdim=True), cells], 1)
        return self.head(self.norm(tokens.mean(1)))


class Highest(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 5, 3), nn.Linear(5, 6)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).amax((-2, -1)))


@pytest.mark.parametrize("head", [Flattened, Tokens, Highest])
def test_every_head_that_decomposes_does_so_for_all_outputs_and_for_few(
    pictures: Tensor, head: type[nn.Module]
) -> None:
    torch.manual_seed(0)
    model = head().double().eval()
    whole = Explainer(model, names=NAMES, one_of=SETS, method="cam")(pictures, "positive")
    raw = Explainer(model, names=NAMES, method="cam")(pictures, "positive")
    assert whole.complete
    assert whole.identity_gap.abs().max() < 1e-12
    few = Explainer(model, ["Asian", "old"], names=NAMES, one_of=SETS, method="cam")(pictures, "positive")
    best = Explainer(model, names=NAMES, one_of=SETS, method="cam", top=1)(pictures, "positive")
    for explanation in (few, best):
        assert explanation.identity_gap.abs().max() < 1e-12
        for image in range(5):
            columns = [NAMES.index(name) for name in explanation.output_names(image)]
            torch.testing.assert_close(explanation.maps[image], whole.maps[image, columns])
            torch.testing.assert_close(explanation.bias[image], whole.bias[image, columns])
            torch.testing.assert_close(
                explanation.decomposition.prefix[image], whole.decomposition.prefix[image, columns]
            )
    weights = raw.logits[:, [0, 2]].softmax(-1)  # of the alternatives to Black
    others = (weights[..., None, None] * raw.maps[:, [0, 2]]).sum(1)
    torch.testing.assert_close(whole.maps[:, 1], raw.maps[:, 1] - others)


# -- decisions and the ledger ------------------------------------------------------------------------------------------


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


def test_a_subset_is_explained_with_the_scores_of_the_whole_set(pictures: Tensor) -> None:
    whole = Explainer(network(), names=NAMES, one_of=SETS)(pictures)
    part = Explainer(network(), ["Asian", "Male", "White"], names=NAMES, one_of=SETS)(pictures)
    for field in ("maps", "logits", "side", "predicted", "alternatives"):
        torch.testing.assert_close(getattr(part, field), getattr(whole, field)[:, [2, 3, 0]])
    torch.testing.assert_close(
        Explainer(network(), ["Asian"], names=NAMES, one_of=SETS).logits(pictures), whole.logits[:, 2:3]
    )


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


def test_sets_of_two_and_yes_or_no_attributes_keep_the_kind_of_their_head(pictures: Tensor) -> None:
    for chosen in (["old", "Male"], ["young"]):
        explanation = Explainer(network(), chosen, names=NAMES, one_of=SETS)(pictures)
        assert (explanation.kind, explanation.reason) == ("exact", "mean pooling, then affine layers")
        assert explanation.identity_gap.abs().max() < 1e-13
    alone = Explainer(network(), ["Male"], names=NAMES, one_of=SETS)(pictures)
    assert (alone.sets, alone.alternatives, alone.predicted) == ((), None, None)
    torch.testing.assert_close(alone.maps, Explainer(network(), ["Male"], names=NAMES)(pictures).maps)


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


# -- the outputs with the highest scores -------------------------------------------------------------------------------


def test_top_explains_the_best_outputs_of_each_image(pictures: Tensor) -> None:
    model = network()
    whole = Explainer(model, names=NAMES, one_of=SETS)(pictures)
    labels = torch.tensor([[0, 1, 0, 1, 0, 1]] * 5)
    for batch_size in (None, 2):
        explainer = Explainer(model, names=NAMES, one_of=SETS, top=2, batch_size=batch_size)
        explanation = explainer(pictures, labels=labels)
        ranks = ("Male", "race: 1st", "race: 2nd", "race: true", "age: 1st", "age: 2nd", "age: true")
        assert explanation.attributes == ranks
        for image in range(5):
            names = explanation.output_names(image)
            assert names[3] == "Black"
            assert names[6] == "old"
            order = whole.logits[image, RACE].argsort(descending=True)
            assert [NAMES.index(name) for name in names[1:3]] == order[:2].tolist()
            columns = [NAMES.index(name) for name in names]
            for field in ("maps", "logits", "side", "predicted", "alternatives"):
                torch.testing.assert_close(getattr(explanation, field)[image], getattr(whole, field)[image, columns])
        torch.testing.assert_close(explainer.logits(pictures, like=explanation), explanation.logits)
        torch.testing.assert_close(explainer(pictures, like=explanation).maps, explanation.maps)
    with pytest.raises(InputError, match="it needs no attributes="):
        Explainer(model, ["White"], names=NAMES, one_of=SETS, top=1)
    with pytest.raises(InputError, match="it needs sets of outputs"):
        Explainer(model, names=NAMES, top=1)
    with pytest.raises(InputError, match="it needs at least 1"):
        Explainer(model, names=NAMES, one_of=SETS, top=0)
    with pytest.raises(InputError, match="image 0 has 0 true labels in set 'race'"):
        Explainer(model, names=NAMES, one_of=SETS, top=1)(pictures, labels=torch.zeros(5, 6))


def test_references_are_fitted_per_output_and_serve_every_question(pictures: Tensor) -> None:
    model = network()
    labels = torch.tensor([[1, 0, 0, 1, 0, 1], [0, 1, 0, 0, 1, 0], [0, 0, 1, 1, 1, 0]] * 2)[:5]
    whole = Explainer(model, names=NAMES, one_of=SETS)
    reference = whole.fit_reference([(pictures, labels)])
    evidence = whole(pictures).decomposition.evidence
    positive, negative = (evidence[labels[:, 1] == value][:, 1].mean(0) for value in (1, 0))
    torch.testing.assert_close(reference.grid[1], (positive + negative) / 2)
    ledger = whole(pictures).ledger(reference)
    assert ledger.gap.abs().max() < 1e-13
    best = Explainer(model, names=NAMES, one_of=SETS, top=1)
    torch.testing.assert_close(best.fit_reference([(pictures, labels)]).grid, reference.grid)
    explanation = best(pictures)
    own = explanation.ledger(reference)
    for image in range(5):
        column = NAMES.index(explanation.output_names(image)[1])
        torch.testing.assert_close(own.bias[image, 1], ledger.bias[image, column])


@pytest.mark.parametrize("top", [None, 1])
def test_changed_copies_are_explained_for_the_outputs_of_the_clean_image(pictures: Tensor, top: int | None) -> None:
    explainer = Explainer(network().float(), names=NAMES, one_of=SETS, versus="runner_up", top=top)
    images = pictures.float()
    clean = explainer(images)
    symmetric = flips(explainer, images + images.flip(-1)).maps
    torch.testing.assert_close(symmetric, symmetric.flip(-1), rtol=1e-3, atol=1e-5)
    noiseless = smooth(explainer, images, samples=2, noise=0.0)
    torch.testing.assert_close(noiseless.maps, clean.maps)
    smooth(explainer, images, samples=1, noise=5.0)
    assert infidelity(explainer, images, clean, patches=3).unexplained.shape == clean.logits.shape
    assert deletion(explainer, images, clean, steps=2).scores.shape[:2] == clean.logits.shape
    assert randomisation(explainer, images, stages=1, draws=1).correlation.shape[-2:] == clean.logits.shape


# -- heads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["softmax", "log_softmax"])
def test_heads_that_end_in_a_softmax_are_exact_in_a_set(pictures: Tensor, last: str) -> None:
    model = network(nn.Linear(8, 3))
    ending = nn.Softmax(-1) if last == "softmax" else nn.LogSoftmax(-1)
    names, sets = ("a", "b", "c"), {"set": ("a", "b", "c")}
    head = "probabilities" if last == "softmax" else "logits"
    plain = Explainer(model, names=names, one_of=sets)(pictures)
    ended = nn.Sequential(*model, ending)
    explanation = Explainer(ended, names=names, one_of=sets, head=head)(pictures)
    assert explanation.kind == "conditional"
    assert f"the {last} cancels in the logit" in explanation.reason
    torch.testing.assert_close(explanation.maps, plain.maps)
    torch.testing.assert_close(explanation.logits, plain.logits)
    assert explanation.identity_gap.abs().max() < 1e-12
    assert Explainer(ended, names=names, one_of=sets, head=head, versus="mean")(pictures).kind == "exact"
    raw = Explainer(ended, names=names, one_of=sets, head=head, versus="nothing")
    with pytest.raises(UnsupportedError, match="needs the scores before the softmax"):
        raw(pictures)
    card = make_card(attributes=names, architecture="factory", name="x:y", input_size=(9, 7), one_of=sets, head=head)
    torch.testing.assert_close(Explainer(AttributeClassifier(ended, card))(pictures).maps, plain.maps)


def test_heads_without_sums_for_sets_are_refused() -> None:
    for head in ("margin", "two_logits"):
        with pytest.raises(InputError, match=f"head='{head}'"):
            Explainer(network(), names=NAMES, one_of=SETS, head=head)
    with pytest.raises(InputError, match="pass names="):
        Explainer(network(), one_of=SETS)
    card = make_card(attributes=NAMES, architecture="factory", name="x:y", input_size=(9, 7))
    with pytest.raises(InputError, match="omit these arguments"):
        Explainer(AttributeClassifier(network(), card), one_of=SETS)
    with pytest.raises(InputError, match="names 'Whte'"):
        Explainer(network(), names=NAMES, one_of={"race": ["Whte", "Black"]})


class ThreeHeads(nn.Module):
    """As FairFace's outputs, from heads of their own."""

    def __init__(self, collect: Callable[[dict[str, Tensor]], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.race, self.gender, self.age = nn.Linear(8, 7), nn.Linear(8, 2), nn.Linear(8, 9)
        self.collect = collect

    def forward(self, images: Tensor) -> object:
        pooled = self.body(images).mean((-2, -1))
        return self.collect({name: getattr(self, name)(pooled) for name in ("race", "gender", "age")})


@pytest.mark.parametrize(
    ("collect", "output"),
    [
        (dict, ["race", "gender", "age"]),
        (lambda heads: list(heads.values()), [0, 1, 2]),
        (lambda heads: tuple(heads.values()), (-3, -2, -1)),
    ],
)
def test_three_heads_are_one_model(collect: Callable[[dict[str, Tensor]], object], output: list[str | int]) -> None:
    names = [f"r{n}" for n in range(7)] + ["woman", "man"] + [f"a{n}" for n in range(9)]
    sets = {"race": names[:7], "gender": names[7:9], "age": names[9:]}
    model = ThreeHeads(collect).eval()
    images = torch.randn(3, 3, 10, 10)
    explanation = Explainer(model, names=names, one_of=sets, output=output)(images)
    assert explanation.kind == "conditional"
    assert explanation.complete
    assert explanation.identity_gap.abs().max() < 1e-5
    linear = Explainer(model, names=names, one_of=sets, output=output, versus="mean")(images)
    assert linear.kind == "exact"
    heads = ThreeHeads(dict)(images)
    for name, columns in (("race", slice(0, 7)), ("gender", slice(7, 9)), ("age", slice(9, 18))):
        torch.testing.assert_close(explanation.probability[:, columns], heads[name].softmax(-1).detach())
    card = make_card(
        attributes=names, architecture="factory", name="x:y", input_size=(10, 10), one_of=sets, output=output
    )
    torch.testing.assert_close(Explainer(AttributeClassifier(model, card))(images).maps, explanation.maps)


def test_heads_of_pairs_are_joined_to_attributes() -> None:
    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(3, 4, 3)
            self.heads = nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 2)])

        def forward(self, images: Tensor) -> list[Tensor]:
            pooled = self.body(images).mean((-2, -1))
            return [head(pooled) for head in self.heads]

    model, images = Pairs().eval(), torch.randn(3, 3, 8, 8)
    explanation = Explainer(model, names=["a", "b"], head="two_logits", output=[0, 1])(images)
    assert explanation.kind == "exact"
    expected = torch.stack([pair[:, 1] - pair[:, 0] for pair in model(images)], 1).detach()
    torch.testing.assert_close(explanation.logits, expected)
    with pytest.raises(InputError, match="cannot be joined, because their shapes differ: 0 "):
        Explainer(ThreeHeads(lambda heads: [heads["race"], heads["age"][:, :, None]]), output=[0, 1])(images)


# -- a model whose evidence is known -----------------------------------------------------------------------------------


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
