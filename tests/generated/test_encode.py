import io

import numpy as np
from PIL import Image

from bincam.generated.encode import image_name, jpeg, mask_png, parts_png, rgb_png


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_pngs_are_read_back_exactly():
    rng = np.random.default_rng(0)
    image, parts = rng.integers(0, 256, (7, 5, 3), np.uint8), rng.integers(0, 256, (7, 5), np.uint8)
    assert np.array_equal(opened(rgb_png(image)), image)
    assert np.array_equal(opened(parts_png(parts)), parts)
    assert np.array_equal(opened(mask_png(parts > 9)), np.where(parts > 9, 255, 0))


def test_a_jpeg_is_read_back_nearly():
    flat = np.full((16, 16, 3), (200, 90, 40), np.uint8)
    assert np.abs(opened(jpeg(flat, 95)).astype(int) - flat).max() < 4
    assert image_name(12) == "000012.jpg"
