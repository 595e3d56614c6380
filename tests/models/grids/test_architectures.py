"""Grids of real architectures: their layers and orders, grids of one cell, and mask units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import nn

from bincam.cam import Explainer
from bincam.errors import InputError, UnsupportedError
from bincam.models import build, resolve
from bincam.models.grids.placement import prove
from tests.conftest import randomize
from tests.models.grids.token_models import JOINED, SIZE, LearnedQuery, Tokens, noise, read

SMALL_SWIN = {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)}
# id: (model, size, kind, layer, order, grid, prefix)
ZOO: dict[str, tuple[str, dict[str, Any], tuple[int, int], str, str, str, tuple[int, int], int]] = {
    "strided keys": ("pvt_v2_b0", {}, (64, 96), "exact", "stages", "NCHW", (2, 3), 0),
    "twins": ("twins_pcpvt_small", {}, (64, 96), "exact", "norm", "NLC", (2, 3), 0),
    "map pooling": (
        "vit_tiny_patch16_224",
        {"global_pool": "map", "class_token": False, "img_size": (64, 96), "depth": 2},
        (64, 96),
        "diagnostic",
        "norm",
        "NLC",
        (4, 6),
        0,
    ),
    "swinv2": (
        "swinv2_tiny_window8_256",
        {"img_size": (64, 96), **SMALL_SWIN},
        (64, 96),
        "exact",
        "norm",
        "NHWC",
        (2, 3),
        0,
    ),
    "levit": ("levit_conv_128s", {}, (224, 224), "exact", "stages", "NCHW", (4, 4), 0),
    "xcit": ("xcit_nano_12_p16_224", {}, (64, 96), "diagnostic", "norm", "NLC", (4, 6), 1),
}


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("levit", "xcit")])
def test_architectures(name: str) -> None:
    model_name, options, size, kind, layer, order, grid, prefix = ZOO[name]
    torch.manual_seed(0)
    model = randomize(timm.create_model(model_name, num_classes=2, **options))
    anatomy = resolve(model, noise(size), read)
    layout = anatomy.layer.layout
    assert (anatomy.kind, anatomy.layer.name, layout.order, layout.grid, layout.prefix) == (
        kind,
        layer,
        order,
        grid,
        prefix,
    )


def test_grids_of_one_cell_are_not_claimed_and_larger_images_help() -> None:
    torch.manual_seed(0)
    model = randomize(timm.create_model("resnet18", num_classes=2))
    anatomy = resolve(model, noise((32, 32)), read)
    assert anatomy.kind == "diagnostic"
    assert anatomy.layer.layout.grid == (2, 2)
    assert "single cell" in anatomy.reason
    assert "larger images" in anatomy.reason
    assert resolve(model, noise((64, 64)), read).kind == "exact"
    with pytest.raises(UnsupportedError, match=r"'layer4'.*single cell.*larger images.*layer3"):
        resolve(model, noise((32, 32)), read, layer="layer4")


@pytest.mark.parametrize(("name", "size"), [("shvit_s1", (64, 64)), ("resnet10t", (32, 32)), ("resnet10t", (64, 96))])
def test_every_build_with_mean_is_exact(name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = randomize(build(name, ["a", "b"], input_size=size))
    explanation = Explainer(model, method="cam")(noise(size, 2))
    assert explanation.kind == "exact"
    cells = explanation.maps.shape[-2] * explanation.maps.shape[-1]
    assert ("grid is one cell" in explanation.reason) == (cells == 1)
    assert float(explanation.identity_gap.abs().max()) < 1e-4


def test_a_built_token_model_of_another_size_keeps_its_grid() -> None:
    torch.manual_seed(0)
    model = build("vit_tiny_patch16_224", ["a"], input_size=(64, 96), depth=1, dynamic_img_size=True).eval()
    assert Explainer(model)(noise((64, 96))).maps.shape[-2:] == (4, 6)
    assert Explainer(model)(noise((96, 48))).maps.shape[-2:] == (6, 3)
    model = build("vit_tiny_patch16_224", ["a"], input_size=(64, 96), depth=1).eval()
    with pytest.raises(InputError):
        Explainer(model)(noise((96, 48)))


def hiera() -> nn.Module:
    return timm.create_model(
        "hiera_tiny_224", num_classes=2, img_size=(64, 96), embed_dim=16, num_heads=1, stages=(1, 1, 1, 1)
    )


def test_mask_units_come_back_in_raster_order() -> None:
    torch.manual_seed(0)
    model = randomize(hiera())
    images = noise((64, 96))
    anatomy = resolve(model, images, read)
    assert (anatomy.kind, anatomy.layer.layout.grid, anatomy.layer.layout.cells) == ("conditional", (2, 3), None)
    early = resolve(model, images, read, layer="blocks.0").layer
    assert early.layout.grid == (16, 24)
    assert early.layout.cells is not None
    assert sorted(early.layout.cells) == list(range(384))
    assert prove(model, images, read, [early])[0].agreement > 0.95


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: Tokens(JOINED["last"][0]), SIZE),
        (LearnedQuery, SIZE),
        (lambda: timm.create_model("vit_tiny_patch16_224", num_classes=2, img_size=64, depth=2), (64, 64)),
        (lambda: timm.create_model("resnet10t", num_classes=2), (64, 96)),
        (hiera, (64, 96)),
    ],
)
def test_every_layer_that_a_message_lists_works(make: Callable[[], nn.Module], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = randomize(make())
    with pytest.raises(UnsupportedError, match="layers with a grid: ") as caught:
        resolve(model, noise(size), read, layer="head" if hasattr(model, "head") else "fc")
    names = str(caught.value).split("layers with a grid: ")[1].split(", ")
    assert names
    assert names != ["none"]
    for name in names:
        explanation = Explainer(model, layer=name, method="hirescam")(noise(size))
        assert explanation.layer == name
        assert explanation.maps.shape[-2] * explanation.maps.shape[-1] > 1
        assert bool(explanation.maps.any())
