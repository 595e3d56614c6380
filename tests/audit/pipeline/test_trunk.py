"""Audits over a folded or compiled network: eager's figures, what the manifest states, and the same bytes again."""

import numpy as np
import pytest
import torch

from bincam.audit.pipeline.runner import run
from bincam.errors import BincamWarning
from bincam.models import build
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import NAMES, SIDE
from tests.conftest import randomize

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    options = {"channels": [8, 8, 8, 8], "stem_width": 8, "input_size": (SIDE, SIDE)}
    return randomize(build("resnet10t", list(NAMES), mean=(0.5,) * 3, std=(0.25,) * 3, **options))


def close(first, second):
    a, b = (audit.records() for audit in (first, second))
    for column in ("logit", "zero.support", "midpoint.bias_share", "grad_cam.mass", "grad_cam.concentration"):
        np.testing.assert_allclose(a[column], b[column], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(a["outcome"], b["outcome"])
    for maps, others in zip(first.maps(), second.maps(), strict=True):
        # float16 has a relative step of 1e-3
        np.testing.assert_allclose(np.float32(maps), np.float32(others), rtol=2e-3, atol=1e-4 * np.abs(others).mean())


@pytest.mark.slow  # four audits
def test_folded_and_compiled_audits_are_those_of_eager(model, pictures, settings, tmp_path, monkeypatch):
    """The compiler is replaced by the graph that it gets, so that the test takes no half minute."""
    monkeypatch.setattr(torch, "compile", lambda graph, **_: graph)
    inner = "hirescam@network.backbone.layer3"
    settings = settings.replace(methods=("grad_cam", inner), batch_size=6, shard_images=12, limit=16, reference_limit=8)
    eager = run(model, pictures, tmp_path / "eager", settings.replace(trunk="eager"))
    assert "trunk" not in eager.manifest.to_json()
    for trunk in ("folded", "compiled"):
        audit = run(model, pictures, tmp_path / trunk, settings.replace(trunk=trunk))
        close(audit, eager)
        ran = {"grad_cam": trunk, inner: trunk}
        assert audit.manifest.to_json()["trunk"] == {"asked": trunk, "ran": ran, "reasons": {}}
    before = digests(audit.folder)
    (audit.folder / "summary.json").unlink()
    run(model, pictures, audit.folder, settings.replace(trunk="compiled"), resume=True)
    assert digests(audit.folder) == before


def test_what_falls_back_is_told_and_stated(model, pictures, settings, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", failing)
    few = settings.replace(trunk="compiled", limit=8, reference_limit=8)
    with pytest.warns(BincamWarning, match="run folded and not compiled") as told:
        audit = run(model, pictures, tmp_path / "audit", few)
    assert len([one for one in told if "not compiled" in str(one.message)]) == 1
    assert audit.manifest.trunk.ran == {"grad_cam": "folded"}
    assert "No working C++ compiler" in audit.manifest.trunk.reasons["grad_cam"]
