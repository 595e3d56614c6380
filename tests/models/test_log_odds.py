"""Log-odds of outputs of which exactly one is true, against exact arithmetic and autograd, and their decision."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from torch import Tensor

from bincam.errors import InputError
from bincam.models import AttributeClassifier, build, make_card
from bincam.models.heads import check_probabilities, logits_of, raw_scores
from bincam.models.log_odds import (
    DENSE,
    alternative_entropy,
    alternative_means,
    alternative_weights,
    centred,
    decide,
    log_odds,
    set_log_odds,
    undefined,
)

NAN = float("nan")


def exact_log_odds(scores: list[float], place: int) -> float:
    """z with 60 digits."""
    with mpmath.workdps(60):
        others = mpmath.fsum(mpmath.exp(mpmath.mpf(r)) for at, r in enumerate(scores) if at != place)
        return float(mpmath.mpf(scores[place]) - mpmath.log(others))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probability", [1e-30, 1e-6, 1e-3, 0.2, 0.5, 0.9997, 1 - 1e-6, 1 - 1e-12])
@pytest.mark.parametrize("shift", [0.0, 500.0, -500.0])
def test_log_odds_have_no_cancellation(probability: float, dtype: torch.dtype, shift: float) -> None:
    odds = float(mpmath.log(probability) - mpmath.log1p(-probability))
    scores = torch.tensor([[odds, 0.3, -0.2, -1.5, -40.0]], dtype=dtype) + shift
    exact = [exact_log_odds(scores[0].double().tolist(), place) for place in range(5)]
    z = set_log_odds(scores)[0].double()
    allowed = 4 * torch.finfo(dtype).eps * scores.abs().max().item()
    assert z.tolist() == pytest.approx(exact, rel=4 * torch.finfo(dtype).eps, abs=allowed)
    torch.testing.assert_close(z.sigmoid(), scores[0].double().softmax(-1), rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("top", [-13.8, 0.0, 8.1, 27.6])
def test_the_gradient_of_log_odds_is_one_less_the_weights_of_the_alternatives(top: float) -> None:
    scores = torch.tensor([[top, 0.3, -0.2, 0.3]], dtype=torch.float64, requires_grad=True)
    (jacobian,) = (torch.autograd.functional.jacobian(lambda r: set_log_odds(r)[0], scores)[:, 0],)
    weights = alternative_weights(scores.detach(), torch.arange(4))[0]
    torch.testing.assert_close(jacobian, torch.eye(4, dtype=torch.float64) - weights, rtol=1e-12, atol=1e-15)


def test_two_outputs_are_their_difference_bit_for_bit() -> None:
    scores = torch.randn(1000, 2) * 100
    z = set_log_odds(scores)
    assert torch.equal(z[:, 1], scores[:, 1] - scores[:, 0])
    assert torch.equal(z[:, 0], scores[:, 0] - scores[:, 1])
    assert torch.equal(z[:, 1:], logits_of(scores, "two_logits", 1, 1000))


def test_what_all_outputs_have_in_common_has_no_effect() -> None:
    scores = torch.randn(20, 6, dtype=torch.float64)
    sets = {"set": (0, 2, 4, 5)}
    shifted = scores.clone()
    shifted[:, [0, 2, 4, 5]] += torch.randn(20, 1, dtype=torch.float64)
    torch.testing.assert_close(log_odds(shifted, sets), log_odds(scores, sets))
    torch.testing.assert_close(log_odds(centred(scores, sets), sets), log_odds(scores, sets))
    assert torch.equal(log_odds(scores, sets)[:, [1, 3]], scores[:, [1, 3]])
    assert log_odds(scores, {}) is scores


def test_equal_scores_nan_and_infinity() -> None:
    equal = torch.zeros(1, 4)
    assert set_log_odds(equal)[0].tolist() == pytest.approx([-math.log(3)] * 4)
    assert decide(equal, {"set": range(4)}).tolist() == [[True, False, False, False]]
    holed = torch.tensor([[1.0, NAN, 0.0, 2.0]])
    z = log_odds(holed, {"set": (0, 1, 2)})
    assert z.isnan().tolist() == undefined(holed, {"set": (0, 1, 2)}).tolist() == [[True, True, True, False]]
    assert decide(holed, {"set": (0, 1, 2)}).tolist() == [[False, False, False, True]]
    impossible = set_log_odds(torch.tensor([[0.0, 0.0, -torch.inf]]))
    assert impossible.tolist() == [[0.0, 0.0, -math.inf]]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_a_highest_score_that_is_infinite_and_shared_decides_nothing(k: int) -> None:
    inf, sets = math.inf, {"set": range(k)}
    ties = torch.tensor([[-inf] * k, [inf] * k, [inf, inf, *[0.0] * (k - 2)], [*[1.0] * (k - 1), NAN]])
    beside = torch.cat([ties, torch.tensor([[0.5]] * 4)], 1)  # a yes-or-no attribute, which is not affected
    expected = [[True] * k + [False]] * 4
    assert undefined(beside, sets).tolist() == expected
    assert log_odds(beside, sets).isnan().tolist() == expected
    assert decide(beside, sets).tolist() == [[False] * k + [True]] * 4
    # Its twin: one infinite score decides.
    single = torch.tensor([[0.0, inf, *[0.0] * (k - 2)], [-inf] * (k - 1) + [-7.0]])
    assert decide(single, sets).int().argmax(1).tolist() == [1, k - 1]
    assert decide(single, sets).sum(1).tolist() == [1, 1]
    assert not undefined(single, sets).any()
    assert log_odds(single, sets).tolist() == [[-inf, inf, *[-inf] * (k - 2)], [-inf] * (k - 1) + [inf]]


def test_a_set_decides_by_its_highest_score_whatever_the_sign_and_the_threshold() -> None:
    scores = torch.tensor([[-1.0, -0.5, -0.5, 0.2], [3.0, 1.0, 2.0, -0.2]])
    sets = {"set": (0, 1, 2)}
    expected = [[False, True, False, True], [True, False, False, False]]
    assert decide(scores, sets).tolist() == expected
    assert decide(scores, sets, torch.tensor([5.0, 5.0, -5.0, 0.0])).tolist() == expected
    assert decide(log_odds(scores, sets), sets).tolist() == expected
    assert decide(scores, {}, 0.0).tolist() == (scores >= 0).tolist()


def weighted(values: Tensor, scores: Tensor) -> Tensor:
    """Σ_{b≠a} π_b v_b, written out."""
    rows = []
    for place in range(scores.shape[1]):
        rest = [other for other in range(scores.shape[1]) if other != place]
        weights = scores[:, rest].softmax(-1)
        rows.append((weights[..., None] * values[:, rest]).sum(1))
    return torch.stack(rows, 1)


@pytest.mark.parametrize("sure", [0.0, 8.0, 30.0])
@pytest.mark.parametrize("count", [3, DENSE, DENSE + 40])
@pytest.mark.parametrize("shared", [False, True])
def test_means_of_alternatives_of_many_outputs_are_those_written_out(sure: float, count: int, shared: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, count, generator=generator)
    scores[:, 1] += sure
    values = torch.randn(1 if shared else 3, count, 5, generator=generator)
    exact = weighted(values.double().expand(3, -1, -1), scores.double())
    every = torch.arange(count)
    assert float((alternative_means(values, scores, every) - exact).abs().max()) < 2e-6
    few = torch.tensor([[1, 0], [1, 2], [2, 1]])
    chosen = exact[torch.arange(3)[:, None], few]
    assert float((alternative_means(values, scores, few) - chosen).abs().max()) < 2e-6


def test_the_entropy_completes_the_log_odds() -> None:
    scores = torch.randn(5, 130, dtype=torch.float64) * 3
    every = torch.arange(130)
    linear = scores - alternative_means(scores[..., None], scores, every)[..., 0]
    torch.testing.assert_close(linear - alternative_entropy(scores, every), set_log_odds(scores))
    assert alternative_entropy(torch.zeros(1, 5), torch.arange(5)).tolist()[0] == pytest.approx([math.log(4)] * 5)
    assert alternative_entropy(torch.randn(3, 2), torch.arange(2)).abs().max() == 0


# -- heads and cards ---------------------------------------------------------------------------------------------------


def test_probabilities_of_a_set_are_taken_back_to_scores() -> None:
    scores = torch.randn(6, 5, dtype=torch.float64)
    sets = {"set": (3, 0, 1)}
    values = scores.sigmoid()
    values[:, [3, 0, 1]] = scores[:, [3, 0, 1]].softmax(-1)
    torch.testing.assert_close(logits_of(values, "probabilities", 5, 6, sets), log_odds(scores, sets))
    torch.testing.assert_close(raw_scores(values, "probabilities", 5, 6, sets)[:, [2, 4]], scores[:, [2, 4]])


def test_probabilities_that_do_not_sum_to_one_are_refused_and_the_advice_works() -> None:
    scores = torch.tensor([[0.5, 2.0, 1.0]])
    sets = {"hair": (0, 1, 2)}
    with pytest.raises(InputError, match=r"set 'hair' do not sum to 1 in 1 of 1 images \(the first sums to 3\.5\)"):
        logits_of(scores, "probabilities", 3, 1, sets)
    torch.testing.assert_close(logits_of(scores, "logits", 3, 1, sets), set_log_odds(scores))
    with pytest.raises(InputError, match="outputs of separate sigmoids are attributes of their own, in no set"):
        logits_of(scores.sigmoid(), "probabilities", 3, 1, sets)
    torch.testing.assert_close(logits_of(scores.sigmoid(), "probabilities", 3, 1), scores)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.0, 0.4, 0.6, 0.5], "1 of 3 probabilities are exactly 0 .* without its final softmax, and head='logits'"),
        ([-0.5, 1.0, 0.5, 0.5], "1 of 3 outputs are outside"),
        ([NAN, 0.5, 0.5, 0.5], "1 of 3 probabilities are NaN"),
        ([0.2, 0.2, 0.6, 1.0], "1 of 1 probabilities are exactly 0 or 1 .* without its final sigmoid"),
    ],
)
def test_probabilities_without_a_finite_logit_are_refused(values: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_probabilities(torch.tensor([values]), one_of={"set": (0, 1, 2)})
    check_probabilities(torch.tensor([[1e-30, 1.0, 1e-30, 0.5]]), one_of={"set": (0, 1, 2)})


FIELDS = {"attributes": ("a", "b", "c", "d"), "architecture": "factory", "name": "mine:make", "input_size": (8, 8)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"head": "margin"}, "head='margin' is a regression of each output on its own"),
        ({"head": "two_logits"}, "name both outputs of a pair, and state the pair as a set with head='logits'"),
        ({"thresholds": {"a": 0.1}}, "thresholds has one for 'a' of set 'set', which has none"),
        ({"tuned_thresholds": {"b": 0.1}}, "tuned_thresholds has one for 'b' of set 'set'"),
        ({"output": ()}, "output is an empty list"),
        ({"output": ("x", "x")}, "output names a head twice: x, x"),
    ],
)
def test_cards_with_sets_refuse_what_a_set_cannot_have(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_card(**FIELDS, one_of={"set": ["a", "b", "c"]}, **fields)
    make_card(**FIELDS, one_of={"set": ["a", "b", "c"]}, thresholds={"d": 0.1})


def test_a_pair_stated_as_a_set_has_the_logits_of_two_logits() -> None:
    """The advice to those who state a set of pairs."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    pair = AttributeClassifier(network, make_card(**{**FIELDS, "attributes": ("yes",)}, head="two_logits"))
    fields = {**FIELDS, "attributes": ("no", "yes")}
    as_set = AttributeClassifier(network, make_card(**fields, one_of={"answer": ["no", "yes"]}))
    images = torch.randn(7, 1, 2, 2)
    assert torch.equal(pair(images)[:, 0], as_set(images)[:, 1])
    assert torch.equal(as_set.scores(images), network(images))


def test_a_classifier_returns_log_odds_and_its_raw_scores_give_the_cross_entropy() -> None:
    names = ["a", "b", "c", "d"]
    model = build("resnet10t", names, input_size=(64, 64), one_of={"set": ["a", "b", "c"]}).eval()
    images = torch.randn(2, 3, 64, 64)
    z, scores = model(images), model.scores(images)
    torch.testing.assert_close(z[:, :3].sigmoid(), scores[:, :3].softmax(-1))
    torch.testing.assert_close(z[:, 3], scores[:, 3])
    true = torch.tensor([2, 0])
    entropy = torch.nn.functional.cross_entropy(scores[:, :3], true)
    torch.testing.assert_close(torch.nn.functional.softplus(-z[[0, 1], true]).mean(), entropy)
    with pytest.raises(InputError, match="names 'e'"):
        build("resnet10t", names, one_of={"set": ["a", "e"]})
