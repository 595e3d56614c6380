"""Masks as weights: the same as drawing, cropping and projecting each of them at full size."""

import json

import numpy as np
import pytest
from PIL import Image

from bincam.audit.pipeline.projected_masks import MaskProjector, key, outline_size, outlines
from bincam.data import AttributeTable, Regions, loader
from bincam.resample import project, upsample

NAMES = ("Smiling", "Bald", "Young")
GRIDS = ((7, 7), (14, 14))
SIZE = (56, 56)
LANDMARKS = np.array([[30, 50], [60, 52], [45, 65], [34, 80], [57, 81]], np.float32)


@pytest.fixture
def table(tmp_path):
    random = np.random.default_rng(0)
    for row in range(4):
        Image.fromarray(random.integers(0, 256, (120, 90, 3), dtype=np.uint8)).save(tmp_path / f"{row}.png")
    return AttributeTable(
        names=NAMES,
        labels=np.array([[1, 1, 1], [0, 1, np.nan], [1, 0, 0], [0, 0, 1]], np.float32),
        ids=tuple(f"{row}.png" for row in range(4)),
        root=tmp_path,
        landmarks=np.stack([LANDMARKS + row for row in range(4)]),
    )


@pytest.fixture
def parts(table):
    folder = table.root / "masks"
    (folder / "parts").mkdir(parents=True)
    random = np.random.default_rng(1)
    for row in range(3):  # the last image has none
        blocks = random.integers(0, 4, (12, 9)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
        Image.fromarray(blocks).save(folder / "parts" / f"{row}.png")
    described = {
        "0": {"name": "background", "attributes": ["Young"]},
        "1": {"name": "mouth", "attributes": ["Smiling"]},
        "2": {"name": "top", "attributes": ["Bald", "Young"]},
        "200": {"name": "absent", "attributes": ["Bald"]},
    }
    (folder / "parts.json").write_text(json.dumps({"kind": "bincam-parts", "schema": 1, "parts": described}))
    return Regions.stored(folder / "parts")


def by_hand(table, regions, grid, fit):
    batch = next(iter(loader(table, size=SIZE, fit=fit, batch_size=4, regions=regions)))
    weights = project(batch.masks.numpy(), grid)
    weights[~batch.known.numpy()] = np.nan
    return weights


@pytest.mark.parametrize("fit", ["face", "crop", "stretch"])
@pytest.mark.parametrize("grid", GRIDS)
def test_parts_become_what_each_attributes_mask_projects_to(table, parts, grid, fit):
    places = MaskProjector(table, SIZE, GRIDS, {"object": parts})
    batch = next(iter(loader(table, size=SIZE, fit=fit, batch_size=4, also=places)))
    expected = by_hand(table, parts, grid, fit)
    np.testing.assert_allclose(batch.also[key("object", grid)], expected, atol=1e-4)
    assert np.isnan(expected[3]).all()  # no file
    assert np.isnan(expected[2, 1]).all()  # a negative has no object
    assert np.isfinite(expected[1, 2]).all()  # an unknown label may have one


@pytest.mark.parametrize("fit", ["face", "crop", "stretch"])
@pytest.mark.parametrize("scale", [0.5, 1, 2.3])
def test_what_is_measured_is_what_is_shown_also_of_odd_images_and_of_masks_of_another_size(table, parts, fit, scale):
    for row in range(4):
        Image.open(table.path(row)).resize((91, 121)).save(table.path(row))
    attributes = table.root / "influence" / "Bald"
    attributes.mkdir(parents=True)
    for file in (table.root / "masks" / "parts").iterdir():
        size = round(91 * scale), round(121 * scale)
        stored = Image.open(file).resize(size, Image.Resampling.NEAREST)
        stored.save(file)
        Image.fromarray((np.asarray(stored) == 2).astype(np.uint8) * 255).save(attributes / file.name)
    sources = {"object": parts, "region": parts, "influence": Regions.stored(attributes.parent)}
    places = MaskProjector(table, SIZE, GRIDS[:1], sources, outlined="region")
    batch = next(iter(loader(table, size=SIZE, fit=fit, batch_size=4, also=places)))
    for source, regions in sources.items():
        shown = by_hand(table, regions, GRIDS[0], fit)
        np.testing.assert_allclose(batch.also[f"{source}@7x7"], shown, atol=1e-3)  # in pixels
        assert np.isfinite(shown).any()
    bald = sources["object"], sources["influence"]
    one, other = (by_hand(table, regions, GRIDS[0], fit)[0, 1] for regions in bald)
    np.testing.assert_allclose(one, other, atol=1e-3)  # part 2 alone shows it


@pytest.mark.parametrize("archives", [False, True])
def test_masks_of_attributes_become_what_they_project_to(table, archives):
    folder = table.root / "influence"
    random = np.random.default_rng(2)
    for row in range(2):
        mask = (random.random((120, 90)) < 0.3).astype(np.uint8) * 255
        if archives:
            folder.mkdir(exist_ok=True)
            np.savez(folder / f"{row}.npz", Bald=mask)
        else:
            (folder / "Bald").mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(folder / "Bald" / f"{row}.png")
    regions = Regions.stored(folder)
    batch = next(
        iter(loader(table, size=SIZE, batch_size=4, also=MaskProjector(table, SIZE, GRIDS[:1], {"influence": regions})))
    )
    expected = by_hand(table, regions, GRIDS[0], "face")
    np.testing.assert_allclose(batch.also["influence@7x7"], expected, atol=1e-4)
    assert np.isfinite(expected).all(axis=(2, 3)).tolist() == [[False, row < 2, False] for row in range(4)]


def test_regions_that_follow_landmarks_are_drawn_for_each_face(table):
    regions = Regions.face()
    places = MaskProjector(table, SIZE, GRIDS, {"region": regions}, outlined="region")
    batch = next(iter(loader(table, size=SIZE, fit="crop", batch_size=4, workers=1, also=places)))
    expected = by_hand(table, regions, (7, 7), "crop")
    np.testing.assert_allclose(batch.also["region@7x7"], expected, atol=1e-4)
    assert not np.allclose(expected[0], expected[3])
    assert batch.also["outline"].shape == (4, 3, *SIZE)
    np.testing.assert_allclose(
        batch.also["outline"].float().sum((2, 3)) / 255, expected.sum((2, 3)), rtol=1e-3
    )  # both are areas in pixels


def test_weights_measure_the_upsampled_map(table, parts):
    import torch

    batch = next(
        iter(loader(table, size=SIZE, batch_size=4, also=MaskProjector(table, SIZE, GRIDS[:1], {"object": parts})))
    )
    masks = next(iter(loader(table, size=SIZE, batch_size=4, regions=parts))).masks
    maps = torch.randn(4, 3, 7, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inside = (upsample(maps, SIZE) * masks).sum((2, 3))
    weighted = (maps * batch.also["object@7x7"]).sum((2, 3))
    known = torch.isfinite(weighted)
    assert known.any()
    torch.testing.assert_close(weighted[known], inside[known], rtol=1e-4, atol=1e-3)


def test_pictures_of_regions_are_small_and_keep_the_shape():
    assert outline_size((224, 224)) == (112, 112)
    assert outline_size((64, 96)) == (64, 96)
    assert outline_size((448, 224)) == (112, 56)
    mask = np.zeros((224, 224), bool)
    mask[:112] = True
    picture = outlines([mask, None], (224, 224))
    assert picture.shape == (2, 112, 112)
    assert picture[0, :56].min() == 255
    assert not picture[0, 56:].any()
    assert not picture[1].any()
