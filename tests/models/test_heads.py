"""Raw outputs to logits: hand-computed values, and errors that name the input."""

from __future__ import annotations

import dataclasses
from collections import namedtuple

import pytest
import torch

from bincam.errors import InputError
from bincam.models.heads import check_probabilities, logits_of, probability, select_output


def test_logits_pass_through_and_one_attribute_may_lack_its_axis():
    z = torch.randn(3, 4)
    assert torch.equal(logits_of(z, "logits", 4, 3), z)
    assert torch.equal(logits_of(z[:, 0], "logits", 1, 3), z[:, :1])
    assert torch.equal(logits_of(z[:, :1], "margin", 1, 3), z[:, :1])


def test_two_logits_are_the_positive_score_minus_the_negative():
    scores = torch.tensor([[[1.0, 4.0], [2.0, -1.0]]])
    assert torch.equal(logits_of(scores, "two_logits", 2, 1), torch.tensor([[3.0, -3.0]]))
    assert torch.equal(logits_of(scores[:, 0], "two_logits", 1, 1), torch.tensor([[3.0]]))


def test_probabilities_give_their_logits_back():
    z = torch.linspace(-8, 8, 12, dtype=torch.float64).reshape(3, 4)
    taken_back = logits_of(z.sigmoid(), "probabilities", 4, 3)
    torch.testing.assert_close(taken_back, z, rtol=0, atol=1e-10)
    torch.testing.assert_close(probability(taken_back, "probabilities"), z.sigmoid())


