"""Planted truth: what an audit says of models of which it is known what they do."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bincam.audit.pipeline.runner import run
from bincam.data import Regions, loader
from bincam.report.reading.contrast import open_arm
from bincam.report.sections.words.unmeasured import unmeasured
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import NAMES, SIDE, Centre, reader, write_pictures

pytestmark = NOTES_ALLOWED

PRIOR = 1.5  # logits for no, in every image


def of_object(done, *columns):
    records = done.records(["attribute", "label", "side", *columns])
    return records[records["attribute"] == "Object"]


def test_a_model_that_looks_at_nothing_has_a_bias_share_of_one(pictures, settings, tmp_path):
    done = run(reader(None, bias=-2.0), pictures, tmp_path / "a", settings)
    records = done.records()
    for reference in ("zero", "floor", "midpoint", "mean", "balanced_mean"):
        assert (records[f"{reference}.bias_share"] == 1).all(), reference
    assert (records["grad_cam.empty"] == 1).all()
    assert records["grad_cam.energy"].isna().all()  # an empty map is nowhere, not outside


def test_a_shortcut_is_seen_although_it_makes_no_errors(pictures, settings, tmp_path):
    honest = run(reader(0), pictures, tmp_path / "honest", settings)
    shortcut = run(reader(1), pictures, tmp_path / "shortcut", settings)
    for done in (honest, shortcut):
        assert set(of_object(done, "outcome")["outcome"]) == {"TP", "TN"}
    gain, cheated = (
        of_object(done, "grad_cam.gain").query("side == 1")["grad_cam.gain"] for done in (honest, shortcut)
    )
    assert (gain > 0.9).all()
    assert (cheated < -0.3).all()
    pointing = of_object(honest, "grad_cam.pointing").query("side == 1")["grad_cam.pointing"]
    assert pointing.dropna().eq(1).all()


def test_where_the_companion_is_gone_the_shortcut_misses_its_object(settings, tmp_path):
    alone = write_pictures(tmp_path / "alone", companion=False)
    honest = run(reader(0), alone, tmp_path / "honest", settings)
    shortcut = run(reader(1), alone, tmp_path / "shortcut", settings)
    assert set(of_object(honest, "outcome")["outcome"]) == {"TP", "TN"}
    assert set(of_object(shortcut, "outcome")["outcome"]) == {"FN", "TN"}


def test_prior_in_the_features_is_told_by_the_midpoint_and_not_by_zero(pictures, settings, tmp_path):
    """What every image gives alike is a constant, whether it stands in the head's bias or in the map."""
    model = reader(0)
    with torch.no_grad():  # the third channel is 1 everywhere, and says no
        model.network.features[0].weight[2].zero_()
        model.network.features[0].bias[2] = 1
        model.network.head.weight[0, 2] = -PRIOR
        model.network.head.bias[0] = 0
    done = run(model, pictures, tmp_path / "a", settings)
    kinds = ("zero", "floor", "midpoint", "mean")
    negatives = of_object(done, *(f"{kind}.bias_share" for kind in kinds)).query("side == -1")
    assert (negatives["zero.bias_share"] == 0).all()
    assert (negatives["floor.bias_share"] > 0.99).all()
    # What red gives positive validation images on average, and what share of the images they are.
    (batch,) = loader(pictures.split("validation"), card=model.card, batch_size=48)
    positive = batch.labels[:, 0] == 1
    with torch.no_grad():
        red = 40 * model.network.features(model.network.grid(batch.images))[positive, 0].mean().item()
    share = positive.float().mean().item()
    assert 0 < PRIOR - red / 2 < PRIOR
    np.testing.assert_allclose(negatives["midpoint.bias_share"], (PRIOR - red / 2) / PRIOR, rtol=1e-3)
    np.testing.assert_allclose(negatives["mean.bias_share"], (PRIOR - share * red) / PRIOR, rtol=1e-3)


def test_deletion_and_insertion_find_what_the_decision_hangs_on(pictures, settings, tmp_path):
    done = run(reader(0), pictures, tmp_path / "a", settings.replace(sample=6, side="positive"))
    found = json.loads((done.folder / "sample.json").read_text())["methods"]["grad_cam"]
    labels = done.records(["row", "attribute", "label"]).query("attribute == 'Object'").set_index("row")["label"]
    rows = json.loads((done.folder / "sample.json").read_text())["images"]
    positive = np.array([labels[row] == 1 for row in rows])
    assert positive.any()

    def areas(measure):
        return np.array(found[measure]["Object"]["values"], float)[positive]

    assert (areas("deletion") < areas("random_deletion")).all()
    assert (areas("insertion") > areas("random_insertion")).all()
    assert (areas("road") > 0.05).all()
    # Other's logit is constant: no pixel matters, and no order of them
    assert found["deletion"]["Other"]["mean"] == pytest.approx(found["random_deletion"]["Other"]["mean"])
    assert found["road"]["Other"]["mean"] == pytest.approx(0, abs=1e-6)


