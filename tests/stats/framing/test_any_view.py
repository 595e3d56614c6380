"""Oracles and exact match: hand cases, the closed-form null, and labels that were shuffled."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.stats import Clusters, attribute_answers, exact_match, oracles, rightness, set_answers


def alone(count):
    return Clusters.of([""] * count)


def test_a_hand_case_of_an_attribute():
    """Two images with both decisions, three always-yes, five always-no; two views of no decision."""
    answers = np.array([[0, 1]] * 2 + [[1, 1]] * 3 + [[0, 0]] * 5)
    true = np.array([1, 0, 1, 1, 0, 0, 0, 0, 0, 1])
    result = oracles(answers, true, alone(10), plain=answers[:, 0])
    assert result.right.value == (2 + 2 + 4) / 10
    assert result.wrong.value == (2 + 1 + 1) / 10
    assert result.null.value == pytest.approx(0.2 + 0.3 * 0.4 + 0.5 * 0.6)
    assert result.excess.value == pytest.approx(result.right.value - result.null.value)
    assert result.plain.value == (1 + 2 + 4) / 10
    assert (result.view, result.best_view.value) == (0, 0.7)
    assert result.right.status == "small"


def test_views_without_a_decision_are_neither_right_nor_wrong():
    answers = np.array([[-1, 1], [-1, -1], [0, -1], [1, 1]])
    result = oracles(answers, [1, 1, 1, -1], alone(4))
    assert (result.unlabelled, result.undefined_views) == (1, 4)
    assert result.right.images == result.null.images == 2
    assert result.right.value == result.wrong.value == 0.5
    assert np.isnan(rightness(answers, [1, 1, 1, -1])[[0, 1, 3], 0]).all()


def test_the_wrong_oracle_of_a_set_is_the_expectation_over_other_labels():
    rng = np.random.default_rng(0)
    answers, true = rng.integers(4, size=(60, 3)), rng.integers(4, size=60)
    result = oracles(answers, true, alone(60), count=4)
    draws = [np.mean([true[j] in answers[i] for j in range(60) if true[j] != true[i]]) for i in range(60)]
    assert result.wrong.value == pytest.approx(np.mean(draws))
    null = [np.mean([true[j] in answers[i] for j in range(60)]) for i in range(60)]
    assert result.null.value == pytest.approx(np.mean(null))


def test_two_outputs_in_a_set_are_one_attribute():
    rng = np.random.default_rng(1)
    positive, labels = rng.integers(2, size=(50, 4)).astype(bool), rng.integers(2, size=50).astype(float)
    one = attribute_answers(positive, np.zeros_like(positive), labels)
    pair = np.stack([~positive, positive], -1)
    other = set_answers(pair, np.zeros_like(pair), np.stack([1 - labels, labels], -1))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize("count", [2, 5])
def test_the_null_is_within_its_interval_for_shuffled_labels(count):
    """The interval of the excess contains 0 about as often as it says, with views that know the true labels."""
    rng = np.random.default_rng(count)
    frequent = np.linspace(1, 3, count) / np.linspace(1, 3, count).sum()
    inside = 0
    for _ in range(200):
        true = rng.choice(count, 150, p=frequent)
        answers = np.where(rng.random((150, 4)) < 0.8, true[:, None], rng.integers(count, size=(150, 4)))
        kept = oracles(answers, true, alone(150), count=count).excess
        assert kept.low > 0.05, "the twin: labels that were not shuffled"
        shuffled = oracles(answers, rng.permutation(true), alone(150), count=count).excess
        inside += shuffled.low <= 0 <= shuffled.high
    assert inside >= 200 * 0.95 - 3 * np.sqrt(200 * 0.05 * 0.95)


def test_people_widen_the_interval():
    rng = np.random.default_rng(0)
    answers, true = rng.integers(2, size=(20, 1)), rng.integers(2, size=20)
    repeated = np.repeat(answers, 10, 0), np.repeat(true, 10)
    apart = oracles(*repeated, alone(200)).right
    people = oracles(*repeated, Clusters(np.repeat(np.arange(20), 10), known=True)).right
    assert people.identities == 20
    assert people.high - people.low > 2 * (apart.high - apart.low)


def test_nothing_gives_nothing():
    result = oracles(np.full((5, 2), -1), np.full(5, -1), alone(5))
    assert result.right.status == result.null.status == result.excess.status == "undefined"
    assert result.plain.status == "undefined"


@pytest.mark.parametrize(
    ("answers", "true"),
    [(np.zeros((4, 0)), np.zeros(4)), (np.zeros((4, 2)), np.zeros(3)), (np.full((4, 2), 2), np.zeros(4))],
)
def test_answers_that_are_refused(answers, true):
    with pytest.raises(InputError, match="answers"):
        oracles(answers.astype(int), true.astype(int), alone(len(true)))


def test_decisions_that_are_refused():
    with pytest.raises(InputError, match="labels"):
        attribute_answers([[True]], [[False]], [0.5])
    with pytest.raises(InputError, match="several predicted outputs"):
        set_answers(np.ones((1, 2, 2), bool), np.zeros((1, 2, 2), bool), [[0.0, 1.0]])
    with pytest.raises(InputError, match="one of every image"):
        oracles(np.zeros((4, 2), int), np.zeros(4, int), alone(4), plain=np.zeros(3, int))


def random_questions(rng, count=40, questions=3, views=4):
    labels = rng.integers(2, size=(count, questions))
    answers = rng.integers(2, size=(questions, count, views))
    answers[0][rng.random((count, views)) < 0.1] = -1
    return [(answers[q], labels[:, q]) for q in range(questions)]


@pytest.mark.parametrize("people", [None, 8])
def test_exact_match_and_its_null_count_all_pairs(people):
    rng = np.random.default_rng(0)
    seen = random_questions(rng)
    seen[1][1][:3] = -1
    codes = np.arange(40) if people is None else rng.integers(people, size=40)
    codes = np.unique(codes, return_inverse=True)[1]
    vectors = np.stack([answers for answers, _ in seen], -1)
    labels = np.stack([true for _, true in seen], -1)
    known = (labels >= 0).all(1)

    def matches(image, vector):
        return any((view == vector).all() for view in vectors[image])

    expected = [
        np.mean([matches(i, labels[j]) for j in range(40) if known[j] and codes[j] != codes[i]])
        for i in range(40)
        if known[i]
    ]
    result = exact_match(seen, Clusters(codes, known=people is not None))
    assert result.unlabelled == 3
    assert result.right.value == pytest.approx(np.mean([matches(i, labels[i]) for i in range(40) if known[i]]))
    assert result.null.value == pytest.approx(np.mean(expected))


def test_exact_match_of_shuffled_label_vectors_is_its_null():
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        excess = exact_match(random_questions(rng, 120), alone(120)).excess
        inside += excess.low <= 0 <= excess.high
    assert inside >= 100 * 0.95 - 3 * np.sqrt(100 * 0.05 * 0.95)


def test_exact_match_is_void_for_one_attribute():
    seen = random_questions(np.random.default_rng(0))
    with pytest.raises(InputError, match="any flip is a match"):
        exact_match(seen[:1], alone(40))
    with pytest.raises(InputError, match="same N and V"):
        exact_match([seen[0], (seen[1][0][:, :2], seen[1][1])], alone(40))


def test_a_view_that_is_right_on_each_attribute_by_itself_is_no_exact_match():
    labels = np.array(list(itertools.product([0, 1], repeat=2)) * 10)
    flips = np.stack([1 - labels, labels], 1)  # (N, V, Q): view 0 wrong, view 1 right
    mixed = flips.copy()
    mixed[:, :, 1] = flips[:, ::-1, 1]  # each attribute is right in another view
    for views, expected in ((flips, 1.0), (mixed, 0.0)):
        seen = [(views[:, :, q], labels[:, q]) for q in range(2)]
        assert exact_match(seen, alone(40)).right.value == expected
        assert all(oracles(*each, alone(40)).right.value == 1 for each in seen)
