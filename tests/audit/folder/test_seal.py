"""An audit's files are tied together: another one's file, a copied one or an edited one is refused on reading."""

import json
import shutil

import pytest

from bincam.audit import open_audit, summarise
from bincam.audit.folder.seal import KEY
from bincam.audit.folder.writer import AuditWriter
from bincam.errors import BincamWarning, InputError
from tests.audit.conftest import digests
from tests.audit.synthetic import make_audit, unseal
from tests.cli.conftest import typed_command  # noqa: F401  # a fixture

FEW = {"images": 20, "shard_images": 8, "methods": ("grad_cam",), "masks": ()}
RULES = ("gate", "--rule", "error<=1", "--allow-insufficient")


def audited(folder, **options):
    """An audit with a summary of its own."""
    make_audit(folder, **FEW, finished=False, **options)
    audit = open_audit(folder, unfinished=True)
    AuditWriter(folder, audit.manifest).write_summary(summarise(audit, resamples=100))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return audited(tmp_path_factory.mktemp("seal") / "whole")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Another model's audit of the same images."""
    return audited(tmp_path_factory.mktemp("seal") / "foreign", seed=1)


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "audit")


def edited(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def lost_attribute(summary):
    del summary["attributes"]["Bald"]


CHANGES = {
    "another model's shard": ("records/part-00001.parquet", None),
    "a copied shard": ("records/part-00001.parquet", "records/part-00000.parquet"),
    "another model's maps": ("maps/grad_cam/part-00002.npy", None),
    "another model's means": ("maps/means.safetensors", None),
    "other people": ("images.parquet", "relabelled"),
    "edited shard_images": ("manifest.json", lambda content: content.update(shard_images=10)),
    "edited thresholds": ("manifest.json", lambda content: content["thresholds"].update(Bald=3.0)),
    "an edited summary": ("summary.json", lambda content: content.update(images=4_000)),
    "a summary without an attribute": ("summary.json", lost_attribute),
    "a summary without its seal": ("summary.json", lambda content: content.pop(KEY)),
    "another model's summary": ("summary.json", None),
    "another model's digests": ("digests.json", None),
    "edited digests": ("digests.json", lambda content: content["files"].popitem()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_does_not_belong_to_the_audit_is_refused_and_the_gate_stays_shut(what, folder, whole, foreign, command):
    name, change = CHANGES[what]
    file = folder / name
    if callable(change):
        edited(file, change)
    elif change == "relabelled":
        import pyarrow.parquet as pq

        images = pq.read_table(file).to_pandas()
        images["identity"] = "one"
        images.to_parquet(file)
    else:
        shutil.copy(folder / change if change else foreign / name, file)
    with pytest.raises(InputError, match=rf"{file.name}: .*(put the file back|bincam summarise)") as refused:
        open_audit(folder)
    assert command(*RULES[:1], folder, *RULES[1:]).code == 2
    if "put the file back" in str(refused.value):
        shutil.copy(whole / name, file)
    else:
        assert name == "summary.json"  # everything else has to be put back
        assert command("summarise", folder).code == 0
    assert command(*RULES[:1], folder, *RULES[1:]).code == 0


def test_digests_that_are_gone_are_not_made_anew_of_whatever_is_there(folder, command):
    (folder / "digests.json").unlink()
    with pytest.raises(InputError, match=r"digests\.json: no such file; put the file back"):
        open_audit(folder)
    assert "digests.json: no such file" in command("summarise", folder).mistake


@pytest.mark.parametrize("name", ["records/part-00001.parquet", "maps/grad_cam/part-00000.npy", "images.parquet"])
def test_a_file_that_is_gone_is_named(name, folder):
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file; put the file back, or make the audit again"):
        open_audit(folder)


SPECIFICITY = {"reason": "", "attributes": {}}


@pytest.fixture
def with_own_maps(tmp_path):
    """An audit with ``specificity.json``, as every audit of this version has it."""
    folder = tmp_path / "audit"
    make_audit(folder, **FEW, finished=False)
    audit = open_audit(folder, unfinished=True)
    writer = AuditWriter(folder, audit.manifest)
    writer.write_specificity(SPECIFICITY)
    writer.write_digests()
    writer.write_summary(summarise(open_audit(folder, unfinished=True), resamples=100))
    return folder


def test_every_file_that_an_audit_writes_is_sealed(with_own_maps):
    stated = json.loads((with_own_maps / "digests.json").read_text())["files"]
    written = {file.relative_to(with_own_maps).as_posix() for file in with_own_maps.rglob("*") if file.is_file()}
    apart = {"manifest.json", "summary.json", "digests.json", "relabel.csv", ".bincam.lock"}
    assert "specificity.json" in stated
    assert written - apart == set(stated)


def test_whose_maps_are_whose_is_not_edited_or_removed(with_own_maps):
    file = with_own_maps / "specificity.json"
    edited(file, lambda content: content["attributes"].update(Bald={"own_share": 1.0}))
    with pytest.raises(InputError, match=r"specificity\.json: not the file that the audit wrote"):
        open_audit(with_own_maps)
    file.unlink()
    with pytest.raises(InputError, match=r"specificity\.json: no such file; put the file back"):
        open_audit(with_own_maps)


def test_a_file_that_was_added_is_refused(folder):
    file = folder / "specificity.json"
    file.write_text(json.dumps({"kind": "bincam-specificity", "schema": 1, **SPECIFICITY}))
    with pytest.raises(InputError, match=r"specificity\.json: not a file that the audit wrote .*; remove it"):
        open_audit(folder)
    file.unlink()
    assert open_audit(folder).specificity == {}


def test_measurements_of_another_audit_are_not_summarised(folder, foreign, command):
    shutil.copy(foreign / "records" / "part-00001.parquet", folder / "records" / "part-00001.parquet")
    assert r"part-00001.parquet: not the file that the audit wrote" in command("summarise", folder).mistake


def test_what_changes_nothing_is_accepted(folder, whole):
    """The twin: other layout of a file, and files that are not the audit's own."""
    for name in ("manifest.json", "summary.json", "digests.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content, indent=1, sort_keys=True))
    (folder / "report.html").write_text("mine")
    (folder / "relabel.csv").write_text("checked by hand")
    (folder / "studies" / "zoom").mkdir(parents=True)
    (folder / "studies" / "zoom" / "study.json").write_text("{}")
    assert open_audit(folder).digest == open_audit(whole).digest


def test_a_summary_made_again_seals_the_audit_anew(folder, command):
    assert command("summarise", folder, "--specificity", ".9").code == 0
    assert open_audit(folder).summary["stated"]["specificity"] == [0.9]


class TestOfAnEarlierVersion:
    """An audit without digests."""

    def test_it_is_read_with_a_note_and_its_advice_works(self, folder, command):
        unseal(folder)
        with pytest.warns(BincamWarning, match=r"kept no digests.*'bincam summarise"):
            audit = open_audit(folder)
        assert len(audit.records()) > 0
        with pytest.warns(BincamWarning, match="kept no digests"):
            command(*RULES[:1], folder, *RULES[1:])
        assert command("summarise", folder).code == 0
        open_audit(folder)  # a warning would be an error here

    def test_a_copied_shard_is_known_by_its_rows(self, folder):
        unseal(folder)
        shutil.copy(folder / "records" / "part-00000.parquet", folder / "records" / "part-00001.parquet")
        with pytest.raises(InputError, match=r"part-00001\.parquet: contains images 0 to 7, expected 8 to 15"):
            open_audit(folder)

    def test_edited_shard_images_are_known_by_the_rows(self, folder):
        unseal(folder)
        edited(folder / "manifest.json", lambda content: content.update(shard_images=7))
        with pytest.raises(InputError, match=r"contains images 0 to 7, expected 0 to 6"):
            open_audit(folder)

    def test_a_summary_that_lost_an_attribute_is_refused(self, folder, command):
        unseal(folder)
        edited(folder / "summary.json", lost_attribute)
        with pytest.raises(InputError, match="no attribute 'Bald', which manifest"):
            open_audit(folder)
        assert command("summarise", folder).code == 0
        open_audit(folder)


def test_the_digest_of_measurements_is_the_same_with_and_without_stored_digests(folder):
    before = open_audit(folder).digest
    with pytest.warns(BincamWarning):
        assert open_audit(unseal(folder)).digest == before


def test_the_seal_has_the_same_bytes_each_time(whole, tmp_path):
    assert digests(audited(tmp_path / "again")) == digests(whole)
