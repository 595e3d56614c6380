"""Images in files that hold many: read at their places, by any process, and one line where a file is damaged."""

from __future__ import annotations

import gzip
import pickle
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pytest

from bincam.data.containers import address, columns
from bincam.data.containers.address import exists, read_bytes
from bincam.data.images import decode
from bincam.errors import InputError
from tests.data.readers.general.layouts import CELL, png, rows, save_to_disk, write_parquet, write_tar

COUNT = 6


@pytest.fixture
def files(tmp_path):
    """Each kind of container of the same images, with the name of member i."""
    save_to_disk(tmp_path / "saved", rows(COUNT))
    write_parquet(tmp_path / "a.parquet", rows(COUNT))
    write_tar(tmp_path / "a.tar", {f"v1.0/{i}.seg.png": png(i) for i in range(COUNT)})
    return {
        tmp_path / "saved" / "data-00000-of-00001.arrow": "{}",
        tmp_path / "a.parquet": "{}",
        tmp_path / "a.tar": "v1.0/{}.seg.png",
    }


def test_every_image_is_the_one_that_was_stored_in_any_order_and_process(files):
    for file, member in files.items():
        names = {i: f"{file}#{member.format(i)}" for i in (3, 0, 5, 1, 4, 2)}
        assert all(read_bytes(name) == png(i) for i, name in names.items())
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(read_bytes, [*names.values()] * 5)) == [png(i) for i in names] * 5
        with get_context("fork").Pool(2) as pool:
            assert pool.map(read_bytes, names.values()) == [png(i) for i in names]
        assert pickle.loads(pickle.dumps(names)) == names
        np.testing.assert_array_equal(decode(names[3]), decode(png(3)))
        assert exists(names[3])


@pytest.mark.parametrize("member", ["99", "x", "", "v1.0/9.seg.png", "face/1", "-1", "²"])
def test_what_is_not_there_is_one_line(files, member):
    for file in files:
        assert not exists(f"{file}#{member}")
        with pytest.raises(InputError, match=r"no such|no member|cannot be read"):
            decode(f"{file}#{member}")


def test_a_file_of_its_own_may_look_like_an_address(tmp_path):
    write_tar(tmp_path / "a.tar", {"1.png": png(1)})
    (tmp_path / "a.tar#1.png").write_bytes(png(2))
    assert read_bytes(tmp_path / "a.tar#1.png") == png(2)
    assert address.split("b.tar#x/y.png") == (address.Path("b.tar"), "x/y.png")
    assert address.split("b.zip#x") is None
    with pytest.raises(InputError, match=r"missing\.tar"):
        decode(tmp_path / "missing.tar#1.png")


def test_row_groups_above_the_limit_are_read_in_batches_and_small_ones_are_kept(tmp_path, monkeypatch):
    file = write_parquet(tmp_path / "a.parquet", rows(90), row_group_size=40)
    monkeypatch.setattr(columns, "KEPT", 0)
    images = columns.ParquetImages(file)
    for i in (0, 1, 39, 5, 40, 89, 88, 33):
        assert images.read(str(i)) == png(i)
        assert len(images._stream[3]) <= 32
    assert not images._kept
    monkeypatch.setattr(columns, "KEPT", 20_000)  # of one of these groups
    images = columns.ParquetImages(file)
    for i in (0, 89, 1, 50):
        assert images.read(str(i)) == png(i)
        assert len(images._kept) <= 2
    assert images._stream is None


def test_a_changed_file_is_opened_anew(tmp_path):
    file = write_tar(tmp_path / "a.tar", {"1.png": png(1)})
    assert read_bytes(f"{file}#1.png") == png(1)
    write_tar(file, {"1.png": png(2), "2.png": png(3)})
    assert read_bytes(f"{file}#1.png") == png(2)


def test_several_columns_of_images_are_named(tmp_path):
    second = pa.array([{"bytes": png(i + 50), "path": None} for i in range(4)], CELL)
    file = write_parquet(tmp_path / "a.parquet", rows(4, mask=second))
    assert read_bytes(f"{file}#mask/2") == png(52)
    assert read_bytes(f"{file}#image/2") == png(2)
    with pytest.raises(InputError, match="columns of images: image, mask"):
        read_bytes(f"{file}#2")


def test_a_cell_without_bytes(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", rows(2, image=pa.array([{"bytes": png(0), "path": ""}, None], CELL)))
    with pytest.raises(InputError, match="#1: the cell holds no bytes"):
        read_bytes(f"{file}#1")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.8])
def test_a_truncated_file_is_one_clear_line(files, kept):
    for file, member in files.items():
        content = file.read_bytes()
        whole = len(content.rstrip(b"\0"))
        file.write_bytes(content[: int(whole * kept)])
        with pytest.raises(InputError, match=f"{file.name}.*truncated"):
            read_bytes(f"{file}#{member.format(5)}")


def test_a_tar_that_ends_between_members_is_truncated_too(tmp_path):
    file = write_tar(tmp_path / "a.tar", {"1.txt": b"x" * 512, "2.txt": b"y" * 512})
    content = file.read_bytes()
    file.write_bytes(content[:1024])
    with pytest.raises(InputError, match="truncated or damaged behind its last member"):
        read_bytes(f"{file}#1.txt")
    file.write_bytes(content[:1024] + b"z" * 512 + content[1536:])
    with pytest.raises(InputError, match="truncated or damaged behind its last member"):
        read_bytes(f"{file}#1.txt")


def test_tar_files_that_are_none(tmp_path):
    (tmp_path / "a.tar").write_bytes(gzip.compress(b"x" * 2000))
    with pytest.raises(InputError, match="is compressed; unpack it"):
        read_bytes(tmp_path / "a.tar#1")
    (tmp_path / "b.tar").write_bytes(b"no tar file at all" * 100)
    with pytest.raises(InputError, match="no tar file"):
        read_bytes(tmp_path / "b.tar#1")
    import tarfile

    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("1.txt"))
        archive.addfile(tarfile.TarInfo("1.txt"))
    with pytest.raises(InputError, match=r"'1\.txt' occurs twice"):
        read_bytes(tmp_path / "c.tar#1.txt")


def test_a_container_without_a_member_is_told_how_one_is_named(files):
    for file in files:
        with pytest.raises(
            InputError, match=rf"{file.name}: not an image; it holds many images: name one, such as {file.name}#"
        ):
            decode(file)
