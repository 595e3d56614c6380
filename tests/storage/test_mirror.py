"""The copy is what the store has, and the store has what was written into the copy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bincam.errors import InputError
from bincam.files import atomic, write_json
from bincam.folder_lock import take
from bincam.followed import follow, remove, remove_tree
from bincam.storage import address_of, local_folder, named, refresh, shown
from bincam.storage.mirror import cached
from tests.storage.server import Server, s3_server  # noqa: F401  # a fixture

MINE = "s3://audits/deep/mine"


def write(file, content):
    with atomic(file) as part:
        part.write_bytes(content)


def test_a_path_is_left_as_it_is(tmp_path):
    assert local_folder(tmp_path) == tmp_path
    assert address_of(tmp_path) is None
    assert shown(tmp_path) == str(tmp_path)
    refresh(tmp_path)


def test_what_is_written_is_uploaded_and_what_is_removed_is_removed(s3: Server):
    folder = local_folder(MINE, writes=True)
    assert s3.objects() == {}  # the test of writing leaves nothing
    write(folder / "records" / "part-00000.parquet", b"one")
    write_json(folder / "manifest.json", {"kind": "x"})
    write(folder / "manifest.json", b"two")
    write(folder / "state" / "a.json", b"a")
    write(folder / "state" / "b.json", b"b")
    (folder / "local.txt").write_text("by something else")
    assert s3.objects() == {
        "deep/mine/records/part-00000.parquet": b"one",
        "deep/mine/manifest.json": b"two",
        "deep/mine/state/a.json": b"a",
        "deep/mine/state/b.json": b"b",
    }
    remove(folder / "manifest.json")
    remove_tree(folder / "state")
    remove(folder / "none.json")
    assert s3.objects() == {"deep/mine/records/part-00000.parquet": b"one"}


def test_a_copy_is_what_the_store_has(s3: Server):
    s3.put("deep/mine/summary.json", b"old")
    s3.put("deep/mine/maps/a.npy", b"maps")
    s3.put("deep/other/summary.json", b"of another")
    folder = local_folder(MINE)
    contents = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert contents == {"summary.json": b"old", "maps/a.npy": b"maps"}
    s3.requests.clear()
    local_folder(MINE)
    assert not [one for one in s3.requests if one[0] == "GET" and one[1] != "/audits"]  # no file is read again
    s3.put("deep/mine/summary.json", b"longer")
    s3.delete("deep/mine/maps/a.npy")
    (folder / "left.json").write_text("of a killed process, not uploaded")
    local_folder(MINE)
    assert (folder / "summary.json").read_bytes() == b"longer"
    assert not (folder / "maps" / "a.npy").exists()
    assert not (folder / "left.json").exists()


def test_a_file_of_the_same_size_that_was_written_later_is_read_again(s3: Server):
    s3.put("deep/mine/summary.json", b"old")
    folder = local_folder(MINE)
    os.utime(folder / "summary.json", (1, 1))  # as if the store's were of another second
    s3.put("deep/mine/summary.json", b"new")
    refresh(folder / "summary.json")
    assert (folder / "summary.json").read_bytes() == b"new"


def test_parts_are_refreshed(s3: Server):
    folder = local_folder(MINE, only=["manifest.json"])
    s3.put("deep/mine/manifest.json", b"1")
    s3.put("deep/mine/records/a", b"2")
    s3.put("deep/mine/studies/zoom/study.json", b"3")
    refresh(folder / "manifest.json")
    assert [file.name for file in folder.rglob("*") if file.is_file()] == ["manifest.json"]
    (folder / "studies").mkdir()
    refresh(folder / "studies")
    assert (folder / "studies" / "zoom" / "study.json").read_bytes() == b"3"
    assert not (folder / "records").exists()
    assert address_of(folder / "studies" / "zoom") == f"{MINE}/studies/zoom"
    refresh(folder)
    assert (folder / "records" / "a").read_bytes() == b"2"
    s3.delete("deep/mine/manifest.json")
    refresh(folder / "manifest.json")
    assert not (folder / "manifest.json").exists()


def test_what_cannot_be_uploaded_is_not_in_the_copy_either(s3: Server):
    folder = local_folder(MINE)
    with s3.refusing("AccessDenied", "PUT", "POST"):
        with pytest.raises(InputError, match=rf"^{MINE}/records/a: cannot be written: "):
            write(folder / "records" / "a", b"1")
        assert not (folder / "records" / "a").exists()
        with pytest.raises(InputError, match=r"\.begun-\d+: cannot be written: "):
            local_folder(MINE, writes=True)
    write(folder / "records" / "a", b"1")
    assert s3.objects() == {"deep/mine/records/a": b"1"}


def test_a_copy_that_another_process_writes_is_left_to_it(s3: Server):
    folder = local_folder(MINE)
    folder.mkdir(parents=True)
    s3.put("deep/mine/a", b"of the store")
    (folder / "b").write_text("not uploaded yet")
    script = f"from bincam.folder_lock import take; lock = take({str(folder)!r}); print('taken', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "taken\n"
        local_folder(MINE)
        assert (folder / "a").read_bytes() == b"of the store"
        assert (folder / "b").exists()
        other.communicate("\n")
    with take(folder):  # by this process
        local_folder(MINE)
    assert not (folder / "b").exists()


@pytest.mark.usefixtures("s3")
def test_lines_name_addresses():
    folder = local_folder(MINE)
    assert shown(folder) == MINE
    assert shown(folder / "summary.json") == f"{MINE}/summary.json"
    assert named(f"{folder / 'a.json'}: not JSON; see {folder}") == f"{MINE}/a.json: not JSON; see {MINE}"


@pytest.mark.parametrize(
    "other",
    [
        "s3://audits/deep/mine/studies",
        "s3://audits/deep",
        "s3://audits",
        "s3://audits/deep+mine",
        "s3://audits/deep/mine/mine",
        "s3://audits/deep/mine?scheme=http",
        "gs://audits/deep/mine",
    ],
)
def test_no_copy_is_within_another(other):
    one, two = cached(MINE), cached(other)
    assert one != two
    assert one not in two.parents
    assert two not in one.parents


def test_one_follower_of_a_folder(tmp_path):
    told = []

    class Follower:
        def __init__(self, name):
            self.name = name

        def written(self, file):
            told.append((self.name, file.name))

        def removed(self, place):
            raise AssertionError(place)

    follow(tmp_path / "a", Follower("first"))
    follow(tmp_path / "a", Follower("second"))
    write(tmp_path / "a" / "b" / "c.txt", b"")
    write(tmp_path / "ab" / "c.txt", b"")
    assert told == [("second", "c.txt")]
