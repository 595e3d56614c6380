"""Which cells of a tensor are places in the image: fakes with a known truth, and real architectures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from bincam.cam import Explainer
from bincam.errors import InputError, UnsupportedError
from bincam.models import build, resolve
from bincam.models.grids.placement import prove
from bincam.models.grids.spread import spreads_as_claimed
from bincam.models.layers import candidates
from bincam.models.tracing.trace import record
from tests.conftest import randomize

SIZE = (12, 20)
GRID = (3, 5)


def read(raw: Tensor) -> Tensor:
    return raw


def noise(size: tuple[int, int] = SIZE, count: int = 1) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(3))


class Tokens(nn.Module):
    """Patch tokens, changed by ``rearrange``, a mean over all of them, and a linear head."""

    def __init__(self, rearrange: Callable[[Tokens, Tensor], Tensor], *, channels_last: bool = False) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, stride=4)
        self.extra = nn.Parameter(torch.randn(1, 4, 6))
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 2)
        self.rearrange = rearrange
        self.channels_last = channels_last

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).transpose(1, 2)  # (B, 15, 6)
        return self.head(self.norm(self.rearrange(self, tokens)).mean(1))


def assigned(model: Tokens, tokens: Tensor) -> Tensor:
    joined = tokens.new_zeros(len(tokens), 19, 6)
    joined[:, 2:17] = tokens
    joined[:, :2] = model.extra[:, :2]
    joined[:, 17:] = model.extra[:, 2:]
    return joined


ORDER = torch.randperm(15, generator=torch.Generator().manual_seed(1))

JOINED: dict[str, tuple[Callable[[Tokens, Tensor], Tensor], int, int]] = {
    "first": (lambda m, t: torch.cat([m.extra.expand(len(t), -1, -1), t], 1), 4, 0),
    "last": (lambda m, t: torch.cat([t, m.extra.expand(len(t), -1, -1)], 1), 0, 4),
    "both ends": (lambda m, t: torch.cat([m.extra[:, :1], t, m.extra[:, 1:]], 1), 1, 3),
    "middle": (lambda m, t: torch.cat([t[:, :7], m.extra.expand(len(t), -1, -1), t[:, 7:]], 1), 0, 4),
    "padded": (lambda _, t: functional.pad(t, (0, 0, 0, 4)), 0, 4),
    "assigned": (assigned, 2, 2),
    "permuted": (lambda _, t: t[:, ORDER], 0, 0),
    "mirrored": (lambda _, t: t.flip(1), 0, 0),
    "transposed": (lambda _, t: t.unflatten(1, GRID).transpose(1, 2).flatten(1, 2), 0, 0),
    "gathered": (lambda _, t: torch.gather(t, 1, ORDER[None, :, None].expand(len(t), -1, 6)), 0, 0),
    "shifted": (lambda m, t: torch.cat([t.roll(4, 1), m.extra], 1), 0, 4),
}


@pytest.mark.parametrize("name", JOINED)
def test_maps_are_in_raster_order_wherever_the_tokens_are(name: str) -> None:
    rearrange, prefix, suffix = JOINED[name]
    torch.manual_seed(0)
    model = randomize(Tokens(rearrange)).double()
    image = noise().double()
    anatomy = resolve(model, image, read)
    layout = anatomy.layer.layout
    assert (anatomy.kind, layout.grid, layout.prefix, layout.suffix) == ("exact", GRID, prefix, suffix)
    explanation = Explainer(model, method="cam")(image)
    assert explanation.complete
    assert explanation.decomposition is not None
    assert float(explanation.identity_gap.abs().max()) < 1e-12
    # Oracle: the head's contribution of each patch, from the patches themselves.
    patches = model.norm(model.embed(image).flatten(2).transpose(1, 2))
    count = 15 + prefix + suffix
    evidence = (patches @ model.head.weight.T).transpose(1, 2).reshape(1, 2, *GRID) / count
    torch.testing.assert_close(explanation.decomposition.evidence, evidence.detach())
    extra = explanation.decomposition.prefix
    assert (float(extra.abs().min()) > 0) == (prefix + suffix > 0)


@pytest.mark.parametrize("name", ["last", "middle", "permuted"])
def test_moving_a_patch_moves_the_map(name: str) -> None:
    torch.manual_seed(0)
    model = Tokens(JOINED[name][0]).eval()
    images = noise().repeat(15, 1, 1, 1)
    for cell in range(15):
        i, j = divmod(cell, 5)
        images[cell, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4] += 2
    before = Explainer(model, method="cam")(noise(), side="positive").maps
    after = Explainer(model, method="cam")(images, side="positive").maps
    changed = (after - before).abs().sum(1).flatten(1)
    assert changed.argmax(1).tolist() == list(range(15))


def test_a_product_with_a_permutation_is_no_grid_but_what_it_reads_is() -> None:
    class Mixed(Tokens):
        def __init__(self) -> None:
            super().__init__(lambda _, tokens: torch.eye(15)[ORDER] @ tokens)

    torch.manual_seed(0)
    anatomy = resolve(Mixed().eval(), noise(), read)
    assert anatomy.kind == "diagnostic"
    assert (anatomy.layer.name, anatomy.layer.layout.grid) == ("embed", GRID)


def test_tokens_chosen_by_their_values_have_no_place() -> None:
    def strongest(_: Tokens, tokens: Tensor) -> Tensor:
        order = tokens.norm(dim=2).argsort(1)
        return torch.gather(tokens, 1, order[..., None].expand_as(tokens))

    torch.manual_seed(0)
    anatomy = resolve(Tokens(strongest).eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name) == ("diagnostic", "embed")


@pytest.mark.parametrize("turn", [lambda x: x.flip(3), lambda x: x.transpose(2, 3), lambda x: x.rot90(2, (2, 3))])
def test_images_turned_inside_the_model_are_turned_back(turn: Callable[[Tensor], Tensor]) -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 6, 4, stride=4)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.embed(turn(images)).mean((2, 3)))

    torch.manual_seed(0)
    model = Turned().double().eval()
    image = noise().double()
    explanation = Explainer(model, method="cam")(image)
    assert explanation.kind == "exact"
    cells = functional.conv2d(image, turn(model.embed.weight), model.embed.bias, stride=4)
    evidence = torch.einsum("bchw,ac->bahw", cells, model.head.weight) / 15
    assert explanation.decomposition is not None
    torch.testing.assert_close(explanation.decomposition.evidence, evidence.detach())


def test_half_of_the_image_is_not_stretched_over_the_whole() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Conv2d(3, 6, 4, stride=4)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            left, right = images[..., :8], images[..., 8:]
            return self.head(self.encoder(left).mean((2, 3)) + self.encoder(right).mean((2, 3)))

    torch.manual_seed(0)
    with pytest.raises(UnsupportedError, match="runs 2 times in one pass, on parts or copies of the image"):
        resolve(Halves().eval(), noise((12, 16)), read, layer="encoder")


def test_the_proof_sees_a_wrong_order_of_cells() -> None:
    """Planted: a layout that names other cells than its twin, on the same tensor."""
    from dataclasses import replace

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ).eval()
    images = noise((24, 32))
    layer = resolve(model, images, read).layer
    cells = torch.arange(48).reshape(6, 8)
    wrong = {
        "permuted": torch.randperm(48, generator=torch.Generator().manual_seed(0)),
        "mirrored": cells.flip(1).flatten(),
        "upside down": cells.flip(0).flatten(),
        "shifted": cells.flatten().roll(4),
        "windows": cells.reshape(3, 2, 4, 2).transpose(1, 2).flatten(),
    }
    layers = [layer, *(replace(layer, layout=replace(layer.layout, cells=tuple(c.tolist()))) for c in wrong.values())]
    proofs = prove(model, images, read, layers)
    assert [proof.holds for proof in proofs] == [True] + [False] * len(wrong)
    assert proofs[0].agreement == 1.0
    assert proofs[0].reaches


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


def test_a_convolution_over_the_whole_grid_is_a_head() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.ReLU(), nn.Conv2d(5, 7, GRID), nn.Flatten(), nn.Linear(7, 2))
    model = model.double().eval()
    explanation = Explainer(model, method="cam")(noise(count=2).double())
    assert (explanation.kind, tuple(explanation.maps.shape[-2:])) == ("exact", GRID)
    assert float(explanation.identity_gap.abs().max()) < 1e-12
    model.insert(3, nn.ReLU())
    assert resolve(model, noise().double(), read).kind == "diagnostic"
    assert resolve(model, noise().double(), read).layer.layout.grid == GRID


class LearnedQuery(nn.Module):
    """Two queries of three heads that attend to patches: 2 x 3 "cells" that are no places."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 12, 4, stride=4)
        self.norm = nn.LayerNorm(12)
        self.query = nn.Parameter(torch.randn(1, 3, 2, 4))
        self.kv = nn.Linear(12, 24)
        self.head = nn.Linear(24, 2)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.norm(self.embed(images).flatten(2).transpose(1, 2))
        k, v = self.kv(tokens).reshape(len(tokens), -1, 2, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
        pooled = functional.scaled_dot_product_attention(self.query.expand(len(tokens), -1, -1, -1), k, v)
        return self.head(pooled.flatten(1))


def test_heads_and_queries_are_no_cells() -> None:
    torch.manual_seed(0)
    anatomy = resolve(LearnedQuery().eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name, anatomy.layer.layout.grid) == ("diagnostic", "norm", GRID)


def test_patches_embedded_by_a_linear_layer() -> None:
    class LinearPatches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(48, 6)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            b, c, h, w = images.shape
            patches = images.reshape(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(b, -1, 16 * c)
            return self.head(self.embed(patches).mean(1))

    torch.manual_seed(0)
    anatomy = resolve(LinearPatches().eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name, anatomy.layer.layout.grid) == ("exact", "embed", GRID)


# id: (model, size, kind, layer, order, grid, prefix)
SMALL_SWIN = {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)}
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


def test_candidates_without_a_proof_are_those_of_the_trace() -> None:
    torch.manual_seed(0)
    model = Tokens(JOINED["last"][0]).eval()
    assert candidates(record(model, noise(), read)) == ["norm", "embed"]


def test_tokens_that_cannot_be_followed_are_no_grid() -> None:
    def transformed(_: Tokens, tokens: Tensor) -> Tensor:  # complex numbers are not followed
        pairs = torch.view_as_complex(tokens.reshape(len(tokens), -1, 3, 2).contiguous())
        return torch.view_as_real(pairs[:, ORDER]).flatten(2)

    torch.manual_seed(0)
    model = Tokens(transformed).eval()
    anatomy = resolve(model, noise(), read)
    assert (anatomy.kind, anatomy.layer.name, anatomy.layer.layout.grid) == ("diagnostic", "embed", GRID)
    assert "do not respond to their own places" in anatomy.reason
    with pytest.raises(UnsupportedError, match=r"'norm'.*own places.*layers with a grid: embed"):
        resolve(model, noise(), read, layer="norm")
    assert Explainer(model, layer="embed", method="hirescam")(noise()).maps.shape[-2:] == GRID


def test_a_built_token_model_of_another_size_keeps_its_grid() -> None:
    torch.manual_seed(0)
    model = build("vit_tiny_patch16_224", ["a"], input_size=(64, 96), depth=1, dynamic_img_size=True).eval()
    assert Explainer(model)(noise((64, 96))).maps.shape[-2:] == (4, 6)
    assert Explainer(model)(noise((96, 48))).maps.shape[-2:] == (6, 3)
    model = build("vit_tiny_patch16_224", ["a"], input_size=(64, 96), depth=1).eval()
    with pytest.raises(InputError):
        Explainer(model)(noise((96, 48)))


def test_a_spread_over_wrong_cells_is_noticed() -> None:
    """Planted: weights of a flattened grid in another order, and a token without a place counted as a cell."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.Flatten(), nn.Linear(5 * 15, 2)).eval()
    anatomy = resolve(model, noise(), read)
    assert anatomy.weight is not None
    claim = (model, noise(), read, anatomy.layer, "flatten")
    assert spreads_as_claimed(*claim, anatomy.weight)
    assert not spreads_as_claimed(*claim, anatomy.weight.flip(-1))
    assert not spreads_as_claimed(*claim, anatomy.weight.roll(1, -2))
    averaged = anatomy.weight.sum((-2, -1))  # the same sum over cells of equal features
    assert not spreads_as_claimed(*claim[:-1], "mean", averaged)


def test_other_readers_of_the_pooled_tensor_are_noticed() -> None:
    class Corner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 6, 4, stride=4)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            features = self.embed(images)
            return self.head(features.mean((2, 3)) + features[:, :, 0, 0])

    torch.manual_seed(0)
    anatomy = resolve(Corner().eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name) == ("diagnostic", "embed")
