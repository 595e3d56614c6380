import json
import warnings

import pytest
import torch
from PIL import Image
from torch import nn

import bincam
from bincam.models import read_card

MODULE = """
from torch import nn
def net():
    features = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*features, nn.Linear(8, 2))
def ending_in_sigmoid():
    return nn.Sequential(*net(), nn.Sigmoid())
def ending_in_softmax():
    return nn.Sequential(*net(), nn.Softmax(1))
def ending_in_log_softmax():
    return nn.Sequential(*net(), nn.LogSoftmax(1))
def pairs(last):
    features = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*features, nn.Linear(8, 6), nn.Unflatten(1, (3, 2)), last)
def pairs_of_softmax():
    return pairs(nn.Softmax(2))
class Viewing(nn.Sequential):
    def forward(self, images):
        features = self[1](self[0](images))
        return self[2](features.view(len(features), -1))
def viewing():
    return Viewing(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Linear(4 * 6 * 8, 2))
"""
PIXELS = ("--size", "24,32", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")


@pytest.fixture
def weights(tmp_path, monkeypatch):
    (tmp_path / "foreign_net.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    )
    nn.init.constant_(net[-1].bias, 3.0)  # no probability
    torch.save(net.state_dict(), "net.pt")
    return net


def test_a_card_makes_a_folder_that_loads(command, weights):
    outcome = command(
        "card",
        "net.pt",
        "--factory",
        "foreign_net:net",
        "--head",
        "logits",
        "--names",
        "Left,Right",
        *PIXELS,
        "--train-counts",
        "Left=90:10",
        "--threshold-prob",
        "Right=0.5",
        "--loss",
        "bce",
        "--out",
        "model",
        "--json",
    )
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["kind"] == "exact"
    assert found["pooling"] == "mean"
    assert found["grid"] == [24, 32]
    card = read_card("model")
    assert card.train_counts == {"Left": (90, 10)}
    assert card.thresholds == {"Right": 0.0}
    assert card.loss == "bce"
    images = torch.randn(2, 3, 24, 32)
    loaded = bincam.load("model", factory="foreign_net:net")
    torch.testing.assert_close(loaded(images), weights(images))
    Image.new("RGB", (40, 30)).save("picture.png")
    refused = command("explain", "picture.png", "--model", "model", "--out", "maps")
    assert "--factory foreign_net:net" in refused.mistake
    explained = command("explain", "picture.png", "--model", "model", "--factory", "foreign_net:net", "--out", "maps")
    assert explained.code == 0, explained.err
    again = command("card", "net.pt", "--factory", "foreign_net:net", "--out", "model")
    assert "already contains a model" in again.mistake


@pytest.mark.usefixtures("weights")
def test_counts_from_files(command, tmp_path):
    (tmp_path / "counts.csv").write_text("attribute,negatives,positives\nLeft,7,3\nRight,5,5\n")
    words = ("--factory", "foreign_net:net", "--head", "logits", "--names", "Left,Right", *PIXELS)
    outcome = command("card", "-", *words, "--train-counts", "counts.csv", "--out", "model")
    assert outcome.code == 0, outcome.err
    assert "exact" in outcome.out
    assert read_card("model").train_counts == {"Left": (7, 3), "Right": (5, 5)}
    for counts, told in (
        ("Up=1:2", "unknown attribute 'Up'"),
        ("Left=a:b", "whole numbers"),
        ("gone.csv", "expected a file, or NAME=NEGATIVES:POSITIVES"),
    ):
        assert told in command("card", "-", *words, "--train-counts", counts, "--out", "other").mistake
    twice = ("--train-counts", "counts.csv", "--train-counts", "Left=1:2")
    assert "--train-counts: 'Left' is given twice" in command("card", "-", *words, *twice, "--out", "other").mistake
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"--names": "Left,Right,Up"}, "shape"),
        ({"--head": "two_logits"}, "two_logits"),
        ({"--head": "probabilities"}, "outside [0, 1]"),
        ({"--head": None}, "--head"),
        ({"--mean": None, "--size": None}, "--size, --mean"),
        ({"--size": "24"}, "--size 24"),
        ({"--std": "1,1"}, "mean and std"),
        ({"--factory": "foreign_net:nothing"}, "no function 'nothing'"),
        ({"--factory": "absent_module:net"}, "absent_module"),
        ({"--out": "deep/er"}, "does not exist"),
    ],
)
@pytest.mark.usefixtures("weights")
def test_a_wrong_statement_is_refused(command, tmp_path, said, told):
    stated = {
        "--factory": "foreign_net:net",
        "--head": "logits",
        "--names": "Left,Right",
        "--size": "24,32",
        "--mean": "0.5,0.5,0.5",
        "--std": "0.25,0.25,0.25",
        "--out": "model",
    } | said
    words = [word for option, value in stated.items() if value is not None for word in (option, value)]
    assert told in command("card", "net.pt", *words).mistake
    assert not (tmp_path / "model").exists()


