from __future__ import annotations

import numpy as np
import pytest

from bincam.data.regions.run_lengths import PackedRuns, RowRuns, unpacked
from bincam.data.regions.shapes import Place
from bincam.errors import InputError
from tests.data.regions.packed import packed, painted


@pytest.mark.parametrize("seed", range(4))
def test_packed_values_are_those_that_were_packed(seed):
    rng = np.random.default_rng(seed)
    values = np.repeat(rng.integers(0, 256, 60), rng.integers(1, (2, 9, 300, 3)[seed], 60)).astype(np.uint8)
    np.testing.assert_array_equal(unpacked(packed(values), len(values)), values)


def test_the_code_of_a_painted_image_is_that_of_label_studio():
    """A mask of 2 x 2 pixels, its last pixel painted, as ``mask2rle`` of label-studio-converter 0.0.59 writes it."""
    code = [0, 0, 0, 16, 57, 27, 253, 176, 8, 255, 192]
    mask = PackedRuns(bytes(code)).draw(Place((2, 2)))
    assert mask.astype(int).tolist() == [[0, 0], [0, 1]]


def test_half_opaque_pixels_belong_to_the_mask():
    opacity = np.array([[0, 127, 128, 255]], np.uint8)
    assert PackedRuns(packed(painted(opacity))).draw(Place((1, 4))).tolist() == [[False, False, True, True]]


def test_packed_values_of_another_number_are_refused():
    code = packed(painted(np.full((3, 4), 255, np.uint8)))
    for size, message in (((3, 5), "48 values, but four for each pixel of the image are 60"), ((4, 3), None)):
        if message is None:
            assert PackedRuns(code).draw(Place(size)).all()  # the code does not state the sides
            continue
        with pytest.raises(InputError, match=message):
            PackedRuns(code).draw(Place(size))
    with pytest.raises(InputError, match="a mask: ends before all of its values"):
        PackedRuns(code[:-1], "a mask").draw(Place((3, 4)))
    with pytest.raises(InputError, match="ends before"):
        unpacked(b"\0\0", 4)
    with pytest.raises(InputError, match="values of 16 bits"):
        unpacked(bytes([0, 0, 0, 4, 0b01111001, 27, 252, 127, 224]), 4)
    with pytest.raises(InputError, match="more than the 4 values"):
        unpacked(bytes([0, 0, 0, 4, 57, 27, 252, 255, 224]), 4)  # a run of 8


def test_runs_along_rows_fill_their_box():
    drawn = RowRuns((1, 3, 2), (1, 1, 2, 3)).draw(Place((5, 4)))
    expected = np.zeros((5, 4), bool)
    expected[1, 2] = expected[2, 1] = expected[2, 2] = True
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    ("counts", "box", "message"),
    [
        ((0, 4), (3, 0, 2, 2), r"its box of 2 x 2 pixels at 3, 0 is not inside the image of 4 x 5"),
        ((0, 4), (-1, 0, 2, 2), "is not inside"),
        ((0, 4), (0, 0, 0, 2), "is not inside"),
        ((0, 3), (0, 0, 2, 2), "run lengths of 3 pixels, but its box has 4"),
        ((5, -1), (0, 0, 2, 2), "run lengths of 4"),
    ],
)
def test_runs_that_do_not_fit_are_refused(counts, box, message):
    with pytest.raises(InputError, match=message):
        RowRuns(counts, box).draw(Place((5, 4)))
