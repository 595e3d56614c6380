"""Every public function and class has an example; pytest runs them all as doctests (``--doctest-modules``)."""

from __future__ import annotations

import importlib
import inspect

import pytest

ROOMS = (
    *("audit", "cam", "compare", "data", "faces", "inference", "metrics", "models", "report", "scenes", "stats"),
    "train",
)


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_have_examples(room):
    package = importlib.import_module(f"bincam.{room}")
    without = {
        name
        for name in package.__all__
        if (inspect.isclass(value := getattr(package, name)) or inspect.isfunction(value))
        and ">>> " not in (inspect.getdoc(value) or "")
    }
    assert not without, f"no example (>>>) in the docstring: {', '.join(sorted(without))}"


def test_doctests_are_run(pytestconfig):
    assert "bincam" in pytestconfig.getini("testpaths")
    assert pytestconfig.getoption("doctestmodules")
