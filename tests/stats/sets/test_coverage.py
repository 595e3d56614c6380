"""Coverage of label sets: against plain counts, identities, unknown and undefined images, slices and attributes."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.stats import Clusters, attribute_coverage, coverage_by_slice, set_coverage, shares
from bincam.stats.sets.estimates import top_k_accuracy


def drawn(n, K, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(K), size=n)
    true = (p.cumsum(1) < rng.random(n)[:, None]).sum(1).clip(max=K - 1)
    return p, p >= 0.25, true


def alone(n):
    return Clusters.of([""] * n)


def test_against_plain_counts():
    _, members, true = drawn(500, 5)
    few = np.array([False, True, False, True, False])
    found = set_coverage(members, true, few, alone(500))
    held = members[np.arange(500), true]
    sizes = members.sum(1)
    assert found.coverage.value == pytest.approx(held.mean())
    assert found.size.value == pytest.approx(sizes.mean())
    assert found.size.low < sizes.mean() < found.size.high
    assert found.empty.value == pytest.approx((sizes == 0).mean())
    assert found.several.value == pytest.approx((sizes > 1).mean())
    assert found.histogram.tolist() == np.bincount(sizes, minlength=6).tolist()
    for a in range(5):
        assert found.per_class[a].value == pytest.approx(held[true == a].mean())
        assert found.per_class[a].images == (true == a).sum()
        assert found.several_per_class[a].value == pytest.approx((sizes > 1)[true == a].mean())
    for size, estimate in found.by_size.items():
        assert estimate.value == pytest.approx(held[sizes == size].mean())
    assert sum(estimate.images for estimate in found.by_size.values()) == 500
    rates = np.array([held[true == a].mean() for a in range(5)])
    assert found.few.value == pytest.approx(rates[few].mean())
    assert found.others.value == pytest.approx(rates[~few].mean())


def test_top_k_sets_have_top_k_accuracy():
    from bincam.postprocessing.label_sets import top_k_sets

    p, _, true = drawn(300, 5)
    for k in (1, 3):
        ours = set_coverage(top_k_sets(p, k).members, true, [False] * 5, alone(300)).coverage
        assert ours == top_k_accuracy(p, np.eye(5)[true], k, alone(300))


def test_identities_widen_intervals_and_per_class_is_that_of_shares():
    _, members, true = drawn(40, 3)
    members, true = members.repeat(6, 0), true.repeat(6)
    people = Clusters(np.arange(240) // 6, known=True)
    found, plain = (set_coverage(members, true, [True] * 3, c) for c in (people, alone(240)))
    assert found.coverage.identities == 40
    for ours, other in ((found.coverage, plain.coverage), (found.size, plain.size), (found.few, plain.few)):
        assert ours.high - ours.low > 1.5 * (other.high - other.low)
    held = members[np.arange(240), true].astype(float)
    for a in range(3):
        wanted = shares(held, true == a, people).estimate()
        assert found.per_class[a].to_json() == pytest.approx(wanted.to_json())


def test_unknown_and_undefined_images_count_nowhere():
    _, members, true = drawn(100, 3)
    clean = set_coverage(members, true, [True] * 3, alone(100))
    more = np.concatenate([members, np.zeros((5, 3), bool)])
    y = np.r_[true, -1, -1, 0, 1, 2]
    defined = np.r_[np.ones(102, bool), np.zeros(3, bool)]
    found = set_coverage(more, y, [True] * 3, alone(105), defined=defined)
    assert found.coverage == clean.coverage
    assert found.size == clean.size
    assert found.histogram.tolist() == clean.histogram.tolist()
    assert (found.unknown, found.undefined) == (2, 3)


def test_a_class_without_images_and_no_few_classes():
    found = set_coverage(np.ones((30, 3), bool), np.arange(30) % 2, [False] * 3, alone(30))
    assert not found.per_class[2].defined
    assert not found.few.defined
    assert found.others.value == 1
    assert found.others.low < 1  # 30 images are no certainty
    assert set_coverage(np.ones((3, 2), bool), [0, 1, 1], [True, False], alone(3)).coverage.status == "small"


def test_a_class_without_people():
    people = Clusters.of([f"p{n // 2}" for n in range(20)])
    found = set_coverage(np.ones((20, 3), bool), np.zeros(20, int), [False, True, False], people)
    assert found.per_class[0].identities == 10
    assert not found.per_class[1].defined
    assert found.per_class[1].identities == 0


def test_no_image():
    found = set_coverage(np.zeros((0, 3), bool), np.zeros(0, int), [True, False, False], alone(0))
    assert not found.coverage.defined
    assert found.by_size == {}


def test_slices():
    _, members, true = drawn(400, 4)
    old = np.arange(400) % 3 == 0
    found = coverage_by_slice(members, true, {"old": old, "none": np.zeros(400, bool)}, alone(400))
    coverage, size = found["old"]
    assert coverage.value == pytest.approx(members[np.arange(400), true][old].mean())
    assert size.value == pytest.approx(members.sum(1)[old].mean())
    assert coverage.images == size.images == old.sum()
    assert not found["none"][0].defined
    assert not found["none"][1].defined
    with pytest.raises(InputError, match="slice 'bad': expected True or False"):
        coverage_by_slice(members, true, {"bad": old[:5]}, alone(400))


def test_a_planted_slice_is_found_and_its_twin_is_not():
    rng = np.random.default_rng(0)
    true, planted, twin = rng.integers(0, 2, 2000), np.arange(2000) < 300, np.arange(2000) >= 1700
    members = np.eye(2, dtype=bool)[np.where(planted & (rng.random(2000) < 0.4), 1 - true, true)]
    found = coverage_by_slice(members, true, {"planted": planted, "twin": twin}, alone(2000))
    overall = set_coverage(members, true, [False, False], alone(2000)).coverage
    assert found["planted"][0].high < overall.low
    assert found["twin"][0].value == 1


def test_attributes_against_plain_counts():
    rng = np.random.default_rng(1)
    members, labels = rng.random((200, 4)) < 0.6, (rng.random((200, 4)) < 0.3).astype(float)
    labels[rng.random((200, 4)) < 0.1] = np.nan
    labels[:3] = 0
    defined = np.arange(200) < 190
    found = attribute_coverage(members, labels, alone(200), defined=defined)
    m, y = members[:190], labels[:190]
    for a in range(4):
        assert found.recall[a].value == pytest.approx(m[y[:, a] == 1, a].mean())
        assert found.false_alarms[a].value == pytest.approx(m[y[:, a] == 0, a].mean())
    each = (y == 1).sum(1)
    rates = ((y == 1) & ~m).sum(1)[each > 0] / each[each > 0]
    assert found.false_negative_rate.value == pytest.approx(rates.mean())
    assert found.size.value == pytest.approx(m.sum(1).mean())
    assert found.without_true == ((each == 0) & ~np.isnan(y).all(1)).sum()
    assert found.undefined == 10


@pytest.mark.parametrize(
    ("members", "true", "few", "words"),
    [
        (np.ones((3, 2), bool), [0, 1], [True, False], "shapes \\(3, 2\\) and \\(2,\\)"),
        (np.ones((3, 2), bool), [0.0, 1.0, 0.0], [True, False], "of float64"),
        (np.ones((3, 2), bool), [0, 1, 2], [True, False], "image 2 is 2"),
        (np.ones((3, 2), bool), [0, 1, 1], [True], "few samples: expected True or False of shape \\(2,\\)"),
        (np.ones((3, 2), bool), [0, 1, 1], [0, 1], "got int64"),
        (np.ones((3, 2)), [0, 1, 1], [True, False], "sets: expected True or False of shape \\(3, 2\\), got float64"),
    ],
)
def test_refusals(members, true, few, words):
    with pytest.raises(InputError, match=words):
        set_coverage(members, true, few, alone(3))


def test_other_shapes_of_attributes_and_marks():
    with pytest.raises(InputError, match="sets: expected True or False of shape"):
        attribute_coverage(np.ones((3, 2), bool), np.ones((3, 3)), alone(3))
    with pytest.raises(InputError, match="defined sets: expected"):
        set_coverage(np.ones((3, 2), bool), [0, 1, 1], [True, False], alone(3), defined=np.ones(2, bool))
    for clusters in (alone(2), alone(4)):
        with pytest.raises(InputError, match="images for sets of 3"):
            set_coverage(np.ones((3, 2), bool), [0, 1, 1], [True, False], clusters)
        with pytest.raises(InputError, match="images for sets of 3"):
            attribute_coverage(np.ones((3, 2), bool), np.ones((3, 2)), clusters)
