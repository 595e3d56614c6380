"""Undefined logits, unreadable images and absent regions are counted; requests without an answer are refused."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.runner import run
from bincam.data import Regions
from bincam.errors import InputError, UnsupportedError
from bincam.models import AttributeClassifier
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import NAMES, SIDE, Eye, eye_card, reader

pytestmark = NOTES_ALLOWED


class Spoiled(Eye):
    """Bright images come to NaN."""

    def forward(self, images):
        features = self.features(self.grid(images))
        bright = images[:, :1].mean((2, 3), keepdim=True) > 0.12
        return self.head(features.masked_fill(bright, torch.nan).mean((2, 3)))


def test_nan_logits_are_counted_named_and_enter_nothing(pictures, settings, tmp_path):
    model = AttributeClassifier(Spoiled([[40.0, 0, 0], [0, 0, 0]], [-1.0, 1.5]), eye_card()).eval()
    done = run(model, pictures, tmp_path / "a", settings)
    records = done.records()
    bad = records["logit"].isna()
    assert 0 < bad.sum() < len(records)
    assert done.unmeasured["nan_logits"] == {name: int(bad.sum()) // 2 for name in NAMES}
    assert (records["side"][bad] == 0).all()
    assert (records["outcome"][bad] == "").all()
    assert records.loc[bad, [c for c in records if "." in c and not c.endswith(".area")]].isna().all(axis=None)
    total, count = done.means()
    assert np.isfinite(total).all()
    assert count.sum() == (~bad).sum()


class Overflowing(Eye):
    """In bright images red comes to infinity: the first logit is infinite, the second 0 times that."""

    def forward(self, images):
        features = self.features(self.grid(images))
        bright = images[:, :1].mean((2, 3), keepdim=True) > 0.12
        red = torch.arange(3)[None, :, None, None] == 0
        return self.head(features.masked_fill(bright & red, torch.inf).mean((2, 3)))


def test_infinite_logits_are_as_good_as_nan(pictures, settings, tmp_path):
    model = AttributeClassifier(Overflowing([[40.0, 0, 0], [0, 0, 0]], [-1.0, 1.5]), eye_card()).eval()
    done = run(model, pictures, tmp_path / "a", settings)
    records = done.records()
    bad = ~np.isfinite(records["logit"])
    assert np.isinf(records["logit"]).any()
    assert done.unmeasured["nan_logits"] == {name: int(bad.sum()) // 2 for name in NAMES}
    assert (records["outcome"][bad] == "").all()
    entry = done.summary["attributes"]["Object"]
    assert entry["rates"]["error"]["images"] == entry["rates"]["brier"]["images"] == int((~bad).sum()) // 2
    assert 0 <= entry["rates"]["brier"]["value"] < 0.5


def test_unreadable_images_are_skipped_and_counted_or_refused(pictures, settings, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(pictures.source, root)
    table = replace(pictures, root=root / "img_align_celeba", source=str(root))
    test = np.flatnonzero(table.splits == "test")
    for row in [*test[8:16], test[20]]:  # a whole shard, and one more
        table.path(row).write_bytes(b"")
    with pytest.raises(InputError, match=r"empty file \(0 bytes\)"):
        run(reader(0), table, tmp_path / "a", settings)
    done = run(reader(0), table, tmp_path / "b", settings.replace(on_error="skip"))
    assert done.unmeasured["skipped"] == 9
    assert (done.images["skipped"] != "").to_numpy().nonzero()[0].tolist() == [*range(8, 16), 20]
    assert sorted(set(done.records(["row"])["row"])) == [r for r in range(32) if not (8 <= r < 16 or r == 20)]
    assert [len(maps) for maps in done.maps()] == [8, 0, 7, 8]


def test_a_region_outside_of_every_image_is_reported(pictures, settings):
    nowhere = Regions.drawn({"Object": np.zeros((SIDE, SIDE), bool)}, source="nowhere")
    plan = make_plan(reader(0), pictures, settings.replace(regions=nowhere))
    assert "the region is outside of the image, so no energy: Object" in plan.notes
    assert "no region, so no energy: Other" in plan.notes
    assert not any("outside" in note for note in make_plan(reader(0), pictures, settings).notes)


def test_regions_outside_of_the_crop_are_nan_and_counted(pictures, settings, tmp_path):
    folder = tmp_path / "masks" / "Object"
    folder.mkdir(parents=True)
    for row, name in enumerate(pictures.split("test").ids):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[:8, : 8 * (row % 2)] = 255
        Image.fromarray(mask).save(folder / name)
    stored = settings.replace(regions=Regions.stored(folder.parent))
    done = run(reader(0), pictures, tmp_path / "a", stored)
    assert done.unmeasured["outside_the_crop"] == {"region": {"Object": 16}}
    energy = done.records(["grad_cam.energy"])["grad_cam.energy"].to_numpy().reshape(-1, 2)
    assert np.isnan(energy[::2]).all()
    assert np.isfinite(energy[1::2, 0]).any()
    np.testing.assert_allclose(done.regions()[0, :8, :8], 0.5, atol=1e-3)


def test_nothing_in_common_is_refused(pictures, settings, tmp_path):
    with pytest.raises(InputError, match="no attribute in common; the model has Beard, Hat"):
        run(reader(0, names=("Beard", "Hat")), pictures, tmp_path / "a", settings)
    with pytest.raises(InputError, match=r"'Objekt' cannot be audited: .*did you mean 'Object'"):
        run(reader(0), pictures, tmp_path / "a", settings.replace(attributes=["Objekt"]))


def test_a_method_that_cannot_answer_is_refused_before_any_image(pictures, settings, tmp_path):
    with pytest.raises(UnsupportedError, match="eigen_cam"):
        run(reader(0), pictures, tmp_path / "a", settings.replace(methods=("eigen_cam",)))
    assert not (tmp_path / "a").exists()


def test_slices_by_any_attribute_are_made_or_refused_before_any_image(pictures, settings, tmp_path):
    done = run(reader(0), pictures, tmp_path / "a", settings.replace(slice_by=["Other"]))
    assert {(one["attribute"], one["column"]) for one in done.summary["slices"]} == {("Object", "Other")}
    alike = replace(pictures, groups={"camera": np.full(len(pictures), "one")})
    for wanted, message in (
        ("Othr", "cannot slice by 'Othr'; did you mean 'Other'"),
        ("camera", "only the value 'one'"),
    ):
        with pytest.raises(InputError, match=message):
            run(reader(0), alike, tmp_path / "b", settings.replace(slice_by=[wanted]))
    with pytest.raises(InputError, match="camera has only the value 'one' in the 32 audited images"):
        run(reader(0), alike, tmp_path / "b", settings.replace(groups=["camera"]))
    assert not (tmp_path / "b").exists()
    left_out = run(reader(0), alike, tmp_path / "b", settings).summary["slices_left_out"]
    assert [one["column"] for one in left_out] == ["group.camera"]


def test_unknown_groups_and_empty_splits_are_refused(pictures, settings, tmp_path):
    with pytest.raises(InputError, match="no group column 'sex'"):
        run(reader(0), pictures, tmp_path / "a", settings.replace(groups=["sex"]))
    with pytest.raises(InputError, match="no images in split 'train'"):
        run(reader(0), pictures, tmp_path / "a", settings.replace(split="train"))
