"""Conformal thresholds against MAPIE, by hand, by simulated coverage, and refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.postprocessing.conformal import class_conditional, lac, per_attribute, risk_control

ALPHAS = (0.05, 0.1, 0.25, 0.5)


def draw(n, K, seed):
    """Probabilities and labels that are drawn from them: a calibrated classifier."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.linspace(0.2, 1, K), size=n)
    return p, (p.cumsum(1) < rng.random(n)[:, None]).sum(1).clip(max=K - 1)


def attributes(n, A, seed):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 1.2, size=(n, A))
    return p, (rng.random((n, A)) < p).astype(float)


def library_lac(p, true, new, alpha):
    """Sets of MAPIE for given probabilities."""
    library = pytest.importorskip("mapie.classification")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):  # noqa: ARG002  # the interface of scikit-learn
            self.classes_ = np.arange(X.shape[1])
            return self

        def predict_proba(self, X):
            return np.asarray(X)

        def predict(self, X):
            return np.asarray(X).argmax(1)

    classifier = library.SplitConformalClassifier(
        Given().fit(p, true), confidence_level=1 - alpha, conformity_score="lac", prefit=True
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="WARNING: your conformalization dataset has less labels")
        return classifier.conformalize(p, true).predict_set(new)[1][:, :, 0]


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("n", [20, 100, 301])
def test_lac_equals_mapie(alpha, n):
    (p, true), (new, _) = draw(n, 5, n), draw(200, 5, 1)
    assert np.array_equal(lac(p, true, alpha).sets(new).members, library_lac(p, true, new, alpha))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_class_conditional_equals_mapie_on_the_images_of_each_class(alpha):
    (p, true), (new, _) = draw(600, 4, 2), draw(200, 4, 3)
    fitted = class_conditional(p, true, alpha)
    assert fitted.always_kept == ()
    members = fitted.sets(new).members
    for a in range(4):
        own = true == a
        assert np.array_equal(members[:, a], library_lac(p[own], true[own], new, alpha)[:, a])


@pytest.mark.parametrize("alpha", ALPHAS)
def test_risk_control_equals_mapie_on_its_grid(alpha):
    library = pytest.importorskip("mapie.risk_control")
    p, labels = attributes(150, 6, 4)
    some = labels.any(1)  # MAPIE refuses images without a label
    p, labels = p[some], labels[some]
    fitted = risk_control(p, labels, alpha)
    grid = np.arange(0, 1, 0.01)
    controller = library.MultiLabelClassificationController(
        predict_function=lambda X: X, risk="recall", method="crc", target_level=1 - alpha, predict_params=grid
    ).calibrate(p, labels)
    on_grid = grid[np.searchsorted(grid, fitted.thresholds[0], side="right") - 1]
    assert controller.best_predict_param[0] == on_grid


def test_lac_by_hand():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.7, 0.3]])
    true = [0, 0, 0, 1]  # scores of the true labels: .9 .8 .4 .3
    for alpha, threshold in ((0.2, 0.3), (0.4, 0.4), (0.5, 0.4), (0.6, 0.8), (0.8, 0.9)):
        assert lac(p, true, alpha).thresholds.tolist() == [threshold] * 2


def test_a_score_that_equals_the_threshold_is_kept():
    """The difference 1 - (1 - p) would round .3 away."""
    p = np.array([[0.3, 0.7]] * 9)
    sets = lac(p, [0] * 9, 0.1).sets(p)
    assert sets.members.all()
    assert sets.tied == 9


def test_lac_covers_as_often_as_stated():
    """Coverage over calibration splits is ⌈(n + 1)(1 - α)⌉/(n + 1): 37/41 of n = 40 and α = .1.

    400 splits with 50 new images: the standard error is √((.9·.1/42 + .9·.1/50)/400) = .0031, of a split's own coverage
    and of its images. A rank that is off by one, 1/41 = .024, exceeds four of them with a probability above .999.
    """
    hits = []
    for seed in range(400):
        (p, true), (new, labels) = draw(40, 4, seed), draw(50, 4, 10_000 + seed)
        hits.append(lac(p, true, 0.1).sets(new).members[np.arange(50), labels].mean())
    assert abs(np.mean(hits) - 37 / 41) < 4 * 0.0031


