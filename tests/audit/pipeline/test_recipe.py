"""The pass as another process makes it: the same bytes, and what a machine lacks is told and measures nothing."""

import shutil
from dataclasses import replace

import pytest
import torch

from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.aggregate import finish
from bincam.audit.pipeline.engines.missing import measure_missing
from bincam.audit.pipeline.engines.recipe import AuditRecipe
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.data import write_box_table
from bincam.errors import InputError
from tests.audit import planted, planted_cells, planted_sets
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import reader
from tests.engines.other_processes import Others, answers, settings_of_the_process  # noqa: F401  # a fixture

pytestmark = NOTES_ALLOWED
NOT_FITTED = {"reference_split": None}


def begun(plan, folder):
    writer = AuditWriter.begin(folder, plan.manifest)
    return writer, AuditRecipe.of(plan, writer, writer.missing)


def test_shards_in_any_order_and_twice_have_the_bytes_of_one_pass(pictures, settings, tmp_path):
    chosen = settings.replace(**NOT_FITTED)
    run(reader(0), pictures, tmp_path / "whole", chosen)
    plan = make_plan(reader(0), pictures, chosen, source=reader(0).card.name)
    writer, recipe = begun(plan, tmp_path / "parts")
    for numbers in ([3], [1, 2]):
        assert answers(recipe, numbers) == [{"number": number, "notes": []} for number in numbers]
    before = digests(tmp_path / "parts")
    assert [said["number"] for said in answers(recipe, [1, 2, 3])] == [1, 2, 3]
    assert digests(tmp_path / "parts") == before  # found written, and left as they were
    assert writer.missing == [0]
    measure_missing(plan, writer)  # the first one in this process
    finish(plan, writer)
    assert digests(tmp_path / "parts") == digests(tmp_path / "whole")


def of_boxes_and_cells(root):
    table = planted_cells.write_pictures(root)
    rows = [(name, "Object", 4, 4, 12, 12) for name, label in zip(table.ids, table.labels, strict=True) if label[0]]
    write_box_table(root / "boxes.parquet", rows)
    settings = planted_cells.cell_settings(root, shard_images=8, limit=24, boxes=True, map_reference="midpoint")
    return reader(0), table, settings


def of_large_sets(root):
    settings = planted_sets.audit_settings().replace(one_of_rows=2, limit=24, methods=("grad_cam", "hirescam"))
    return planted_sets.two_heads(), planted_sets.write_pictures(root), settings


def of_views(root):
    table = planted.write_pictures(root)
    return reader(0), table, Settings(views=4, limit=24, batch_size=4, shard_images=8, gate_images=0)


@pytest.mark.parametrize("made", [pytest.param(of_boxes_and_cells, marks=pytest.mark.slow), of_large_sets, of_views])
def test_whatever_is_measured_has_the_bytes_of_one_pass(made, tmp_path):
    model, table, settings = made(tmp_path / "data")
    one = run(model, table, tmp_path / "one", settings)
    several = run(model, table, tmp_path / "several", settings, engine=Others())
    assert digests(several.folder) == digests(one.folder)


def test_versions_are_compared_before_anything_is_unpickled():
    (said,) = answers(None, [0], {"torch": torch.__version__, "numpy": "0.1"})
    assert said["fault"].startswith("numpy is of version ")
    assert said["fault"].endswith(" and 0.1 here; install the same versions on every machine")


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_images_that_the_machine_lacks(pictures, settings, tmp_path, on_error):
    """With ``skip`` as well: else they would count as images that cannot be read."""
    data = tmp_path / "data"
    shutil.copytree(pictures.root, data)
    table = replace(pictures, root=data)
    missing = table.split("test")
    missing.path(9).unlink()  # on no machine, which may be skipped
    chosen = settings.replace(on_error=on_error, **NOT_FITTED)
    _, recipe = begun(make_plan(reader(0), table, chosen), tmp_path / "audit")
    if on_error == "skip":
        assert answers(recipe, [1]) == [{"number": 1, "notes": []}]
    missing.path(0).unlink()  # on this machine
    (said,) = answers(recipe, [0])
    assert said["kind"] == "InputError"
    assert said["fault"].startswith(f"{missing.path(0)}: no such image there")
    assert not (tmp_path / "audit" / "records" / "part-00000.parquet").exists()
    assert not list((tmp_path / "audit" / "state").glob("begun-*"))


def test_a_folder_that_is_not_shared(pictures, settings, tmp_path):
    _, recipe = begun(make_plan(reader(0), pictures, settings.replace(**NOT_FITTED)), tmp_path / "audit")
    (tmp_path / "audit").rename(tmp_path / "elsewhere")
    (said,) = answers(recipe, [0])
    assert "must be on a file system that all machines share" in said["fault"]
    assert not (tmp_path / "audit").exists()


def test_a_process_of_an_audit_that_was_begun_anew_writes_nothing(pictures, settings, tmp_path):
    plan = make_plan(reader(0), pictures, settings.replace(**NOT_FITTED))
    _, recipe = begun(plan, tmp_path / "audit")
    shutil.rmtree(tmp_path / "audit")
    AuditWriter.begin(tmp_path / "audit", make_plan(reader(1), pictures, settings.replace(**NOT_FITTED)).manifest)
    (said,) = answers(recipe, [0])
    assert "begun with different model" in said["fault"]
    assert not list((tmp_path / "audit").glob("records/*"))


def test_a_full_disk_is_told_with_its_file(pictures, settings, tmp_path, monkeypatch):
    _, recipe = begun(make_plan(reader(0), pictures, settings.replace(**NOT_FITTED)), tmp_path / "audit")

    def full(*_):
        raise OSError(28, "No space left on device", "/data/part.npy")

    monkeypatch.setattr(AuditWriter, "write_shard", full)
    (said,) = answers(recipe, [0])
    assert (said["kind"], said["fault"]) == ("InputError", "/data/part.npy: No space left on device")


def test_one_gpu_of_several_is_refused(pictures, settings, tmp_path):
    with pytest.raises(InputError, match="pass 'cuda'"):
        run(reader(0), pictures, tmp_path / "audit", settings.replace(device="cuda:1"), engine=object())
