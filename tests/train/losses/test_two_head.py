"""The two-head loss: which pseudo-labels it makes, what they cost by hand, and that nothing is learned through them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from bincam.errors import InputError
from bincam.train import ClassCounts, make_loss, make_set_loss
from bincam.train.losses.joint import JointLoss
from bincam.train.losses.two_head import SetTwoHead, pseudo_labels

COUNTS = [700, 200, 80, 20]


def drawn(n: int, outputs: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(n, 2 * outputs, generator=generator, dtype=torch.float64)
    labels = torch.eye(outputs, dtype=torch.float64)[torch.randint(outputs, (n,), generator=generator)]
    return scores, labels


@pytest.mark.parametrize("size", [1, 1.2, 1.5, 2, 2.5, 3.9, 4])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 32])
def test_as_many_as_asked_for_and_the_true_ones_among_them(n, size):
    scores, labels = drawn(n)
    for scale in (1.0, 0.0, 1e6):  # all entries equal; a saturated softmax
        chosen = pseudo_labels(scale * scores[:, :4], labels, size)
        assert int(chosen.sum()) == round(size * n)
        assert chosen[labels == 1].all()


def test_the_others_are_the_greatest_of_the_whole_batch():
    scores, labels = drawn(50)
    f = scores[:, :4]
    chosen = pseudo_labels(f, labels, 1.7).numpy()
    p = f.softmax(1).numpy()
    rest = labels.numpy() == 0
    assert p[rest & chosen].min() > p[rest & ~chosen].max()
    by_hand = labels.numpy().astype(bool)
    for at in sorted(np.flatnonzero(rest), key=lambda i: (-p.flat[i], i))[: round(1.7 * 50) - 50]:
        by_hand.flat[at] = True
    assert (chosen == by_hand).all()
    assert set(chosen.sum(1).tolist()) == {1, 2}  # sizes differ with ambiguity


def test_equal_entries_are_taken_by_index():
    labels = torch.eye(4)[torch.tensor([3, 3, 3])]
    chosen = pseudo_labels(torch.zeros(3, 4), labels, 2.0)
    assert chosen.int().tolist() == [[1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1]]
    many = torch.eye(40)[torch.zeros(60, dtype=int)]  # more entries than a sort does by insertion
    assert pseudo_labels(torch.zeros(60, 40), many, 2).nonzero()[:61].tolist() == [
        *([0, a] for a in range(40)),
        [1, 0],
        *([1, a] for a in range(1, 21)),
    ]


def test_saturated_probabilities_are_told_apart():
    f = torch.tensor([[50.0, 0.0, -1.0, -2.0], [60.0, 0.0, -30.0, -40.0]])  # float32's softmax is 1 and almost 0
    chosen = pseudo_labels(f, torch.eye(4)[torch.tensor([0, 0])], 1.5)
    assert chosen.int().tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]


def test_halves_are_rounded_to_even_as_by_python():
    for n, size in ((1, 1.5), (1, 2.5), (3, 1.5), (5, 1.5), (3, 2.1)):
        scores, labels = drawn(n)
        assert int(pseudo_labels(scores[:, :4], labels, size).sum()) == round(n * size)


def test_by_hand():
    f = [[math.log(6), math.log(3), 0.0], [math.log(2), 0.0, 0.0]]  # softmax .6 .3 .1 and .5 .25 .25
    g = [[1.0, -1.0, 0.5], [0.0, 2.0, -3.0]]
    both = torch.tensor([f[i] + g[i] for i in (0, 1)], dtype=torch.float64)
    labels = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    loss = SetTwoHead([1, 1, 1], size=1.5, weight=2)  # the third pseudo-label is the first image's first output

    def bce(z: float, y: int) -> float:
        return math.log1p(math.exp(-z if y else z))

    first = -math.log(0.3) + 2 / 3 * (bce(1, 1) + bce(-1, 1) + bce(0.5, 0))
    second = -math.log(0.5) + 2 / 3 * (bce(0, 1) + bce(2, 0) + bce(-3, 0))
    assert loss.terms(both, labels).tolist() == pytest.approx([first, second], rel=1e-12)
    assert loss(both, labels).item() == pytest.approx((first + second) / 2, rel=1e-12)


def test_nothing_is_learned_through_pseudo_labels():
    scores, labels = drawn(12)
    loss = SetTwoHead(COUNTS, size=2)
    own, plain = scores.clone().requires_grad_(), scores[:, :4].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss.terms(own, labels).sum(), own)
    (of_f,) = torch.autograd.grad(cross_entropy(plain, labels, reduction="sum"), plain)
    torch.testing.assert_close(gradient[:, :4], of_f, rtol=1e-12, atol=1e-12)
    g = scores[:, 4:].clone().requires_grad_()
    chosen = pseudo_labels(scores[:, :4], labels, 2).double()
    (of_g,) = torch.autograd.grad(binary_cross_entropy_with_logits(g, chosen, reduction="sum") / 4, g)
    torch.testing.assert_close(gradient[:, 4:], of_g, rtol=1e-12, atol=1e-12)
    assert not pseudo_labels(plain, labels, 2).requires_grad


def test_gradients_are_those_of_finite_differences():
    scores, labels = drawn(5)
    for smoothing in (0.0, 0.1):
        loss = SetTwoHead(COUNTS, size=1.6, weight=0.7, label_smoothing=smoothing)
        assert torch.autograd.gradcheck(lambda s, loss=loss: loss.terms(s, labels), scores.clone().requires_grad_())


def test_unknown_labels_have_no_effect_and_do_not_count():
    scores, labels = drawn(6)
    loss = SetTwoHead(COUNTS, size=1.5)
    mixed = torch.cat([scores, torch.tensor([[torch.nan, torch.inf, 1e30, 0.0] * 2] * 3, dtype=torch.float64)])
    mixed.requires_grad_()
    unknown = torch.cat([labels, torch.full((3, 4), torch.nan, dtype=torch.float64)])
    assert int(pseudo_labels(mixed[:, :4], unknown, 1.5).sum()) == 9
    assert not pseudo_labels(mixed[:, :4], unknown, 1.5)[6:].any()
    value = loss(mixed, unknown)
    assert torch.equal(value, loss(scores, labels))
    (gradient,) = torch.autograd.grad(value, mixed)
    assert not gradient[6:].any()
    assert loss(scores, torch.full_like(labels, torch.nan)).item() == 0


def test_a_warm_up_trains_the_softmax_head_alone():
    scores, labels = drawn(8)
    loss = SetTwoHead(COUNTS, size=2, warmup_epochs=2)
    plain = make_set_loss("cross_entropy", COUNTS)
    for epoch in range(4):
        loss.set_epoch(epoch, 4)
        own = scores.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss.terms(own, labels).sum(), own)
        assert bool(gradient[:, 4:].any()) is (epoch >= 2)
        same = torch.allclose(loss.terms(scores, labels), plain.terms(scores[:, :4], labels))
        assert same is (epoch < 2)
    with pytest.raises(InputError, match=r"warmup_epochs 2 of 2 epochs leave none to train the sigmoid head"):
        loss.set_epoch(0, 2)


def test_one_label_is_assuming_the_others_negative():
    scores, labels = drawn(9)
    terms = SetTwoHead(COUNTS, size=1).terms(scores, labels)
    g = scores[:, 4:]
    assumed = make_loss("an_ls", ClassCounts(tuple("abcd"), [1] * 4, [1] * 4), label_smoothing=0, reduction="none")
    torch.testing.assert_close(
        terms, cross_entropy(scores[:, :4], labels, reduction="none") + assumed(g, labels).mean(1)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0.9}, "size=0.9: expected 1 to 4, the number of the set's outputs"),
        ({"size": 4.5}, "size=4.5: expected 1 to 4, the number of the set's outputs"),
        ({"size": "two"}, "expected a finite number, got 'two'"),
        ({"weight": 0}, "weight=0: expected a number above 0"),
        ({"warmup_epochs": -1}, "warmup_epochs=-1: expected a number that is not negative"),
        ({"sise": 2}, "set loss 'two_head' has no option 'sise'; did you mean 'size'"),
    ],
)
def test_options_are_refused_in_one_line(options, message):
    with pytest.raises(InputError) as error:
        make_set_loss("two_head", COUNTS, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_pseudo_labels_of_other_shapes_and_sizes_are_refused():
    scores, labels = drawn(3)
    with pytest.raises(InputError, match=r"expected scores and labels \(B, K\), got \(3, 8\) and \(3, 4\)"):
        pseudo_labels(scores, labels, 2)
    for size in (0.5, 4.1, math.nan):
        with pytest.raises(InputError, match=r"expected 1 to 4, the number of the set's outputs"):
            pseudo_labels(scores[:, :4], labels, size)


def test_one_head_in_place_of_two_is_refused():
    scores, labels = drawn(3)
    with pytest.raises(InputError, match=r"expected scores \(B, 8\) and labels \(B, 4\), got \(3, 4\)"):
        make_set_loss("two_head", COUNTS).terms(scores[:, :4], labels)


def test_heads_of_several_sets_are_read_by_their_columns():
    """Columns 0, 3: one set; 1, 2, 5: another; 4: an attribute. The second head has 0, 1, 2, 3, 5 behind."""
    of_sets = {"pair": make_set_loss("two_head", [5, 5], size=1), "three": make_set_loss("two_head", [5, 5, 5], size=2)}
    columns = {"pair": [3, 0], "three": [1, 2, 5]}
    joint = JointLoss(make_loss("bce", ClassCounts(("a",), [5], [5])), [4], of_sets, columns, {})
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(6, 11, generator=generator, dtype=torch.float64)
    labels = torch.zeros(6, 6, dtype=torch.float64)
    labels[:, 0] = labels[:, 2] = labels[:3, 4] = 1
    sums = joint.sums(scores, labels)
    assert sums[1].item() == of_sets["pair"].terms(scores[:, [3, 0, 9, 6]], labels[:, [3, 0]]).sum().item()
    assert sums[2].item() == of_sets["three"].terms(scores[:, [1, 2, 5, 7, 8, 10]], labels[:, [1, 2, 5]]).sum().item()
    assert not joint.separable