def test_people_with_many_images_void_the_guarantee_and_one_image_each_keeps_it():
    """Ten people have 30 equal images each, of 28 others one; new images are of new people."""
    names = [f"p{n}" for n in range(10) for _ in range(30)] + [f"q{n}" for n in range(28)]
    first = np.unique(names, return_index=True)[1]
    with_all, with_one = [], []
    for seed in range(150):
        (people, y), (new, labels) = draw(38, 4, seed), draw(50, 4, 10_000 + seed)
        of = np.r_[np.repeat(np.arange(10), 30), np.arange(10, 38)]
        p, true = people[of], y[of]
        one = lac(p, true, 0.1, identities=names, seed=seed)
        assert one.calibration.images == len(first) == 38
        with_one.append(one.sets(new).members[np.arange(50), labels].mean())
        with_all.append(lac(p, true, 0.1).sets(new).members[np.arange(50), labels].mean())
    error = np.std(with_one) / np.sqrt(150)
    assert abs(np.mean(with_one) - 36 / 39) < 4 * error
    assert np.mean(with_all) < 36 / 39 - 6 * error


def test_a_class_that_is_absent_or_rare_is_always_kept_and_named():
    p, true = draw(200, 5, 6)
    usable = (true != 3) & ((true != 1) | (np.cumsum(true == 1) <= 8))
    fitted = class_conditional(p[usable], true[usable], 0.1, names=list("abcde"))
    assert fitted.always_kept == ("b", "d")
    assert fitted.images[[1, 3]].tolist() == [8, 0]
    assert fitted.sets(p).members[:, [1, 3]].all()
    assert class_conditional(p[usable], true[usable], 0.1).always_kept == ("1", "3")


def test_each_class_has_its_coverage():
    (p, true), (new, labels) = draw(4000, 3, 8), draw(4000, 3, 9)
    members = class_conditional(p, true, 0.2).sets(new).members
    for a in range(3):
        of = labels == a
        assert abs(members[of, a].mean() - 0.8) < 4 * np.sqrt(2 * 0.16 / of.sum())


def test_per_attribute_is_class_conditional_on_positives():
    p, labels = attributes(300, 3, 5)
    labels[:, 2] = 0
    labels[:4, 2] = 1
    fitted = per_attribute(p, labels, 0.1, names=["a", "b", "c"])
    assert fitted.always_kept == ("c",)
    for a in (0, 1):
        own = np.sort(p[labels[:, a] == 1, a])[::-1]
        assert fitted.thresholds[a] == own[int(np.ceil((len(own) + 1) * 0.9 - 1e-9)) - 1]
    new, truth = attributes(4000, 3, 6)
    found = fitted.sets(new).members
    assert abs(found[truth[:, 0] == 1, 0].mean() - 0.9) < 4 * np.sqrt(0.09 / fitted.images[0])


def test_one_threshold_gives_rare_attributes_less_recall_than_their_own():
    rng = np.random.default_rng(0)
    prevalence = np.array([0.5, 0.1, 0.02])
    labels = (rng.random((20_000, 3)) < prevalence).astype(float)
    z = 2 * (rng.normal(size=labels.shape) + 2 * labels) - 2 + np.log(prevalence / (1 - prevalence))
    p = 1 / (1 + np.exp(-z))
    half = slice(0, 10_000), slice(10_000, None)

    def recall(fitted):
        members = fitted.sets(p[half[1]]).members
        return np.array([members[labels[half[1]][:, a] == 1, a].mean() for a in range(3)])

    shared = recall(risk_control(p[half[0]], labels[half[0]], 0.1))
    own = recall(per_attribute(p[half[0]], labels[half[0]], 0.1))
    assert shared[0] > shared[1] + 0.1
    assert shared[1] > shared[2] + 0.1
    assert np.abs(own - 0.9).max() < 4 * np.sqrt(2 * 0.09 / labels[half[1]][:, 2].sum())


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_risk_control_by_trying_every_score(alpha):
    p, labels = attributes(40, 5, 7)
    p = p.round(2)  # with ties
    n, each = len(p), np.maximum(labels.sum(1), 1)

    def bound(threshold):
        return (((p < threshold) & (labels == 1)).sum(1) / each).sum() / (n + 1) + 1 / (n + 1)

    best = max(value for value in np.unique(p) if bound(value) <= alpha + 1e-12)
    fitted = risk_control(p, labels, alpha)
    assert fitted.thresholds[0] == best
    assert fitted.calibration.without_true == (labels.sum(1) == 0).sum()


def test_risk_is_controlled_on_average():
    """300 splits of 30; the mean rate on new images is at most α, and at least α - 2/(n + 1)."""
    rates = []
    for seed in range(300):
        (p, labels), (new, truth) = attributes(30, 4, seed), attributes(60, 4, 10_000 + seed)
        missed = (truth == 1) & ~risk_control(p, labels, 0.2).sets(new).members
        rates.append((missed.sum(1) / np.maximum(truth.sum(1), 1)).mean())
    error = np.std(rates) / np.sqrt(300)
    assert 0.2 - 2 / 31 - 4 * error < np.mean(rates) < 0.2 + 4 * error


