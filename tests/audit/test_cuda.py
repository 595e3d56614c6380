"""The same audit on a GPU, where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.audit.pipeline.runner import run
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import reader

pytestmark = [NOTES_ALLOWED, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def test_records_and_maps_are_those_of_the_cpu(pictures, settings, tmp_path):
    settings = settings.replace(gate_images=4, sample=4)
    here = run(reader(0), pictures, tmp_path / "cpu", settings)
    there = run(reader(0), pictures, tmp_path / "cuda", settings.replace(device="cuda"))
    expected, got = here.records(), there.records()
    assert list(expected) == list(got)
    for name in expected.select_dtypes("number"):
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-3, atol=1e-4, err_msg=name)
    for one, other in zip(there.maps(), here.maps(), strict=True):
        np.testing.assert_allclose(one, other, rtol=5e-3, atol=1e-3)


def test_an_audit_of_the_gpu_is_made_again_to_the_byte(pictures, settings, tmp_path):
    chosen = settings.replace(device="cuda", precision="bf16")
    for name in ("one", "other"):
        run(reader(0), pictures, tmp_path / name, chosen)
    assert digests(tmp_path / "one") == digests(tmp_path / "other")
