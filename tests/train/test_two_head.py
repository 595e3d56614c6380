"""Runs with the two-head loss: one model with two heads, from one configuration, resumed, divided and audited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import bincam
from bincam import data
from bincam.errors import BincamWarning, InputError
from bincam.postprocessing.average_k import fit_average_k
from bincam.train import fit, fit_pair
from bincam.train.configuration.config import make_config
from bincam.train.evaluations.raw_scores import raw_scores
from bincam.train.losses import two_head
from bincam.train.runs.checkpoint import Position
from tests.train.conftest import Stop, outcome, stop_after, values
from tests.train.steps.test_distributed import in_processes
from tests.train.test_sets import OPTIONS, write_colours

COLOUR = {"split": "split", "attributes": [], "one_of_columns": OPTIONS["one_of_columns"], "one_of_invalid": "unknown"}
TWO = {"name": "two_head", "options": {"size": 1.5}}
pytestmark = pytest.mark.filterwarnings("ignore:.*their labels of the set are unknown")


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("colours"))


@pytest.fixture
def config(colours: Path, tmp_path: Path) -> Any:
    def make(**changes: Any):
        out = tmp_path / changes.pop("to", "run")
        return make_config(values(colours, out, **{"data__options": OPTIONS, "epochs": 1, "set_loss": TWO} | changes))

    return make


def test_one_model_has_both_heads_and_its_label_sets_come_from_the_second(config, colours):
    result = fit(config())
    model = result.model()
    card = model.card
    assert (card.output, card.set_output, card.loss) == ("decisions", "label_sets", "bce, two_head")
    assert (model.network.head.out_features, model.network.set_head.out_features) == (6, 5)
    table = data.load(colours, **OPTIONS).split("test")
    images = next(iter(data.loader(table, card=card, batch_size=45))).images
    with torch.no_grad():
        p = model.set_scores(images)
        both = model.network(images)
    torch.testing.assert_close(p["side"], both["label_sets"][:, :2].sigmoid())
    torch.testing.assert_close(p["colour"], both["label_sets"][:, 2:].sigmoid())
    softmax = both["decisions"][:, 3:].softmax(1)
    torch.testing.assert_close(model(images)[:, 3:].sigmoid(), softmax)  # decisions are those of the softmax head
    assert fit_average_k(p["colour"].numpy(), 1.5).sets(p["colour"].numpy()).size == pytest.approx(1.5, abs=0.02)
    validation = result.history[0]["validation"]
    assert validation["mean"]["loss"] > 0
    assert set(validation["sets"]) == {"side", "colour"}
    explained = bincam.Explainer(model)(images[:2])
    assert explained.kind == "conditional"
    assert float(explained.identity_gap.abs().max()) < 1e-5


def test_the_softmax_head_begins_as_without_the_second(config):
    two, one = fit(config(to="two")), fit(config(to="one", set_loss="cross_entropy"))
    assert two.initial_weights != one.initial_weights  # of all weights
    assert two.history[0]["pixels"] == one.history[0]["pixels"]
    weights = fit(config(to="warm", set_loss={"name": "two_head", "options": {"warmup_epochs": 1}}, epochs=2,
                         schedule__name="constant")).folder  # fmt: skip
    first, second = (json.loads(line) for line in (weights / "metrics.jsonl").read_text().splitlines())
    assert first["warmup"]
    assert "warmup" not in second
    assert json.loads((weights / "manifest.json").read_text())["best"]["epoch"] == 2
    alone = fit(config(to="alone", set_loss="cross_entropy", epochs=2, schedule__name="constant")).history[0]
    assert first["train_loss"] == pytest.approx(alone["train_loss"], rel=1e-6)  # in the warm-up


def test_every_process_and_part_makes_pseudo_labels_of_its_own_batch(config, monkeypatch):
    asked: list[tuple[int, int, int]] = []
    real = two_head.pseudo_labels

    def counted(scores, labels, size):
        chosen = real(scores, labels, size)
        asked.append((int((~labels.isnan().any(1)).sum()), int(chosen.sum()), round(size * asked_of(labels))))
        return chosen

    def asked_of(labels):
        return int((~labels.isnan().any(1)).sum())

    monkeypatch.setattr(two_head, "pseudo_labels", counted)
    with pytest.warns(BincamWarning, match=r"two_head compares the entries of a batch, and each of 1 processes x 2"):
        fit(config(accumulate=2, data__options=COLOUR, loss="two_head", set_loss=None, test=False))
    training = asked[:-1]
    assert len(training) == 2 * (96 // 16)
    assert all(found == wanted for _, found, wanted in asked)
    assert {known for known, *_ in training} <= set(range(5, 9))
    assert any(known % 2 for known, *_ in training)  # 2 K·B odd: rounded
    assert asked[-1][0] > 50  # validation is one batch


def two_processes(run_config):
    def run(_: int) -> None:
        real, seen = two_head.pseudo_labels, []

        def counted(scores, labels, size):
            chosen = real(scores, labels, size)
            known = int((~labels.isnan().any(1)).sum())
            assert int(chosen.sum()) == round(size * known)
            seen.append(len(labels))
            return chosen

        two_head.pseudo_labels = counted
        with pytest.warns(BincamWarning, match=r"loss two_head compares"):
            fit(run_config)
        assert seen[0] == 8  # of a batch of 16

    return run


def test_two_processes_train_both_heads_on_their_own_batches(config):
    both = config(to="both", data__options=COLOUR, loss={"name": "two_head", "options": {"warmup_epochs": 1}}, epochs=2,
                  set_loss=None)  # fmt: skip
    assert in_processes(2, two_processes(both)) == [0, 0]
    model = bincam.load(both.out)
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_a_resumed_run_gives_the_same_bytes(config):
    settings = {"set_loss": {"name": "two_head", "options": {"warmup_epochs": 1}}, "epochs": 3}
    whole, broken = config(to="whole", **settings), config(to="broken", **settings)
    fit(whole)
    with pytest.raises(Stop):
        fit(broken, on_epoch=stop_after(1))
    fit(broken, resume=True)
    assert outcome(Path(broken.out)) == outcome(Path(whole.out))


def test_an_epoch_of_the_warm_up_is_not_kept():
    """Its second head is untrained, however good its figures are."""
    run = make_config({"data": {"source": "x"}, "out": "y", "epochs": 9, "best": "loss", "set_loss": TWO,
                       "early_stopping": {"metric": "loss", "patience": 2}})  # fmt: skip
    position = Position()
    kept = []
    for loss, warming in (
        (0.1, True),
        (0.3, True),
        (0.9, False),
        (1.0, False),
        (0.8, False),
        (0.9, False),
        (0.9, False),
    ):
        position.count({"validation": {"mean": {"loss": loss}}, **({"warmup": True} if warming else {})}, run)
        kept.append(position.best_epoch)
    assert kept == [1, 1, 3, 3, 5, 5, 5]
    assert position.best_value == 0.8
    assert position.ended == "early stopping"  # and not before


def test_a_run_reads_what_the_model_says(config):
    model = fit(config()).model()
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        scores, of_sets = model.both_scores(images)
        assert torch.equal(raw_scores(model, images), torch.cat([scores, of_sets], 1))
        assert torch.equal(model.scores(images), scores)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"set_loss": {"name": "two_head", "options": {"size": 2.5}}},
         "size=2.5: expected 1 to 2, the number of the set's outputs"),
        ({"set_loss": {"name": "two_head", "options": {"size": 0.5}}}, "size=0.5: expected 1 to 2"),
        ({"set_loss": {"name": "two_head", "options": {"warmup_epochs": 1}}},
         "warmup_epochs 1 of 1 epochs leave none to train the sigmoid head"),
        ({"set_loss": None, "loss": "two_head"},
         "loss 'two_head' is of sets of outputs, and bright is an attribute in none; state set_loss: two_head, and a"),
        ({"set_loss": None, "loss": "two_head", "data__options": {"split": "split", "attributes": ["bright"]}},
         "loss 'two_head' is of sets of outputs, but the data state none"),
        ({"set_loss": None, "loss": {"name": "two_head", "options": {"sise": 2}}, "data__options": COLOUR},
         "set loss 'two_head' has no option 'sise'; did you mean 'size'"),
        ({"set_loss": None, "loss": "hill"}, "loss 'hill' has no counterpart for sets of outputs"),
        ({"model__pooling": "noisy_or"}, "exactly one output of set"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_in_one_line(config, changes, message):
    with pytest.raises(InputError) as error:
        fit(config(**changes))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_heads_are_not_mixed_up(config):
    plain = fit(config(to="plain", set_loss="cross_entropy"))
    folder = str(plain.folder)
    with pytest.raises(InputError, match=r"has no second head for label sets, unlike the model to be trained"):
        fit(config(to="all", model__pretrained=folder))
    copied = fit(config(to="backbone", model__pretrained=folder, model__pretrained_part="backbone"))
    assert copied.model().card.set_output == "label_sets"
    arms = {"one": {"set_loss": "cross_entropy"}, "two": {"set_loss": "two_head"}}
    with pytest.raises(InputError, match=r"arm 'two' has a second head for label sets and arm 'one' has none"):
        fit_pair(config(to="pair", arms=arms, set_loss="two_head"))


def test_cells_are_pooled_for_both_heads(config):
    model = fit(config(model__pooling="top", test=False)).model()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        features = model.network._features.of(model.network.backbone, images)
        cells = torch.einsum("bchw,ac->bahw", features, model.network.set_head.weight)
        expected = model.network.pool(cells + model.network.set_head.bias[:, None, None])
        torch.testing.assert_close(model.both_scores(images)[1], expected)
