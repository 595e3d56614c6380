"""Scenes are data like any other: a tiny network is trained on both tables."""

import math

import pytest

from bincam import scenes
from bincam.models import read_card
from bincam.train import fit
from bincam.train.configuration.config import make_config
from tests.train.conftest import values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes") / "set"
    scenes.make(root, 600, seed=1, size=32, scale=0.2, workers=1)
    return root


@pytest.mark.parametrize("table", ["label.csv", "present.csv"])
def test_a_network_is_trained_on_a_table_of_scenes(folder, tmp_path, table):
    single = table == "label.csv"
    result = fit(make_config(values(folder / table, tmp_path / "run", data__options={}, epochs=1, best="loss")))
    card = read_card(tmp_path / "run")
    prefix = "shape=" if single else ""
    assert list(card.attributes) == [f"{prefix}{name}" for name in scenes.SHAPES]
    assert list(card.one_of) == (["shape"] if single else [])
    assert math.isfinite(result.history[0]["train_loss"])
