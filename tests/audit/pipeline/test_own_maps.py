"""Specificity of an audit: of stored maps, with the sign of the positive class, and where it cannot be told."""

import numpy as np
import pytest

from bincam.audit import open_audit
from bincam.audit.folder import files
from bincam.audit.pipeline import own_maps
from bincam.audit.pipeline.own_maps import measure_specificity
from bincam.audit.pipeline.runner import run
from bincam.files import read_json
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import reader
from tests.audit.synthetic import make_audit

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
    assert open_audit(done.folder).specificity == {}


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
    assert "differ from image to image" in entry["region"]["reason"]