def test_few_images_with_labels_let_all_scores_qualify():
    p = np.array([[0.9, 0.2]] * 30)
    labels = np.zeros((30, 2))
    labels[0, 1] = 1
    fitted = risk_control(p, labels, 0.5)
    assert fitted.thresholds.tolist() == [0.9, 0.9]  # the largest calibration score
    assert fitted.calibration.without_true == 29
    assert "29 images without a true label" in fitted.calibration.note


def test_unknown_labels_and_scores_are_left_out_and_counted():
    p, true = draw(60, 3, 1)
    more = np.concatenate([p, [[np.nan, 0.5, 0.5]], [[1, 0, 0]]])
    for rule in (lac, class_conditional):
        clean, fitted = rule(p, true, 0.2), rule(more, np.r_[true, 0, -1], 0.2)
        assert np.array_equal(clean.thresholds, fitted.thresholds)
        assert (fitted.calibration.undefined, fitted.calibration.unknown) == (1, 1)
    q, labels = attributes(60, 3, 1)
    q = np.concatenate([q, [[np.nan, 0.5, 0.5]], [[1, 0, 0]]])
    unknown = np.concatenate([labels, [[1, 0, 0]], [[np.nan] * 3]])
    for rule in (per_attribute, risk_control):
        clean, fitted = rule(q[:60], labels, 0.2), rule(q, unknown, 0.2)
        assert np.array_equal(clean.thresholds, fitted.thresholds)
        assert (fitted.calibration.undefined, fitted.calibration.unknown) == (1, 1)


def test_one_image_per_person_of_attributes():
    p, labels = attributes(80, 3, 2)
    people = [f"p{n // 2}" for n in range(80)]
    fitted = per_attribute(p, labels, 0.2, identities=people)
    for a in range(3):
        assert fitted.images[a] == len({people[n] for n in np.flatnonzero(labels[:, a] == 1)})
    assert fitted.calibration.further is not None
    assert risk_control(p, labels, 0.2, identities=people).calibration.images == 40


def test_scores_that_are_all_equal_are_all_kept():
    p, true = np.full((30, 4), 0.25), np.arange(30) % 4
    for rule in (lac, class_conditional):
        assert rule(p, true, 0.3).sets(p).size == 4
    assert risk_control(p, np.eye(4)[true], 0.3).sets(p).size == 4


@pytest.mark.parametrize("rule", [lac, class_conditional, per_attribute, risk_control])
@pytest.mark.parametrize("alpha", [0, 1, np.nan])
def test_alpha_out_of_range(rule, alpha):
    p, true = draw(50, 3, 0)
    labels = true if rule in {lac, class_conditional} else np.eye(3)[true]
    with pytest.raises(InputError, match="above 0 and below 1"):
        rule(p, labels, alpha)


@pytest.mark.parametrize("rule", [lac, class_conditional, per_attribute, risk_control])
def test_too_few_images(rule):
    p, true = draw(8, 3, 0)
    labels = true if rule in {lac, class_conditional} else np.eye(3)[true]
    with pytest.raises(InputError, match="needs 9 at least"):
        rule(p, labels, 0.1)


@pytest.mark.parametrize("rule", [lac, class_conditional, per_attribute, risk_control])
def test_other_outputs_are_refused(rule):
    p, true = draw(90, 3, 0)
    labels = true if rule in {lac, class_conditional} else np.eye(3)[true]
    fitted = rule(p, labels, 0.2, names=["a", "b", "c"])
    with pytest.raises(InputError, match="calibrated on 3 outputs, got scores of 2"):
        fitted.sets(p[:, :2])
    with pytest.raises(InputError, match="a, b, c, got scores of a, b, d"):
        fitted.sets(p, names=["a", "b", "d"])


@pytest.mark.parametrize(
    ("labels", "words"),
    [(np.zeros((20, 2)), "none of 20 images has a true label"), (np.full((20, 2), 2.0), "label of row 0, attribute 0"),
     (np.zeros((20, 3)), "one shape")],
)  # fmt: skip
def test_labels_that_cannot_be_calibrated_on(labels, words):
    with pytest.raises(InputError, match=words):
        risk_control(np.full((20, 2), 0.5), labels, 0.1)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p, labels = attributes(30, 3, 0)
        risk_control(p.astype(np.float32), labels, 0.2).sets(p.astype(np.float32))
