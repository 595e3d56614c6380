"""What importing the room costs, and that every public name is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bincam.inference


def test_importing_the_room_loads_no_torch():
    code = "import bincam.inference, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", bincam.inference.__all__)
def test_every_public_name_resolves(name):
    assert getattr(bincam.inference, name) is not None