def test_a_softmax_over_two_classes_gives_the_difference_of_their_scores_back():
    scores = 6 * torch.randn(5, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z = scores[..., 1] - scores[..., 0]
    torch.testing.assert_close(logits_of(scores.softmax(-1), "probabilities", 3, 5), z)
    torch.testing.assert_close(logits_of(scores[:, 0].softmax(-1), "probabilities", 1, 5), z[:, :1])
    torch.testing.assert_close(logits_of(scores.log_softmax(-1), "two_logits", 3, 5), z)
    torch.testing.assert_close(probability(z, "probabilities"), scores.softmax(-1)[..., 1])
    # In float32 1 - p is rounded, log p1 - log p0 is not: z = 30 comes back.
    sure = torch.tensor([[0.0, 30.0]])
    assert logits_of(sure.softmax(-1), "probabilities", 1, 1).item() == pytest.approx(30, rel=1e-6)


def test_pairs_that_do_not_sum_to_one_are_refused_and_the_advice_works():
    scores = torch.tensor([[0.5, 2.0], [1.0, -1.0]])
    with pytest.raises(InputError, match=r"2 of 2 pairs do not sum to 1 \(the first sums to 2\.5\).*head='two_logits'"):
        logits_of(scores, "probabilities", 1, 2)
    assert logits_of(scores, "two_logits", 1, 2).tolist() == [[1.5], [-2.0]]
    with pytest.raises(
        InputError, match=r"outputs of separate sigmoids are attributes of their own, in shape \(B, names\)"
    ):
        logits_of(scores.sigmoid(), "probabilities", 1, 2)
    torch.testing.assert_close(logits_of(scores.sigmoid(), "probabilities", 2, 2), scores)


def test_a_margin_is_a_probability_within_its_ends():
    assert probability(torch.tensor([-3.0, -1.0, 0.0, 0.5, 2.0]), "margin").tolist() == [0, 0, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("shape", "head", "count", "parts"),
    [
        ((3, 5), "logits", 4, ["(3, 5)", "head='logits'", "4 attributes", "(3, 4)"]),
        ((3,), "logits", 4, ["(3,)", "(3, 4)"]),
        ((2, 4), "logits", 4, ["(2, 4)", "(3, 4)"]),
        ((3, 2), "logits", 1, ["(3, 2)", "two_logits"]),
        ((3, 4, 2), "logits", 4, ["(3, 4, 2)", "two_logits"]),
        ((3, 5, 2), "probabilities", 4, ["(3, 5, 2)", "(3, 4)"]),
        ((3, 8), "two_logits", 4, ["(3, 8)", "(3, 4, 2)"]),
        ((3, 1), "two_logits", 1, ["(3, 1)", "(3, 2)", "(3, 1, 2)"]),
    ],
)
def test_a_shape_that_cannot_be_what_was_stated_names_both(shape, head, count, parts):
    with pytest.raises(InputError) as caught:
        logits_of(torch.zeros(shape), head, count, 3)
    for part in parts:
        assert part in str(caught.value)


def test_an_unknown_head_and_integers_are_refused():
    with pytest.raises(InputError, match=r"head='sigmoid'.*probabilities"):
        logits_of(torch.zeros(1, 1), "sigmoid", 1, 1)
    with pytest.raises(InputError, match=r"torch\.int64"):
        logits_of(torch.zeros(1, 1, dtype=torch.int64), "logits", 1, 1)


def test_probabilities_that_have_no_logit_are_counted():
    check_probabilities(torch.tensor([0.1, 0.9]))
    with pytest.raises(InputError, match=r"2 of 3 probabilities are exactly 0 or 1 in torch\.float32.*head='logits'"):
        check_probabilities(torch.tensor([0.0, 1.0, 0.5]))
    with pytest.raises(InputError, match=r"1 of 3 outputs are outside \[0, 1\] \(from 0\.1 to 3\).*logits"):
        check_probabilities(torch.tensor([0.1, 3.0, 0.5]))
    check_probabilities(torch.tensor([[1.0, 1e-30]]), paired=True)
    with pytest.raises(InputError, match=r"1 of 2 probabilities are exactly 0 .*final softmax, and head='two_logits'"):
        check_probabilities(torch.tensor([[1.0, 0.0]]), paired=True)
    with pytest.raises(InputError, match=r"scores before a softmax are head='two_logits'"):
        check_probabilities(torch.tensor([[3.0, 0.0]]), paired=True)
    with pytest.raises(InputError, match="1 of 2 probabilities are NaN"):
        check_probabilities(torch.tensor([float("nan"), 0.5]))


def test_output_selects_among_what_is_returned():
    a, b = torch.zeros(1), torch.ones(1)
    assert select_output(a, None) is a
    assert select_output((a, b), 1) is b
    assert select_output([a, b], -1) is b
    assert select_output({"logits": a, "aux": b}, "aux") is b
    assert select_output(Pair(a, b), "aux") is b
    assert select_output(Pair(a, b), 1) is b
    assert select_output(Opaque(a), "logits") is a


Pair = namedtuple("Pair", "logits aux")


@dataclasses.dataclass
class Opaque:
    logits: torch.Tensor


@pytest.mark.parametrize(
    ("raw", "output", "message"),
    [
        ((torch.zeros(1),), None, r"returns a tuple \(1 entries\).*output="),
        ({"logits": torch.zeros(1)}, None, r"returns a dict \(\['logits'\]\).*output="),
        (torch.zeros(1), "logits", r"output='logits', but .* single tensor"),
        (torch.zeros(1), 0, r"output=0, but"),
        ({"logits": torch.zeros(1)}, "logit", r"output='logit' is not in .*\['logits'\]"),
        ((torch.zeros(1),), 3, r"output=3 is not in .*1 entries"),
        (Pair(torch.zeros(1), None), "logit", r"output='logit' is not in .*\['logits', 'aux'\]"),
        (Pair(torch.zeros(1), None), 1, r"output=1 is a NoneType"),
        (Opaque(torch.zeros(1)), "logit", r"output='logit' is not in .*\['logits'\]"),
        (Opaque(torch.zeros(1)), None, r"returns a Opaque \(\['logits'\]\).*output= \(--output\)"),
        (None, None, r"returns a NoneType, which contains no tensor"),
        (None, "logits", r"output='logits' is not in .*NoneType"),
    ],
)
def test_a_selection_that_names_nothing_is_refused(raw, output, message):
    with pytest.raises(InputError, match=message):
        select_output(raw, output)


@pytest.mark.parametrize("head", ["logits", "two_logits"])
def test_one_attribute_is_told_in_the_singular(head):
    with pytest.raises(InputError, match="with 1 attribute means"):
        logits_of(torch.zeros(1, 3), head, count=1, batch=1)


def test_an_output_without_values_is_refused():
    with pytest.raises(InputError, match="on the device 'meta', where tensors have no values"):
        logits_of(torch.zeros(2, 1, device="meta"), "logits", count=1, batch=2)
