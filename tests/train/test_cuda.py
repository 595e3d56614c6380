"""Training on a GPU, where there is one."""

from __future__ import annotations

import pytest
import torch

from bincam import models
from bincam.train import fit, fit_pair

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_gpu_learns_what_the_cpu_learns(config, precision):
    here = fit(config(epochs=8, to="cpu"))
    there = fit(config(epochs=8, to="cuda", device="cuda", precision=precision))
    last, expected = (result.history[-1]["validation"]["mean"]["auroc"] for result in (there, here))
    assert abs(last - expected) < 0.1
    assert [r["order"] for r in there.history] == [r["order"] for r in here.history]
    assert [r["pixels"] for r in there.history] == [r["pixels"] for r in here.history], "the very same pixels were seen"


def test_a_run_is_gone_on_with(config):
    fit(config(epochs=2, device="cuda"))
    more = fit(config(epochs=4, device="cuda"), resume=True)
    whole = fit(config(epochs=4, device="cuda", to="whole"))
    assert [r["order"] for r in more.history] == [r["order"] for r in whole.history]
    assert more.history[-1]["train_loss"] == pytest.approx(whole.history[-1]["train_loss"], rel=0.05)
    assert next(models.load(more.folder).parameters()).device.type == "cpu", "the model's folder knows no device"


def test_both_arms_of_a_pair_see_the_same(config):
    arms = {"unbalanced": {"loss": "bce"}, "balanced": {"loss": "moon_bce"}}
    assert fit_pair(config(device="cuda", arms=arms)).identical
