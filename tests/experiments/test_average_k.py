"""The experiment on label sets: every method trains, planted scores reach the limit, and tables say what files say."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest
import torch

from bincam import scenes
from bincam.files import write_json
from experiments.average_k import campaign, claims, measures, run, tables, tasks
from experiments.average_k.campaign import METHODS, Sample, SetJob
from experiments.scenes import over_seeds, training
from experiments.scenes.campaign import Job, Plan

PLAN = Plan(count=32, epochs=1, batch=16, size=48, widths=(8, 8, 8, 8, 8, 8), held=8)
SAMPLE = Sample(calibration=20, test=24)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("average-k")
    listed = [SetJob("one", "mean", 0, plan=PLAN, method=method) for method in ("ce", "two_head", "hill")]
    listed += [SetJob("one", "mean", 0, plan=PLAN, method=method, rare=True) for method in ("ce", "two_head")]
    for job in listed:
        write_json(folder / f"{job.name}.json", run.result(job, SAMPLE, folder, "float32"))
    return folder, listed


def test_tables_say_what_the_files_say_and_what_is_not_run(results):
    folder, listed = results
    found = tables.collected(folder, listed, SAMPLE)
    assert len(found) == 5
    text = tables.document(found)
    assert text.startswith("# Label sets on scenes: tables\n\n5 of 52 trainings")
    for name, path in (
        ("two_head-even-anew-seed0", "sets/average_k/1.5/accuracy"),
        ("two_head-even-anew-seed0", "softmax/average_k/3/gap"),
        ("hill-even-anew-seed0", "sets/top_k/4/accuracy"),
        ("two_head-rare-anew-seed0", "sets/average_k/2/gap"),
    ):
        value = over_seeds.at(found[name], path)
        assert value is not None
        assert f"{over_seeds.number(value, 3)} |" in text or f" {over_seeds.number(value, 3)}, " in text
    assert "## Labels drawn once\n\nNot run yet." in text
    rare = next(line for line in text.splitlines() if line.startswith("| The gain is larger for classes of few"))
    assert "1 seed |" in rare
    assert over_seeds.OPEN not in rare
    assert tables.document({}).startswith("# Label sets on scenes: tables\n\n0 of 52")


def test_results_of_other_settings_are_not_taken(results):
    folder, listed = results
    assert run.finished(listed[1], SAMPLE, folder)["figures"].keys() == {"sets", "softmax"}
    assert run.finished(replace(listed[1], plan=replace(PLAN, epochs=3)), SAMPLE, folder) is None
    assert run.finished(listed[1], replace(SAMPLE, test=25), folder) is None
    assert run.finished(replace(listed[1], size=3.0), SAMPLE, folder) is None


def test_plain_cross_entropy_is_that_of_the_experiments_on_scenes(results):
    folder, listed = results
    assert listed[0].trained == Job("one", "mean", 0, plan=PLAN)
    assert replace(listed[0], once=True).trained.name == "ce-even-once-seed0"
    own = training.train(listed[0].trained, folder, "float32", tasks.task_of(listed[0]))
    theirs = training.train(Job("one", "mean", 0, plan=PLAN), folder / "again")
    assert own.history == theirs.history


def test_names_tell_all_jobs_apart():
    listed = campaign.jobs()
    assert len({job.name for job in listed}) == len(listed) == 52
    assert {job.method for job in listed} == set(METHODS)
    for kind in (claims.EVEN, claims.RARE_HALF):
        for method in METHODS:
            assert sum(job.name.startswith(f"{method}-{kind}") for job in listed) == len(campaign.SEEDS)


def test_trainings_with_rare_shapes_begin_with_the_features_of_their_seed(tmp_path, monkeypatch):
    job = SetJob("one", "mean", 0, plan=replace(PLAN, peak=1e-9), method="two_head", rare=True)
    assert job.features.rule == "all"
    assert (job.features.seed, job.features.plan.count) == (job.seed, PLAN.count)
    started = replace(job.features, plan=PLAN)
    monkeypatch.setattr(SetJob, "features", property(lambda _: started))
    begun = training.train(job, tmp_path, "float32", tasks.task_of(job)).model.network.backbone
    features = training.train(started, tmp_path).model.network.backbone
    for name, value in features.named_parameters():
        assert torch.allclose(begun.get_parameter(name), value, atol=1e-5), name


def test_a_warm_up_is_that_of_cross_entropy():
    loss = tasks.Loss(SetJob("one", "mean", 0, plan=replace(PLAN, epochs=4), method="two_head"))
    scores, true = torch.randn(8, 20, generator=torch.Generator().manual_seed(0)), torch.arange(8)
    losses = []
    for epoch in range(4):
        loss.begin(epoch)
        losses.append(float(loss(scores, true)))
    plain = float(torch.nn.functional.cross_entropy(scores[:, :10], true))
    assert losses[:2] == pytest.approx([plain] * 2)
    assert losses[2] == losses[3] > plain + 0.3


def planted(present, *, noise=0.0):
    """Scores that know every scene: 1/k for its shapes."""
    chance = present / present.sum(1, keepdims=True)
    return (chance + noise * np.random.default_rng(0).random(present.shape)).astype(np.float32)


def test_perfect_scores_reach_the_limit_and_random_ones_do_not():
    fitted, test = (scenes.draw(300, seed=seed, size=40).present for seed in (1, 2))
    perfect = measures.judged(planted(fitted, noise=1e-4), planted(test, noise=1e-4), test, SAMPLE)
    assert perfect["map"] == 1
    for found in (*perfect["average_k"].values(), *perfect["top_k"].values()):
        assert abs(found["gap"]) < 0.005
    sizes = perfect["average_k"]["1"]["size_by_shapes"]
    assert sizes["3"] > 2.5  # the labels are spent where they are most probable
    assert sizes["5"] < 0.5
    drawn = np.random.default_rng(0).random((600, 10)).astype(np.float32)
    random = measures.judged(drawn[:300], drawn[300:], test, SAMPLE)
    for K, found in random["average_k"].items():
        assert found["accuracy"]["value"] == pytest.approx(float(K) / 10, abs=0.05)
        assert found["gap"] > 0.15


def test_coverage_of_rare_shapes_is_that_of_drawn_labels():
    present = scenes.draw(400, seed=3, size=40).present
    members = np.random.default_rng(0).random(present.shape) < 0.3
    chosen = np.arange(10) < 4
    rates = []
    for epoch in range(300):
        true = scenes.redraw_labels(present, epoch=epoch)
        held = members[np.arange(400), true]
        rates.append([held[true == a].mean() for a in range(4)])
    assert measures.coverage(members, present, chosen) == pytest.approx(np.mean(rates), abs=0.01)


def test_labels_are_drawn_anew_or_once():
    present = scenes.draw(64, seed=1, size=40).present
    anew, once = SetJob("one", "mean", 0), SetJob("one", "mean", 0, once=True)
    assert (tasks.labels(anew, present, 0) != tasks.labels(anew, present, 1)).float().mean() > 0.5
    assert torch.equal(tasks.labels(once, present, 0), tasks.labels(once, present, 1))
    assert torch.equal(tasks.labels(anew, present, 3), training.targets(Job("one", "mean", 0), present, 3))


@pytest.mark.parametrize("module", [campaign, claims, measures])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
