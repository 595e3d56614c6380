"""The arms of a pair saw the same, and where they did not, it shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import pytest
import torch

import bincam
from bincam.beside import Beside
from bincam.errors import BincamWarning, InputError
from bincam.train import fit, fit_pair
from bincam.train.pair import prove
from tests.train.conftest import digest


@pytest.fixture(scope="module")
def pair(spots, tmp_path_factory):
    from bincam.train.configuration.config import make_config
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


def test_arms_of_the_same_loss_are_the_same_model(config):
    """With dropout: what is drawn at random is drawn alike."""
    twins = {"a": {}, "b": {"loss": "focal"}}
    changes = {"epochs": 1, "loss": "focal", "arms": twins, "model__options__drop_rate": 0.5}
    result = fit_pair(config(**changes))
    assert {name: arm.model().card.loss for name, arm in result.arms.items()} == {"a": "focal", "b": "focal"}
    assert digest(result.arms["a"].folder) == digest(result.arms["b"].folder)


def test_a_loss_of_no_arm_is_told_of(config):
    with pytest.warns(BincamWarning, match="loss focal is used by no arm: unbalanced has bce, balanced has moon_bce"):
        fit_pair(config(epochs=1, loss="focal"))
    other = {"name": "moon_bce", "options": {"target_rate": 0.4}}
    with pytest.warns(BincamWarning, match="loss moon_bce with .*0.4.* is used by no arm: .* balanced has moon_bce"):
        fit_pair(config(epochs=1, loss=other, to="other"))


def test_what_stops_a_later_arm_is_found_before_the_first_is_trained(config):
    result = fit_pair(config(epochs=1))
    unbalanced = result.folder / "unbalanced"
    rmtree(unbalanced)
    with pytest.raises(InputError, match="balanced: contains a run"):
        fit_pair(config(epochs=1))
    other = {"unbalanced": {"loss": "bce"}, "balanced": {"loss": "focal"}}
    with pytest.raises(InputError, match=r"loss\.name 'moon_bce', but now it is 'focal'"):
        fit_pair(config(epochs=1, arms=other), resume=True)
    assert not unbalanced.exists()


def test_images_are_compared_between_arms_that_are_re_sampled_alike(config):
    drawn = {"resampling": "class_aware"}
    arms = {"a": drawn, "b": {**drawn, "loss": "focal"}, "c": {}}
    settings = config(epochs=1, arms=arms)
    result = fit_pair(settings)
    assert result.proof["identical"] == {"initial_weights": True, "order": True, "pixels": True}
    assert result.proof["resampled"]
    b = result.arms["b"]
    other = replace(b, history=({**b.history[0], "pixels": "0"},))
    assert not prove(settings, {**result.arms, "b": other})["identical"]["pixels"]
    alone = prove(
        settings.model_copy(update={"arms": {k: settings.arms[k] for k in "ac"}}), {k: result.arms[k] for k in "ac"}
    )
    assert set(alone["identical"]) == {"initial_weights"}


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


@pytest.mark.slow  # two processes import torch
def test_arms_trained_at_once_are_those_trained_in_turn(config, capfd):
    """With as many threads the bytes are the same; bars are lines, and what is there is not trained again."""
    threads = torch.get_num_threads()
    with Beside(2) as processes:
        at_once = fit_pair(config(epochs=1, to="at once"), beside=processes)
        again = fit_pair(config(epochs=1, to="at once"), beside=processes, resume=True)
    assert again.arms == at_once.arms
    assert at_once.identical
    lines = capfd.readouterr().err.splitlines()
    assert sum("epoch 1/1" in line for line in lines) == 2
    facts = [json.loads((arm.folder / "manifest.json").read_text()) for arm in at_once.arms.values()]
    assert [one["threads"] for one in facts] == [max(1, threads // 2)] * 2
    torch.set_num_threads(max(1, threads // 2))
    try:
        in_turn = fit_pair(config(epochs=1, to="in turn"))
    finally:
        torch.set_num_threads(threads)
    for name, arm in in_turn.arms.items():
        assert digest(arm.folder) == digest(at_once.arms[name].folder)
