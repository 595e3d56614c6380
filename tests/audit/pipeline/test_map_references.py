"""Maps of an audit that are counted from a reference: stored, measured, resumed and refused as such."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bincam.audit import Audit
from bincam.audit.pipeline import runner
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.cam import Explainer, Reference
from bincam.cam.reference import as_template
from bincam.compare.paired_audits import pair_audits
from bincam.data import AttributeTable, loader
from bincam.errors import InputError, UnsupportedError
from bincam.metrics import region_measures
from bincam.references import FITTED_FOR_MAPS, MAP_REFERENCES
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import reader

pytestmark = NOTES_ALLOWED


def audited(pictures: AttributeTable, folder: Path, settings: Settings, name: str, **changes: object) -> Audit:
    return run(reader(0), pictures, folder, settings.replace(map_reference=name, **changes))


def notes_of(table: AttributeTable, settings: Settings) -> tuple[str, ...]:
    return make_plan(reader(0), table, settings.replace(map_reference="midpoint")).notes


def maps_of(audit: Audit, spec: str | None = None) -> np.ndarray:
    return np.concatenate(list(audit.maps(spec or audit.methods[0]))).astype(np.float32)


@pytest.mark.parametrize("name", MAP_REFERENCES)
def test_stored_and_measured_maps_are_those_of_the_explainer(pictures, settings, tmp_path, name):
    audit = audited(pictures, tmp_path / "a", settings, name)
    model, test = reader(0), pictures.split("test")
    images = torch.cat([batch.images for batch in loader(test, card=model.card)])
    explained = Explainer(model)(images)
    if name in FITTED_FOR_MAPS:
        reference = Reference.load(audit.folder / "references" / f"{'mean' if name == 'template' else name}.json")
        reference = as_template(reference) if name == "template" else reference
        assert audit.manifest.map_references == {"grad_cam": reference.digest}
        counted = explained.against(reference)
    else:
        counted = explained.against(name)
    np.testing.assert_allclose(maps_of(audit), counted.maps, rtol=2e-3, atol=1e-5)
    assert audit.manifest.map_reference == name
    measured = audit.records(["grad_cam.mass", "zero.bias_share"])
    mass = counted.maps.relu().sum((-2, -1)).flatten()
    np.testing.assert_allclose(measured["grad_cam.mass"], mass, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        measured["zero.bias_share"], explained.ledger().bias_share.flatten(), rtol=1e-4, atol=1e-5
    )


def test_a_manifest_of_maps_from_zero_is_as_it_was(pictures, settings, tmp_path):
    audit = run(reader(0), pictures, tmp_path / "a", settings)
    text = (audit.folder / "manifest.json").read_text()
    assert "map_reference" not in text
    assert audit.manifest.map_reference == "zero"


def test_other_layers_have_references_of_their_own_and_resuming_keeps_them(pictures, settings, tmp_path, monkeypatch):
    chosen = {"methods": ("grad_cam", "hirescam@network.features.0")}
    audit = audited(pictures, tmp_path / "a", settings, "template", **chosen)
    own = Reference.load(audit.folder / "references" / "of-maps-01.json")
    assert (own.kind, own.method) == ("template", "hirescam")
    assert audit.manifest.map_references["hirescam@network.features.0"] == own.digest
    model, test = reader(0), pictures.split("test")
    images = torch.cat([batch.images for batch in loader(test, card=model.card)])
    counted = Explainer(model, method="hirescam", layer="network.features.0")(images).against(own)
    np.testing.assert_allclose(maps_of(audit, "hirescam@network.features.0"), counted.maps, rtol=2e-3, atol=1e-5)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(runner, "measure_missing", interrupt)
        with pytest.raises(KeyboardInterrupt):
            audited(pictures, tmp_path / "b", settings, "template", **chosen)
    monkeypatch.setattr(Explainer, "fit_reference", interrupt)  # what was fitted is read
    asked = settings.replace(map_reference="template", **chosen)
    run(reader(0), pictures, tmp_path / "b", asked, resume=True)
    assert digests(tmp_path / "b") == digests(audit.folder)


def test_regions_say_what_own_shares_cannot_of_differences(pictures, settings, tmp_path):
    audit = audited(pictures, tmp_path / "a", settings, "attribute_mean", gate_images=24)
    found = audit.specificity["attributes"]
    assert {entry["own_share"]["value"] for entry in found.values()} == {None}
    assert all("sum to 0" in entry["share"]["reason"] for entry in found.values())
    maps = maps_of(audit)
    side = audit.records(["side"])["side"].to_numpy().reshape(-1, 2, 1, 1)
    np.testing.assert_allclose((side * maps).sum(1), 0, atol=2e-2)
    assert audit.sample["gates"]["grad_cam"]["verdict"] in ("pass", "fail", "cannot tell")


def test_audits_of_other_references_are_not_compared(pictures, settings, tmp_path):
    first = audited(pictures, tmp_path / "a", settings, "zero")
    second = audited(pictures, tmp_path / "b", settings, "midpoint")
    with pytest.raises(InputError, match=r"different references of maps \(zero, midpoint\)"):
        pair_audits(first, second)


def test_energy_from_the_midpoint_is_that_of_the_books(pictures, settings, tmp_path):
    audit = audited(pictures, tmp_path / "a", settings, "midpoint", attributes=["Object"])
    placed = audit.records(["grad_cam.mass", "grad_cam.energy", "midpoint.bias_share"])
    weights = torch.zeros(1, 8, 8)
    weights[:, :4, :4] = 16
    energy = region_measures(torch.from_numpy(maps_of(audit)), weights, torch.full((8, 8), 16.0)).energy
    np.testing.assert_allclose(placed["grad_cam.energy"], energy.flatten(), rtol=2e-3, atol=2e-3)


def test_refusals_come_before_the_first_image(pictures, settings):
    def plan(**changes: object) -> None:
        make_plan(reader(0), pictures, settings.replace(**changes))

    with pytest.raises(InputError, match="one attribute: the mean of all attributes is its own map"):
        plan(map_reference="attribute_mean", attributes=["Object"])
    with pytest.raises(UnsupportedError, match="maps of layer_cam leave out the evidence against"):
        plan(map_reference="midpoint", methods=["grad_cam", "layer_cam"])
    with pytest.raises(InputError, match="no images to fit it on; name a split with --reference-split"):
        plan(map_reference="template", reference_split=None)
    with pytest.raises(InputError, match=r"unknown map_reference 'midpiont'; did you mean 'midpoint'"):
        settings.replace(map_reference="midpiont")


def test_a_reference_split_of_one_class_has_no_midpoint(pictures, settings, tmp_path):
    labels = pictures.labels.copy()
    labels[pictures.splits == "validation", 0] = 1
    one_class = replace(pictures, labels=labels)
    assert any("no midpoint of Object" in note for note in notes_of(one_class, settings))
    audit = audited(one_class, tmp_path / "a", settings, "midpoint")
    maps = maps_of(audit)
    assert np.isnan(maps[:, 0]).all()
    assert np.isfinite(maps[:, 1]).all()
    records = audit.records(["attribute", "grad_cam.mass"])
    assert records[records["attribute"] == "Object"]["grad_cam.mass"].isna().all()