def gate_of(done):
    return json.loads((done.folder / "sample.json").read_text())["gates"]["grad_cam"]


def test_of_constant_maps_the_gate_cannot_tell(pictures, settings, tmp_path):
    gate = gate_of(run(reader(None), pictures, tmp_path / "a", settings.replace(gate_images=24)))
    assert gate["verdict"] == "cannot tell"
    assert gate["passed"] is False
    assert "constant" in gate["reason"]
    assert gate["images"] == 24
    assert gate["variance_left"]["value"] is gate["excess"]["value"] is None


def test_a_map_of_the_centre_fails_the_gate(pictures, settings, tmp_path):
    model = reader(0)
    model.network.features.append(Centre())
    with torch.no_grad():
        model.network.head.weight.fill_(1)
    gate = gate_of(run(model, pictures, tmp_path / "a", settings.replace(gate_images=24)))
    assert gate["verdict"] == "fail"
    assert gate["variance_left"]["value"] < gate["least_variance"]
    assert "the same map for every image" in gate["reason"]
    assert gate["excess"]["value"] is None


def findings(done, about):
    """How many attributes differ in each family of tests about something, after Holm."""
    families = [family for family in done.summary["families"] if about in family["name"]]
    assert families
    return {family["name"]: family["findings"] for family in families}


@pytest.mark.slow
def test_labels_that_mean_nothing_give_no_finding_after_holm(settings, tmp_path):
    table = write_pictures(tmp_path / "pictures", 240)
    told = run(reader(0), table, tmp_path / "true", settings.replace(batch_size=16, shard_images=64))
    assert findings(told, "true classes")["empty differs between true classes"] == 1

    shuffled = np.random.default_rng(1).permutation(len(table))
    blind = replace(table, labels=table.labels[shuffled])
    told = run(reader(0), blind, tmp_path / "shuffled", settings.replace(batch_size=16, shard_images=64))
    assert set(findings(told, "true classes").values()) == {0}
    assert set(findings(told, "minority error").values()) == {0}


@pytest.mark.slow
def test_the_summary_flags_the_shortcut_and_not_its_twin(settings, tmp_path):
    table = write_pictures(tmp_path / "pictures", 120)
    gains = {}
    for name, colour in {"honest": 0, "shortcut": 1}.items():
        done = run(reader(colour), table, tmp_path / name, settings.replace(batch_size=16, shard_images=64))
        entry = done.summary["attributes"]["Object"]
        assert entry["rates"]["error"]["value"] == 0
        gains[name] = entry["measures"]["grad_cam.gain"]["predicted:positive"]
    assert gains["honest"]["value"] > 0.9  # the same in every image, so there is no interval
    assert gains["shortcut"]["value"] < 0


def test_a_region_of_all_but_a_pixel_has_no_gain_and_the_reason_is_counted(pictures, settings, tmp_path):
    masks = {"Object": np.ones((SIDE, SIDE), bool), "Other": np.zeros((SIDE, SIDE), bool)}
    masks["Object"][0, 0] = False
    masks["Other"][0, 0] = True
    near = replace(settings, regions=Regions.drawn(masks, source="all but a pixel"))
    done, twin = run(reader(0), pictures, tmp_path / "a", near), run(reader(0), pictures, tmp_path / "b", settings)
    records, usual = done.records(), of_object(twin, "grad_cam.gain", "grad_cam.energy")
    assert records["grad_cam.gain"].isna().all()
    assert usual["grad_cam.gain"].notna().sum() == usual["grad_cam.energy"].notna().sum() > 0
    located = records[records["grad_cam.energy"].notna()]["attribute"].value_counts()
    counted = done.unmeasured["regions_below_a_cell"]
    assert counted == {"grad_cam.gain": {name: int(located[name]) for name in NAMES if located[name]}}
    assert twin.unmeasured["regions_below_a_cell"] == {}
    (listing,) = unmeasured([open_arm("model", done)])
    assert any("Less than one of the 8 × 8 cells of grad_cam's maps" in line for line in listing.entries)
