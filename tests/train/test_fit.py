"""A run from end to end: what it leaves, and what can be chosen."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import bincam
from bincam.data import loader
from bincam.errors import BincamWarning
from bincam.postprocessing.platt import platt
from bincam.train import fit
from tests.train.conftest import digest


@pytest.mark.parametrize(("loss", "head"), [("focal", "logits"), ("euclidean", "margin")])
def test_where_no_shift_is_known_logits_are_calibrated_on_validation(config, table, loss, head):
    result = fit(config(loss=loss, data__memory=True))
    model = bincam.load(result.folder)
    assert model.card.head == head
    assert model.card.logit_shift == {}
    (batch,) = loader(table.split("validation"), card=model.card, batch_size=45)
    with torch.no_grad():
        expected = platt(model(batch.images), batch.labels)
    found = [model.card.calibration[name] for name in table.names]
    np.testing.assert_allclose(found, expected, rtol=2e-2)


def test_what_a_run_leaves(config, table):
    settings = config(epochs=3, optimizer__lr=1e-2, data__memory=True)
    before = torch.random.get_rng_state()
    result = fit(settings)
    assert torch.equal(before, torch.random.get_rng_state())
    lines = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
    assert set(lines[0]["validation"]["attributes"]) == {"above", "below"}
    values = [line["validation"]["mean"]["balanced_error"] for line in lines]
    assert result.best_value == min(values)
    assert result.best_epoch == values.index(min(values)) + 1

    card = bincam.load(result.folder).card
    train = table.split("train")
    assert card.train_counts["below"] == (int((train.labels[:, 1] == 0).sum()), int((train.labels[:, 1] == 1).sum()))
    assert (card.loss, card.head, card.fit, card.input_size) == ("bce", "logits", "stretch", (32, 32))
    assert card.thresholds == {}
    assert card.tuned_thresholds == lines[result.best_epoch - 1]["tuned_thresholds"]
    assert bincam.load(result.folder / "last").card.tuned_thresholds == lines[-1]["tuned_thresholds"]

    assert card.calibration == {}, "the shift is known: 0"

    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert (manifest["kind"], manifest["schema"], manifest["status"]) == ("bincam-train", 2, "finished")
    assert manifest["data"]["digest"] == table.digest()
    assert manifest["data"]["images"] == {"train": 96, "validation": 45, "test": 30}
    assert manifest["versions"]["torch"] == torch.__version__
    assert manifest["tuned_thresholds"] == card.tuned_thresholds
    test = json.loads((result.folder / "test.json").read_text())
    assert test == result.test
    assert test["images"] == 30
    assert result.model().card == card


def test_the_best_model_is_the_one_that_was_measured(config, table):
    result = fit(config(epochs=2, optimizer__lr=1e-2))
    from bincam.data import loader

    model = result.model()
    said = [model(batch.images).detach() for batch in loader(table.split("test"), card=model.card)]
    z, y = torch.cat(said).numpy(), table.split("test").labels
    wrong = [np.mean((z[y[:, 1] == value, 1] >= 0) != value) for value in (0, 1)]
    found = result.test["zero"]["attributes"]["below"]
    assert (found["fpr"], found["fnr"]) == pytest.approx(tuple(wrong))


@pytest.mark.parametrize("augmentation", ["none", "flip", "affact"])
def test_the_same_seed_gives_the_same_model_and_another_does_not(config, augmentation):
    once = fit(config(epochs=1, to="a", data__augmentation=augmentation))
    again = fit(config(epochs=1, to="b", data__augmentation=augmentation, data__workers=1))
    other = fit(config(epochs=1, to="c", data__augmentation=augmentation, seed=1))
    assert digest(once.folder) == digest(again.folder)
    assert once.history[0]["pixels"] == again.history[0]["pixels"]
    assert digest(once.folder) != digest(other.folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer__name": "rmsprop", "optimizer__lr": 1e-4},
        {"precision": "bf16"},
        {"channels_last": False, "clip_norm": 0.5},
        {"schedule__name": "plateau", "model__freeze_batchnorm": True, "model__options__norm_layer": "batchnorm"},
        {"model__options__drop_rate": 0.5, "model__pooling": "attention"},
        {"loss": "moon_bce", "schedule__warmup_epochs": 0.5},
        {"loss": {"name": "ldam", "options": {}}},
        {"resampling": "class_aware"},
    ],
)
def test_what_can_be_chosen_trains(config, changes):
    result = fit(config(epochs=2, **changes))
    assert result.epochs == 2
    assert all(math.isfinite(record["train_loss"]) for record in result.history)


def test_early_stopping_ends_the_run_and_the_best_epoch_is_kept(config):
    states = []

    def look(_):
        states.append(digest(f"{settings.out}/last"))

    waits = {"metric": "auroc", "patience": 2, "min_delta": 0.5}
    settings = config(epochs=9, optimizer__lr=1e-9, early_stopping=waits, best="accuracy")
    result = fit(settings, on_epoch=look)
    assert (result.ended, result.epochs) == ("early stopping", 3)
    assert len({record["validation"]["mean"]["accuracy"] for record in result.history}) == 1
    assert result.best_epoch == 1  # nothing that comes later is better
    assert len(set(states)) == 3
    assert digest(result.folder) == states[0]
    assert digest(result.folder / "last") == states[2]


def test_accelerates_environment_does_not_scale_the_gradient(config, monkeypatch):
    plain = fit(config(epochs=1, to="a"))
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    assert digest(fit(config(epochs=1, to="b")).folder) == digest(plain.folder)


def test_a_plateau_lowers_the_rate(config):
    schedule = {"name": "plateau", "patience": 0, "factor": 0.5, "metric": "balanced_error"}
    result = fit(config(epochs=4, optimizer__lr=1e-8, best="accuracy", schedule=schedule))
    assert result.history[-1]["lr"] < result.history[0]["lr"]


def test_thresholds_decide_only_where_asked_to(config):
    result = fit(config(epochs=1, store_thresholds=True))
    card = result.model().card
    assert card.thresholds == card.tuned_thresholds
    assert set(card.thresholds) == {"above", "below"}


def test_a_loss_that_compares_the_entries_of_a_batch_is_warned_of_when_batches_are_divided(config):
    with pytest.warns(BincamWarning, match="two_way compares the entries of a batch"):
        fit(config(epochs=1, accumulate=2, loss="two_way"))
