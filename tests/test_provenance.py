"""Digests: the same for the same thing, another for whatever would change an audit."""

from dataclasses import replace

import numpy as np
import torch

from bincam import provenance
from bincam.data import Regions
from tests.audit.planted import SIDE, reader, regions, write_pictures


def test_a_models_digest_follows_weights_and_card():
    first = provenance.model_digest(reader(0))
    assert provenance.model_digest(reader(0).train()) == first
    changed = reader(0)
    with torch.no_grad():
        changed.network.head.bias[0] += 1e-6
    assert provenance.model_digest(changed) != first
    other = reader(0)
    other.card = other.card.model_copy(update={"thresholds": {"Object": 0.5}})
    assert provenance.model_digest(other) != first


def test_the_images_hash_follows_names_order_and_pixels_but_not_the_place(tmp_path):
    table = write_pictures(tmp_path / "a", 4)
    elsewhere = write_pictures(tmp_path / "b", 4)
    first = provenance.images_hash(table)
    assert provenance.images_hash(elsewhere) == first
    assert provenance.images_hash(table.take([1, 0, 2, 3])) != first
    elsewhere.path(2).write_bytes(table.path(1).read_bytes())
    assert provenance.images_hash(elsewhere) != first
    elsewhere.path(2).unlink()
    assert provenance.images_hash(elsewhere) != first


def test_a_regions_digest_follows_what_is_drawn():
    first = provenance.regions_digest(regions(), ["Object", "Other"])
    assert provenance.regions_digest(replace(regions(), source="elsewhere"), ["Object", "Other"]) == first
    moved = Regions.drawn({"Object": np.eye(SIDE, dtype=bool)})
    assert provenance.regions_digest(moved, ["Object", "Other"]) != first
    assert provenance.regions_digest(Regions.face(), ["Smiling"]) != provenance.regions_digest(
        Regions.published(), ["Smiling"]
    )


def test_stored_masks_are_known_by_their_files(tmp_path):
    (tmp_path / "Bald").mkdir()
    (tmp_path / "Bald" / "1.png").write_bytes(b"1")
    first = provenance.regions_digest(Regions.stored(tmp_path), ["Bald"])
    (tmp_path / "Bald" / "2.png").write_bytes(b"22")
    assert provenance.regions_digest(Regions.stored(tmp_path), ["Bald"]) != first


def test_settings_are_digested_without_their_own_digest():
    manifest = {"side": "predicted", "seed": 0}
    digest = provenance.settings_digest(manifest)
    assert provenance.settings_digest(manifest | {"settings_digest": digest}) == digest
    assert provenance.settings_digest(manifest | {"seed": 1}) != digest


def test_versions_name_what_computes():
    audit, training = provenance.versions(), provenance.versions("training")
    assert audit["torch"] in {torch.__version__.split("+")[0], torch.__version__}
    assert list(audit) == [
        *("python", "torch", "timm", "grad-cam", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "statsmodels"),
        *("albumentations", "opencv-python-headless", "safetensors"),
    ]
    assert list(training) == [
        *("python", "bincam", "torch", "timm", "accelerate", "numpy", "albumentations", "opencv-python-headless"),
        "pydantic",
    ]


def test_the_region_of_an_attribute_is_known_whatever_else_is_audited(tmp_path):
    alone = provenance.region_digests(Regions.published(), ["Smiling"])
    among = provenance.region_digests(Regions.published(), ["Bald", "Smiling", "No such attribute"])
    assert alone == {"Smiling": among["Smiling"]}
    assert list(among) == ["Bald", "Smiling"]
    assert provenance.region_digests(Regions.face(), ["Smiling"]) != alone
    assert provenance.region_digests(Regions.stored(tmp_path), ["Smiling"]) is None
