from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from bincam.data import Regions
from bincam.data.decoding import size
from bincam.data.decoding.bands import decode_bands, parse_range
from bincam.data.images import decode
from bincam.errors import InputError


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(0, 256, (4, 3, 3)).astype(np.uint8), np.ones((16, 16, 1), np.uint8))


def test_png_is_exact_grey_is_repeated_alpha_dropped(picture):
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(picture), "PNG")), picture)
    grey = decode(encoded(Image.fromarray(picture[..., 0]), "PNG"))
    np.testing.assert_array_equal(grey, np.repeat(picture[..., :1], 3, axis=2))
    rgba = np.dstack([picture, np.full(picture.shape[:2], 7, np.uint8)])
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(rgba), "PNG")), picture)


def test_a_palette_gives_its_colours(picture):
    image = Image.fromarray(picture).quantize(12)
    np.testing.assert_array_equal(decode(encoded(image, "PNG")), np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(decode(encoded(image, "GIF")), np.asarray(image.convert("RGB")))


def test_cmyk_has_the_colours_of_rgb(picture):
    got = decode(encoded(Image.fromarray(picture).convert("CMYK"), "JPEG", quality=100, subsampling=0))
    assert np.abs(got.astype(int) - picture).mean() < 3


def test_a_pgm_file_states_what_is_white():
    wide = np.array([[0, 255, 256, 4095], [2048, 4080, 1, 512]], ">u2")
    got = decode(b"P5 4 2 4095\n" + wide.tobytes())
    assert got.shape == (2, 4, 3)
    np.testing.assert_allclose(got[..., 1], wide * (255 / 4095), atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(picture, orientation):
    """Store the image as a camera in this orientation would, and read it back upright."""
    undo = {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_90",
        7: "TRANSVERSE",
        8: "ROTATE_270",
    }
    image = Image.fromarray(picture)
    stored = image.transpose(Image.Transpose[undo[orientation]]) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decode(encoded(stored, "PNG", exif=exif.tobytes())), picture)


@pytest.mark.parametrize("options", [{"quality": 85}, {"quality": 40, "progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpegs_are_pillows_to_the_pixel(picture, mode, options):
    data = encoded(Image.fromarray(picture).convert(mode), "JPEG", **options)
    with Image.open(BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(decode(data) - expected).max() <= 2


@pytest.mark.parametrize("orientation", [3, 6])
def test_jpegs_are_turned_upright(picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(picture).transpose(
        Image.Transpose.ROTATE_180 if orientation == 3 else Image.Transpose.ROTATE_90
    )
    got = decode(encoded(stored, "JPEG", exif=exif.tobytes(), quality=98, subsampling=0))
    assert np.abs(got.astype(int) - picture).mean() < 4


def test_refusals_name_the_file(tmp_path, picture):
    jpeg = encoded(Image.fromarray(picture), "JPEG")
    for name, data, message in (
        ("empty.jpg", b"", r"empty file \(0 bytes\)"),
        ("short.jpg", jpeg[: len(jpeg) // 2], "broken image"),
        ("text.jpg", b"hello", "not an image"),
        (
            "float.tiff",
            encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"),
            "floating-point values do not say",
        ),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=rf"{name}: .*{message}|{name}: {message}"):
            decode(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        decode(tmp_path / "gone.jpg")
    with pytest.raises(InputError):
        decode(tmp_path)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/></rdf:RDF></x:xmpmeta>'
)


def options(kind, orientation, *, exif, xmp):
    """What pillow writes an orientation with."""
    result = {}
    if exif:
        stated = Image.Exif()
        stated[0x0112] = orientation
        result["exif"] = stated.tobytes()
    if xmp and kind == "PNG":
        result["pnginfo"] = PngInfo()
        result["pnginfo"].add_itxt("XML:com.adobe.xmp", (XMP % orientation).decode())
    elif xmp:
        result["xmp"] = XMP % orientation
    return result


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("exif", "xmp"), [(True, False), (False, True), (True, True)])
def test_every_format_is_turned_alike_whoever_states_the_orientation(picture, kind, exif, xmp):
    lossless = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    for orientation in range(10):  # 0 and 9 say nothing
        stated = options(kind, orientation, exif=exif, xmp=xmp)
        data = encoded(Image.fromarray(picture), kind, **lossless, **stated)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")).astype(int)
        assert (expected.shape == picture.shape) == (orientation not in range(5, 9))
        assert np.abs(decode(data) - expected).max() <= 2, orientation


def test_what_stands_behind_a_thumbnail_is_read_too(picture):
    thumbnail = encoded(Image.fromarray(picture[:8, :8]), "JPEG")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    data = encoded(Image.fromarray(picture), "JPEG", exif=exif, xmp=XMP % 6)
    assert decode(data).shape == (picture.shape[1], picture.shape[0], 3)


def wide(values, kind):
    return cv2.imencode(f".{kind}", values)[1].tobytes()


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("greatest", [0, 255, 4095, 65535])
def test_values_of_16_bits_are_refused_and_the_advice_works(kind, channels, greatest):
    grey = np.linspace(0, greatest, 64).astype(np.uint16).reshape(8, 8)
    values = np.dstack([grey] * channels) if channels > 1 else grey
    with pytest.raises(InputError, match=r"mine: values of more than 8 bits .* such as --range 0-65535 \(range=\)"):
        decode(wide(values, kind), "mine")
    read = decode_bands(wide(values, kind), channels, parse_range("0-65535"))
    np.testing.assert_allclose(read[..., 0], grey / 257, rtol=1e-6)


def test_floats_are_refused_with_the_same_advice():
    for mode in ("F", "I"):
        data = encoded(Image.fromarray(np.ones((4, 4), np.float32 if mode == "F" else np.int32)), "TIFF")
        with pytest.raises(InputError, match="do not say what is black and what is white"):
            decode(data, "mine")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_a_picture_of_more_pixels_than_the_limit_is_refused_before_it_is_decoded(monkeypatch, form):
    Image.new("RGB", (8, 6)).save(file := BytesIO(), form)
    monkeypatch.setattr(size, "LARGEST", 48)
    assert decode(file.getvalue()).shape == (6, 8, 3)
    monkeypatch.setattr(size, "LARGEST", 47)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"a\.x: claims 8 x 6 pixels, more than 47"):
        decode(file.getvalue(), "a.x")


def test_a_mask_of_more_pixels_than_the_limit_is_refused_before_it_is_read(monkeypatch, tmp_path):
    np.savez(tmp_path / "a.npz", Bald=np.ones((8, 6), bool))
    (tmp_path / "Male").mkdir()
    Image.new("L", (8, 6)).save(tmp_path / "Male" / "a.png")
    stored = Regions.stored(tmp_path)
    assert stored.mask("Bald", (8, 6), image="a.jpg").all()
    monkeypatch.setattr(size, "LARGEST", 47)
    for name in ("Bald", "Male"):
        with pytest.raises(InputError, match=r"claims . x . pixels, more than 47"):
            stored.mask(name, (8, 6), image="a.jpg")
