"""Training of sets of outputs: a disc that is red, green or blue, and grey or striped."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import bincam
from bincam import data
from bincam.data.describe import SPLITS
from bincam.errors import BincamWarning, InputError
from bincam.postprocessing.offsets import differences
from bincam.train import fit, fit_pair, make_set_loss
from bincam.train.configuration.config import make_config
from bincam.train.evaluations.raw_scores import raw_scores
from tests.train.conftest import Stop, outcome, stop_after, values
from tests.train.steps.test_distributed import in_processes

COUNTS = (96, 60, 45)
SHARES = (0.7, 0.2, 0.1)


def write_colours(folder: Path, *, noise: int = 60) -> Path:
    """A CSV with a column of class names, one-hot columns of a second set, and an attribute."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["image,split,colour,left,right,bright"]
    for i in range(sum(COUNTS)):
        split = SPLITS[0 if i < COUNTS[0] else 1 if i < sum(COUNTS[:2]) else 2]
        colour = int(rng.choice(3, p=SHARES))
        right, bright = int(rng.random() < 0.5), int(rng.random() < 0.4)
        picture = np.full((32, 32, 3), 60 + 60 * bright, np.int64) + rng.integers(-noise, noise + 1, (32, 32, 3))
        picture[8:24, 16 * right + 2 : 16 * right + 14, colour] += 70
        cv2.imwrite(str(folder / f"{i:03d}.png"), picture.clip(0, 255).astype(np.uint8))
        name = ("often", "seldom", "rare")[colour]
        lines.append(f"{i:03d}.png,{split},{'' if i % 11 == 5 else name},{1 - right},{right},{bright}")
    (folder / "colours.csv").write_text("\n".join(lines) + "\n")
    return folder / "colours.csv"


OPTIONS: dict[str, Any] = {
    "split": "split",
    "one_of_columns": {"colour": ["often", "seldom", "rare"]},
    "one_of": {"side": ["left", "right"]},
    "one_of_invalid": "unknown",
}
pytestmark = pytest.mark.filterwarnings("ignore:.*their labels of the set are unknown")


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("colours"))


@pytest.fixture
def config(colours: Path, tmp_path: Path) -> Any:
    def make(**changes: Any):
        out = tmp_path / changes.pop("to", "run")
        return make_config(values(colours, out, **{"data__options": OPTIONS, "epochs": 1} | changes))

    return make


def test_a_run_trains_attributes_and_several_sets_on_one_backbone(config, colours):
    result = fit(config(set_weights={"colour": 0.5}, loss="logit_adjusted"))
    card = result.model().card
    assert card.attributes == ("left", "right", "bright", "colour=often", "colour=seldom", "colour=rare")
    assert card.one_of == {"side": ("left", "right"), "colour": ("colour=often", "colour=seldom", "colour=rare")}
    assert card.loss == "logit_adjusted, logit_adjusted"
    table = data.load(colours, **OPTIONS).split("train")
    positives = np.nansum(table.labels, axis=0)
    assert [card.train_counts[name][1] for name in table.names] == positives.tolist()
    assert set(card.logit_shift) == set(card.tuned_thresholds) == {"bright"}
    expected = -np.log(positives[3:] / positives[3:].sum())
    expected -= expected.mean()
    assert [card.score_shift[name] for name in card.one_of["colour"]] == pytest.approx(expected, abs=1e-6)
    assert set(card.tuned_offsets) == {*card.one_of["side"], *card.one_of["colour"]}
    assert result.model().network.head.out_features == 6

    validation = result.history[0]["validation"]
    assert set(validation["attributes"]) == {"bright"}
    assert set(validation["sets"]) == {"side", "colour"}
    colour = validation["sets"]["colour"]
    assert np.sum(colour["confusion"]) == colour["n"] < COUNTS[1]
    assert list(colour["outputs"]) == list(card.one_of["colour"])
    own = [
        validation["attributes"]["bright"]["accuracy"],
        *(entry["accuracy"] for entry in validation["sets"].values()),
    ]
    assert validation["mean"]["accuracy"] == pytest.approx(np.mean(own))
    assert validation["defined"]["accuracy"] == 3
    assert validation["defined"]["fnr"] == 1
    assert set(result.test["zero"]["sets"]) == {"side", "colour"}
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["data"]["one_of"]["side"] == ["left", "right"]


