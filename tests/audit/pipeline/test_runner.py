"""The audit's pass: what it writes, that it can be cut short, and what it does with bad input."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bincam.audit import open_audit
from bincam.audit.folder import writer
from bincam.audit.folder.reader import MEAN_IMAGE
from bincam.audit.pipeline import runner
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.references import load_references
from bincam.audit.pipeline.runner import run
from bincam.audit.pipeline.shard import measure_shard
from bincam.audit.settings import Settings
from bincam.cam import Explainer
from bincam.data import Regions, loader
from bincam.errors import BincamWarning, InputError, UnsupportedError
from bincam.models import AttributeClassifier
from bincam.resample import project
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import NAMES, SIDE, Eye, eye_card, reader, regions

ROOT = Path(__file__).parents[3]
pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def done(pictures, tmp_path_factory):
    chosen = Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0)
    return run(reader(0), pictures, tmp_path_factory.mktemp("audits") / "whole", chosen)


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
    from PIL import Image

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


@pytest.mark.parametrize("workers", [0, 2])
def test_an_audit_again_gives_the_same_bytes_with_any_number_of_workers(pictures, done, settings, tmp_path, workers):
    run(reader(0), pictures, tmp_path / "again", settings.replace(workers=workers))
    assert digests(tmp_path / "again") == digests(done.folder)


KILLED = """
import os, signal, sys
import bincam.torchvision_ops
import numpy, torch
torch.set_num_threads(1)
from bincam.audit import Settings, run
from bincam.data import celeba
from tests.audit.planted import reader, regions

saved, save = [], numpy.save

def killing(file, array, **options):
    saved.append(file)
    if len(saved) == 3:  # half of the third shard's maps are on disk, under a hidden name
        file.write(bytes(100))
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(file, array, **options)

numpy.save = killing
data = celeba(sys.argv[1])
run(reader(0), data, sys.argv[2], Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0))
"""


@pytest.mark.slow  # a process of its own imports everything anew
def test_killed_and_resumed_the_bytes_are_the_same(pictures, done, settings, tmp_path):
    out = tmp_path / "killed"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, pictures.source, str(out)]
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    assert list((out / "maps" / "grad_cam").glob(".*"))
    with pytest.raises(InputError, match="unfinished audit: 2 of 4 shards"):
        open_audit(out)
    with pytest.raises(InputError, match="resume it with --resume"):
        run(reader(0), pictures, out, settings)
    run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == digests(done.folder)


def test_what_a_kill_leaves_at_the_beginning_and_at_the_end_is_cleared_away(
    pictures, done, settings, tmp_path, monkeypatch
):
    out = tmp_path / "audit"
    (out / "references").mkdir(parents=True)
    for name in (".manifest-x1.json", "references/.mean-x2.json"):
        (out / name).write_text("{")
    with monkeypatch.context() as killed:
        killed.setattr(writer.shutil, "rmtree", lambda *_, **__: None)  # as if killed right after the summary
        run(reader(0), pictures, out, settings)
    assert list(out.glob("state/*"))
    run(reader(0), pictures, out, settings, resume=True)
    assert digests(out) == digests(done.folder)


def test_resuming_a_whole_audit_gives_it_back_untouched(pictures, settings, tmp_path, monkeypatch):
    out = tmp_path / "audit"
    run(reader(0), pictures, out, settings)
    before = digests(out)
    monkeypatch.setattr(writer.AuditWriter, "write_shard", None)
    assert run(reader(0), pictures, out, settings, resume=True).summary is not None
    assert digests(out) == before


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"side": "positive"}, "side"), ({"batch_size": 8}, "batch_size"), ({"regions": None}, "regions")],
)
def test_other_settings_are_not_resumed(pictures, done, settings, changed, named):
    with pytest.raises(InputError, match=f"begun with another {named}"):
        run(reader(0), pictures, done.folder, settings.replace(**changed), resume=True)


def test_another_model_is_not_resumed(pictures, done, settings):
    with pytest.raises(InputError, match="begun with another model"):
        run(reader(1), pictures, done.folder, settings, resume=True)


def test_a_folder_with_something_else_is_refused(pictures, settings, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"contains other files \(notes\.txt"):
        run(reader(0), pictures, tmp_path, settings)
    with pytest.raises(InputError, match="is a file"):
        run(reader(0), pictures, tmp_path / "notes.txt", settings)


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


def test_nothing_in_common_is_refused(pictures, settings, tmp_path):
    with pytest.raises(InputError, match="no attribute in common; the model has Beard, Hat"):
        run(reader(0, names=("Beard", "Hat")), pictures, tmp_path / "a", settings)
    with pytest.raises(InputError, match=r"'Objekt' cannot be audited: .*did you mean 'Object'"):
        run(reader(0), pictures, tmp_path / "a", settings.replace(attributes=["Objekt"]))


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
    import shutil

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
    from PIL import Image

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


def test_the_model_is_as_before(pictures, settings, tmp_path):
    model = reader(0).train()
    model.network.head.weight.grad = torch.ones_like(model.network.head.weight)
    state = torch.get_rng_state()
    run(model, pictures, tmp_path / "a", settings)
    assert model.training
    assert model.network.features.training
    assert torch.equal(model.network.head.weight.grad, torch.ones_like(model.network.head.weight))
    assert torch.equal(torch.get_rng_state(), state)
