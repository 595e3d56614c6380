"""Masks stored per image move as the image does."""

import json

import numpy as np
import pytest
from PIL import Image

from bincam.data import Regions
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
