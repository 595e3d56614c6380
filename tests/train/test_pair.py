"""The arms of a pair saw the same, and where they did not, it shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import bincam
from bincam.errors import InputError
from bincam.train import fit, fit_pair
from bincam.train.pair import prove


@pytest.fixture(scope="module")
def pair(spots, tmp_path_factory):
    from bincam.train.config import make_config
    from tests.train.conftest import values

    changes = {"data__augmentation": "affact", "model__options__drop_rate": 0.2}
    settings = make_config(values(spots, tmp_path_factory.mktemp("pair"), **changes))
    return settings, fit_pair(settings)


def test_everything_but_the_loss_is_the_same(pair):
    settings, result = pair
    assert result.identical
    stored = json.loads((result.folder / "pair.json").read_text())
    assert stored == result.proof
    assert stored["identical"] == {"initial_weights": True, "order": True, "pixels": True}
    assert stored["epochs_compared"] == settings.epochs
    unbalanced, balanced = (stored["arms"][name] for name in ("unbalanced", "balanced"))
    assert unbalanced["pixels"] == balanced["pixels"]
    assert len(set(balanced["pixels"])) == len(set(balanced["order"])) == settings.epochs  # each epoch has its own
    assert (unbalanced["loss"]["name"], balanced["loss"]["name"]) == ("bce", "moon_bce")
    for name in ("unbalanced", "balanced"):
        manifest = json.loads((result.folder / name / "manifest.json").read_text())
        assert manifest["initial_weights"] == stored["arms"][name]["initial_weights"]
        assert [epoch["pixels"] for epoch in manifest["epochs"]] == stored["arms"][name]["pixels"]


def test_the_models_differ_and_say_how_they_were_made(pair):
    _, result = pair
    cards = {name: bincam.load(result.folder / name).card for name in result.arms}
    assert cards["unbalanced"].loss == "bce"
    assert cards["balanced"].loss == "moon_bce"
    assert cards["balanced"].logit_shift["below"] > 0
    assert cards["unbalanced"].train_counts == cards["balanced"].train_counts
    losses = [arm.history[-1]["train_loss"] for arm in result.arms.values()]
    assert losses[0] != losses[1]


@pytest.mark.parametrize("key", ["order", "pixels", "initial_weights"])
def test_a_difference_shows(pair, key):
    settings, result = pair
    one = result.arms["balanced"]
    if key == "initial_weights":
        other = replace(one, initial_weights="0")
    else:
        other = replace(one, history=({**one.history[0], key: "0"}, *one.history[1:]))
    proof = prove(settings, {**result.arms, "balanced": other})
    assert proof["identical"] == {name: name != key for name in ("initial_weights", "order", "pixels")}


def test_an_arm_that_ended_early_is_compared_as_far_as_it_went(pair):
    settings, result = pair
    one = result.arms["balanced"]
    proof = prove(settings, {**result.arms, "balanced": replace(one, epochs=1, history=one.history[:1])})
    assert proof["epochs_compared"] == 1
    assert all(proof["identical"].values())


def test_going_on_trains_only_what_is_missing(config):
    settings = config()
    own = {"out": f"{settings.out}/unbalanced", "loss": settings.arms["unbalanced"].loss}
    first = fit(settings.model_copy(update=own))
    result = fit_pair(settings, resume=True)
    assert result.identical
    assert result.arms["unbalanced"].history == first.history


def test_one_arm_is_no_pair(config):
    with pytest.raises(InputError, match="at least two arms, got a"):
        fit_pair(config(arms={"a": {"loss": "bce"}}))


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"loss": "bse"}, "did you mean 'bce'"),
        ({"loss": {"name": "focal", "options": {"gamma": -1}}}, "gamma=-1"),
        ({"resampling": "clas_aware"}, "did you mean 'class_aware'"),
    ],
)
def test_a_wrong_arm_is_refused_before_another_is_trained(config, arm, message):
    settings = config(arms={"a": {"loss": "bce"}, "b": arm})
    with pytest.raises(InputError, match=message):
        fit_pair(settings)
    assert not Path(settings.out).exists()
