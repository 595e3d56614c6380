"""Importing torchvision with a torch for which its compiled operators were not built; each case in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

DECLARE = """
import torch
library = torch.library.Library("torchvision", "FRAGMENT")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
ABSENT = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torchvision" else find(name, *rest)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import bincam.torchvision_ops, torchvision, timm, pytorch_grad_cam",
        "from bincam.torchvision_ops import declare_missing; assert declare_missing() == []; import torchvision",
        f"{DECLARE}\nimport bincam.torchvision_ops as o\nassert o._library is None",
        f"{ABSENT}\nimport bincam.torchvision_ops as o\nassert o._library is None",
    ],
    ids=["imports work", "a second call declares nothing", "what exists stays", "without torchvision"],
)
def test_in_a_fresh_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
