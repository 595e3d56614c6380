from __future__ import annotations

import importlib
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bincam.data import celeba, write_celeba, write_labels
from bincam.errors import InputError
from tests.data.conftest import equal, make_images, make_table

FILES = (
    "list_attr_celeba.txt",
    "list_eval_partition.txt",
    "list_landmarks_align_celeba.txt",
    "list_bbox_align_celeba.txt",
    "identity_CelebA.txt",
)


def test_torchvision_reads_the_same_labels(folder, table, monkeypatch):
    """Its reader is the oracle for the format; only its check of the originals' checksums is switched off."""
    importlib.import_module("bincam.torchvision_ops")  # before torchvision, see there
    from torchvision.datasets import CelebA

    shutil.copytree(folder, folder.parent / "tv" / "celeba")
    write_labels(table, folder.parent / "tv" / "celeba", variant="wild")
    monkeypatch.setattr(CelebA, "_check_integrity", lambda _: True)
    theirs = CelebA(str(folder.parent / "tv"), split="test", target_type=["attr", "identity", "landmarks", "bbox"])
    ours = celeba(folder.parent / "tv").split("test")  # torchvision's own layout: root/celeba
    assert list(theirs.attr_names)[:3] == list(ours.names)
    np.testing.assert_array_equal(theirs.attr.numpy(), ours.labels)
    assert theirs.identity.flatten().tolist() == [int(i) for i in ours.identities]
    np.testing.assert_array_equal(theirs.landmarks_align.numpy().reshape(-1, 5, 2), ours.landmarks)


def test_the_authors_archive_and_kaggle_give_the_same_table(folder, table, tmp_path):
    archive = tmp_path / "archive"
    for place, names in {"Anno": (*FILES[:1], *FILES[2:]), "Eval": FILES[1:2]}.items():
        (archive / place).mkdir(parents=True)
        for name in names:
            shutil.copy(folder / name, archive / place / name)
    shutil.copytree(folder / "img_align_celeba", archive / "Img" / "img_align_celeba")
    assert equal(celeba(archive), table)

    kaggle = tmp_path / "kaggle"
    shutil.copytree(folder / "img_align_celeba", kaggle / "img_align_celeba" / "img_align_celeba")
    headers = {"list_eval_partition": "partition", "list_bbox_align_celeba": "x_1 y_1 width height"}
    for name in FILES[:4]:
        lines = (folder / name).read_text().splitlines()
        stem = name.removesuffix(".txt")
        if stem in headers:
            body = lines if stem == "list_eval_partition" else lines[2:]
            head = headers[stem]
        else:
            body, head = lines[2:], lines[1]
        rows = [["image_id", *head.split()], *(line.split() for line in body)]
        (kaggle / f"{stem}.csv").write_text("\r\n".join(",".join(row) for row in rows) + "\r\n")
    assert equal(celeba(kaggle), replace(table, identities=None))


def test_only_labels_and_images_are_needed(folder, table):
    for name in FILES[1:]:
        (folder / name).unlink()
    assert equal(
        celeba(folder), replace(table, splits=np.array([""] * 12), identities=None, landmarks=None, boxes=None)
    )
    (folder / FILES[0]).unlink()
    with pytest.raises(InputError, match="neither list_attr_celeba"):
        celeba(folder)
    shutil.rmtree(folder / "img_align_celeba")
    with pytest.raises(InputError, match="no folder 'img_align_celeba'"):
        celeba(folder)
    with pytest.raises(InputError, match="no such folder"):
        celeba(folder / "nowhere")


def test_wild_images_have_their_own_landmarks_and_boxes(tmp_path):
    table = make_table(6)
    write_celeba(table, make_images(6), tmp_path, variant="wild")
    assert (tmp_path / "list_landmarks_celeba.txt").is_file()
    assert (tmp_path / "list_bbox_celeba.txt").is_file()
    assert equal(celeba(tmp_path), table)
    # CelebA's boxes belong to the wild photographs; for aligned images they would be wrong.
    write_celeba(replace(table, boxes=None), make_images(6), tmp_path, variant="aligned")
    assert celeba(tmp_path).boxes is None
    assert celeba(tmp_path, variant="wild").boxes is not None


