"""Measures of a sample: which images, what is kept, and what a resumed audit repeats."""

import json

import numpy as np
import pytest
import torch

from bincam.audit.pipeline.runner import run
from bincam.audit.pipeline.tests_of_maps import sampled_metrics
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import reader, write_pictures

pytestmark = NOTES_ALLOWED


@pytest.fixture
def chosen(settings):
    return settings.replace(sample=5, gate_images=3, methods=("grad_cam", "hirescam"))


def test_the_sample_is_a_draw_of_the_audited_images(pictures, chosen, tmp_path):
    done = run(reader(0), pictures, tmp_path / "a", chosen)
    found = json.loads((done.folder / "sample.json").read_text())
    drawn = pictures.split("test").subset(5, seed=0)
    assert [done.images["image"][row] for row in found["images"]] == list(drawn.ids)
    assert set(found["methods"]) == set(found["gates"]) == {"grad_cam", "hirescam"}
    road = found["methods"]["hirescam"]["road"]["Object"]
    assert len(road["values"]) == road["images"] == 5
    assert road["mean"] == pytest.approx(np.mean(road["values"]))


def test_cut_short_between_methods_the_first_is_not_measured_again(pictures, chosen, tmp_path, monkeypatch):
    whole = run(reader(0), pictures, tmp_path / "whole", chosen)
    measured = []
    original = sampled_metrics.road

    def counting(explainer, *rest, **options):
        measured.append(explainer.method_name)
        if explainer.method_name == "hirescam":
            raise KeyboardInterrupt
        return original(explainer, *rest, **options)

    monkeypatch.setattr(sampled_metrics, "road", counting)
    with pytest.raises(KeyboardInterrupt):
        run(reader(0), pictures, tmp_path / "cut", chosen)
    monkeypatch.setattr(sampled_metrics, "road", original)
    monkeypatch.setattr(
        sampled_metrics, "measure_dependence", lambda *a, **k: measured.append("gate") or original_gate(*a, **k)
    )
    run(reader(0), pictures, tmp_path / "cut", chosen, resume=True)
    assert measured == ["grad_cam"] * 2 + ["hirescam", "gate"]  # 5 images are two batches; one gate, the second's
    assert digests(tmp_path / "cut") == digests(whole.folder)


original_gate = sampled_metrics.measure_dependence


def test_without_a_sample_nothing_is_measured(pictures, settings, tmp_path):
    done = run(reader(0), pictures, tmp_path / "a", settings)
    found = done.sample
    assert found["images"] == []
    assert found["methods"] == found["gates"] == {}


def test_a_sample_of_which_nothing_can_be_read_is_no_verdict(chosen, tmp_path):
    few = chosen.replace(on_error="skip", sample=2, gate_images=2)
    broken = write_pictures(tmp_path / "pictures", 48)
    for name in broken.split("test").subset(2, seed=0).ids:
        broken.path(broken.ids.index(name)).write_bytes(b"no picture")
    done = run(reader(0), broken, tmp_path / "a", few)
    found = json.loads((done.folder / "sample.json").read_text())
    assert found["methods"]["grad_cam"] == {}
    gate = found["gates"]["grad_cam"]
    assert gate["verdict"] == "cannot tell"
    assert gate["passed"] is False
    assert gate["images"] == 0
    assert "could be read" in gate["reason"]


def test_numbers_that_json_has_not_become_none():
    assert sampled_metrics.storable(torch.tensor([1.0, torch.nan])) == [1.0, None]
    assert sampled_metrics.storable([float("inf"), [2]]) == [None, [2]]
