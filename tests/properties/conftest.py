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
