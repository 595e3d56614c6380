"""Photographs for models that read face crops: where the faces are, and what happens where nothing tells."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import bincam
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.inference import centred_first, view_plan
from bincam.models import open_image, preprocess

NAMES = ("Smiling", "Bald")
POINTS = np.array([[69.0, 111], [108, 111], [88, 135], [72, 152], [106, 152]])


@pytest.fixture(scope="module")
def face_model(tmp_path_factory):
    torch.manual_seed(0)
    made = bincam.models.build("resnet10t", NAMES, input_size=(64, 64), channels=[8, 8, 8, 8], stem_width=8)
    made.card = made.card.model_copy(update={"fit": "face"})
    folder = tmp_path_factory.mktemp("models") / "faces"
    bincam.models.save(made, folder)
    return folder


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A folder in CelebA's layout of two photographs, whose faces are turned differently."""
    folder = tmp_path_factory.mktemp("data") / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(2):
        pixels = random.integers(0, 256, (218, 178, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "img_align_celeba" / f"{number}.png")
    (folder / "list_attr_celeba.txt").write_text("2\nSmiling Bald\n0.png 1 -1\n1.png -1 -1\n")
    lines = [f"{row}.png {' '.join(f'{value:g}' for value in landmarks(row).ravel())}" for row in range(2)]
    (folder / "list_landmarks_align_celeba.txt").write_text("\n".join(["2", " ".join(LANDMARK_COLUMNS), *lines]))
    return folder


def landmarks(row):
    return POINTS + [0, 4 * row] + row * np.array([[0, 0], [0, 5], [0, 0], [0, 0], [0, 0]])


def explained(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_the_data_set_and_its_landmark_file_give_what_the_explainer_gives(command, face_model, faces, tmp_path):
    photos = faces / "img_align_celeba"
    words = ["explain", photos, "--model", face_model, "--json", "--boxes"]
    by_file = explained(command(*words, "--landmarks", faces / "list_landmarks_align_celeba.txt"))
    by_data = explained(command(*words, "--data", faces, "--out", tmp_path / "out"))
    assert by_data["photographs"] == {"fit": "face", "landmarks": str(faces)}
    model = bincam.load(face_model)
    files = sorted(photos.iterdir())
    inputs = torch.stack([preprocess(open_image(file), model.card, landmarks(row)) for row, file in enumerate(files)])
    expected = bincam.Explainer(model)(inputs)
    for row, (one, other) in enumerate(zip(by_data["images"], by_file["images"], strict=True)):
        assert one["attributes"] == other["attributes"]
        assert one["boxes"] == other["boxes"]
        assert [entry["logit"] for entry in one["attributes"]] == pytest.approx(expected.logits[row].tolist(), abs=1e-5)
        with Image.open(one["figure"]) as figure:
            assert min(figure.size) > 200
    boxes = [(row, box) for row, image in enumerate(by_data["images"]) for box in image["boxes"] if box["box"]]
    row, box = boxes[-1]
    back = np.linalg.inv(np.vstack([bincam.data.crop.face_matrix(landmarks(row), 64), [0, 0, 1]]))[:2]
    x0, y0, x1, y1 = (end - 0.5 for end in box["box_as_seen"])  # ends of pixels, whose centres are whole numbers
    turned = bincam.data.crop.move(back, [[x0, y0], [x1, y0], [x0, y1], [x1, y1]]) + 0.5
    around = [*turned.min(axis=0).clip(0), *np.minimum(turned.max(axis=0), (178, 218))]
    assert box["box"] == pytest.approx(around, abs=0.51)


def test_views_of_a_face_are_those_of_its_crop(command, face_model, faces, tmp_path):
    photo = faces / "img_align_celeba" / "1.png"
    words = ["--model", face_model, "--data", faces, "--views", "3", "--out", tmp_path / "out", "--json"]
    said = explained(command("explain", photo, *words))
    explainer = bincam.Explainer(bincam.load(face_model))
    plan = centred_first(view_plan("short", (64, 64)), 3)
    expected = explainer(explainer.views_of([photo], plan, [landmarks(1)]))
    logits = [entry["logit"] for entry in said["images"][0]["attributes"]]
    assert logits == pytest.approx(expected.logits[0].tolist(), abs=1e-5)


def test_without_landmarks_the_advice_is_one_that_works(command, face_model, faces, tmp_path):
    photo = faces / "img_align_celeba" / "0.png"
    words = ["explain", photo, "--model", face_model, "--json"]
    advice = command(*words).mistake
    for option in ("--data", "--landmarks", "--fit crop"):
        assert option in advice
    outcome = command(*words, "--fit", "crop", "--out", tmp_path / "out")
    assert "trained on face crops" in outcome.err
    said = explained(outcome)
    assert said["photographs"] == {"fit": "crop", "trained_on": "face"}
    model = bincam.load(face_model)
    inputs = preprocess(open_image(photo), model.card.model_copy(update={"fit": "crop"}))
    logits = [entry["logit"] for entry in said["images"][0]["attributes"]]
    assert logits == pytest.approx(model(inputs[None])[0].tolist(), abs=1e-5)


def test_an_image_that_the_data_set_lacks_is_told_and_the_others_are_explained(command, face_model, faces, tmp_path):
    stray = tmp_path / "0.png"
    Image.new("RGB", (178, 218)).save(stray)
    words = ["--model", face_model, "--data", faces, "--json"]
    outcome = command("explain", stray, faces / "img_align_celeba" / "0.png", *words)
    assert outcome.code == 2
    assert f"{stray}: not in {faces}, so its landmarks are unknown" in outcome.err
    assert len(json.loads(outcome.out)["images"]) == 1
    assert "landmarks are unknown" in command("explain", stray, *words).mistake


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "FACES", "--fit", "crop"], "--data and --fit state in several ways"),
        (["--fit", "cropp"], "did you mean 'crop'"),
        (["--fit", "face"], "face crops need --data or --landmarks instead"),
        (["--landmarks", "nowhere.txt"], "nowhere.txt"),
        (["--path-column", "file"], "no data set; name it with --data"),
    ],
)
def test_mistakes_are_told_in_a_line(command, face_model, faces, words, message):
    photo = faces / "img_align_celeba" / "0.png"
    typed = [str(faces) if word == "FACES" else word for word in words]
    assert message in command("explain", photo, "--model", face_model, "--json", *typed).mistake


def test_a_model_of_whole_photographs_takes_no_landmarks(command, model_folder, pictures, faces):
    words = ["explain", pictures, "--model", model_folder, "--json"]
    for option, value in (("--data", faces), ("--landmarks", "points.txt"), ("--fit", "crop")):
        mistake = command(*words, option, value).mistake
        assert f"{option} is for models that read face crops" in mistake
        assert "fit 'stretch'" in mistake


def test_landmarks_of_a_larger_picture_are_refused(command, face_model, faces, tmp_path):
    small = tmp_path / "0.png"
    Image.open(faces / "img_align_celeba" / "0.png").resize((60, 60)).save(small)
    words = ["explain", small, "--model", face_model, "--landmarks", faces / "list_landmarks_align_celeba.txt"]
    for further in ([], ["--views", "3"]):
        outcome = command(*words, *further, "--out", tmp_path / "out")
        assert outcome.code == 2
        assert "none of its landmarks lies on it, which is 60x60 pixels" in outcome.err.splitlines()[-1]
