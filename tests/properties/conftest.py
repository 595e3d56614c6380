"""Files that inputs are made of by damaging them, and a folder that each input may use."""

from __future__ import annotations

import itertools

import pytest

from bincam.data import write_celeba
from tests.cli.conftest import tiny
from tests.data.conftest import make_images, make_table


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """A function that makes a new empty folder for every input."""
    base, count = tmp_path_factory.mktemp("inputs"), itertools.count()

    def make():
        folder = base / str(next(count))
        folder.mkdir()
        return folder

    return make


@pytest.fixture(scope="session")
def celeba(tmp_path_factory):
    folder = tmp_path_factory.mktemp("celeba")
    write_celeba(make_table(), make_images(12, (44, 36)), folder)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    import bincam.models

    folder = tmp_path_factory.mktemp("model") / "tiny"
    bincam.models.save(tiny(["Smiling", "Male"]), folder)
    return folder


@pytest.fixture(scope="session")
def other_models(tmp_path_factory):
    """A model that pools cell scores, one with a set of outputs, and one with a second head for its label sets."""
    import bincam.models

    base, names = tmp_path_factory.mktemp("models"), ["Smiling", "dark", "fair", "red"]
    small = {"channels": [8, 8, 8, 8], "stem_width": 8, "input_size": (64, 96)}
    sets = {"hair": names[1:]}
    made = {
        "cells": bincam.models.build("resnet10t", names, pooling="top", pooling_options={"share": 0.25}, **small),
        "set": bincam.models.build("resnet10t", names, one_of=sets, **small),
        "two_heads": bincam.models.build("resnet10t", names[1:], one_of=sets, set_head=True, **small),
    }
    for name, model in made.items():
        bincam.models.save(model, base / name)
    return [base / name for name in made]
