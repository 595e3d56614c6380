"""The experiments on scenes: a killed training goes on, planted cells are found, and tables say what the files say."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest
import torch

from bincam import scenes
from bincam.cam import PredictionGrid
from bincam.files import write_json
from bincam.resample import project
from experiments.scenes import campaign, cue_measures, network, over_seeds, run, tables, training
from experiments.scenes.campaign import Job, Plan, Sample
from experiments.scenes.cell_measures import cell_figures
from experiments.scenes.observed import Observed

PLAN = Plan(count=48, epochs=2, batch=16, size=48, widths=(8, 8, 8, 8, 8, 8), held=16)
SAMPLE = Sample(validation=24, test=24, boxed=6, sweep=16, scales=(0.16, 0.18, 0.2, 0.22, 0.25))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    listed = [
        Job("all", "mean", 0, plan=PLAN),
        Job("all", "max", 0, plan=PLAN),
        Job("one", "mean", 0, plan=PLAN),
        Job("all", "mean", 0, strength=0.9, plan=PLAN),
    ]
    for job in listed:
        write_json(folder / f"{job.name}.json", run.result(job, SAMPLE, folder, "float32"))
    return folder, listed


def test_tables_say_what_the_files_say_and_what_is_not_run(results):
    folder, listed = results
    found = tables.collected(folder, listed, SAMPLE)
    text = tables.document(found, folder)
    assert text.startswith("# Scenes: tables\n\n4 of 39 trainings")
    for name, path in (
        ("all-mean-stride8-seed0", "boxes/evidence/pxap"),
        ("all-max-stride8-seed0", "boxes/cells/reach"),
        ("one-mean-stride8-seed0", "cells/recovery_of_errors"),
        ("all-mean-stride8-cue90-seed0", "cues/mark:star/area on mark, cue"),
    ):
        value = over_seeds.at(found[name], path)
        assert value is not None
        assert f" {over_seeds.number(value)}" in text
    lse = next(line for line in text.splitlines() if line.startswith("| LSE (r = 1) | yes"))
    assert lse.count(over_seeds.OPEN) == 4 + len(Sample().scales)
    assert f"Photographs: {over_seeds.OPEN}" in text


def test_results_of_other_settings_are_not_taken(results):
    folder, listed = results
    assert run.finished(listed[0], SAMPLE, folder)["training"]["images"] == 96
    assert run.finished(replace(listed[0], plan=replace(PLAN, epochs=3)), SAMPLE, folder) is None
    assert run.finished(listed[0], replace(SAMPLE, test=25), folder) is None


def test_a_killed_training_ends_with_the_same_weights(results, tmp_path, monkeypatch):
    folder, listed = results
    job = listed[2]
    real = training.one_epoch

    def killed(of, epoch, *rest):
        if epoch == 1:
            raise KeyboardInterrupt
        return real(of, epoch, *rest)

    monkeypatch.setattr(training, "one_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        training.train(job, tmp_path)
    monkeypatch.setattr(training, "one_epoch", real)
    went_on, whole = training.train(job, tmp_path), training.train(job, folder)
    assert went_on.history == whole.history
    for one, other in zip(went_on.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_single_labels_are_drawn_anew_in_every_epoch():
    present = scenes.draw(64, seed=1).present
    first, second = (training.targets(Job("one", "mean", 0), present, epoch).numpy() for epoch in (0, 1))
    assert present[np.arange(64), first].all()
    assert present[np.arange(64), second].all()
    assert (first != second).mean() > 0.5
    every = training.targets(Job("all", "mean", 0), present, 1)
    assert (every.numpy() == present).all()


def observed(scores, drawn, *, single):
    """Cells with given scores, as a classifier's."""
    parts = drawn.parts[:, None] == np.arange(1, 11)[:, None, None]
    masks = torch.from_numpy(project(parts, scores.shape[2:])).float()
    total = torch.from_numpy(project(np.ones(drawn.parts.shape[1:]), scores.shape[2:])).float()
    grid = PredictionGrid(tuple(scenes.SHAPES), "frozen", scores, scores.mean((2, 3)), torch.zeros(10))
    if single:
        sets = {"members": {"shape": scores}, "names": {"shape": tuple(scenes.SHAPES)}, "sets": ("shape",) * 10}
        grid = replace(grid, places=torch.arange(10).expand(len(scores), 10), **sets)
    return Observed(drawn, grid, scores, masks, total, "exact")


@pytest.mark.parametrize("single", [False, True])
def test_planted_cells_are_found_and_a_template_is_not(single):
    drawn = scenes.draw(40, seed=3, rule="one" if single else "all")
    blank = observed(torch.zeros(40, 10, 12, 12), drawn, single=single)
    on = blank.foreground.cells
    planted = cell_figures(observed(torch.where(on, 4.0, -1.0), drawn, single=single), single=single)
    assert planted["recovery"]["value"] == planted["auroc_covered"]["value"] == planted["map_of_best_cell"] == 1
    assert planted["outside"]["value"] < 0.1
    assert planted["chance"]["value"] < 0.5
    assert planted["absent_alarm"]["value"] == (0 if single else None)
    assert planted["auroc_over_null_covered"]["low"] > 0.3
    template = torch.randn(1, 10, 12, 12, generator=torch.Generator().manual_seed(0)).expand(40, -1, -1, -1)
    same = cell_figures(observed(template.clone(), drawn, single=single), single=single)
    assert same["auroc_over_null_covered"]["value"] == 0


def test_a_cell_sees_as_much_as_is_stated():
    backbone = network.Backbone((4,) * 6, network.STRIDES[8]).eval()
    for layer in backbone.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 0.1)
    images = torch.ones(1, 3, 160, 160, requires_grad=True)
    backbone.forward_features(images)[0, 0, 10, 10].backward()
    seen = images.grad[0, 0] != 0
    assert seen.any(0).sum() == seen.any(1).sum() == network.FIELD


def test_reflections_are_the_eight_of_the_square():
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert len({tuple(training.reflected(x, which).flatten().tolist()) for which in range(8)}) == 8


@pytest.mark.parametrize("module", [over_seeds, campaign, cue_measures])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
