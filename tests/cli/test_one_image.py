"""Commands refuse a model that is no function of one image, and what they advise works; half precision is read."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import bincam.models
from bincam.audit import open_audit
from bincam.data import AttributeTable, write_celeba

MODULE = """
import torch
from torch import nn
def net(norm=None):
    torch.manual_seed(0)
    features = nn.Conv2d(3, 8, 3, padding=1), norm or nn.Identity(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    head = nn.Linear(16, 2)
    nn.init.constant_(head.bias, 3.0)
    return nn.Sequential(*features, nn.Linear(8, 16), head)
def mixing():
    return net(nn.BatchNorm2d(8, track_running_stats=False))
class Dropping(nn.Dropout):
    def forward(self, features):
        return nn.functional.dropout(features, self.p)
def random():
    return net(Dropping(0.02))
def half():
    return net().half()
def bfloat():
    return net().bfloat16()
"""
NAMES = ("Smiling", "Young")
PIXELS = ("--size", "24,32", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "oneimage_nets.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def data(here):
    random = np.random.default_rng(0)
    table = AttributeTable(
        names=NAMES,
        labels=np.tile(np.array([[0, 1], [1, 0], [1, 1], [0, 0]], np.float32), (4, 1)),
        ids=tuple(f"{row}.png" for row in range(16)),
        root=Path(),
        splits=np.array(["validation", "test"] * 8),
    )
    write_celeba(table, random.integers(0, 256, (16, 24, 32, 3)).astype(np.uint8), here / "data")
    return here / "data"


def carded(command, function, *words):
    options = ("--head", "logits", "--names", ",".join(NAMES), *PIXELS, "--out", function, "--json")
    return command("card", "-", "--factory", f"oneimage_nets:{function}", *options, *words)


def test_a_model_that_mixes_images_is_noted_on_its_card_and_refused_by_commands(command, data):
    outcome = carded(command, "mixing")
    assert outcome.code == 0, outcome.err
    assert "every command needs --batch-size 1" in json.loads(outcome.out)["note"]
    model = ("--model", "mixing", "--factory", "oneimage_nets:mixing")
    pictures = sorted(path for path in data.rglob("*.png"))[:3]
    refused = command("explain", *pictures, *model, "--json")
    assert "depend on the other images of its batch" in refused.mistake
    assert "--batch-size 1" in refused.mistake
    explained = command("explain", *pictures, *model, "--json", "--batch-size", "1")
    assert explained.code == 0, explained.err
    document = json.loads(explained.out)
    assert "each image run alone" in document["anatomy"]["reason"]
    singly = json.loads(command("explain", pictures[1], *model, "--json", "--batch-size", "1").out)
    assert singly["images"][0]["attributes"] == document["images"][1]["attributes"]


def test_an_audit_of_a_model_that_mixes_images_runs_each_alone(command, data):
    assert carded(command, "mixing").code == 0
    words = ("audit", "--model", "mixing", "--factory", "oneimage_nets:mixing", "--data", data, "--workers", "0")
    for size in ((), ("--batch-size", "4"), ("--batch-size", "8")):
        assert "--batch-size 1" in command(*words, "--out", "refused", *size).mistake
        assert not Path("refused").exists()
    done = command(*words, "--out", "done", "--batch-size", "1", "--sample", "2", "--gate-images", "3")
    assert done.code == 0, done.err
    assert "each image run alone" in done.err
    records = open_audit("done").records()
    model = bincam.models.load("mixing", factory="oneimage_nets:mixing")
    table = bincam.data.load(data).split("test")
    for row in range(len(table)):
        image = bincam.models.preprocess(bincam.models.open_image(table.path(row)), model.card)
        with torch.no_grad():
            expected = model(image[None])[0, 0].item()
        measured = records[(records["attribute"] == "Smiling") & (records["row"] == row)]["logit"].item()
        assert math.isclose(measured, expected, rel_tol=1e-4, abs_tol=1e-5)


def test_a_random_model_is_refused_by_every_command(command, data):
    refused = carded(command, "random").mistake
    assert "random in evaluation mode (dropout in Dropping 'network.1')" in refused
    assert not Path("random").exists()
    card = bincam.models.make_card(
        attributes=NAMES, architecture="factory", name="oneimage_nets:random", input_size=(24, 32),
        mean=(0.5,) * 3, std=(0.25,) * 3,
    )  # fmt: skip
    bincam.models.save(bincam.models.adopt(card, None), "random")
    words = ("--model", "random", "--factory", "oneimage_nets:random")
    pictures = sorted(path for path in data.rglob("*.png"))[:2]
    for size in ((), ("--batch-size", "1")):
        assert "random in evaluation mode" in command("explain", *pictures, *words, "--json", *size).mistake
        audit = command("audit", *words, "--data", data, "--out", "refused", *size)
        assert "random in evaluation mode" in audit.mistake


@pytest.mark.parametrize("function", ["half", "bfloat"])
def test_half_precision_is_read_by_every_command(command, data, function):
    outcome = carded(command, function)
    assert outcome.code == 0, outcome.err
    facts = json.loads(outcome.out)
    assert (facts["kind"], facts["reason"], facts["note"]) == ("exact", "mean pooling, then affine layers", None)
    dtype = torch.float16 if function == "half" else torch.bfloat16
    assert {value.dtype for value in bincam.models.read_weights(f"{function}/weights.safetensors").values()} == {dtype}
    words = ("--model", function, "--factory", f"oneimage_nets:{function}")
    pictures = sorted(path for path in data.rglob("*.png"))[:2]
    assert command("explain", *pictures, *words, "--json").code == 0
    done = command("audit", *words, "--data", data, "--out", "done", "--workers", "0", "--gate-images", "0")
    assert done.code == 0, done.err
