"""An audit on disk: what is written is read, the same bytes each time, and what is not whole is refused."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.folder.manifest import Manifest
from bincam.audit.folder.schema import measure_columns, record_schema
from bincam.audit.folder.writer import AuditWriter
from bincam.errors import InputError
from tests.audit.synthetic import ATTRIBUTES, make_audit, unseal

pytestmark = pytest.mark.filterwarnings("ignore:.*kept no digests")


def digests(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_audit(tmp_path_factory.mktemp("audits") / "one", images=60, shard_images=16)


@pytest.fixture
def broken(tmp_path):
    """Of an earlier version: what digests do not tell, the files themselves do."""
    return unseal(make_audit(tmp_path / "broken", images=20, shard_images=8))


def edit(file, **changes):
    value = json.loads(file.read_text())
    file.write_text(json.dumps(value | changes))


def test_records_come_back_in_the_order_of_images_then_attributes(folder):
    records = open_audit(folder).records()
    assert len(records) == 59 * len(ATTRIBUTES)  # the last image could not be read
    assert records["row"].is_monotonic_increasing
    assert records["attribute"].tolist() == list(ATTRIBUTES) * 59
    assert list(records["attribute"].cat.categories) == list(ATTRIBUTES)
    assert list(records["outcome"].cat.categories) == ["TP", "FP", "FN", "TN", ""]
    assert {str(dtype) for dtype in records.dtypes[list(measure_columns(*_shape(folder)))]} == {"float32"}


def _shape(folder):
    audit = open_audit(folder)
    return audit.methods, audit.masks


def test_chosen_columns_alone_are_read_and_unknown_ones_refused(folder):
    audit = open_audit(folder)
    assert list(audit.records(["logit", "row"]).columns) == ["logit", "row"]
    with pytest.raises(InputError, match=r"did you mean 'grad_cam\.gain'"):
        audit.records(["grad_cam.gains"])


def test_outcomes_agree_with_labels_and_logits(folder):
    records = open_audit(folder).records()
    known = records["label"].notna() & records["logit"].notna()
    expected = np.where(records["logit"] >= records["threshold"], "P", "N")
    right = (records["logit"] >= records["threshold"]) == (records["label"] == 1)
    expected = np.where(right, "T", "F") + expected.astype(object)
    assert (records["outcome"][known].astype(str) == expected[known]).all()
    assert (records["outcome"][~known] == "").all()


def test_maps_and_means_are_of_the_images_that_were_read(folder):
    audit = open_audit(folder)
    maps = np.concatenate(list(audit.maps("hirescam@pre_activation")))
    assert maps.dtype == np.float16
    assert maps.shape == (59, 6, 7, 7)
    total, count = audit.means("hirescam@pre_activation")
    outcome = audit.records(["outcome"])["outcome"].to_numpy().reshape(59, 6)
    for number, name in enumerate(("TP", "FP", "FN", "TN")):
        np.testing.assert_array_equal(count[:, number], (outcome == name).sum(0))
        by_hand = np.where((outcome == name)[..., None, None], maps.astype(float), 0).sum(0)
        np.testing.assert_allclose(total[:, number], by_hand, atol=1e-12)


def test_the_same_audit_gives_the_same_bytes(folder, tmp_path):
    assert digests(make_audit(tmp_path / "one", images=60, shard_images=16)) == digests(folder)


def test_the_minority_is_the_class_that_was_rarer_in_training(folder):
    audit = open_audit(folder)
    assert {name: audit.minority(name) for name in ATTRIBUTES} == {
        "Smiling": 1,  # as many of both
        "Bald": 1,
        "Eyeglasses": 1,
        "Young": -1,
        "No_Beard": -1,
        "Wearing_Hat": 1,
    }
    with pytest.raises(InputError, match="did you mean 'Bald'"):
        audit.minority("bald")


def test_images_tell_what_was_skipped(folder):
    images = open_audit(folder).images
    assert list(images.columns) == ["row", "image", "identity", "group.sex", "group.age", "skipped"]
    assert images["skipped"][59] == "000060.png: empty file (0 bytes)"
    assert (images["skipped"][:59] == "").all()


def test_an_audit_without_images_has_no_shards(broken):
    value = json.loads((broken / "manifest.json").read_text())
    value["data"]["images"] = 0
    assert Manifest(**value).shards == 0


def test_a_half_written_audit_is_refused_unless_asked_for(broken):
    (broken / "summary.json").unlink()
    (broken / "records" / "part-00002.parquet").unlink()
    with pytest.raises(InputError, match="unfinished audit: 2 of 3 shards"):
        open_audit(broken)
    assert open_audit(broken, unfinished=True).summary is None


def test_a_folder_that_is_no_audit_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such folder; 'bincam audit --out .*' makes one"):
        open_audit(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"contains no manifest\.json"):
        open_audit(tmp_path)


def test_a_file_in_place_of_an_audit_is_called_one(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is a file; give the folder"):
        open_audit(tmp_path / "notes.txt")


@pytest.mark.parametrize("content", [b"", b"PAR1 and not much more", None], ids=["empty", "wrong", "truncated"])
@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("images.parquet", lambda audit: audit.images),
        ("records/part-00001.parquet", lambda audit: audit.records()),
        ("maps/means.safetensors", lambda audit: audit.means()),
        ("maps/regions.safetensors", lambda audit: audit.regions()),
        ("maps/grad_cam/part-00000.npy", lambda audit: next(audit.maps())),
    ],
)
def test_a_broken_file_is_named_in_a_line(broken, file, read, content):
    path = broken / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    with pytest.raises(InputError, match=rf"{path.name}: not the \w+ of an audit: .*make the audit again") as refusal:
        read(open_audit(broken))
    assert "\n" not in str(refusal.value)
    assert "pickle" not in str(refusal.value)  # numpy's advice for what is no array file


def test_another_schema_version_is_refused(broken):
    edit(broken / "manifest.json", schema=2)
    with pytest.raises(InputError, match="schema 2, but this bincam reads schema 1"):
        open_audit(broken)


def test_a_manifest_that_lacks_something_is_refused(broken):
    value = json.loads((broken / "manifest.json").read_text())
    del value["train_counts"]
    (broken / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match="no train_counts; make the audit again"):
        open_audit(broken)


def test_records_of_another_attribute_order_are_refused(broken):
    edit(broken / "manifest.json", attributes=list(ATTRIBUTES[::-1]))
    with pytest.raises(InputError, match=r"in another order.*position 0: 'Smiling', expected 'Wearing_Hat'"):
        open_audit(broken)


def test_records_of_more_attributes_are_refused(broken):
    edit(broken / "manifest.json", attributes=list(ATTRIBUTES[:-1]))
    with pytest.raises(InputError, match=rf"position {len(ATTRIBUTES) - 1}: '{ATTRIBUTES[-1]}', expected 'nothing'"):
        open_audit(broken)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attributes", 3),
        ("attributes", []),
        ("methods", "cam"),
        ("data", {}),
        ("model", None),
        ("shard_images", 0),
        ("train_counts", {"Smiling": 4}),
    ],
)
def test_a_manifest_that_no_audit_writes_is_refused(broken, name, value):
    edit(broken / "manifest.json", **{name: value})
    with pytest.raises(InputError, match=rf"manifest\.json: '{name}' is not what an audit writes"):
        open_audit(broken)


def test_records_of_other_methods_are_refused(broken):
    edit(broken / "manifest.json", methods=["cam", "hirescam@pre_activation"])
    with pytest.raises(InputError, match=r"other columns than manifest\.json states"):
        open_audit(broken)


def test_missing_or_foreign_files_are_named(broken):
    file = broken / "records" / "part-00001.parquet"
    file.write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"part-00001\.parquet: not the records of an audit"):
        open_audit(broken).records()
    file.unlink()
    with pytest.raises(InputError, match=r"part-00001\.parquet: no such file"):
        open_audit(broken)


def test_records_have_the_schema_that_is_stated(folder):
    methods, masks = _shape(folder)
    assert pq.read_schema(reader.records_file(folder, 0)).equals(record_schema(methods, masks))


def test_a_finished_audit_holds_nothing_that_only_a_resumed_run_needs(folder):
    assert not (folder / "state").exists()


def test_what_was_not_measured_is_read_under_its_former_name_too(broken):
    assert open_audit(broken).unmeasured == {}
    content = {"skipped": 2, "nan_logits": {}, "notes": ["no ledger"]}
    (broken / "findings.json").write_text(json.dumps({"kind": "bincam-findings", "schema": 1, **content}))
    former = open_audit(broken).unmeasured
    assert {name: former[name] for name in content} == content
    audit = open_audit(broken)
    AuditWriter(broken, audit.manifest).write_unmeasured({**content, "skipped": 3})
    assert not (broken / "findings.json").exists()
    assert open_audit(broken).unmeasured == {"kind": "bincam-unmeasured", "schema": 1, **content, "skipped": 3}
    (broken / "unmeasured.json").write_text(json.dumps({"kind": "bincam-findings", "schema": 1}))
    with pytest.raises(InputError, match="expected a bincam-unmeasured file, got 'bincam-findings'"):
        _ = open_audit(broken).unmeasured


def test_a_manifest_is_written_as_it_was_read(folder, tmp_path):
    value = json.loads((folder / "manifest.json").read_text())
    value["added_later"] = [1, {"by": "another version"}]
    content = {name: entry for name, entry in value.items() if name not in ("kind", "schema")}
    manifest = Manifest(**content)
    assert manifest.to_json() == content
    AuditWriter.begin(tmp_path / "new", manifest)
    del value["added_later"]  # what this version does not know stands at the end
    assert list(json.loads((tmp_path / "new" / "manifest.json").read_text())) == [*value, "added_later"]
    assert manifest.data.images == 60
    assert manifest.masks == {"object": "masks/object", "influence": "masks/influence"}
    assert manifest.mask_kinds == ("object", "influence")


def test_a_manifest_without_counts_of_an_attribute_is_refused(broken):
    edit(broken / "manifest.json", train_counts={"Smiling": [4, 4]})
    with pytest.raises(InputError, match=r"'train_counts' is not what an audit writes.*no counts of Bald"):
        open_audit(broken)


@pytest.mark.parametrize(("name", "value"), [("attributes", {"Smiling": 4}), ("slices", "none"), ("level", None)])
def test_a_summary_that_no_audit_writes_is_refused_in_a_line(broken, name, value):
    edit(broken / "summary.json", **{name: value})
    with pytest.raises(InputError, match=rf"summary\.json: '{name}' is not what an audit writes") as raised:
        _ = open_audit(broken).summary
    assert "\n" not in str(raised.value)


def test_the_manifest_is_read_by_attribute_and_by_key(folder):
    manifest = reader.open_audit(folder).manifest
    written = json.loads((folder / reader.MANIFEST).read_text(encoding="utf-8"))
    assert manifest["data"]["images"] == manifest.data.images == written["data"]["images"]
    assert manifest.get("thresholds") == written["thresholds"]
    assert manifest.get("nothing", 3) == 3
    with pytest.raises(KeyError, match="nothing"):
        manifest["nothing"]
