"""Audits of one set of colours by models that state it differently."""

from dataclasses import replace

import pytest

from bincam.audit.pipeline.runner import run
from bincam.models import AttributeClassifier
from tests.audit.planted import Eye
from tests.audit.planted_sets import (
    COLOURS,
    card,
    chosen_settings,  # noqa: F401  # a fixture
    coloured_pictures,  # noqa: F401  # a fixture
    reader,
    weak_reader,
)


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audits")


@pytest.fixture(scope="package")
def audits(coloured, chosen, folder):
    """The first model takes green for red, the second is right throughout."""
    return [run(reader(fault), coloured, folder / (fault or "honest"), chosen) for fault in ("green", None)]


@pytest.fixture(scope="package")
def noisy(coloured, chosen, folder):
    return run(weak_reader(), coloured, folder / "noisy", chosen)


@pytest.fixture(scope="package")
def restated(coloured, chosen, folder):
    """Audits the planted fault by a model whose card, and data, state the sets otherwise."""

    def audit(name, one_of):
        table = replace(coloured, one_of=one_of)
        return run(AttributeClassifier(reader("green").network, card(one_of)).eval(), table, folder / name, chosen)

    return audit


@pytest.fixture(scope="package")
def yes_or_no(coloured, chosen, folder):
    """An audit of a model that decides on every colour for itself: never that there is blue."""
    weight = [[400.0 * (k == channel) for channel in range(3)] for k in range(3)]
    network = Eye([*weight, [400.0] * 3], [-8.0, -8.0, -80.0, -12.0])
    model = AttributeClassifier(network, card({})).eval()
    assert model.card.attributes[:3] == COLOURS
    return run(model, replace(coloured, one_of={}), folder / "yes-or-no", chosen)
