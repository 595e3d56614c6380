"""One shard: what is written is read again, and broken files are told in a line."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from bincam.audit.folder.stored import write_tensors
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
    shard.write(tmp_path / "part.safetensors")
    again = ViewShard.read(tmp_path / "part.safetensors")
    for field in fields(ViewShard):
        one, other = getattr(shard, field.name), getattr(again, field.name)
        assert one.dtype == other.dtype, field.name
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), field.name


def test_broken_and_foreign_files_are_told_in_a_line(study, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad.safetensors: not the tensors"):
        ViewShard.read(tmp_path / "bad.safetensors")
    write_tensors(tmp_path / "other.safetensors", {"logits": np.zeros(3)})
    with pytest.raises(InputError, match="no shape, so it is no shard"):
        ViewShard.read(tmp_path / "other.safetensors")

    import shutil

    copy = shutil.copytree(study.folder, tmp_path / "copy")
    made().write(shard_file(copy, 0))
    with pytest.raises(InputError, match=r"\(images, views, questions\) are \(3, 5, 2\), expected \(30, 10, 1\)"):
        open_zoom(copy).answers("Object")
    with pytest.raises(InputError, match="did you mean 'Object'"):
        study.answers("Objekt")
