"""The audit's pass: what it writes, for which attributes, images, thresholds and methods."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bincam.audit.folder.reader import MEAN_IMAGE
from bincam.audit.pipeline import runner
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.references import load_references
from bincam.audit.pipeline.runner import run
from bincam.audit.pipeline.shard import measure_shard
from bincam.cam import Explainer
from bincam.data import loader
from bincam.errors import BincamWarning, InputError
from bincam.resample import project
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.pipeline.whole_audit import whole_audit  # noqa: F401  # a fixture
from tests.audit.planted import NAMES, SIDE, reader, write_pictures

pytestmark = NOTES_ALLOWED


def test_records_say_what_the_explainer_says(pictures, done):
    test = pictures.split("test")
    batch = next(iter(loader(test, card=reader(0).card, batch_size=len(test))))
    e = Explainer(reader(0))(batch.images)
    records = done.records()
    shape = (len(test), len(NAMES))

    def column(name):
        return records[name].to_numpy().reshape(shape)

    np.testing.assert_array_equal(column("label"), test.labels)
    np.testing.assert_allclose(column("logit"), e.logits, rtol=1e-5)
    np.testing.assert_array_equal(column("side"), e.side)
    for reference in ("zero", "floor"):
        book = e.ledger(reference)
        np.testing.assert_allclose(column(f"{reference}.bias_share"), book.bias_share, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(column(f"{reference}.support"), book.support, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(column(f"{reference}.empty"), book.empty)
    np.testing.assert_allclose(np.concatenate(list(done.maps())), e.maps, rtol=2e-3, atol=1e-6)

    masks = np.zeros((SIDE, SIDE))
    masks[: SIDE // 2, : SIDE // 2] = 1
    positive = e.maps[:, 0].relu().double().numpy()
    with np.errstate(invalid="ignore"):
        inside = (positive * project(masks, (8, 8))).sum((1, 2))
        energy = inside / (positive * project(np.ones((SIDE, SIDE)), (8, 8))).sum((1, 2))
    np.testing.assert_allclose(column("grad_cam.energy")[:, 0], energy, rtol=1e-4)
    assert np.isnan(column("grad_cam.energy")[:, 1]).all()  # it has no region


def test_the_three_references_come_from_the_validation_split(pictures, done):
    explainer = Explainer(reader(0), method="cam")
    validation = pictures.split("validation")
    batches = [(b.images, b.labels) for b in loader(validation, card=reader(0).card, batch_size=16)]
    test = next(iter(loader(pictures.split("test"), card=reader(0).card, batch_size=32)))
    e = explainer(test.images)
    records = done.records()
    for kind in ("midpoint", "mean", "balanced_mean"):
        book = e.ledger(explainer.fit_reference(batches, kind))
        share = records[f"{kind}.bias_share"].to_numpy().reshape(-1, len(NAMES))
        np.testing.assert_allclose(share, book.bias_share, rtol=1e-3, atol=1e-5)
    assert set(done.manifest.references) == {"midpoint", "mean", "balanced_mean"}
    assert done.manifest.references_from.split == ["validation"]


def test_means_by_outcome_and_pictures_are_those_of_the_audited_images(pictures, done):
    test = pictures.split("test")
    batch = next(iter(loader(test, card=reader(0).card, batch_size=len(test))))
    outcome = done.records(["outcome"])["outcome"].astype(str).to_numpy().reshape(-1, len(NAMES))
    maps = Explainer(reader(0))(batch.images).maps.double().numpy()
    total, count = done.means()
    for number, name in enumerate(("TP", "FP", "FN", "TN")):
        picked = outcome == name
        np.testing.assert_array_equal(count[:, number], picked.sum(0))
        np.testing.assert_allclose(total[:, number], (maps * picked[..., None, None]).sum(0), rtol=1e-5, atol=1e-7)
    mean = np.asarray(Image.open(done.folder / MEAN_IMAGE), float)
    np.testing.assert_allclose(mean / 255, batch.images.mean(0).permute(1, 2, 0), atol=1 / 255)
    region = done.regions()
    assert region.shape == (2, SIDE, SIDE)
    assert region[0].sum() == (SIDE // 2) ** 2
    assert np.isnan(region[1].astype(float)).all()


def test_the_manifest_names_what_went_in(pictures, done):
    manifest = done.manifest
    assert manifest.data.images == 32
    assert manifest.thresholds == {"Object": 0.0, "Other": 0.0}
    assert manifest.train_counts == {"Object": (900, 100), "Other": (900, 100)}
    assert manifest.train_counts_from == "card"
    assert manifest.regions.source == "the top left quarter"
    assert manifest.grid == {"grad_cam": (8, 8)}
    assert manifest.masks == {"object": None, "influence": None}
    assert done.images["identity"].tolist() == pictures.split("test").identities.tolist()


def test_only_common_attributes_are_audited_and_the_rest_named(pictures, settings, tmp_path):
    model = reader(0, names=("Beard", "Object"))
    done = run(model, pictures, tmp_path / "a", settings)
    assert done.attributes == ("Object",)
    assert done.manifest.only_in_model == ("Beard",)
    assert done.manifest.only_in_data == ("Other",)
    assert any("Beard" in note for note in done.unmeasured["notes"])
    # Object is the model's second output, whose logit is constant
    assert done.records(["logit"])["logit"].unique().tolist() == [1.5]


def test_a_run_warns_of_its_notes_before_it_measures(pictures, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "carry_out", lambda plan, *_, **__: plan.notes)
    with pytest.warns(BincamWarning) as warned:
        notes = run(reader(0, names=("Beard", "Object")), pictures, tmp_path / "a", settings)
    assert [str(warning.message) for warning in warned] == list(notes)
    assert notes[0] == "not audited, because the data has no labels of them: Beard"
    assert {Path(warning.filename).name for warning in warned} == {"test_runner.py"}  # the caller's line


def test_people_and_pictures_of_the_reference_split_among_the_audited_are_told(tmp_path, settings):
    told = make_plan(reader(0), write_pictures(tmp_path, 24), settings).notes
    assert any("8 people are in several of the splits test and validation" in note for note in told)
    apart = replace(write_pictures(tmp_path, 24), identities=None)
    assert not any("in several of the splits" in note for note in make_plan(reader(0), apart, settings).notes)
    apart.path(1).write_bytes(apart.path(0).read_bytes())
    told = make_plan(reader(0), apart, settings).notes
    assert any("1 picture is in several of the splits test and validation" in note for note in told)
    alone = make_plan(reader(0), apart, settings.replace(reference_split=None)).notes  # validation is not used
    assert not any("in several of the splits" in note for note in alone)


def test_a_shard_measured_alone_is_the_one_that_the_pass_writes(pictures, done, settings):
    plan = make_plan(reader(0), pictures, settings)
    plan = replace(plan, references=load_references(done.folder))
    assert plan.manifest.references == done.manifest.references
    shard = measure_shard(plan, range(8, 16))
    records = done.records()
    records = records[(records["row"] >= 8) & (records["row"] < 16)]
    assert shard.columns["row"].tolist() == list(range(8, 16))
    for name in ("logit", "grad_cam.gain", "midpoint.bias_share"):
        np.testing.assert_array_equal(shard.columns[name].reshape(-1), records[name].to_numpy())
    np.testing.assert_array_equal(shard.maps["grad_cam"], list(done.maps())[1])


def test_a_limit_takes_a_stratified_draw_in_the_tables_order(pictures, done, settings, tmp_path):
    whole = done
    done = run(reader(0), pictures, tmp_path / "a", settings.replace(limit=10))
    assert done.manifest.data.images == 10
    expected = pictures.split("test").subset(10, seed=0)
    assert done.images["image"].tolist() == list(expected.ids)
    assert done.manifest.data.images_hash != whole.manifest.data.images_hash


def test_thresholds_and_sides_are_those_asked_for(pictures, settings, tmp_path):
    done = run(reader(0), pictures, tmp_path / "a", settings.replace(threshold={"Other": 2.0}, side="negative"))
    records = done.records()
    assert (records["side"] == -1).all()
    other = records[records["attribute"] == "Other"]
    assert (other["threshold"] == 2).all()
    assert set(other["outcome"]) <= {"FN", "TN"}


def test_a_model_without_training_counts_takes_the_minority_of_the_audited_data(pictures, settings, tmp_path):
    model = reader(0)
    model.card = model.card.model_copy(update={"train_counts": {"Object": (1, 2)}})
    done = run(model, pictures, tmp_path / "a", settings)
    labels = pictures.split("test").labels[:, 1]
    assert done.manifest.train_counts["Object"] == (1, 2)
    assert done.manifest.train_counts["Other"] == (int((labels == 0).sum()), int((labels == 1).sum()))
    assert done.manifest.train_counts_from == "card; audited data for Other"


def test_data_without_other_splits_has_no_fitted_reference_and_says_so(pictures, settings, tmp_path):
    only = pictures.split("test")
    done = run(reader(0), only, tmp_path / "a", settings)
    assert done.manifest.references == {}
    records = done.records(["midpoint.bias_share", "zero.bias_share"])
    assert records["midpoint.bias_share"].isna().all()
    assert records["zero.bias_share"].notna().all()
    assert any("fit references" in note for note in done.unmeasured["notes"])


def test_several_methods_and_layers_stand_beside_each_other(pictures, settings, tmp_path):
    specs = ("hirescam", "layer_cam@network.grid")
    done = run(reader(0), pictures, tmp_path / "a", settings.replace(methods=specs))
    assert done.methods == specs
    assert {spec: maps.shape[1:] for spec in specs for maps in done.maps(spec)} == dict.fromkeys(specs, (2, 8, 8))
    records = done.records()
    assert not np.allclose(records["hirescam.mass"], records["layer_cam@network.grid.mass"])


def test_the_model_is_as_before(pictures, settings, tmp_path):
    model = reader(0).train()
    model.network.head.weight.grad = torch.ones_like(model.network.head.weight)
    state = torch.get_rng_state()
    run(model, pictures, tmp_path / "a", settings)
    assert model.training
    assert model.network.features.training
    assert torch.equal(model.network.head.weight.grad, torch.ones_like(model.network.head.weight))
    assert torch.equal(torch.get_rng_state(), state)


def test_thresholds_of_outputs_that_the_model_does_not_have_are_refused(pictures, settings):
    with pytest.raises(InputError, match=r"threshold of 'Objekt': the model has no such output; did you mean 'Object'"):
        make_plan(reader(0), pictures, settings.replace(threshold={"Objekt": 0.0}))
    assert make_plan(reader(0), pictures, settings.replace(threshold={"Object": 0.5})).thresholds["Object"] == 0.5
