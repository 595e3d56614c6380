from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from bincam.data import Regions, load_regions, orl
from bincam.errors import InputError
from bincam.files import write_json
from tests.data.conftest import MEAN_FACE


def test_the_twelve_published_masks_have_the_published_number_of_cells():
    regions = Regions.published()
    text = resources.files("bincam.data.regions").joinpath("assets/published_regions.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(regions.shapes) == 12
    assert len(regions.attributes) == 40
    for row in rows:
        for attribute in row["attributes"].split():
            assert regions.mask(attribute, (7, 7)).sum() == int(row["cells"])
            assert regions.mask(attribute, (224, 224)).sum() == int(row["cells"]) * 32 * 32
    mouth = np.zeros((7, 7), bool)
    mouth[4, 2:5] = True
    np.testing.assert_array_equal(regions.mask("Smiling", (7, 7)), mouth)
    hair = regions.mask("Blond_Hair", (7, 7))
    assert hair[1:2, 1:6].all()
    assert not hair[2:7, 2:5].any()


@pytest.mark.parametrize(
    ("grid", "size"),
    [((7, 7), (224, 224)), ((7, 7), (225, 223)), ((5, 9), (97, 131)), ((1, 1), (13, 5)), ((14, 14), (7, 7))],
)
def test_project_is_the_exact_adjoint_of_torchs_upsampling(grid, size):
    regions, names = Regions.face(), ["Smiling", "Wavy_Hair", "Big_Nose"]
    points = MEAN_FACE * np.array([size[1] / 178, size[0] / 218])
    weights = regions.project(names, grid, size, landmarks=points)
    maps = torch.randn(3, 1, *grid, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)[:, 0].numpy()
    masks = regions.masks(names, size, landmarks=points)
    for i in range(3):
        direct = (whole[i] * masks[i]).sum()
        assert abs((maps[i, 0].numpy() * weights[i]).sum() - direct) <= 1e-6 * max(1, abs(direct))


def test_attributes_without_a_region_are_nan_not_zero():
    weights = Regions.published().project(["Smiling", "Tattoo"], (7, 7), (224, 224))
    assert np.isfinite(weights[0]).all()
    assert np.isnan(weights[1]).all()
    with pytest.raises(InputError, match="did you mean 'Smiling'"):
        Regions.published().mask("Smilling", (7, 7))


def test_regions_by_name_are_those_of_the_data_set_or_a_file(tmp_path):
    assert load_regions("orl", "orl").attributes.keys() == set(orl().names)
    glasses, beard = (load_regions("orl", "orl").mask(name, (112, 92)) for name in ("Eyeglasses", "Beard"))
    assert not (glasses & beard)[70:].any()
    assert glasses[45, 30]
    assert beard[95, 46]
    (tmp_path / "masks" / "parts").mkdir(parents=True)
    assert load_regions("parts", tmp_path).per_image
    with pytest.raises(InputError, match="none of published, face, orl, parts"):
        load_regions("faec", tmp_path)


def test_face_regions_cover_all_forty_and_hold_what_they_are_named_for():
    regions = Regions.face()
    assert set(regions.attributes) == set(Regions.published().attributes)
    assert regions.needs_landmarks
    size = (218, 178)
    for attribute, point in (
        ("Eyeglasses", 0),
        ("Narrow_Eyes", 1),
        ("Big_Nose", 2),
        ("Smiling", 3),
        ("Mustache", None),
    ):
        mask = regions.mask(attribute, size, landmarks=MEAN_FACE)
        x, y = MEAN_FACE[point] if point is not None else (89, 143)
        assert mask[int(y), int(x)], attribute
        assert mask.mean() < 0.25
    for attribute in regions.attributes:
        assert 0 < regions.mask(attribute, size, landmarks=MEAN_FACE).mean() <= 1


def test_parts_are_read_many_to_many_and_negatives_have_none(tmp_path):
    folder = tmp_path / "masks"
    (folder / "parts").mkdir(parents=True)
    parts = {"1": ["Big_Nose", "Pointy_Nose"], "2": ["Eyeglasses"], "3": ["Big_Nose"]}
    write_json(
        folder / "parts.json",
        {"kind": "bincam-parts", "schema": 1, "parts": {k: {"name": k, "attributes": v} for k, v in parts.items()}},
    )
    indexed = np.zeros((20, 10), np.uint8)
    indexed[2:5], indexed[10:12] = 1, 3
    image = Image.fromarray(indexed, mode="P")
    image.putpalette([255, 0, 0] * 256)
    image.save(folder / "parts" / "000001.png")
    for place in (folder, folder / "parts"):
        regions = Regions.stored(place)
        where = {"size": (20, 10), "image": "000001.jpg"}
        np.testing.assert_array_equal(regions.mask("Big_Nose", **where), (indexed == 1) | (indexed == 3))
        np.testing.assert_array_equal(regions.mask("Pointy_Nose", **where), indexed == 1)
        assert regions.mask("Big_Nose", positive=False, **where) is None
        assert regions.mask("Eyeglasses", **where) is None, "no pixel of it: no region, not an empty one"
        assert regions.mask("Smiling", **where) is None
        assert regions.mask("Big_Nose", size=(20, 10), image="000002.jpg") is None
    weights = regions.project(["Big_Nose", "Pointy_Nose"], (2, 2), (20, 10), image="000001.jpg", labels={"Big_Nose": 0})
    assert np.isnan(weights[0]).all()
    assert weights[1].sum() == pytest.approx(30)
    with pytest.raises(InputError, match="need the image's id"):
        regions.mask("Big_Nose", (20, 10))


def test_influence_exists_for_negatives_too_and_npz_is_read(tmp_path):
    mask = np.zeros((20, 10), np.uint8)
    mask[5:9, 2:6] = 255
    (tmp_path / "Bald" / "sub").mkdir(parents=True)
    Image.fromarray(mask).save(tmp_path / "Bald" / "sub" / "000001.png")
    np.savez(tmp_path / "000002.npz", Bald=mask > 0, Hat=np.ones((20, 10), bool))
    regions = Regions.stored(tmp_path)
    np.testing.assert_array_equal(regions.mask("Bald", (20, 10), image="sub/000001.jpg", positive=False), mask > 0)
    np.testing.assert_array_equal(regions.mask("Bald", (20, 10), image="000002.jpg"), mask > 0)
    assert regions.mask("Hat", (40, 20), image="000002.jpg").all()
    assert regions.mask("Hat", (20, 10), image="000003.jpg") is None
    assert regions.mask("Smiling", (20, 10), image="000002.jpg") is None
    (tmp_path / "Hat").mkdir()
    (tmp_path / "Hat" / "000009.png").write_bytes(b"no")
    with pytest.raises(InputError, match=r"000009\.png: cannot be read as a mask"):
        regions.mask("Hat", (20, 10), image="000009.jpg")


def test_drawn_masks_are_regions():
    mask = np.zeros((218, 178), bool)
    mask[100:120] = True
    regions = Regions.drawn({"Eyeglasses": mask}, landmarks=MEAN_FACE)
    np.testing.assert_array_equal(regions.mask("Eyeglasses", (218, 178), landmarks=MEAN_FACE), mask)
    np.testing.assert_array_equal(regions.mask("Eyeglasses", (218, 178)), mask)


YAML = """
units: pixels
size: [218, 178]
regions:
  band: {box: [0, 90, 178, 130]}
  ring:
    - {ellipse: [89, 109, 60, 60]}
    - {ellipse: [89, 109, 30, 30], minus: true}
  mouth: {polygon: [[-0.5, 0.8], [0.5, 0.8], [0, 1.3]], units: face}
  corner: {cells: {rows: 0-2, columns: 0-1+3-4, grid: [4, 4]}}
attributes:
  Eyeglasses: band
  Smiling: mouth
  Oval_Face: ring
"""


def test_a_users_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(YAML)
    regions = Regions.read(file)
    assert regions.mask("Eyeglasses", (218, 178)).sum() == 40 * 178
    ring = regions.mask("Oval_Face", (218, 178))
    assert ring.sum() == pytest.approx(np.pi * (60**2 - 30**2), rel=0.01)
    assert regions.mask("Smiling", (218, 178), landmarks=MEAN_FACE)[152, 89]
    assert "corner" not in regions.attributes.values()
    file.write_text("units: image\nregions:\n  Hat: {box: [0, 0, 1, 0.3]}\n")
    assert Regions.read(file).mask("Hat", (10, 10)).sum() == 30, "without attributes a region is named for its own"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "not YAML"),
        ("- 1", "expected 'regions:'"),
        ("regions: {a: {circle: [1, 2, 3]}}", "region 'a': a shape is one of box"),
        ("regions: {a: {box: [1, 2, 3]}}", "box takes x0, y0, x1, y1, got"),
        ("regions: {a: {box: [1, 2, x, 4]}}", "box takes"),
        ("regions: {a: {box: [3, 0, 1, 1]}}", "a box runs"),
        ("regions: {a: {polygon: [1, 2, 3]}}", "polygon takes"),
        ("regions: {a: {cells: {rows: 0-9, columns: 0-1}}}", "not in a grid of 7 x 7"),
        ("regions: {a: {box: [0, 0, 1, 1], colour: red}}", "unknown key 'colour'"),
        ("units: pixels\nregions: {a: {box: [0, 0, 1, 1]}}", "needs the size"),
        ("regions: {a: []}", "no shapes"),
        ("regions: {a: [{box: [0, 0, 1, 1], minus: true}]}", "cannot be subtracted"),
        ("regions: {a: {box: [0, 0, 1, 1]}}\nattributes: {Hat: b}", "'Hat' names region 'b'"),
        ("regions: {a: {box: [0, 0, 1, 1]}}\nunit: face", "unknown key 'unit'"),
    ],
)
def test_a_wrong_file_is_refused_by_region(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Regions.read(file)
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("regions: {B: {cells: {foo: 1}}}", "cells takes rows and columns"),
        ("regions: {B: {cells: {rows: 0-1, columns: 0-1, foo: 1}}}", "cells takes rows and columns"),
        ("regions: {B: {cells: {rows: 0-1, columns: 0-1, grid: [-7, 7]}}}", "grid is two whole numbers above 0"),
        ("regions: {B: {cells: {rows: 0-1, columns: 0-1, grid: [9999999, 9999999]}}}", "grid is two whole numbers"),
        ("{size: [-5, -5], units: pixels, regions: {B: {box: [0, 0, 1, 1]}}}", "size is two whole numbers above 0"),
        ("regions: {B: {box: [0, 0, 1, 1], size: [0, 5], units: pixels}}", "size is two whole numbers above 0"),
        ("regions: {B: {box: [0, 0, 1, 1], size: [.5, 5], units: pixels}}", "size is two whole numbers above 0"),
        ("regions: {B: {box: [0, 0, 1, 1], size: [4, 5, 6], units: pixels}}", "size is two whole numbers above 0"),
        ("regions: {B: {box: [0, 0, true, 1]}}", "True is no finite number"),
        ("regions: {B: {box: [0, 0, .inf, 1]}}", "inf is no finite number"),
        ("regions: {B: {polygon: [[0, 0], [1, 0], [.nan, 1]]}}", "nan is no finite number"),
        ("regions: {B: {ellipse: [.5, .5, .1, .1], angle: .nan}}", "nan is no finite number"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=rf"mine\.yaml: region 'B': {message}"):
        Regions.read(file)
