"""Files are complete or absent, and JSON states its kind."""

from __future__ import annotations

import json
import os

import pytest

from bincam.data.images import decode
from bincam.errors import InputError
from bincam.files import atomic, read_json, read_yaml, regular, write_json
from bincam.models import read_weights
from bincam.yaml_text import parse_yaml


def test_the_file_appears_only_when_complete_and_with_default_permissions(tmp_path):
    target = tmp_path / "deep" / "er" / "a.txt"
    with atomic(target) as part:
        part.write_text("new")
        assert part.suffix == ".txt"
        assert not target.exists()
    assert target.read_text() == "new"
    (tmp_path / "plain").touch()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), atomic(target) as part:  # noqa: PT012  # both lines are the failing write
        part.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_where_nothing_can_be_written_the_path_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a.txt", tmp_path):
        with pytest.raises(InputError, match="cannot be written") as caught, atomic(path):
            pass
        assert str(path) in str(caught.value)


def test_json_round_trip_is_readable(tmp_path):
    value = {"kind": "k", "schema": 1, "name": "Zoë", "x": [1, 2.5, None]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json", kind="k", schema=1) == value
    assert "Zoë" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_compact_json_is_one_line(tmp_path):
    file = tmp_path / "a.json"
    write_json(file, {"kind": "k", "schema": 1, "values": [1, None]}, compact=True)
    assert file.read_text() == '{"kind":"k","schema":1,"values":[1,null]}\n'
    assert read_json(file, kind="k", schema=1)["values"] == [1, None]


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"kind": "k",\n "schema": }', r":2: not JSON"),
        (b"", r":1: not JSON"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[]", "expected a k file, got 'list'"),
        (b"[" * 100_000, "not readable as JSON: nested too deeply"),
        (b"1" * 5000, "not readable as JSON: .*digits"),
        (b"{}", "expected a k file, got None"),
        (b'{"kind": "k"}', "schema None"),
        (json.dumps({"kind": "k", "schema": 2}).encode(), "schema 2, but this bincam reads schema 1"),
    ],
)
def test_what_is_not_that_file_is_named(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_json(path, kind="k", schema=1)
    assert str(path) in str(caught.value)


def test_missing_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "none.json", kind="k", schema=1)
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path, kind="k", schema=1)


@pytest.mark.parametrize(("text", "line"), [("a: [1", 1), ("a: 1\nb: [", 2)])
def test_a_broken_yaml_is_reported_in_one_line(tmp_path, text, line):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert f"x.yaml:{line}: not YAML: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_yaml_that_is_missing_a_folder_or_no_text_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    for name, message in (("no.yaml", "no such file"), (".", "cannot be read"), ("x.yaml", "cannot be read")):
        with pytest.raises(InputError, match=message):
            read_yaml(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("-2E3", -2000.0), ("1.5e+2", 150.0), ("1e", "1e"), ("e5", "e5"), ("3", 3)]
)
def test_numbers_in_a_yaml_are_numbers(text, value):
    assert parse_yaml(f"a: {text}") == {"a": value}
    assert type(parse_yaml(text)) is type(value)


def test_only_regular_files_are_read(tmp_path):
    (tmp_path / "file").touch()
    assert regular(tmp_path / "file") == tmp_path / "file"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert regular(tmp_path / "link") == tmp_path / "link"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "A.JPG").touch()
    with pytest.raises(InputError, match=r"A\.jpg: no such file; A\.JPG is there, which differs in the case"):
        regular(tmp_path / "A.jpg")
    refused = {"none": "no such file", ".": "it is a folder", "pipe": "it is no regular file", "a\0b": "null"}
    for name, message in {**refused, "n" * 300: "too long", "/dev/zero": "it is no regular file"}.items():
        with pytest.raises(InputError, match=message):
            regular(tmp_path / name)
    for read in (read_yaml, lambda file: read_json(file, kind="k", schema=1), decode, read_weights):
        with pytest.raises(InputError, match="it is no regular file"):
            read(tmp_path / "pipe")  # without waiting for a writer


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(InputError, match="cannot be written: it is no regular file"), atomic(file):
            pass


def test_a_name_that_is_no_text_is_written_as_its_escape(tmp_path):
    write_json(tmp_path / "a.json", {"kind": "k", "schema": 1, "name": "\udcff"})
    assert read_json(tmp_path / "a.json", kind="k", schema=1)["name"] == "\udcff"
