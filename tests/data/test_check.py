from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from PIL import Image

from bincam.data import AttributeTable, celeba
from bincam.data.check import check
from bincam.data.checking import decoder_processes
from bincam.data.images import decode
from tests.data.conftest import make_images, make_table


def test_a_sound_folder_has_no_problems(folder):
    report = check(celeba(folder))
    assert report.problems == ()
    assert (report.images, report.decoded, report.sizes) == (12, 12, (((178, 218), 12),))


def test_all_problems_are_reported_at_once(folder):
    table = celeba(folder)
    table.path(1).write_bytes(b"")
    table.path(2).write_bytes(table.path(2).read_bytes()[:900])
    table.path(9).write_bytes(table.path(0).read_bytes())  # train and test
    table.path(5).write_bytes(table.path(4).read_bytes())  # both in validation: no leak
    identities = table.identities.copy()
    identities[11] = identities[0]
    report = check(replace(table, identities=identities), workers=3)
    assert report.counts() == {"image": 2, "duplicate": 1, "identity": 1}
    assert report.decoded == 10
    texts = [p.text for p in report.problems]
    assert "000002.jpg: empty file" in texts[0]
    assert "000003.jpg: broken image" in texts[1]
    assert texts[2] == "the same image in several splits: 000001.jpg (train), 000010.jpg (test)"
    assert "identity '100' is in train and test" in texts[3]
    json.dumps(report.to_json(), allow_nan=False)


def test_labels_that_contradict_each_other(tmp_path):
    names = ("Bald", "Black_Hair", "No_Beard", "Goatee", "Mustache")
    labels = np.zeros((4, 5), np.float32)
    labels[0, [0, 1]] = 1
    labels[1, [2, 3]] = 1
    labels[2, [2, 4]] = 1  # a moustache is no beard
    labels[3, [0, 1]] = np.nan, 1
    ids = tuple(f"{i}.png" for i in range(4))
    table = replace(make_table(4, names=names), labels=labels, root=tmp_path, identities=None, ids=ids)

    for i, image in enumerate(make_images(4)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    assert [p.text for p in check(table).problems] == [
        "0.png: Bald and Black_Hair are both true",
        "1.png: No_Beard and Goatee are both true",
    ]


def test_equal_pixels_in_other_files_are_duplicates(folder):
    table = celeba(folder)
    with Image.open(table.path(0)) as image:
        pixels = image.convert("RGB")
    pixels.save(table.root / "copy.png")
    report = check(replace(table, ids=(*table.ids[:11], "copy.png")))
    assert report.counts() == {"duplicate": 1}


def test_jpegs_that_are_damaged_inside_are_reported_and_their_twins_are_not(folder):
    table = celeba(folder)
    table = replace(table, splits=np.array(["train"] * 12))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8))
    kinds = (noise, {}), (noise, {"progressive": True}), (noise.convert("L"), {}), (noise.convert("CMYK"), {})
    for row, (picture, options) in enumerate(kinds):
        picture.save(table.path(row), **options)
        damaged = bytearray(table.path(row).read_bytes())
        at = int(0.7 * len(damaged))
        damaged[at : at + 200] = bytes(200)
        table.path(row + 4).write_bytes(damaged)
        assert decode(table.path(row + 4)).shape == (218, 178, 3)  # the decoder makes something of it
    report = check(table)
    assert [(problem.kind, problem.where) for problem in report.problems] == [
        ("image", str(table.path(row))) for row in range(4, 8)
    ]
    assert "000005.jpg: damaged inside: Corrupt JPEG data" in report.problems[0].text
    for row in range(4):  # the advice
        table.path(row + 4).write_bytes(table.path(row).read_bytes())
    assert check(table).problems == ()


def test_a_folder_of_other_formats_starts_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(decoder_processes.subprocess, "Popen", None)
    Image.linear_gradient("L").save(tmp_path / "a.png")
    table = AttributeTable(("Bald",), np.ones((1, 1)), ("a.png",), tmp_path)
    assert check(table).problems == ()
