"""The packaged ImageNet weights, told by what they see in photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
import timm
import torch
from PIL import Image
from timm.data import ImageNetInfo

import bincam.torchvision_ops  # noqa: F401  # before timm
from bincam.errors import BincamError, InputError
from bincam.models import preprocess
from bincam.models.card import make_card
from bincam.train import fit
from bincam.train.runs import lite0

CARD = make_card(
    attributes=("a",),
    architecture="timm",
    name=lite0.BACKBONE,
    input_size=(224, 224),
    mean=(0.5,) * 3,
    std=(0.5,) * 3,
    fit="crop",
)


@pytest.fixture(scope="module")
def classifier():
    model = timm.create_model(lite0.BACKBONE)
    model.load_state_dict(lite0.lite0_state(model))
    return model.eval()


@pytest.mark.parametrize(
    ("photograph", "seen"),
    [
        ("chelsea.png", ("tabby", "tiger cat", "Egyptian cat")),
        ("coffee.png", ("espresso", "cup")),
        ("rocket.jpg", ("missile", "projectile")),
    ],
)
@torch.no_grad()
def test_photographs_are_recognised(classifier, photograph, seen):
    image = Image.open(Path(skimage.__file__).parent / "data" / photograph).convert("RGB")
    best = classifier(preprocess(image, CARD)[None])[0].topk(3).indices.tolist()
    said = [ImageNetInfo().index_to_description(index) for index in best]
    assert any(any(word in line for word in seen) for line in said[:1]), said


def test_a_backbone_gets_the_same_weights_without_the_classifier(classifier):
    backbone = timm.create_model(lite0.BACKBONE, num_classes=0)
    before = torch.get_rng_state()
    lite0.load_lite0(backbone)
    assert torch.equal(torch.get_rng_state(), before)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, got = classifier.forward_features(images), backbone.eval().forward_features(images)
    assert torch.equal(expected, got)


def test_a_run_starts_from_them(classifier, config):
    """Its one step is too small to move them, and statistics are frozen."""
    model = {"name": lite0.BACKBONE, "pretrained": "lite0", "freeze_batchnorm": True}
    result = fit(config(model=model, epochs=1, batch_size=96, optimizer__lr=1e-12, test=False))
    expected = {name: t for name, t in classifier.state_dict().items() if not name.startswith("classifier.")}
    torch.testing.assert_close(result.model().network.backbone.state_dict(), expected, atol=1e-9, rtol=0)


def test_another_network_is_refused():
    with pytest.raises(InputError, match=lite0.BACKBONE):
        lite0.lite0_state(timm.create_model("resnet10t"))
    with pytest.raises(InputError, match=lite0.BACKBONE):
        lite0.load_lite0(timm.create_model("resnet10t", num_classes=0))


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(lite0.util, "find_spec", lambda _: None)
    with pytest.raises(BincamError, match=r"bincam\[lite0\]"):
        lite0.lite0_state(timm.create_model("resnet10t"))


def test_nothing_is_unpickled(monkeypatch):
    asked = []
    real = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: asked.append(k) or real(*a, **k))
    lite0.lite0_state(timm.create_model(lite0.BACKBONE))
    assert asked[0]["weights_only"] is True
    assert np.all([k.get("weights_only") for k in asked])
