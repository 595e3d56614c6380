"""What boxes must beat: by hand, and the same as in the columns of a batch."""

import numpy as np
import pytest
import torch

from bincam.errors import InputError
from bincam.metrics import box_columns, box_nulls, fit_constant_boxes, grid_reach

SIZE = (24, 32)


def test_overlaps_by_hand():
    found = box_nulls(
        [[0, 0, 8, 8], [8, 8, 16, 16]], None, SIZE, (3, 4), centred=[0, 0, 16, 16], constant=[0, 0, 8, 16]
    )
    assert (found.centred, found.constant) == (1.0, 0.5)  # with the box around both parts


def test_a_mask_is_projected_and_an_empty_one_is_none():
    mask = np.zeros(SIZE, bool)
    mask[2:9, 3:20] = True
    box = [[3, 2, 20, 9]]
    found = box_nulls(box, mask, SIZE, (3, 4))
    expected = grid_reach(mask, (3, 4))
    np.testing.assert_array_equal(found.projected, expected.projected)
    assert found.reach == expected.best
    assert np.isnan([found.centred, found.constant]).all()
    filled, empty = box_nulls(box, None, SIZE, (3, 4)), box_nulls(box, np.zeros(SIZE, bool), SIZE, (3, 4))
    np.testing.assert_array_equal(filled.projected, empty.projected)
    with pytest.raises(InputError, match="a mask has the images' size"):
        box_nulls(box, mask.T, SIZE, (3, 4))


def test_they_are_those_of_the_columns_of_a_batch():
    box = np.array([[3, 2, 20, 9]])
    fitted = fit_constant_boxes([[box, box + 4]], SIZE)
    columns = box_columns(torch.rand(1, 1, 3, 4), [[box]], SIZE, fitted=fitted)
    pixels = fitted.in_image(SIZE)
    found = box_nulls(box, None, SIZE, (3, 4), centred=pixels.centred[0], constant=pixels.constant[0])
    assert columns.centred.item() == np.float32(found.centred)
    assert columns.constant.item() == np.float32(found.constant)
    assert columns.reach.item() == np.float32(found.reach)
