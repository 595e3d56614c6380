"""Addresses are told from paths, and what a store answers is told in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bincam.errors import InputError
from bincam.files import atomic
from bincam.folder_lock import take
from bincam.storage import local_folder
from bincam.storage.address import Remote, is_address, normal, open_store
from tests.storage.server import Server, s3_server  # noqa: F401  # a fixture


@pytest.mark.parametrize("place", ["audits/mine", "/s3/bucket", "C:/audits", "s3", "https://a/b", "file:///a", "s3:"])
def test_paths_are_no_addresses(place):
    assert not is_address(place)
    assert not is_address(Path(place))


@pytest.mark.parametrize(
    "place", ["s3://", "s3:///", "s3://bucket//mine", "s3://bucket/../other", "s3://bucket/./mine"]
)
def test_addresses_that_lead_nowhere(place):
    with pytest.raises(InputError, match=r"expected a bucket and the names of folders in it|not an address"):
        normal(place)


def test_an_address_keeps_its_query():
    assert normal("s3://bucket/mine/?scheme=http") == "s3://bucket/mine?scheme=http"


def test_only_audits_may_be_on_object_storage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^s3://bucket/report.html: only audits"), atomic("s3://bucket/report.html"):
        pytest.fail("written")
    with pytest.raises(InputError, match=r"^s3://bucket/run: only audits"):
        take(Path("s3://bucket/run"))
    assert not list(tmp_path.iterdir())  # no folder named "s3:"


def test_a_store_reads_what_it_wrote(s3: Server):
    store = open_store("s3://audits/mine")
    assert store.listed() == {}
    assert store.state("a/b.bin") is None
    written = store.write("a/b.bin", bytes(range(256)))
    assert written == Remote(256, written.seconds) == store.state("a/b.bin") == store.listed()["a/b.bin"]
    assert store.read("a/b.bin") == bytes(range(256)) == s3.objects()["mine/a/b.bin"]
    store.remove("a")
    store.remove("a")  # nothing is there
    assert s3.objects() == {}


def test_names_that_an_address_would_have_to_escape(s3: Server):
    store = open_store("s3://audits/mine")
    name = "maps/grad_cam@layer4 #1+é.npy"
    store.write(name, b"1")
    assert list(store.listed()) == [name]
    assert set(s3.objects()) == {f"mine/{name}"}


def test_a_server_may_be_stated_in_the_address(s3: Server, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    address = f"s3://audits/mine?scheme=http&endpoint_override={s3.endpoint.removeprefix('http://')}"
    store = open_store(address)
    store.write("x", b"1")
    assert set(s3.objects()) == {"mine/x"}
    assert store.of("x").startswith("s3://audits/mine/x?scheme=http")


def test_faults_of_a_store_are_one_line(s3: Server):
    with pytest.raises(InputError, match=r"^s3://nowhere: no such bucket; make it first"):
        open_store("s3://nowhere/mine")
    store = open_store("s3://audits/mine")
    for code, shown in (("AccessDenied", "ACCESS_DENIED"), ("QuotaExceeded", "QuotaExceeded is refused")):
        with (
            s3.refusing(code, "PUT", "POST"),
            pytest.raises(InputError, match=rf"^s3://audits/mine/x: cannot be written: .*{shown}") as told,
        ):
            store.write("x", b"1")
        assert "\n" not in str(told.value)
        assert "Request ID" not in str(told.value)
    with s3.refusing("AccessDenied", "HEAD"), pytest.raises(InputError, match=r"^s3://audits/mine: cannot be read: "):
        open_store("s3://audits/mine")


@pytest.mark.usefixtures("s3")
def test_a_file_that_arrives_shortened_is_told(monkeypatch):
    store = open_store("s3://audits/mine")
    monkeypatch.setattr(type(store), "state", lambda *_: Remote(3, 0))
    with pytest.raises(InputError, match=r"^s3://audits/mine/x: cannot be written: 3 of 5 bytes are there$"):
        store.write("x", b"12345")


@pytest.mark.parametrize("place", ["hdfs://server/mine", "https://site/mine", "file:///home/mine"])
def test_addresses_of_other_kinds_are_no_paths(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^{place}: expected a path, or an address of s3://, .* or abfss://$"):
        local_folder(place, writes=True)
    assert not list(tmp_path.iterdir())
