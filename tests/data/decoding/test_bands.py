"""Images of other channels and ranges: read as they are, scaled by what is stated, and nothing is assumed."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from bincam.data import AttributeTable, Augmentation, FaceDataset, load, loader
from bincam.data.check import check
from bincam.data.decoding.bands import _has_bands, decode_bands, parse_range, picture, stored_values
from bincam.data.decoding.netpbm import stated_range
from bincam.data.decoding.values import dropped_of
from bincam.data.images import decode
from bincam.errors import InputError

RNG = np.random.default_rng(0)


def values(channels: int, dtype=np.uint16, top: int = 4095, size=(12, 10)) -> np.ndarray:
    drawn = RNG.integers(0, top + 1, (*size, channels))
    drawn[0, 0], drawn[0, 1] = 0, top
    return drawn.astype(dtype)


def write(file, image):
    if file.suffix == ".npy":
        np.save(file, image)
    elif file.suffix == ".tif":
        tifffile.imwrite(file, image, photometric="minisblack", planarconfig="contig" if image.shape[2] > 1 else None)
    else:
        order = [2, 1, 0, 3][: image.shape[2]] if image.shape[2] > 1 else [0]
        assert cv2.imwrite(str(file), image[..., order])
    return file


@pytest.mark.parametrize(
    ("channels", "ending", "dtype"),
    [
        *((channels, ending, np.uint16) for channels in (1, 3, 4) for ending in (".npy", ".tif", ".png")),
        *((13, ending, dtype) for ending in (".npy", ".tif") for dtype in (np.uint16, np.float32, np.int16)),
        (2, ".npy", np.float64),
    ],
)
def test_values_are_read_as_they_are_and_scaled_by_the_range(tmp_path, channels, ending, dtype):
    image = values(channels, dtype)
    file = write(tmp_path / f"a{ending}", image)
    np.testing.assert_array_equal(stored_values(file.read_bytes(), "a"), image)
    np.testing.assert_allclose(decode_bands(file, channels, (0, 4095)), image / 4095 * 255, rtol=1e-6)
    np.testing.assert_allclose(decode_bands(file, channels, (-905, 5000)), (image + 905.0) / 5905 * 255, rtol=1e-6)
    with pytest.raises(InputError, match=rf"has {channels} channels?, and {channels + 1} are expected"):
        decode_bands(file, channels + 1, (0, 4095))
    with pytest.raises(InputError, match=r"values are \w+, from 0 to 4095; state those of black and white"):
        decode_bands(file, channels)
    with pytest.raises(InputError, match="values from 0 to 4095 are outside the stated range 0 to 1023"):
        decode_bands(file, channels, (0, 1023))


def test_planes_and_pages_of_tiff_files_are_channels(tmp_path):
    image = values(5)
    tifffile.imwrite(
        tmp_path / "planes.tif", image.transpose(2, 0, 1), photometric="minisblack", planarconfig="separate"
    )
    tifffile.imwrite(tmp_path / "pages.tif", image.transpose(2, 0, 1), photometric="minisblack")
    for name in ("planes.tif", "pages.tif"):
        np.testing.assert_array_equal(stored_values((tmp_path / name).read_bytes(), name), image)
    with tifffile.TiffWriter(tmp_path / "sizes.tif") as writer:
        writer.write(image[..., 0])
        writer.write(image[:5, :5, 0])
    with pytest.raises(InputError, match="pages of 2 sizes or types"):
        decode_bands(tmp_path / "sizes.tif", 1, (0, 4095))


@pytest.mark.parametrize(
    ("shape", "is_banded"),
    [((5, 12, 10), True), ((12, 10, 5), True), ((2, 12, 10), True), ((12, 10, 3), False), ((12, 10), False)],
)
def test_the_header_of_a_tiff_file_tells_its_bands(tmp_path, monkeypatch, shape, is_banded):
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    planes = {(5, 12, 10): "separate", (12, 10, 5): "contig", (12, 10, 3): "contig"}
    photometric = "rgb" if shape[-1] == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", image, photometric=photometric, planarconfig=planes.get(shape))

    def decoded(*_, **__):
        pytest.fail("pixels are decoded")

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", decoded)
    assert _has_bands(tmp_path / "a.tif") is is_banded
    monkeypatch.undo()
    last = image if image.ndim == 2 or not is_banded or shape[0] == 12 else np.moveaxis(image, 0, -1)
    shown = np.atleast_3d(last)[..., : 3 if np.atleast_3d(last).shape[2] >= 3 else 1]
    np.testing.assert_array_equal(picture(tmp_path / "a.tif"), np.broadcast_to(shown, (12, 10, 3)))


@pytest.mark.parametrize("head", [b"II*\0", b"MM\0*"])
def test_a_tiff_file_without_a_page(tmp_path, head):
    (tmp_path / "a.tif").write_bytes(head + bytes(4))
    with pytest.raises(InputError, match=r"a\.tif: broken image: no page in it$"):
        decode_bands(tmp_path / "a.tif", 1, (0, 1))
    assert not _has_bands(tmp_path / "a.tif")


def test_eight_bits_need_no_range_and_keep_their_values(tmp_path):
    image = values(4, np.uint8, 255)
    file = write(tmp_path / "a.png", image)
    np.testing.assert_array_equal(decode_bands(file, 4), image)
    np.testing.assert_array_equal(picture(file), image[..., :3])


def netpbm(kind, white, stored):
    """A file with comments, as programs write it."""
    height, width = stored.shape[:2]
    data = stored.astype("u1" if white < 256 else ">u2").tobytes()
    if kind in ("P2", "P3"):
        data = "\n".join(map(str, stored.ravel().tolist())).replace("\n", " # dark\n", 1).encode()
    return f"{kind} # of a scanner\n{width}\t{height}\n# white:\n{white}\n".encode() + data


@pytest.mark.parametrize("white", [1, 100, 255, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_a_pgm_or_ppm_file_states_its_range_to_every_reader(tmp_path, kind, white):
    stored = values(3 if kind in ("P3", "P6") else 1, np.int64, white, size=(50, 40))
    file = tmp_path / "a.pgm"
    file.write_bytes(netpbm(kind, white, stored))
    assert stated_range(file.read_bytes()) == (0, white)
    np.testing.assert_array_equal(stored_values(file.read_bytes(), "a"), stored)
    np.testing.assert_allclose(decode_bands(file, 3), np.broadcast_to(stored / white * 255, (50, 40, 3)), rtol=1e-6)
    np.testing.assert_allclose(decode(file), decode_bands(file, 3), atol=0.51)
    np.testing.assert_array_equal(picture(file), decode(file))
    np.testing.assert_allclose(picture(file, (0, white)), decode(file), atol=1)  # ties of rounding
    np.testing.assert_allclose(decode_bands(file, 3, (0, 2 * white))[..., :1], stored[..., :1] / white * 127.5, 1e-5)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"P5 2 2 100 \1\2\3", "broken image: it ends after 3 of 4 values"),
        (b"P5 2 2 4095 \1\2\3", "broken image: it ends after 1 of 4 values"),
        (b"P2 2 2 100 1 2 # 3 4", "broken image: it ends after 2 of 4 values"),
        (b"P2 2 2 100 1 2 3 x", "broken image: invalid literal"),
        (b"P5 2 2 100 \1\2\3\xc8", "broken image: values from 1 to 200, and its header states that 100 is white"),
        (b"P2 2 2 100 1 2 3 -4", "broken image: values from -4 to 3, and its header"),
        (b"P6 90000 90000 255 ", "claims 90,000 x 90,000 pixels"),
        (b"P5 2 2 70000 " + bytes(8), "broken image"),
        (b"P5 2 2 0 " + bytes(4), "broken image"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 100\nTUPLTYPE RGB\nENDHDR\n\1\2\3", "not an image"),
    ],
)
def test_a_pgm_or_ppm_file_that_its_header_does_not_describe(content, text):
    with pytest.raises(InputError, match=text) as told:
        decode_bands(content, 1)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"empty file"),
        (b"\x93NUMPY\x01\x00garbage", "broken image"),
        (b"II*\0" + b"\xff" * 40, "broken image"),
        (b"no image", "not an image"),
        (np.array([1 + 2j] * 4).reshape(2, 2), "expected numbers"),
        (np.zeros((2, 2, 2, 2)), r"expected numbers \(H, W\) or \(H, W, C\), got float64 of shape"),
        (np.array([[np.nan, 1.0]]), "not finite"),
        (np.array([[object()]], object), "broken image|allow_pickle"),
    ],
)
def test_what_is_no_image_is_one_line(content, text):
    if isinstance(content, np.ndarray):
        np.save(stored := BytesIO(), content, allow_pickle=True)
        content = stored.getvalue()
    with pytest.raises(InputError, match=text) as told:
        decode_bands(content, 1, (0, 1))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["", "4095", "a-b", "5-5", "9-0", "0-inf", "0-", "-5", [1], [1, 2, 3], None])
def test_a_range_that_is_none(text):
    with pytest.raises(InputError, match=r"range .*: expected"):
        parse_range(text)


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_the_loader_normalises_each_channel_and_keeps_all_bits(tmp_path, channels):
    ids = [f"{i}.npy" for i in range(4)]
    images = [values(channels, size=(12, 12)) for _ in ids]
    for name, image in zip(ids, images, strict=True):
        np.save(tmp_path / name, image)
    (tmp_path / "t.csv").write_text("image,A\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(ids)))
    table = load(tmp_path / "t.csv", range="0-4095")
    assert table.reading == {"range": [0.0, 4095.0]}
    assert len({load(tmp_path / "t.csv", **o).digest() for o in ({}, {"range": [0, 1]}, table.reading)}) == 3
    mean, std = np.linspace(0.2, 0.6, channels), np.linspace(0.1, 0.3, channels)
    whole = torch.tensor(np.stack([(image / 4095 - mean) / std for image in images])).permute(0, 3, 1, 2)
    for workers in (0, 2):
        (batch,) = loader(table, size=12, mean=mean, std=std, batch_size=4, workers=workers)
        torch.testing.assert_close(batch.images, whole.float(), rtol=1e-5, atol=1e-5)
    (batch,) = loader(table, size=12, mean=mean, std=std, batch_size=4, output="uint8")
    assert batch.images.dtype == torch.uint8
    half = next(iter(loader(table, size=6, mean=mean, std=std, batch_size=4))).images  # area averages of each channel
    torch.testing.assert_close(half.double(), torch.nn.functional.avg_pool2d(whole, 2), rtol=1e-4, atol=1e-4)
    moved = next(iter(loader(table, size=12, mean=mean, std=std, augmentation=Augmentation(), seed=3)))
    assert moved.images.shape[1] == channels
    assert moved.images.isfinite().all()
    assert FaceDataset(table, size=12)[0].view.image.shape == (12, 12, 3)  # to look at
    if channels == 1:  # a grey image has three equal channels, as one of 8 bits has
        red, _, blue = next(iter(loader(table, size=12, mean=(0.2,) * 3, std=(0.1,) * 3, batch_size=4))).images[0]
        assert torch.equal(red, blue)
        torch.testing.assert_close(red, whole[0, 0].float(), rtol=1e-5, atol=1e-5)
        return
    with pytest.raises(InputError, match=r"has .* channels, and 3 are expected"):
        next(iter(loader(table, size=12)))


def test_check_tells_of_values_and_of_what_is_not_read(tmp_path):
    bright = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pictures = {
        "black.png": np.zeros((8, 8, 3), np.uint8),
        "equal.png": np.full((8, 8, 3), 200, np.uint8),
        "dark.png": np.maximum(bright // 6, np.eye(8, dtype=np.uint8)[..., None] * 50),
        "fine.png": bright,
        "clear.png": np.dstack([bright, np.full((8, 8), 255, np.uint8)]),
        "alpha.png": np.dstack([bright[::-1], bright[..., 0]]),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / name)
    Image.fromarray(bright[:, ::-1].copy()).save(
        tmp_path / "pages.tif", save_all=True, append_images=[Image.fromarray(bright)]
    )
    ids = (*pictures, "pages.tif")
    report = check(AttributeTable(("A",), np.ones((len(ids), 1)), ids, tmp_path))
    told = {problem.where.rpartition("/")[2]: problem.text for problem in report.problems}
    assert {problem.kind for problem in report.problems} == {"values"}
    assert set(told) == {"black.png", "equal.png", "dark.png"}
    assert "all its pixels are black" in told["black.png"]
    assert "all its pixels are equal" in told["equal.png"]
    assert "brightest value is 50 of 255" in told["dark.png"]
    assert report.notes == (
        "1 image has a fourth channel (A of RGBA) that is not read (first: alpha.png)",
        "1 image has 2 pages or frames, of which the first is read (first: pages.tif)",
    )
    assert report.to_json()["notes"] == list(report.notes)
    assert dropped_of(b"no image") == ""


def test_check_uses_the_stated_range(tmp_path):
    np.save(tmp_path / "a.npy", values(13))
    np.save(tmp_path / "b.npy", values(13) // 8)
    table = AttributeTable(("A",), np.ones((2, 1)), ("a.npy", "b.npy"), tmp_path, value_range=(0, 4095))
    report = check(table)
    assert [(problem.kind, problem.where[-5:]) for problem in report.problems] == [("values", "b.npy")]
    assert report.decoded == 2


def test_a_model_of_three_channels_is_not_given_some_of_many(tmp_path):
    image = RNG.integers(0, 256, (8, 8, 13), dtype=np.uint8)
    np.save(tmp_path / "a.npy", image)
    tifffile.imwrite(tmp_path / "b.tif", np.moveaxis(image, -1, 0), photometric="minisblack")
    table = AttributeTable(("A",), np.ones((2, 1)), ("a.npy", "b.tif"), tmp_path)
    looked_at = FaceDataset(table, size=8, fit="stretch")
    for row in range(2):
        np.testing.assert_array_equal(looked_at[row].view.image, image[..., :3])
    given = FaceDataset(table, size=8, fit="stretch", channels=3)
    with pytest.raises(InputError, match=r"a\.npy: has 13 channels, and a photograph has 1, 3 or 4"):
        given[0]
    np.testing.assert_array_equal(given[1].view.image, np.repeat(image[..., :1], 3, axis=2))  # the first page, as told


def test_damaged_files_leave_no_lines_of_the_decoder(capfd):
    with pytest.raises(InputError, match=r"broken image|not an image"):
        decode_bands(b"P5 8", 1, (0, 100), "a.pgm")
    assert capfd.readouterr() == ("", "")
