"""Masks stored per image move as the image does."""

import json

import numpy as np
import pytest
from PIL import Image

from bincam.audit.pipeline.projected_masks import MaskProjector
from bincam.data import AttributeTable, FaceDataset, Regions
from bincam.data.crop import compose, fit_matrix, move
from bincam.data.regions.shapes import Ellipse, Place
from bincam.data.regions.stored_masks import PartMasks, cropped
from bincam.errors import InputError

STORED = (121, 91)


def ellipse(size):
    """The same ellipse in an image of any size."""
    return Ellipse(x=0.4, y=0.55, rx=0.2, ry=0.3, angle=20).draw(Place(size))


@pytest.mark.parametrize("scale", [1, 0.5, 2, 3.7])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_a_mask_of_any_size_falls_where_its_image_falls(scale, fit):
    mask = ellipse((round(STORED[0] * scale), round(STORED[1] * scale)))
    size = (96, 128)
    matrix = fit_matrix(fit, STORED, size)
    result = cropped(mask.astype(np.uint8), Place(size, matrix=matrix, stored=STORED)) == 1
    y, x = np.mgrid[: size[0], : size[1]]
    back = np.vstack([np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]])
    points = move(back, np.stack([x, y], -1))  # of the stored image
    inside = Ellipse(x=0.4, y=0.55, rx=0.2, ry=0.3, angle=20).inside(
        (points[..., 0] + 0.5) / STORED[1], (points[..., 1] + 0.5) / STORED[0]
    )
    edge = np.zeros(size, bool)  # within two stored pixels of the outline, where a coarse mask may differ
    reach = int(np.ceil(2 * max(np.abs(matrix[:, :2]).max(), 1) / min(scale, 1)))
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            edge |= np.roll(inside, (dy, dx), (0, 1)) != inside
    np.testing.assert_array_equal(result[~edge], inside[~edge])
    assert result.sum() == pytest.approx(inside.sum(), rel=0.03)


def test_outside_of_the_image_is_no_part_and_the_whole_image_is_itself():
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(cropped(mask, Place((3, 4))), mask)
    shifted = compose([[1, 0, 2], [0, 1, 0]], np.eye(2, 3))
    result = cropped(mask, Place((3, 4), matrix=shifted, stored=(3, 4)))
    np.testing.assert_array_equal(result, [[-1, -1, 0, 1], [-1, -1, 4, 5], [-1, -1, 8, 9]])


def test_the_number_of_a_part_is_checked(tmp_path):
    def parts(number):
        described = {number: {"name": "hat", "attributes": ["Hat"]}}
        (tmp_path / "parts.json").write_text(json.dumps({"kind": "bincam-parts", "schema": 1, "parts": described}))
        return PartMasks(tmp_path)

    with pytest.raises(InputError, match="part 256: parts are numbered 0 to 255"):
        _ = parts("256").parts
    Image.fromarray(np.full((4, 4), 300, np.uint16)).save(tmp_path / "1.png")
    parts("1")
    with pytest.raises(InputError, match=r"mask of 1\.jpg contains 300"):
        Regions.stored(tmp_path).mask("Hat", (4, 4), image="1.jpg")


def archive(folder, name, mask):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, Hat=mask)


def test_masks_in_archives_below_the_folder_are_found(tmp_path):
    mask = np.eye(4, dtype=bool)
    archive(tmp_path, "sub/1.npz", mask)
    regions = Regions.stored(tmp_path)
    assert regions.shapes[""].may_show("Hat")
    np.testing.assert_array_equal(regions.mask("Hat", (4, 4), image="sub/1.jpg"), mask)
    (tmp_path / "empty").mkdir()
    assert not Regions.stored(tmp_path / "empty").shapes[""].may_show("Hat")


def test_names_without_a_suffix_have_masks_of_their_own(tmp_path):
    for name, corner in (("visit.1", 0), ("visit.2", 3)):
        mask = np.zeros((4, 4), bool)
        mask[corner, corner] = True
        archive(tmp_path, f"{name}.npz", mask)
    regions = Regions.stored(tmp_path)
    regions.check_images(["visit.1", "visit.2"])
    assert [bool(regions.mask("Hat", (4, 4), image=f"visit.{n}")[0, 0]) for n in (1, 2)] == [True, False]


def test_images_that_would_share_a_mask_are_refused_and_the_advice_works(tmp_path):
    archive(tmp_path, "x.npz", np.eye(4, dtype=bool))
    with pytest.raises(InputError, match=r"images 'x\.jpg' and 'x\.png' would share the mask 'x'.*rename one of them"):
        Regions.stored(tmp_path).check_images(["a.png", "x.jpg", "x.png"])
    Regions.stored(tmp_path).check_images(["a.png", "x.jpg", "y.png", "sub/x.png"])
    Regions.face().check_images(["x.jpg", "x.png"])  # drawn: they share nothing


def test_data_sets_refuse_images_that_would_share_a_mask(tmp_path):
    table = AttributeTable(("Hat",), np.ones((2, 1)), ("x.jpg", "x.png"), tmp_path)
    with pytest.raises(InputError, match="would share the mask"):
        FaceDataset(table, regions=Regions.stored(tmp_path))
    with pytest.raises(InputError, match="would share the mask"):
        MaskProjector(table, (4, 4), ((2, 2),), {"object": Regions.stored(tmp_path)})
    FaceDataset(table, regions=Regions.face(), fit="crop")


def test_an_archive_in_a_subfolder_is_measured(tmp_path):
    """As an audit measures it: not NaN, and of the image it is named after."""
    archive(tmp_path, "sub/x.npz", np.ones((4, 4), bool))
    table = AttributeTable(("Hat",), np.ones((1, 1)), ("sub/x.jpg",), tmp_path)
    projector = MaskProjector(table, (4, 4), ((2, 2),), {"object": Regions.stored(tmp_path)})
    weights = projector.draw(table.names, table.labels[0], Place((4, 4), image="sub/x.jpg"))["object@2x2"]
    assert weights.sum() == pytest.approx(16)
