"""Losses of sets against torch in float64, values and gradients; weights, smoothing, adjustment, unknown labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bincam.errors import InputError
from bincam.stats import ClassCounts
from bincam.train import SET_LOSSES, make_loss, make_set_loss
from bincam.train.losses.joint import JointLoss

COUNTS = [700, 200, 80, 20]
PRIOR = np.array(COUNTS) / 1000
OF_ONE_HEAD = [name for name, kind in SET_LOSSES.items() if kind.heads == 1]


def drawn(n: int = 40, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores = (3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
    true = torch.randint(4, (n,), generator=generator)
    return scores, torch.eye(4, dtype=dtype)[true], true


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("name", OF_ONE_HEAD)
def test_values_and_gradients_equal_those_of_torch(name, smoothing):
    scores, labels, true = drawn()
    loss = make_set_loss(name, COUNTS, label_smoothing=smoothing)
    weight = {
        "inverse_frequency": 1000 / (4 * torch.tensor(COUNTS, dtype=torch.float64)),
        "class_balanced": torch.tensor([(1 - 0.9999) / (1 - 0.9999**n) for n in COUNTS], dtype=torch.float64),
    }.get(name)
    if name == "class_balanced":
        weight = 4 * weight / weight.sum()
    added = torch.from_numpy(np.log(PRIOR)) if name == "logit_adjusted" else 0
    terms = loss.terms(scores, labels)
    expected = cross_entropy(scores + added, true, weight=weight, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(terms, expected, rtol=1e-12, atol=1e-12)
    own, reference = (torch.autograd.grad(value.sum(), scores, retain_graph=True)[0] for value in (terms, expected))
    torch.testing.assert_close(own, reference, rtol=1e-12, atol=1e-12)
    assert loss(scores, labels).item() == pytest.approx(expected.mean().item(), rel=1e-12)


@pytest.mark.parametrize("name", OF_ONE_HEAD)
def test_unknown_labels_have_no_effect_whatever_their_scores(name):
    scores, labels, _ = drawn(dtype=torch.float32)
    loss = make_set_loss(name, COUNTS, label_smoothing=0.1)
    with_unknown = torch.cat([scores.detach(), torch.tensor([[torch.nan, torch.inf, 1e30, 0.0]] * 5)]).requires_grad_()
    unknown = torch.cat([labels, torch.full((5, 4), torch.nan)])
    value, reference = loss(with_unknown, unknown), loss(scores, labels)
    assert torch.equal(value, reference)
    (gradient,), (expected,) = torch.autograd.grad(value, with_unknown), torch.autograd.grad(reference, scores)
    assert torch.equal(gradient[:40], expected)
    assert torch.equal(gradient[40:], torch.zeros(5, 4))
    nothing = loss(scores, torch.full_like(labels, torch.nan))
    assert nothing.item() == 0
    assert not torch.autograd.grad(nothing, scores)[0].any()


def test_computation_is_in_float32_under_autocast():
    scores, labels, _ = drawn(dtype=torch.float32)
    loss = make_set_loss("logit_adjusted", COUNTS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = loss.terms(scores.detach().bfloat16(), labels)
    assert terms.dtype == torch.float32
    torch.testing.assert_close(terms, loss.terms(scores.detach().bfloat16().float(), labels))


def test_weights_of_two_outputs_have_the_ratio_of_pos_weight():
    two = make_set_loss("inverse_frequency", [90, 10])
    attribute = make_loss("weighted_bce", ClassCounts(("rare",), [90], [10]))
    assert float(two.weight[1] / two.weight[0]) == pytest.approx(float(attribute.weight_positive))
    expected = sum(two.weight * torch.tensor([0.9, 0.1], dtype=torch.float64))
    assert float(expected) == pytest.approx(1)  # the mean weight of the training images


def test_a_set_of_two_is_a_yes_or_no_attribute_of_the_difference():
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    true = torch.randint(2, (30,), generator=generator)
    labels = torch.eye(2, dtype=torch.float64)[true]
    z, y = (scores[:, 1] - scores[:, 0])[:, None], labels[:, 1:]
    counts = ClassCounts(("rare",), [90], [10])
    for of_set, of_attribute in (("cross_entropy", "bce"), ("logit_adjusted", "logit_adjusted")):
        torch.testing.assert_close(
            make_set_loss(of_set, [90, 10]).terms(scores, labels),
            make_loss(of_attribute, counts, reduction="none")(z, y)[:, 0],
            rtol=0,
            atol=1e-6,  # the attribute's prior is a float32 buffer
        )


def test_neutral_options_are_cross_entropy():
    scores, labels, _ = drawn()
    plain = make_set_loss("cross_entropy", COUNTS).terms(scores, labels)
    for name, options in (
        ("class_balanced", {"beta": 0}),
        ("logit_adjusted", {"tau": 0}),
        ("inverse_frequency", {"max_weight": 1}),
    ):
        loss = make_set_loss(name, COUNTS, **options)
        torch.testing.assert_close(loss.terms(scores, labels), plain)
        assert loss.treats_equally
    assert not make_set_loss("inverse_frequency", COUNTS).treats_equally
    assert make_set_loss("inverse_frequency", [5, 5]).treats_equally


def test_the_shift_is_unknown_with_smoothing():
    assert make_set_loss("logit_adjusted", COUNTS, label_smoothing=0.1).score_shift is None
    assert not make_set_loss("cross_entropy", COUNTS).score_shift.any()


@pytest.mark.parametrize(
    ("name", "images", "options", "message"),
    [
        ("cross_entrop", COUNTS, {}, "unknown set loss 'cross_entrop'; did you mean 'cross_entropy'"),
        ("cross_entropy", COUNTS, {"tau": 1}, "has no option 'tau'"),
        ("logit_adjusted", COUNTS, {"tau": -1}, "tau=-1: expected a number that is not negative"),
        ("logit_adjusted", COUNTS, {"tau": float("nan")}, "expected a finite number"),
        ("class_balanced", COUNTS, {"beta": 1}, r"beta=1: expected a number in \[0, 1\)"),
        ("inverse_frequency", COUNTS, {"max_weight": 0.5}, "max_weight=0.5: expected a number of at least 1"),
        ("cross_entropy", [1, 0, 2], {}, "output 1 of a set has no training image"),
        ("cross_entropy", [3], {}, "K >= 2 outputs"),
    ],
)
def test_what_cannot_be_is_refused(name, images, options, message):
    with pytest.raises(InputError, match=message):
        make_set_loss(name, images, **options)


def test_labels_that_are_no_set_are_refused():
    loss = make_set_loss("cross_entropy", [1, 1])
    with pytest.raises(InputError, match=r"labels of row 1 of a set are \[1.0, 1.0\]"):
        loss(torch.zeros(2, 2), torch.tensor([[1.0, 0], [1, 1]]))
    with pytest.raises(InputError, match=r"expected scores \(B, 2\) and labels \(B, 2\), got \(2, 3\)"):
        loss(torch.zeros(2, 3), torch.zeros(2, 3))


def joint(weights: dict[str, float] | None = None) -> JointLoss:
    counts = ClassCounts(("Male", "Bald"), [50, 90], [50, 10])
    sets = {"hair": make_set_loss("cross_entropy", [7, 2, 1]), "age": make_set_loss("logit_adjusted", [6, 4])}
    columns = {"hair": [4, 0, 3], "age": [5, 6]}
    return JointLoss(make_loss("moon_bce", counts), [1, 2], sets, columns, weights or {})


def test_a_joint_loss_is_the_weighted_sum_of_the_parts_means():
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(8, 7, generator=generator, dtype=torch.float64)
    labels = torch.zeros(8, 7, dtype=torch.float64)
    labels[:, 1:3] = torch.randint(2, (8, 2), generator=generator).double()
    labels[torch.arange(8), torch.tensor([4, 0, 3])[torch.randint(3, (8,), generator=generator)]] = 1
    labels[torch.arange(8), torch.tensor([5, 6])[torch.randint(2, (8,), generator=generator)]] = 1
    labels[2, 1] = torch.nan
    labels[3:6, [0, 3, 4]] = torch.nan
    loss = joint({"hair": 0.25})
    assert loss.parts == ("attributes", "hair", "age")
    assert loss.normalizer(labels).tolist() == [15, 5, 8]
    value = (loss.sums(scores, labels) / loss.normalizer(labels)).sum()
    expected = (
        loss.attributes(scores[:, 1:3], labels[:, 1:3])
        + 0.25 * loss.of_set("hair")(scores[:, [4, 0, 3]], labels[:, [4, 0, 3]])
        + loss.of_set("age")(scores[:, 5:], labels[:, 5:])
    )
    assert float(value) == pytest.approx(float(expected), rel=1e-12)


def test_an_epoch_is_announced_to_the_loss_of_attributes():
    counts = ClassCounts(("Bald",), [90], [10])
    loss = JointLoss(make_loss("ldam", counts), [0], {"s": make_set_loss("cross_entropy", [1, 1])}, {"s": [1, 2]}, {})
    loss.set_epoch(9, 10)
    assert loss.attributes.reweighting
    assert loss.separable
    two_way = JointLoss(
        make_loss("two_way", counts), [0], {"s": make_set_loss("cross_entropy", [1, 1])}, {"s": [1, 2]}, {}
    )
    assert not two_way.separable
