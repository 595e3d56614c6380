"""Audits on object storage: the files of a local one, whatever happens meanwhile, and read by every command."""

from __future__ import annotations

import hashlib
import json
import warnings

import pytest

from bincam.audit import Settings, open_audit, run
from bincam.audit.pipeline.engines.recipe import AuditRecipe
from bincam.compare import compare
from bincam.engines import ProcessEngine, Recipe
from bincam.errors import InputError
from bincam.report import write_report
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import reader, regions, write_pictures
from tests.cli.conftest import typed_command  # noqa: F401  # a fixture
from tests.engines.other_processes import Others, answers, settings_of_the_process  # noqa: F401  # a fixture
from tests.storage.server import Server, s3_server  # noqa: F401  # a fixture
from tests.studies.zoom import planted as zoomed
from tests.studies.zoom.planted import FACTORY

pytestmark = NOTES_ALLOWED
MINE = "s3://audits/mine"
SETTINGS = Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    """The digests of a local audit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return digests(run(reader(0), pictures, tmp_path_factory.mktemp("audits") / "whole", SETTINGS).folder)


def stored(s3: Server, prefix: str = "mine/") -> dict[str, str]:
    """The digests of what the store has."""
    return {
        key.removeprefix(prefix): hashlib.sha256(content).hexdigest()
        for key, content in s3.objects().items()
        if key.startswith(prefix)
    }


def elsewhere(monkeypatch, tmp_path, name="elsewhere"):
    """Go on as on another machine, which has no copy."""
    monkeypatch.setenv("BINCAM_CACHE", str(tmp_path / name))


def test_an_audit_has_the_files_of_a_local_one_and_is_read_elsewhere(
    s3: Server, whole, pictures, monkeypatch, tmp_path
):
    audit = run(reader(0), pictures, MINE, SETTINGS)
    assert stored(s3) == whole == digests(audit.folder)
    elsewhere(monkeypatch, tmp_path)
    again = open_audit(MINE)
    assert again.folder != audit.folder
    assert again.digest == audit.digest
    assert digests(again.folder) == whole
    with pytest.raises(InputError, match="already contains an audit; resume it with --resume"):
        run(reader(0), pictures, MINE, SETTINGS)
    finished = run(reader(0), pictures, MINE, SETTINGS.replace(specificity=(0.8,)), resume=True)
    assert finished.manifest.specificity == (0.8,)
    assert stored(s3) == digests(finished.folder) != whole
    assert s3.objects().keys() == {f"mine/{name}" for name in whole}


def test_a_half_written_audit_is_resumed_on_another_machine(s3: Server, whole, pictures, monkeypatch, tmp_path):
    with (
        s3.refusing("QuotaExceeded", "PUT", "POST", having="records/part-00002"),
        pytest.raises(InputError, match=r"^s3://audits/mine/records/part-00002.parquet: cannot be written: "),
    ):
        run(reader(0), pictures, MINE, SETTINGS)
    left = s3.objects()
    assert "mine/records/part-00001.parquet" in left
    assert "mine/maps/grad_cam/part-00002.npy" in left  # of a shard that is not complete
    s3.put("mine/maps/grad_cam/part-00002.npy", left["mine/maps/grad_cam/part-00002.npy"][:20])  # half of it
    elsewhere(monkeypatch, tmp_path)
    with pytest.raises(InputError, match="unfinished audit: 2 of 4 shards"):
        open_audit(MINE)
    run(reader(0), pictures, MINE, SETTINGS, resume=True)
    assert stored(s3) == whole


def test_a_store_that_cannot_be_written_to_is_told_first(s3: Server, pictures):
    with (
        s3.refusing("AccessDenied", "PUT", "POST"),
        pytest.raises(InputError, match=r"^s3://audits/mine/\.begun-\d+: cannot be written: .*AccessDenied"),
    ):
        run(reader(0), pictures, MINE, SETTINGS)
    assert s3.objects() == {}


class Machines(Others):
    """An engine whose processes are on two other machines, each with copies of its own."""

    def __init__(self, monkeypatch, tmp_path):
        self.monkeypatch, self.tmp_path = monkeypatch, tmp_path

    def carry_out(self, recipe: Recipe, numbers):
        for name, part in (("second", list(numbers[-1:])), ("third", list(numbers))):
            with self.monkeypatch.context() as there:
                there.setenv("BINCAM_CACHE", str(self.tmp_path / name))
                told = answers(recipe, part)
            assert sorted(said["number"] for said in told) == part, told
        yield from numbers


def test_processes_of_several_machines_share_a_store(s3: Server, whole, pictures, monkeypatch, tmp_path):
    audit = run(reader(0), pictures, MINE, SETTINGS, engine=Machines(monkeypatch, tmp_path))
    assert stored(s3) == whole == digests(audit.folder)
    assert (tmp_path / "second").is_dir()


@pytest.mark.slow
def test_processes_of_this_machine_share_its_copy(s3: Server, whole, pictures):
    audit = run(reader(0), pictures, MINE, SETTINGS, engine=ProcessEngine(2))
    assert stored(s3) == whole == digests(audit.folder)


def test_a_process_of_an_audit_that_was_begun_anew_writes_nothing(s3: Server, pictures, monkeypatch, tmp_path):
    class Late(Machines):
        def carry_out(self, recipe: Recipe, numbers):
            assert isinstance(recipe, AuditRecipe)
            content = json.loads(s3.objects()["mine/manifest.json"])
            work = recipe.open()
            s3.put("mine/manifest.json", json.dumps(content | {"shards": 77}).encode())
            before = s3.objects()
            with pytest.raises(InputError, match="begun with different"):
                list(work(numbers[:1]))
            assert s3.objects() == before
            raise InputError("ended")

    with pytest.raises(InputError, match="ended"):
        run(reader(0), pictures, MINE, SETTINGS, engine=Late(monkeypatch, tmp_path))


@pytest.mark.usefixtures("s3")
def test_contrasts_and_reports_of_audits_on_object_storage(pictures, monkeypatch, tmp_path):
    for seed in (0, 1):
        run(reader(seed), pictures, f"s3://audits/model{seed}", SETTINGS)
    elsewhere(monkeypatch, tmp_path)
    compare(open_audit("s3://audits/model0"), open_audit("s3://audits/model1"), tmp_path / "contrast", resamples=100)
    document = json.loads((tmp_path / "contrast" / "contrast.json").read_text())
    assert [document["arms"][which]["folder"] for which in ("first", "second")] == [
        "s3://audits/model0",
        "s3://audits/model1",
    ]
    elsewhere(monkeypatch, tmp_path, "third")
    page = write_report(tmp_path / "contrast", tmp_path / "report.html")
    assert "<html" in page.read_text()
    assert write_report("s3://audits/model0", tmp_path / "one.html").is_file()


def test_every_command_takes_an_address(s3: Server, command, monkeypatch, tmp_path):
    zoomed.audited(tmp_path)
    own = ("--model", tmp_path / "model", *FACTORY, "--data", tmp_path / "pictures", "--split", "all")
    done = command("audit", *own, "--out", MINE)
    assert done.code == 0, done.err
    assert done.out.endswith(f": {MINE}\n")
    assert f"bincam: {MINE} already contains an audit" in command("audit", *own, "--out", MINE).mistake
    elsewhere(monkeypatch, tmp_path)
    summary = command("summarise", MINE, "--specificity", "0.8")
    assert summary.code == 0, summary.err
    assert summary.out.endswith(f": {MINE}/summary.json\n")
    assert json.loads(s3.objects()["mine/summary.json"])["stated"]
    sets = command("sets", MINE, "--k", "1.2")
    assert sets.code == 0, sets.err
    assert f"{MINE}/studies/sets" in sets.out
    (tmp_path / "plan.yaml").write_text(json.dumps({"views": [list(view) for view in zoomed.PLAN]}))
    zoom = command("zoom", MINE, *FACTORY, "--plan", tmp_path / "plan.yaml")
    assert zoom.code == 0, zoom.err
    names = {name.removeprefix("mine/studies/") for name in s3.objects() if "studies" in name}
    assert {"sets/study.json", "sets/summary.json", "zoom/study.json", "zoom/summary.json"} <= names
    elsewhere(monkeypatch, tmp_path, "third")
    gate = command("gate", MINE, "--rule", "accuracy>=0")
    assert gate.code in (0, 1), gate.err
    report = command("report", MINE, "--out", tmp_path / "page.html")
    assert report.code == 0, report.err
    assert "zoom" in (tmp_path / "page.html").read_text()
    beside = command("report", MINE)
    assert beside.out.startswith(f"{MINE}/report.html: ")
    assert s3.objects()["mine/report.html"].startswith(b"<!")
    for words in (["gate", "s3://audits/none", "--rule", "accuracy>=0"], ["summarise", "s3://audits/none"]):
        assert command(*words).mistake.startswith("bincam: s3://audits/none: no such folder")
    for words in (
        ["report", MINE, "--out", "s3://audits/page.html"],
        ["compare", MINE, MINE, "--out", "s3://audits/c"],
    ):
        assert "only audits may be on object storage; give a local path" in command(*words).mistake
