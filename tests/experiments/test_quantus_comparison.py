"""The comparison of randomisation tests: maps without a model, how scores are told apart, what the table says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity

from bincam.models import build
from bincam.stats.clusters import Clusters
from experiments.truth import quantus_comparison as comparison
from experiments.truth.quantus_comparison import KINDS, MODEL, Subject


@pytest.fixture
def subject(monkeypatch):
    monkeypatch.setattr(comparison, "DRAWS", 1)
    monkeypatch.setattr(comparison, "STAGES", 2)
    torch.manual_seed(0)
    options = {"output_stride": 8, "stem_width": 8, "channels": [8, 8, 16, 16]}
    model = build("resnet10t", list(comparison.ATTRIBUTES), input_size=(64, 64), **options).eval()
    grid = torch.nn.functional.interpolate(torch.randn(24, 3, 8, 8), size=(64, 64), mode="bilinear")
    return Subject(model, (0, 1), grid, Clusters.of([""] * 24))


def test_maps_without_a_model_do_not_depend_on_one(subject):
    learned = subject.maps()
    other = torch.randn_like(learned)
    for name, kind in KINDS.items():
        same = torch.equal(kind.draw(learned, subject.images), kind.draw(other, subject.images))
        assert same is not kind.of_model, name
        assert kind.draw(learned, subject.images).shape == learned.shape


def test_planted_maps_fail_and_leave_the_model_as_it_was(subject):
    before = {name: value.clone() for name, value in subject.model.state_dict().items()}
    learned, randomised = subject.maps(), comparison.cascade(subject)
    assert all(torch.equal(value, before[name]) for name, value in subject.model.state_dict().items())
    assert (len(randomised), len(randomised[0])) == (1, 2)
    assert not torch.allclose(randomised[0][-1], learned)
    for name in ("edges", "smoothed brightness", "centre blob"):
        found = comparison.ours(KINDS[name], subject, learned, randomised)
        assert found["verdict"] == "fail"
        assert np.allclose(found["scores"]["cascade |Spearman|, all random"], 1)
        assert np.allclose(found["scores"]["cascade SSIM, all random"], 1)
    blob = comparison.ours(KINDS["centre blob"], subject, learned, randomised)
    assert blob["variance_left"] < 1e-6


def test_published_figures_are_those_of_scipy_and_scikit_image(subject):
    learned, randomised = subject.maps(), comparison.cascade(subject)
    scores = comparison.ours(KINDS[MODEL], subject, learned, randomised)["scores"]
    one, other = (maps[0].numpy() for maps in (learned, randomised[0][-1]))
    rho = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)]
    assert scores["Spearman with its sign, all random"][0] == pytest.approx(np.mean(rho))
    assert scores["cascade |Spearman|, all random"][0] == pytest.approx(np.mean(np.abs(rho)))
    scaled = [np.abs(maps) / np.abs(maps).max((-2, -1), keepdims=True) for maps in (one, other)]
    ssim = [structural_similarity(a, b, data_range=1.0) for a, b in zip(*scaled, strict=True)]
    assert scores["cascade SSIM, all random"][0] == pytest.approx(np.mean(ssim), abs=1e-6)


def test_scores_are_told_apart_in_the_direction_of_the_test():
    low, high = np.array([0.1, 0.2]), np.array([0.8, 0.9])
    assert comparison.told_apart(low, high, high_is_good=False) == 1
    assert comparison.told_apart(low, high, high_is_good=True) == 0
    assert comparison.told_apart(low, low, high_is_good=True) == 0.5
    assert comparison.told_apart(low, np.array([np.nan, 1]), high_is_good=True) is None


def test_the_table_quotes_the_file():
    def test(value, apart):
        return {"value": value, "told_apart": apart}

    entries = [
        {"maps": MODEL, "verdict": "pass", "tests": {"excess": test(0.01, None), "other": test(0.5, None)}},
        {"maps": "edges", "verdict": "fail", "tests": {"excess": test(None, None)}},
    ]
    text = comparison.table({"maps": entries})
    assert "| bincam: verdict | pass | fail |" in text
    assert "| bincam: excess | .01 | undefined |" in text
    assert "| other | .50 | – |" in text


@pytest.mark.slow
def test_quantus_scores_are_of_these_maps(subject, monkeypatch):
    pytest.importorskip("quantus")
    monkeypatch.setattr(comparison, "NOISY", 2)
    found = comparison.quantus_scores(KINDS["centre blob"], subject)
    assert np.allclose(found["Quantus MPRT"], 1)
    assert np.allclose(found["Quantus smooth MPRT, of these maps"], 1)
    assert found[comparison.AS_CALLED].max() < 0.99
    assert np.allclose(found["Quantus efficient MPRT"], 0)