def test_the_recorded_figures_are_those_of_the_models_raw_scores(config, colours):
    from bincam.stats.sets.metrics import evaluate_set

    result = fit(config())
    model, table = result.model().eval(), data.load(colours, **OPTIONS).split("test")
    with torch.no_grad():
        scores = torch.cat([raw_scores(model, batch.images) for batch in data.loader(table, card=model.card)]).numpy()
    counts = [model.card.train_counts[name][1] for name in model.card.one_of["colour"]]
    expected = evaluate_set(scores[:, 3:], table.labels[:, 3:], counts)
    recorded = result.test["zero"]["sets"]["colour"]
    assert recorded["confusion"] == expected.confusion.tolist()
    assert recorded["macro_auroc"] == pytest.approx(expected.macro_auroc, abs=1e-6)
    offsets = np.array([model.card.tuned_offsets[name] for name in model.card.one_of["colour"]])
    assert result.test["tuned_offsets"] == model.card.tuned_offsets
    moved = evaluate_set(scores[:, 3:].astype(float) + offsets, table.labels[:, 3:], counts)
    assert result.test["tuned"]["sets"]["colour"]["confusion"] == moved.confusion.tolist()


def test_the_loss_is_the_sum_of_means_per_part(config, colours):
    """The recorded validation loss, against torch on the model's own scores."""
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    result = fit(config(set_weights={"colour": 0.5, "side": 2.0}))
    model, table = result.model().eval(), data.load(colours, **OPTIONS).split("validation")
    with torch.no_grad():
        r = torch.cat([raw_scores(model, batch.images) for batch in data.loader(table, card=model.card)]).double()
    y = torch.from_numpy(np.array(table.labels)).double()
    known = ~y[:, 3].isnan()
    expected = (
        binary_cross_entropy_with_logits(r[:, 2], y[:, 2])
        + 2 * cross_entropy(r[:, :2], y[:, :2].argmax(1))
        + 0.5 * cross_entropy(r[known][:, 3:], y[known][:, 3:].argmax(1))
    )
    assert result.history[0]["validation"]["mean"]["loss"] == pytest.approx(float(expected), abs=1e-5)


def test_dividing_a_batch_changes_no_gradient(config):
    whole, parts = (fit(config(to=str(n), accumulate=n, test=False, set_weights={"colour": 3.0})) for n in (1, 4))
    assert whole.history[0]["train_loss"] == pytest.approx(parts.history[0]["train_loss"], abs=1e-5)
    first, second = (result.model().network.head.weight for result in (whole, parts))
    torch.testing.assert_close(first, second, atol=2e-4, rtol=1e-3)


@pytest.mark.slow
def test_two_processes_are_one(config):
    changes = {"test": False, "set_weights": {"colour": 3.0}, "loss": "weighted_bce"}
    alone = fit(config(to="alone", **changes))
    together = config(to="together", **changes)
    assert in_processes(2, lambda _: fit(together)) == [0, 0]
    record = json.loads((Path(together.out) / "metrics.jsonl").read_text())
    assert record["train_loss"] == pytest.approx(alone.history[0]["train_loss"], rel=1e-4)
    own = record["validation"]["sets"]
    for name, entry in alone.history[0]["validation"]["sets"].items():
        assert own[name]["n"] == entry["n"]
        assert np.sum(own[name]["confusion"], 1).tolist() == np.sum(entry["confusion"], 1).tolist()
        assert own[name]["macro_auroc"] == pytest.approx(entry["macro_auroc"], abs=0.02)


def test_a_resumed_run_is_the_same(config):
    changes = {"epochs": 2, "loss": "weighted_bce", "set_weights": {"side": 0.5}}
    whole = fit(config(to="whole", **changes))
    broken = config(to="broken", **changes)
    with pytest.raises(Stop):
        fit(broken, on_epoch=stop_after(1))
    assert outcome(whole.folder) == outcome(fit(broken, resume=True).folder)
    with pytest.raises(InputError, match=r"belongs to a run with set_weights\.side 0.5, but now it is None"):
        fit(config(to="broken", epochs=2, loss="weighted_bce"), resume=True)


def test_sets_alone_need_no_attribute(config):
    with pytest.warns(BincamWarning, match="loss inverse_frequency weights the outputs of a set, and resampling class"):
        result = fit(config(data__attributes=["colour"], loss="weighted_bce", resampling="class_aware"))
    card = result.model().card
    assert card.attributes == card.one_of["colour"]
    assert card.loss == "inverse_frequency"
    assert (card.tuned_thresholds, card.logit_shift, card.calibration) == ({}, {}, {})
    counts = np.array([card.train_counts[name][1] for name in card.attributes])
    twice = -2 * np.log(counts)  # weighted, and drawn more often: the two effects add up
    assert list(card.score_shift.values()) == pytest.approx(twice - twice.mean(), abs=1e-6)
    mean = result.history[0]["validation"]["mean"]
    assert mean["balanced_error"] == pytest.approx(
        1 - result.history[0]["validation"]["sets"]["colour"]["balanced_accuracy"]
    )
    assert mean["fnr"] is None


