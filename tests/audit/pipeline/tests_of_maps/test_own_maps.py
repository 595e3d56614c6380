"""Specificity of an audit: of stored maps, with the sign of the positive class, and where it cannot be told."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bincam.audit import open_audit
from bincam.audit.folder import files
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.runner import run
from bincam.audit.pipeline.tests_of_maps import own_maps
from bincam.audit.pipeline.tests_of_maps.own_maps import measure_specificity
from bincam.data import Regions
from bincam.files import read_json
from bincam.resample import project
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import reader
from tests.audit.synthetic import make_audit, unseal

pytestmark = NOTES_ALLOWED


@pytest.fixture
def done(pictures, settings, tmp_path):
    return run(reader(0), pictures, tmp_path / "a", settings)


def test_an_audit_has_it_and_older_audits_do_not(done):
    found = done.summary["specificity"]
    stored = read_json(done.folder / files.SPECIFICITY, kind=files.SPECIFICITY_KIND, schema=1)
    assert {"kind": files.SPECIFICITY_KIND, "schema": 1, **found} == stored
    assert found["method"] == "grad_cam"
    assert found["images"] == 32
    assert list(found["attributes"]) == list(done.attributes)
    (done.folder / files.SPECIFICITY).unlink()
    assert open_audit(unseal(done.folder)).specificity == {}


def test_maps_are_evidence_for_the_positive_class(done):
    rows, maps, labels = own_maps._signed(done, [0, 1])
    np.testing.assert_array_equal(rows, np.arange(32))
    drawn = np.concatenate(list(done.maps())).astype(np.float32)
    records = done.records(["side", "label"])
    side = records["side"].to_numpy().reshape(-1, 2, 1, 1)
    np.testing.assert_array_equal(maps, side * drawn)
    np.testing.assert_array_equal(labels, records["label"].to_numpy().reshape(-1, 2))


def test_one_attribute_has_no_specificity(pictures, settings, tmp_path):
    alone = run(reader(0), pictures, tmp_path / "a", settings.replace(attributes=["Object"]))
    found = alone.summary["specificity"]
    assert found["attributes"] == {}
    assert "one attribute" in found["reason"]


def test_large_audits_are_drawn_from(tmp_path, monkeypatch):
    audit = open_audit(make_audit(tmp_path / "audit", images=200, shard_images=64))
    whole = measure_specificity(audit)
    assert whole["images"] == 199  # one is skipped
    monkeypatch.setattr(own_maps, "IMAGES", 90)
    drawn = measure_specificity(audit)
    assert drawn["images"] == 90
    assert drawn["attributes"]["Bald"]["own_share"]["images"] <= 90
    assert drawn == measure_specificity(audit)
    regions = audit.regions()
    assert (whole["attributes"]["Bald"]["region"]["reason"] == "no region") == bool(np.isnan(regions[0]).all())


def test_regions_of_single_images_are_not_told_from_their_mean(tmp_path, monkeypatch):
    audit = open_audit(make_audit(tmp_path / "audit", images=120))
    monkeypatch.setitem(audit.__dict__, "unmeasured", {"with_a_mask": {"region": {"Bald": 120}}})
    entry = measure_specificity(audit)["attributes"]["Bald"]
    assert entry["region"]["verdict"] == "cannot tell"
    assert entry["region"]["reason"] == "no region"


def test_masks_of_single_images_are_read_again(pictures, settings, tmp_path):
    folder = tmp_path / "masks" / "parts"
    folder.mkdir(parents=True)
    square = np.zeros((32, 32), np.uint8)
    square[4:12, 4:12] = 1
    for name in pictures.ids:
        Image.fromarray(square).save(folder / name)
    parts = {"1": {"name": "object", "attributes": ["Object"]}}
    (folder.parent / "parts.json").write_text(json.dumps({"kind": "bincam-parts", "schema": 1, "parts": parts}))
    (folder / "parts.json").write_text((folder.parent / "parts.json").read_text())
    plan = replace(make_plan(reader(0), pictures, settings), sources={"region": Regions.stored(folder)})
    rows = np.array([3, 10, 30, 31])
    weights = own_maps._own_regions(plan, rows, (8, 8))
    known = plan.table.labels[rows, 0] == 1
    assert 0 < known.sum() < 4
    np.testing.assert_allclose(weights[known, 0], np.broadcast_to(project(square, (8, 8)), (known.sum(), 8, 8)))
    assert np.isnan(weights[~known]).all()
    assert np.isnan(weights[:, 1]).all()  # of which there is no part
