"""One shard: what is written is read again, and broken files are told in a line."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from bincam.audit.folder.stored import read_tensors, write_tensors
from bincam.errors import InputError
from bincam.studies.zoom import open_zoom
from bincam.studies.zoom.view_shard import ViewShard, shard_file


def made(images=3, views=5, outputs=3, questions=2):
    rng = np.random.default_rng(0)
    bits = [rng.integers(2, size=(images, views, last)).astype(bool) for last in (outputs, outputs, questions)]
    return ViewShard(
        rng.normal(size=(images, views, outputs)).astype(np.float16),
        *bits,
        rng.normal(size=(images, outputs)).astype(np.float32),
        *(rng.integers(2, size=(images, outputs)).astype(bool) for _ in range(2)),
        rng.integers(1, 99, (images, 2)),
        np.full((images, outputs), np.nan, np.float32),
        np.full((images, outputs, 2), 0.5, np.float32),
    )


def test_round_trip(tmp_path):
    shard = made()
    shard.write(tmp_path / "part.safetensors", "d")
    again = ViewShard.read(tmp_path / "part.safetensors", "d")
    for field in fields(ViewShard):
        one, other = getattr(shard, field.name), getattr(again, field.name)
        assert one.dtype == other.dtype, field.name
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), field.name


def test_broken_and_foreign_files_are_told_in_a_line(study, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad.safetensors: not the tensors"):
        ViewShard.read(tmp_path / "bad.safetensors", "d")
    write_tensors(tmp_path / "other.safetensors", {"logits": np.zeros(3)})
    with pytest.raises(InputError, match="no shape, so it is no shard"):
        ViewShard.read(tmp_path / "other.safetensors", "d")

    import shutil

    copy = shutil.copytree(study.folder, tmp_path / "copy")
    made().write(shard_file(copy, 0), study.study.digest)
    with pytest.raises(InputError, match=r"not the file that the study wrote .*; put the file back"):
        open_zoom(copy)
    seen = replace(study, study=replace(study.study, folder=copy))
    with pytest.raises(InputError, match=r"\(images, views, questions\) are \(3, 5, 2\), expected \(30, 10, 1\)"):
        seen.answers("Object")
    with pytest.raises(InputError, match="did you mean 'Object'"):
        study.answers("Objekt")


def test_a_shard_of_another_study_or_place_or_with_another_bit_is_refused(tmp_path):
    file, other = tmp_path / "part-00000.safetensors", tmp_path / "part-00001.safetensors"
    made().write(file, "this study")
    with pytest.raises(InputError, match="not the shard that this study wrote there"):
        ViewShard.read(file, "another study")
    other.write_bytes(file.read_bytes())
    with pytest.raises(InputError, match=r"part-00001.safetensors: not the shard that this study wrote there"):
        ViewShard.read(other, "this study")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match="not the shard that this study wrote there"):
        ViewShard.read(file, "this study")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("shape", np.array([3, 5, 3]), "its shape is damaged"),
        ("shape", np.array([3, 5, 3, -2]), "its shape is damaged"),
        ("logits", np.zeros((3, 5, 3)), r"logits is float64 \(3, 5, 3\), expected float16"),
        ("positive", np.zeros(2, np.uint8), r"positive is uint8 \(2,\), expected uint8 \(6,\)"),
        ("own_logits", np.zeros((3, 2), np.float32), r"own_logits is float32 \(3, 2\), expected float32 \(3, 3\)"),
    ],
)
def test_arrays_of_a_shard_without_a_digest_have_the_shapes_that_it_states(tmp_path, name, value, problem):
    file = tmp_path / "part.safetensors"
    made().write(file, "d")
    arrays = read_tensors(file) | {name: value}
    del arrays["digest"]
    write_tensors(file, arrays)
    with pytest.raises(InputError, match=problem):
        ViewShard.read(file, "d")
