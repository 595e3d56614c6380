"""Pictures and masks: any bytes under any name, and arrays of any type."""

import io
import json
import shutil
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bincam.data import Regions
from bincam.data.images import decode
from tests.properties.judging import examples, judge
from tests.properties.strategies import changed, damaged, names

PIXELS = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
MODES = {
    "PNG": ("RGB", "L", "RGBA", "P", "1", "I;16", "LA"),
    "JPEG": ("RGB", "L", "CMYK"),
    "GIF": ("P",),
    "WEBP": ("RGB", "RGBA"),
}
MODES |= {"BMP": ("RGB", "1"), "TIFF": ("RGB", "F", "I", "I;16"), "PPM": ("RGB", "L"), "ICO": ("RGBA",)}


@st.composite
def pictures(draw):
    form = draw(st.sampled_from(list(MODES)))
    mode = draw(st.sampled_from(MODES[form]))
    image = (
        Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 256)
        if mode == "I;16"
        else Image.fromarray(PIXELS).convert(mode)
    )
    image.save(stream := io.BytesIO(), form)
    return draw(damaged(stream.getvalue()))


@examples(120)
@given(pictures())
def test_a_picture_is_decoded_to_the_size_that_it_states_or_refused(data):
    def right(pixels):
        with Image.open(io.BytesIO(data)) as image:
            return pixels.dtype == np.uint8 and pixels.ndim == 3 and set(pixels.shape[:2]) == set(image.size)

    judge(lambda: decode(data), right)


def claims(width, height):
    """A PNG of a few bytes that claims to have these pixels."""

    def chunk(kind, content):
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@examples(20)
@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_a_header_that_claims_many_pixels_is_refused(width, height):
    assert judge(lambda: decode(claims(width, height))) is None


ARRAYS = (
    np.zeros((8, 6), bool),
    np.ones((8, 6), np.uint8),
    np.full((8, 6), 300),
    np.full((8, 6), np.nan),
    np.zeros((8,)),
    np.zeros((0, 0)),
    np.zeros((8, 6, 3)),
    np.full((8, 6), -1),
    np.full((8, 6), "x"),
    np.zeros((8, 6), complex),
    np.float64(1),
    np.zeros((4, 3), np.uint16),
    np.zeros((8, 6), "M8[s]"),
    np.zeros((8, 6), [("a", "i4")]),
    np.zeros((0, 6)),
    np.full((8, 6), np.inf),
    np.zeros((8, 6), "V3"),
)


@examples(60)
@given(st.data())
def test_masks_of_any_type_are_drawn_or_refused(fresh, data):
    folder = fresh()
    name, array = data.draw(names), data.draw(st.sampled_from(ARRAYS))
    np.savez(folder / "a.npz", Bald=array)
    (folder / "a.npz").write_bytes(data.draw(damaged((folder / "a.npz").read_bytes())))
    (folder / "Male").mkdir()
    (folder / "Male" / "a.png").write_bytes(data.draw(pictures()))
    regions = Regions.stored(folder)
    for attribute in ("Bald", "Male", name):
        for image in ("a.jpg", name):
            judge(
                lambda attribute=attribute, image=image: regions.mask(attribute, (8, 6), image=image),
                lambda mask: mask is None or (mask.shape == (8, 6) and mask.dtype == bool),
            )


@examples(60)
@given(st.data())
def test_masks_of_numbered_parts_are_drawn_or_refused(fresh, data):
    folder = fresh()
    (folder / "parts").mkdir()
    whole = {"kind": "bincam-parts", "schema": 1, "parts": {"0": {"attributes": []}, "7": {"attributes": ["Bald"]}}}
    (folder / "parts.json").write_text(json.dumps(data.draw(changed(whole))))
    (folder / "parts" / "a.png").write_bytes(data.draw(pictures()))
    judge(
        lambda: Regions.stored(folder).mask("Bald", (8, 6), image="a.jpg"),
        lambda mask: mask is None or (mask.shape == (8, 6) and mask.dtype == bool),
    )
    shutil.rmtree(folder)