def test_crlf_trailing_blanks_a_bom_and_foreign_names_are_read(folder, table, edit):
    photo = folder / "img_align_celeba" / "000002.jpg"
    photo.rename(photo.with_name("žofie_ñ.jpg"))
    for name in FILES:
        edit(name, lambda lines: [line.replace(b"000002.jpg", "žofie_ñ.jpg".encode()) + b"  \r" for line in lines])
    edit(FILES[0], lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]])
    edit(FILES[1], lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]])
    read = celeba(folder)
    assert read.ids[1] == "žofie_ñ.jpg"
    np.testing.assert_array_equal(read.labels, table.labels)
    assert read.splits.tolist() == table.splits.tolist()


def _without_last_value(line: bytes) -> bytes:
    return line.rsplit(None, 1)[0]


@pytest.mark.parametrize(
    ("file", "by", "message"),
    [
        (FILES[0], lambda ls: [b"13", *ls[1:]], r"list_attr_celeba\.txt:1: the count line states 13 images, but 12"),
        (FILES[0], lambda ls: ls[1:], r"list_attr_celeba\.txt:1: expected the number of images"),
        (FILES[0], lambda ls: [*ls[:4], _without_last_value(ls[4]), *ls[5:]], r"txt:5: 2 values .* expected 3"),
        (FILES[0], lambda ls: [*ls[:4], ls[4] + b" 1", *ls[5:]], r"txt:5: 4 values .* expected 3"),
        (FILES[0], lambda ls: [*ls[:4], b"000003.jpg 1 0 1", *ls[5:]], r"txt:5: '0' for image '000003\.jpg'"),
        (FILES[0], lambda ls: [*ls[:4], ls[3], *ls[5:]], r"txt:5: image '000002\.jpg' is already in line 4"),
        (FILES[0], lambda ls: [*ls[:4], b"\xff.jpg 1 1 1", *ls[5:]], r"txt:5: not UTF-8"),
        (FILES[0], lambda ls: [ls[0], b"Bald Bald Male", *ls[2:]], r"txt:2: column 'Bald' occurs twice"),
        (FILES[0], lambda _: [b""], r"txt:1: expected the number"),
        (FILES[1], lambda ls: [*ls[:2], b"000003.jpg 3", *ls[3:]], r"partition\.txt:3: unknown partition code 3"),
        (FILES[1], lambda ls: [*ls[:2], *ls[3:]], r"partition\.txt: no line for image '000003\.jpg'"),
        (FILES[1], lambda ls: [*ls[:2], b"000003.jpg", *ls[3:]], r"partition\.txt:3: 0 values .* expected 1"),
        (FILES[1], lambda _: [b"\n"], r"partition\.txt: no images in it"),
        (
            FILES[2],
            lambda ls: [*ls[:4], ls[4].rsplit(None, 1)[0] + b" x", *ls[5:]],
            r"align_celeba\.txt:5: .*10 num",
        ),
        (FILES[2], lambda ls: [*ls[:4], b"000003.jpg" + b" nan" * 10, *ls[5:]], r"txt:5: .* not a finite number"),
        (FILES[3], lambda ls: [*ls[:4], b"000003.jpg 1 2 3", *ls[5:]], r"bbox_align_celeba\.txt:5: 3 values"),
        (FILES[4], lambda ls: [*ls[:4], b"000005.jpg 1 2", *ls[5:]], r"identity_CelebA\.txt:5: 2 values"),
    ],
)
def test_every_refusal_names_file_and_line(folder, edit, file, by, message):
    edit(file, by)
    with pytest.raises(InputError, match=message) as caught:
        celeba(folder)
    assert str(folder) in str(caught.value)


def test_an_absent_image_is_named_with_its_line(folder):
    (folder / "img_align_celeba" / "000007.jpg").unlink()
    with pytest.raises(InputError, match=r"list_attr_celeba\.txt:9: image '000007\.jpg' is not in"):
        celeba(folder)


def test_39_values_of_40(tmp_path):
    table = make_table(3, names=tuple(f"a{i}" for i in range(40)))
    write_celeba(table, make_images(3), tmp_path)
    file = tmp_path / FILES[0]
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:3], _without_last_value(lines[3]), lines[4]]))
    with pytest.raises(InputError, match=r":4: 39 values after the image's name, expected 40"):
        celeba(tmp_path)
