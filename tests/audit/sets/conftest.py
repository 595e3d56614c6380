"""Audits of a set that is read rightly, with a planted fault, and now and then wrongly."""

import pytest

from bincam.audit.pipeline.runner import run
from tests.audit.planted_sets import (
    chosen_settings,  # noqa: F401  # a fixture
    coloured_pictures,  # noqa: F401  # a fixture
    reader,
    weak_reader,
)


@pytest.fixture(scope="session")
def noisy_reader():
    return weak_reader()


@pytest.fixture(scope="session")
def audits(coloured, chosen, noisy_reader, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits")
    models = {"honest": reader(), "faulty": reader("green"), "noisy": noisy_reader}
    return {name: run(model, coloured, folder / name, chosen) for name, model in models.items()}