def write_levels(folder: Path, counts: tuple[int, int] = (240, 120)) -> Path:
    """A CSV and noisy pictures of three levels of blue that overlap, imbalanced."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    lines = ["image,split,level"]
    for i in range(sum(counts)):
        level = int(rng.choice(3, p=(0.75, 0.17, 0.08)))
        picture = rng.integers(60, 120, (32, 32, 3))
        picture[..., 0] += int(rng.normal(40 * level, 20))
        cv2.imwrite(str(folder / f"{i}.png"), picture.clip(0, 255).astype(np.uint8))
        lines.append(f"{i}.png,{'train' if i < counts[0] else 'val'},{('low', 'middle', 'high')[level]}")
    (folder / "levels.csv").write_text("\n".join(lines) + "\n")
    return folder / "levels.csv"


@pytest.mark.slow
def test_the_pair_on_a_set_misses_fewer_of_the_minority_with_class_weights(tmp_path):
    options = {"split": "split", "one_of_columns": ["level"]}
    changes = {"epochs": 6, "optimizer__lr": 1e-2, "model__options__norm_layer": "batchnorm"}
    table = write_levels(tmp_path / "levels")
    pair = fit_pair(make_config(values(table, tmp_path / "pair", data__options=options, **changes)))
    assert pair.identical
    unbalanced, balanced = (result.history[-1]["validation"]["sets"]["level"] for result in pair.arms.values())
    assert balanced["minority_error"] < unbalanced["minority_error"] - 0.1
    assert balanced["majority_error"] > unbalanced["majority_error"]
    assert pair.proof["arms"]["balanced"]["set_loss"] == {"name": "inverse_frequency", "options": {}}
    assert [result.model().card.loss for result in pair.arms.values()] == ["cross_entropy", "inverse_frequency"]


def test_arms_that_train_the_same_are_warned_of(config):
    same = {"a": {"loss": "weighted_bce"}, "b": {"loss": "moon_bce"}}
    with pytest.warns(BincamWarning, match="arms a and b train the same"):
        fit_pair(config(data__attributes=["colour"], arms=same, test=False))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "focal"}, "loss 'focal' has no counterpart for sets of outputs; state set_loss: "),
        ({"loss": {"name": "moon_bce", "options": {"target_rate": 0.4}}}, "option 'target_rate' of loss 'moon_bce'"),
        ({"set_loss": "cross_entrpy"}, "unknown set loss 'cross_entrpy'; did you mean 'cross_entropy'"),
        ({"set_loss": {"options": {"tau": 1}}}, "set loss 'cross_entropy' has no option 'tau'"),
        ({"set_loss": {"options": {"label_smoothing": 1}}}, "label_smoothing=1: expected a number from 0 to below 1"),
        ({"set_weights": {"color": 1.0}}, "set_weights names the set 'color'; the sets are side, colour"),
        ({"set_weights": {"side": 0.0}}, "set_weights of 'side' is 0.0: expected a number above 0"),
        ({"loss": "euclidean", "set_loss": "cross_entropy"}, "outputs are 'margin' cannot be joined with sets"),
        ({"data__attributes": ["colour"], "best": "fnr"}, "best: 'fnr' is not defined for sets of outputs"),
        ({"data__options": {"split": "split", "attributes": ["bright"]}, "set_loss": "cross_entropy"},
         "set_loss is configured, but the data state no sets"),
    ],
)  # fmt: skip
def test_configurations_that_do_not_fit_are_refused(config, changes, message):
    with pytest.raises(InputError, match=message):
        fit(config(**changes))


def test_a_class_without_training_images_is_refused_and_the_advice_works(config):
    four = {**OPTIONS, "one_of_columns": {"colour": ["often", "seldom", "rare", "never"]}}
    with pytest.raises(
        InputError, match=r"'colour=never' of the set 'colour' has no images among 96 images.*state the "
    ):
        fit(config(data__options=four))
    assert fit(config(test=False)).epochs == 1  # the set stated without this class


def test_pretrained_weights_need_the_same_sets(config):
    first = fit(config(test=False, to="first"))
    plain = {"data__options": {"split": "split", "one_of": {"side": ["left", "right"]}, "attributes": ["bright"]}}
    with pytest.raises(
        InputError, match=r"has the sets of outputs side \(left, right\), colour \(.*backbone copies the"
    ):
        fit(config(model__pretrained=str(first.folder), **plain))
    again = fit(
        config(test=False, to="again", model__pretrained=str(first.folder), model__pretrained_part="backbone", **plain)
    )
    assert again.model().card.one_of == {"side": ("left", "right")}


def test_files_of_runs_without_sets_do_not_mention_sets(spots, tmp_path):
    result = fit(make_config(values(spots, tmp_path / "run", epochs=1)))
    for name in ("config.yaml", "card.json", "manifest.json", "metrics.jsonl", "test.json"):
        text = (result.folder / name).read_text()
        assert not any(
            word in text for word in ("one_of", "set_loss", "set_weights", "score_shift", "offsets", '"sets"')
        )


def test_a_large_set_records_the_occupied_cells_alone():
    from bincam.models import make_card
    from bincam.stats import ClassCounts
    from bincam.train.evaluations.set_evaluation import judge_sets

    names = tuple(f"c{i}" for i in range(120))
    card = make_card(attributes=names, architecture="timm", name="resnet10t", input_size=(8, 8), one_of={"all": names})
    labels = np.eye(120)[[3, 3, 7]]
    counts = ClassCounts.from_labels(names, np.eye(120))
    entry = judge_sets(np.eye(120)[[3, 9, 7]], labels, card, counts, {})["all"]
    assert entry["confusion_cells"] == [[3, 3, 1], [3, 9, 1], [7, 7, 1]]


def test_offsets_of_the_record_make_predictions_as_frequent_as_labels(config, colours):
    result = fit(config())
    model, table = bincam.load(result.folder).eval(), data.load(colours, **OPTIONS).split("validation")
    with torch.no_grad():
        scores = torch.cat([raw_scores(model, batch.images) for batch in data.loader(table, card=model.card)]).double()
    known = ~np.isnan(table.labels[:, 3])
    offsets = [model.card.tuned_offsets[name] for name in model.card.one_of["colour"]]
    moved = scores.numpy()[known][:, 3:] + offsets
    assert differences(moved, table.labels[known][:, 3:].sum(0).astype(int)) <= 2


def test_the_logit_adjusted_optimum_on_a_hand_case():
    """Two kinds of images with known probabilities of three outputs; the scores that minimise the expected loss."""
    prior, eta = np.array([0.7, 0.2, 0.1]), torch.tensor([[0.8, 0.15, 0.05], [0.5, 0.3, 0.2]], dtype=torch.float64)
    for name, factor in (
        ("logit_adjusted", 1 / prior),
        ("inverse_frequency", 1 / prior),
        ("cross_entropy", np.ones(3)),
    ):
        loss = make_set_loss(name, 100 * prior)
        r = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([r], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16)

        def cost(r=r, loss=loss, optimizer=optimizer):
            optimizer.zero_grad()
            labels = torch.eye(3, dtype=torch.float64)
            value = sum((eta[:, a] * loss.terms(r, labels[a].expand(2, 3))).sum() for a in range(3))
            value.backward()
            return value

        optimizer.step(cost)
        expected = torch.log(eta * torch.from_numpy(factor))
        difference = (r - expected).detach()
        torch.testing.assert_close(difference, difference[:, :1].expand(2, 3), atol=1e-5, rtol=0)
        corrected = torch.softmax((r - loss.score_shift).detach(), 1)  # the card's correction gives the probabilities
        torch.testing.assert_close(corrected, eta, atol=1e-5, rtol=0)
    assert math.isclose(float(loss.score_shift.sum()), 0, abs_tol=1e-12)


def test_a_loss_of_sets_that_no_arm_uses_is_warned_of_and_an_arm_may_state_its_own(config):
    with pytest.warns(BincamWarning, match="set_loss logit_adjusted is used by no arm: unbalanced has the one that"):
        pair = fit_pair(config(data__attributes=["colour"], set_loss="logit_adjusted", test=False))
    assert [result.model().card.loss for result in pair.arms.values()] == ["cross_entropy", "inverse_frequency"]
    own = {"plain": {"loss": "bce"}, "adjusted": {"loss": "bce", "set_loss": "logit_adjusted"}}
    adjusted = fit_pair(config(data__attributes=["colour"], arms=own, test=False, to="own"))
    assert [result.model().card.loss for result in adjusted.arms.values()] == ["cross_entropy", "logit_adjusted"]
