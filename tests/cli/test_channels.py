"""Images of 13 channels and of 12 bits on the command line: what reads them, and what refuses them in one line."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import bincam
from bincam.report.explained.photographs import fit_note

RANGE = ("--range", "0-4095")


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    """A model of 13 channels, and four images with a table."""
    root = tmp_path_factory.mktemp("bands")
    torch.manual_seed(0)
    stated = {"mean": tuple(np.linspace(0.2, 0.6, 13)), "std": (0.25,) * 13, "in_chans": 13}
    size = {"input_size": (64, 64), "channels": [8, 8, 8, 8], "stem_width": 8}
    made = bincam.models.build("resnet10t", ["Water"], **stated, **size)
    made.card = made.card.model_copy(update={"fit": "stretch"})
    bincam.models.save(made, root / "model")
    images = np.random.default_rng(0).integers(0, 4096, (4, 48, 40, 13)).astype(np.uint16)
    (root / "images").mkdir()
    for number, image in enumerate(images):
        np.save(root / "images" / f"{number}.npy", image)
    (root / "t.csv").write_text("image,Water\n" + "".join(f"images/{n}.npy,{n % 2}\n" for n in range(4)))
    return root


def test_explain_reads_all_channels_and_says_which_it_shows(command, bands, tmp_path):
    words = ["explain", bands / "images", "--model", bands / "model", *RANGE, "--json", "--boxes"]
    done = command(*words, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    shown = "of the 13 channels, pictures show the first three as red, green and blue"
    assert document["photographs"] == {"fit": "stretch", "range": [0.0, 4095.0], "pictures": shown}
    assert f"{shown[1:]}." in fit_note(document)
    model = bincam.load(bands / "model")
    table = bincam.data.load(bands / "t.csv", range="0-4095")
    (batch,) = bincam.data.loader(table, card=model.card, batch_size=4)
    expected = bincam.Explainer(model)(batch.images)
    logits = [image["attributes"][0]["logit"] for image in document["images"]]
    assert logits == pytest.approx(expected.logits[:, 0].tolist(), abs=1e-5)
    with Image.open(document["images"][0]["figure"]) as figure:
        assert min(figure.size) > 200


def test_what_is_made_of_photographs_refuses_other_images_in_one_line(command, bands, tmp_path):
    model, table, out = bands / "model", bands / "t.csv", tmp_path / "out"
    explain = ("explain", bands / "images" / "0.npy", "--model", model, "--out", out)
    assert "values are uint16, from 0 to 4" in command(*explain).mistake
    of_views = "the model reads 13 channels (the length of its card's mean), and views of an image are made of 8-bit"
    assert of_views in command(*explain, *RANGE, "--views", "3").mistake
    for name in ("audit", "zoom"):
        asked = (name, "--model", model, "--data", table, *RANGE, "--split", "all", "--out", out)
        assert of_views in command(*asked, *(["--views", "3"] if name == "audit" else [])).mistake
    (tmp_path / "pairs.csv").write_text("attribute,image,flipped\nWater,a.png,b.png\n")
    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    truth = command("truth", "--pairs", tmp_path / "pairs.csv", "--model", model, "--out", out)
    assert "pairs of images are made of 8-bit images of 1 or 3 channels alone" in truth.mistake
    assert not out.exists()


def test_an_array_of_8_bits_is_a_photograph_like_any_other(command, model_folder, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    Image.fromarray(pixels).save(tmp_path / "b.png")
    done = command("explain", tmp_path / "a.npy", tmp_path / "b.png", "--model", model_folder, "--json")
    one, other = (image["attributes"] for image in json.loads(done.out)["images"])
    assert one == other


def test_a_stated_range_is_not_left_out_where_views_are_made(command, model_folder, tmp_path):
    Image.fromarray(np.full((64, 96), 20_000, np.uint16)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("image,Smiling\na.png,1\n")
    asked = ("zoom", "--model", model_folder, "--data", tmp_path / "t.csv", "--split", "all", "--out", tmp_path / "out")
    assert "stated range of values, 0 to 20000, and views" in command(*asked, "--range", "0-20000").mistake
    assert (
        "options of the data set are given"
        in command("explain", tmp_path / "a.png", "--model", model_folder, "--labels", "1=yes,0=no", "--json").mistake
    )
