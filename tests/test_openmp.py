"""The command line bounds how long threads spin, before torch is there, unless the user has decided."""

import os
import subprocess
import sys

import pytest

from bincam.openmp import SPINS, STATED, bound_spinning

SHOWN = """
import os, sys
import bincam.cli
before = "torch" in sys.modules
sys.argv = ["bincam", "--version"]
try:
    bincam.cli.main()
except SystemExit:
    pass
print(before, "torch" in sys.modules, os.environ.get("GOMP_SPINCOUNT"))
"""


def shown(**environment):
    inherited = {name: value for name, value in os.environ.items() if name not in STATED}
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], env=inherited | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-3:]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_the_command_line_sets_it_first_and_the_user_decides(environment, expected):
    assert shown(**environment) == ["False", "False", expected]


def test_it_is_set_only_before_torch_is_imported(monkeypatch):
    for name in STATED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", object())
    assert not bound_spinning()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("GOMP_SPINCOUNT", "")  # so that what is set is undone
    monkeypatch.delenv("GOMP_SPINCOUNT")
    assert bound_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == SPINS
    assert not bound_spinning()
