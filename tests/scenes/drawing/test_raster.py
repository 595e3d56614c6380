import numpy as np
import pytest

from bincam.scenes.drawing.raster import MARK, SAMPLES, boxes, mark_box, owners, paint, paint_mark
from bincam.scenes.drawing.shapes import SHAPES, inside

SQUARE = SHAPES.index("square")


def drawn(objects, size=32, colours=None):
    objects = np.array(objects, np.float64)
    owner = np.full((SAMPLES * size, SAMPLES * size), 99, np.int8)
    samples = owners(objects, owner)
    image, parts = np.empty((size, size, 3), np.float32), np.empty((size, size), np.uint8)
    colours = np.full((len(objects), 3), 200.0) if colours is None else np.array(colours, np.float64)
    paint(owner, objects, colours, np.zeros((len(objects), 2)), np.full((size, size, 3), 40, np.float32), image, parts)
    return image, parts, samples


def test_an_upright_square_covers_its_pixels_exactly():
    image, parts, samples = drawn([(SQUARE, 16, 12, 10, 0)])
    wanted = np.zeros((32, 32), np.uint8)
    wanted[7:17, 11:21] = SQUARE + 1
    assert np.array_equal(parts, wanted)
    assert np.array_equal(image[..., 0], np.where(wanted > 0, 200, 40))
    assert samples.tolist() == [[16 * 100, 16 * 100]]
    assert boxes(parts)[SQUARE].tolist() == [11, 7, 21, 17]
    assert not np.delete(boxes(parts), SQUARE, axis=0).any()


def test_half_a_pixel_is_half_the_colour_and_a_tie_is_the_objects():
    image, parts, _ = drawn([(SQUARE, 16.5, 12, 10, 0)])
    assert image[10, 11, 0] == image[10, 21, 0] == 120
    assert parts[10, 11] == parts[10, 21] == SQUARE + 1
    image, parts, _ = drawn([(SQUARE, 16.25, 12, 10, 0)])
    assert image[10, 21, 0] == 40 + 160 / 4
    assert (parts[10, 11], parts[10, 21]) == (SQUARE + 1, 0)


def test_the_later_of_two_objects_covers_the_earlier():
    other = SHAPES.index("hexagon")
    _, parts, samples = drawn([(other, 12, 16, 12, 0), (SQUARE, 19, 16, 10, 0)])
    _, alone, _ = drawn([(other, 12, 16, 12, 0)])
    square = np.zeros((32, 32), bool)
    square[11:21, 14:24] = True
    assert np.array_equal(parts == SQUARE + 1, square)
    assert np.array_equal(parts == other + 1, (alone > 0) & ~square)
    assert samples[1].tolist() == [1600, 1600]
    hidden = samples[0, 1] - samples[0, 0]
    assert 16 * ((alone > 0) & square).sum() == pytest.approx(hidden, abs=16 * 8)
    box = boxes(parts)[other]
    ys, xs = np.nonzero(parts == other + 1)
    assert box.tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


@pytest.mark.parametrize("row", range(len(SHAPES)), ids=SHAPES)
def test_masks_and_coverage_against_supersampling(row):
    """64 x 64 samples of every pixel decide what is inside, except where a pixel is near to half covered."""
    size, side, turn, x, y, fine = 32, 13.0, 0.4, 15.3, 16.1, 24
    image, parts, samples = drawn([(row, x, y, side, turn)])
    at = (np.arange(size * fine) + 0.5) / fine
    u = ((at[None] - x) * np.cos(turn) + (at[:, None] - y) * np.sin(turn)) / side
    v = ((at[:, None] - y) * np.cos(turn) - (at[None] - x) * np.sin(turn)) / side
    full = np.array([inside(row, a, b) for a, b in zip(u.ravel(), v.ravel(), strict=True)])
    coverage = full.reshape(size, fine, size, fine).mean(axis=(1, 3))
    clear = np.abs(coverage - 0.5) > 0.13
    assert np.array_equal((parts > 0)[clear], (coverage > 0.5)[clear])
    assert clear.mean() > 0.97
    assert np.abs((image[..., 0] - 40) / 160 - coverage).max() < 0.2
    assert samples[0, 1] / SAMPLES**2 == pytest.approx(side**2, rel=0.02)
    assert (parts > 0).sum() == pytest.approx(side**2, rel=0.05)


def test_the_mark_is_at_the_bottom_right_and_has_its_own_part():
    image, parts, _ = drawn([(SQUARE, 16, 12, 10, 0)])
    paint_mark(image, parts)
    x0, y0, x1, y1 = mark_box(32)
    assert (32 - x1, 32 - y1) == (2, 2)
    assert boxes(parts)[MARK - 1].tolist() == [x0, y0, x1, y1]
    assert set(np.unique(image[y0:y1, x0:x1])) == {10, 245}
    assert (parts == MARK).sum() == (x1 - x0) * (y1 - y0)
