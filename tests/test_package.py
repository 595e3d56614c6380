"""What ``import bincam`` and the bare command cost, and that every public name is there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import bincam

HEAVY = ("torch", "timm", "torchvision", "seaborn", "matplotlib", "pytorch_grad_cam", "pandas", "scipy")


def run(*arguments):
    """Standard output and seconds of processor time: a busy machine adds nothing to them."""
    before = os.times()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = os.times()
    return done.stdout, sum(after[2:4]) - sum(before[2:4])


def test_import_is_light_and_takes_under_0_3_seconds():
    code = "import time; t = time.process_time(); import bincam; print(time.process_time() - t)"
    assert min(float(run("-c", code)[0]) for _ in range(3)) < 0.3
    loaded = run("-c", "import bincam, sys; print(*sys.modules)")[0].split()
    assert not set(HEAVY) & set(loaded)


def test_help_answers_in_under_a_second():
    runs = [run("-m", "bincam", "--help") for _ in range(4)]
    assert "Usage" in runs[0][0]
    assert min(seconds for _, seconds in runs) < 1.0


def test_version():
    assert run("-m", "bincam", "--version")[0].strip() == bincam.__version__


@pytest.mark.parametrize("name", bincam.__all__)
def test_every_public_name_resolves(name):
    assert getattr(bincam, name) is not None
    assert name in dir(bincam)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'bincam' has no attribute 'Explaner'"):
        _ = bincam.Explaner
