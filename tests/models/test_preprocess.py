"""From files to tensors: orientation, colour modes, broken files, and normalisation computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from bincam.data import AttributeTable, decode_bands, loader
from bincam.errors import InputError
from bincam.models.card import make_card
from bincam.models.preprocess import fit, open_image, preprocess, preprocess_values


def card(**fields):
    return make_card(**{"attributes": ("a",), "architecture": "timm", "name": "x", "input_size": (8, 8), **fields})


def test_normalisation_by_hand():
    image = Image.new("RGB", (8, 8), (255, 0, 51))
    tensor = preprocess(image, card(mean=(0.5, 0.25, 0.2), std=(0.25, 0.5, 0.1)))
    assert tensor.dtype == torch.float32
    torch.testing.assert_close(tensor[:, 3, 4], torch.tensor([2.0, -0.5, 0.0]))


def test_one_channel_takes_the_luminance():
    tensor = preprocess(Image.new("RGB", (8, 8), (255, 255, 255)), card(mean=(0.5,), std=(0.5,)))
    assert tensor.shape == (1, 8, 8)
    assert torch.equal(tensor, torch.ones(1, 8, 8))


def test_other_channel_counts_are_refused():
    with pytest.raises(InputError, match="4 channels"):
        preprocess(Image.new("RGB", (8, 8)), card(mean=(0.5,) * 4, std=(0.5,) * 4))


def test_size_is_height_by_width():
    assert preprocess(Image.new("RGB", (30, 20)), card(input_size=(6, 10))).shape == (3, 6, 10)


def test_crop_keeps_the_centre_and_stretch_keeps_everything():
    pixels = np.zeros((8, 24, 3), dtype=np.uint8)
    pixels[:, 8:16] = 255  # a white square between black ones
    image = Image.fromarray(pixels)
    assert np.asarray(fit(image, card(fit="crop"))).min() == 255
    stretched = np.asarray(fit(image, card(fit="stretch")))
    assert stretched[:, 0].max() == 0
    assert stretched[:, 7].max() == 0


@pytest.mark.parametrize(("fit_name", "channels"), [("stretch", 3), ("crop", 3), ("face", 3), ("stretch", 1)])
def test_a_file_becomes_what_the_loader_gives(tmp_path, fit_name, channels):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 44, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    points = np.array([[[15, 22], [30, 24], [22, 32], [17, 40], [29, 41]]], np.float32)
    table = AttributeTable(("a",), np.ones((1, 1), np.float32), ("x.png",), tmp_path, landmarks=points)
    stated = card(fit=fit_name, input_size=(16, 16), mean=(0.4,) * channels, std=(0.3,) * channels)
    (batch,) = loader(table, card=stated)
    alone = preprocess(open_image(tmp_path / "x.png"), stated, points[0])
    torch.testing.assert_close(batch.images[0], alone, rtol=0, atol=1e-6)


def test_a_face_crop_needs_landmarks_and_a_square():
    with pytest.raises(InputError, match="landmarks="):
        preprocess(Image.new("RGB", (9, 9)), card(fit="face"))
    with pytest.raises(InputError, match="square"):
        card(fit="face", input_size=(8, 9))


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    pixels[:, :4] = 255  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: left becomes top
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    upright = np.asarray(open_image(tmp_path / "turned.png"))
    assert upright.shape == (8, 4, 3)
    assert upright[:4].min() == 255
    assert upright[4:].max() == 0


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode).save(path)
    image = open_image(path)
    assert (image.mode, image.size) == ("RGB", (5, 4))
    assert np.asarray(image).min() == 255


def test_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match=r"deep\.png: values of more than 8 bits"):
        open_image(tmp_path / "deep.png")


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_images_of_any_number_of_channels_are_prepared_as_the_loader_does(tmp_path, channels):
    shape = (20, 30, channels)
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 4096, shape).astype(np.uint16))
    table = AttributeTable(("A",), np.ones((1, 1)), ("a.npy",), tmp_path, value_range=(0, 4095))
    stated = card(mean=tuple(np.linspace(0.2, 0.6, channels)), std=(0.25,) * channels, fit="crop")
    (batch,) = loader(table, card=stated, batch_size=1)
    values = decode_bands(tmp_path / "a.npy", channels, (0, 4095))
    torch.testing.assert_close(preprocess_values(values, stated), batch.images[0], rtol=1e-5, atol=1e-5)
    with pytest.raises(InputError, match=r"expected \(H, W, .*\), as the card's mean says"):
        preprocess_values(values[..., 0], stated)


def test_broken_files_are_named(tmp_path):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(whole)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:1500])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    for path, message in [
        (cut, "broken image"),
        (tmp_path / "text.png", "not an image"),
        (tmp_path / "empty.png", "empty file"),
        (tmp_path / "none.png", "no such file"),
        (tmp_path, "a folder"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            open_image(path)
        assert str(path) in str(caught.value)