@pytest.mark.usefixtures("weights")
def test_an_unstated_sigmoid_is_noted(command):
    words = ("--names", "Left,Right", *PIXELS, "--factory", "foreign_net:ending_in_sigmoid")
    outcome = command("card", "-", *words, "--head", "logits", "--out", "model")
    assert outcome.code == 0, outcome.err
    assert "--head probabilities" in outcome.err
    outcome = command("card", "-", *words, "--head", "probabilities", "--out", "right", "--json")
    assert json.loads(outcome.out)["kind"] == "exact"


@pytest.mark.parametrize(
    ("function", "names", "head", "right_names", "right_head"),
    [
        ("ending_in_softmax", "Bald", "two_logits", "Bald", "probabilities"),
        ("ending_in_softmax", "Hairy,Bald", "logits", "Bald", "probabilities"),
        ("ending_in_log_softmax", "Hairy,Bald", "logits", "Bald", "two_logits"),
        ("ending_in_sigmoid", "Bald", "two_logits", "Left,Right", "probabilities"),
        ("ending_in_sigmoid", "Left,Right", "margin", "Left,Right", "probabilities"),
        ("pairs_of_softmax", "Left,Right,Up", "two_logits", "Left,Right,Up", "probabilities"),
    ],
)
@pytest.mark.usefixtures("weights")
def test_the_advised_head_is_exact_and_gets_no_other_advice(command, function, names, head, right_names, right_head):
    def card(names, head, out):
        words = ("--factory", f"foreign_net:{function}", "--names", names, "--head", head, *PIXELS, "--out", out)
        outcome = command("card", "-", *words, "--json")
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out)

    note = card(names, head, "model")["note"]
    assert f"--head {head} is wrong and --head {right_head}" in note
    assert ("with one name, that of the second output" in note) == (names == "Hairy,Bald")
    assert ("with a name for each" in note) == (right_names.count(",") > names.count(","))
    right = card(right_names, right_head, "right")
    assert right["note"] is None
    assert right["kind"] == "exact"
    Image.new("RGB", (40, 30), "teal").save("picture.png")
    words = ("--model", "right", "--factory", f"foreign_net:{function}", "--method", "cam", "--json")
    assert command("explain", "picture.png", *words).code == 0


@pytest.mark.usefixtures("weights")
def test_a_network_that_views_its_features_is_explained_without_a_word(command):
    words = ("--factory", "foreign_net:viewing", "--names", "Left,Right", "--head", "logits", *PIXELS, "--out", "model")
    outcome = command("card", "-", *words, "--json")
    assert json.loads(outcome.out)["kind"] == "exact"
    assert outcome.err == ""


def test_files_that_torch_wrote_for_another_purpose_are_named_and_the_advice_works(command, weights):
    stated = ("--factory", "foreign_net:net", "--head", "logits", "--names", "Left,Right", *PIXELS, "--out", "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(weights, torch.zeros(1, 3, 24, 32)).save("scripted.pt")
    torch.export.save(torch.export.export(weights, (torch.zeros(1, 3, 24, 32),)), "exported.pt2")
    for file in ("scripted.pt", "exported.pt2"):
        told = command("card", file, *stated, "--overwrite").mistake
        expression = told[told.index("torch.save(") : told.index(", and pass that")]
        exec(expression, {"torch": torch})
        assert command("card", "weights.pt", *stated, "--overwrite").code == 0


def test_pickles_are_refused_unless_trusted(command, weights):
    torch.save(weights, "whole.pt")
    words = ("--factory", "foreign_net:net", "--head", "logits", "--names", "Left,Right", *PIXELS, "--out", "model")
    assert "--unsafe-pickle" in command("card", "whole.pt", *words).mistake
    assert command("card", "whole.pt", *words, "--unsafe-pickle").code == 0
