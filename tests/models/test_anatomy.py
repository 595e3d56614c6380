"""The resolver on architectures that it was not written for: expected structure, and claims checked numerically."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError, UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.models.resolution import resolve
from tests.conftest import TinyNet, randomize

A = 3


def of_timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, num_classes=A, **options)


def of_torchvision(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: getattr(torchvision.models, name)(num_classes=A, **options)


VIT = "vit_tiny_patch16_224"
# id: (make, image size, kind, pooling, layer, order, grid, prefix)
ZOO: dict[str, tuple[Any, ...]] = {
    "resnet18": (of_timm("resnet18"), (64, 96), "exact", "mean", "layer4", "NCHW", (2, 3), 0),
    "resnet50": (of_timm("resnet50"), (64, 64), "exact", "mean", "layer4", "NCHW", (2, 2), 0),
    "resnetv2": (of_timm("resnetv2_50"), (64, 64), "exact", "mean", "norm", "NCHW", (2, 2), 0),
    "densenet121": (of_timm("densenet121"), (64, 64), "exact", "mean", "features", "NCHW", (2, 2), 0),
    "mobilenetv3": (of_timm("mobilenetv3_large_100"), (64, 64), "diagnostic", "mean", "blocks", "NCHW", (2, 2), 0),
    "efficientnet_b0": (of_timm("efficientnet_b0"), (64, 96), "exact", "mean", "bn2", "NCHW", (2, 3), 0),
    "lite0": (of_timm("tf_efficientnet_lite0"), (64, 64), "exact", "mean", "bn2", "NCHW", (2, 2), 0),
    "regnety": (of_timm("regnety_004"), (64, 64), "exact", "mean", "s4", "NCHW", (2, 2), 0),
    "convnext": (of_timm("convnext_atto"), (64, 96), "conditional", "mean", "stages", "NCHW", (2, 3), 0),
    "convnext_norm_first": (
        of_timm("convnext_atto", head_norm_first=True),
        (64, 64),
        "exact",
        "mean",
        "norm_pre",
        "NCHW",
        (2, 2),
        0,
    ),
    "swin": (
        of_timm("swin_tiny_patch4_window7_224", img_size=(64, 96)),
        (64, 96),
        "exact",
        "mean",
        "norm",
        "NHWC",
        (2, 3),
        0,
    ),
    "vit_cls": (of_timm(VIT, img_size=(64, 96)), (64, 96), "diagnostic", "token", "blocks.11.norm1", "NLC", (4, 6), 1),
    "vit_avg": (
        of_timm(VIT, img_size=64, global_pool="avg"),
        (64, 64),
        "conditional",
        "mean",
        "input of mean in the model",
        "NLC",
        (4, 4),
        0,
    ),
    "vit_registers": (
        of_timm(VIT, img_size=64, global_pool="avg", reg_tokens=4, fc_norm=False),
        (64, 64),
        "exact",
        "mean",
        "input of mean in the model",
        "NLC",
        (4, 4),
        0,
    ),
    "vit_registers_pooled": (
        of_timm(VIT, img_size=(64, 96), global_pool="avg", reg_tokens=4, fc_norm=False, pool_include_prefix=True),
        (64, 96),
        "exact",
        "mean",
        "norm",
        "NLC",
        (4, 6),
        5,
    ),
    "deit_distilled": (
        of_timm("deit_tiny_distilled_patch16_224", img_size=64),
        (64, 64),
        "diagnostic",
        "token",
        "blocks.11.norm1",
        "NLC",
        (4, 4),
        2,
    ),
    "maxvit_linear": (of_timm("maxvit_rmlp_pico_rw_256"), (256, 256), "exact", "mean", "norm", "NCHW", (8, 8), 0),
    "maxvit_mlp": (of_timm("maxvit_tiny_tf_224"), (224, 224), "diagnostic", "mean", "norm", "NCHW", (7, 7), 0),
    "eva02": (
        of_timm("eva02_tiny_patch14_224"),
        (224, 224),
        "conditional",
        "mean",
        "input of mean in the model",
        "NLC",
        (16, 16),
        0,
    ),
    "beit": (
        of_timm("beit_base_patch16_224", depth=2),
        (224, 224),
        "conditional",
        "mean",
        "input of mean in the model",
        "NLC",
        (14, 14),
        0,
    ),
    "mobilevit": (of_timm("mobilevit_xxs"), (64, 64), "exact", "mean", "final_conv", "NCHW", (2, 2), 0),
    "tv_resnet50": (of_torchvision("resnet50"), (64, 64), "exact", "mean", "layer4", "NCHW", (2, 2), 0),
    "tv_densenet121": (
        of_torchvision("densenet121"),
        (64, 64),
        "exact",
        "mean",
        "input of adaptive_avg_pool2d in the model",
        "NCHW",
        (2, 2),
        0,
    ),
    "tv_vgg16": (of_torchvision("vgg16"), (64, 64), "diagnostic", "flatten", "avgpool", "NCHW", (7, 7), 0),
    "tv_convnext": (of_torchvision("convnext_tiny"), (64, 64), "conditional", "mean", "features", "NCHW", (2, 2), 0),
    "tv_swin": (of_torchvision("swin_t"), (64, 96), "exact", "mean", "permute", "NCHW", (2, 3), 0),
    "tv_maxvit": (
        of_torchvision("maxvit_t", input_size=(224, 224)),
        (224, 224),
        "diagnostic",
        "mean",
        "blocks.3",
        "NCHW",
        (7, 7),
        0,
    ),
    "tv_vit": (
        of_torchvision("vit_b_16", image_size=64),
        (64, 64),
        "diagnostic",
        "token",
        "encoder.layers.encoder_layer_11.ln_1",
        "NLC",
        (4, 4),
        1,
    ),
    "sequential": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 7, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.BatchNorm1d(7),
            nn.Linear(7, 5),
            nn.Dropout(0.5),
            nn.Linear(5, A),
        ),
        (13, 9),
        "exact",
        "mean",
        "1",
        "NCHW",
        (6, 4),
        0,
    ),
}


def read(raw: Tensor) -> Tensor:
    return raw


def noise(size: tuple[int, int], count: int = 1) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(3))


SLOW = {"maxvit_mlp", "tv_maxvit", "maxvit_linear", "eva02", "beit"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in ZOO])
def test_zoo(name: str) -> None:
    make, size, kind, pooling, layer, order, grid, prefix = ZOO[name]
    torch.manual_seed(0)
    model = randomize(make())
    explainer, images = Explainer(model, method="hirescam" if kind == "diagnostic" else "cam"), noise(size, 2)
    explanation = explainer(images, side="positive")
    anatomy = explainer.anatomy(size)  # as it was resolved for the explanation: a second time would take as long
    assert (anatomy.kind, anatomy.pooling, anatomy.layer.name) == (kind, pooling, layer)
    assert (anatomy.layer.layout.order, anatomy.layer.layout.grid, anatomy.layer.layout.prefix) == (order, grid, prefix)
    if kind == "diagnostic":
        assert anatomy.weight is None
        assert len(anatomy.reason) > 10
        # No constant makes these maps add up: what is left of the logit differs from image to image.
        assert not explanation.complete
        assert explanation.bias is None
        gap, logits = explanation.identity_gap, explanation.logits
        assert (gap[0] - gap[1]).abs().max() > 1e-2 * (logits[0] - logits[1]).abs().max()
        return
    assert explanation.complete
    assert explanation.decomposition is not None
    assert_adds_up(explanation.decomposition.evidence, explanation.identity_gap)
    with torch.no_grad():
        torch.testing.assert_close(explanation.logits, model(images), rtol=1e-4, atol=1e-5)


def assert_adds_up(evidence: Tensor, gap: Tensor) -> None:
    assert float(gap.abs().max()) <= 1e-5 * float(evidence.abs().sum((-2, -1)).mean())


def test_prefix_tokens_carry_evidence_without_a_place() -> None:
    torch.manual_seed(0)
    model = randomize(ZOO["vit_registers_pooled"][0]())
    explanation = Explainer(model, method="cam")(noise((64, 96), 2))
    assert explanation.decomposition is not None
    assert explanation.decomposition.prefix.abs().min() > 0
    assert explanation.maps.shape[-2:] == (4, 6)
    assert float(explanation.ledger().gap.abs().max()) < 1e-4


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnetv2", "densenet121", "tv_resnet50", "tv_densenet121"])
def test_before_the_last_relu_hirescam_is_exact_and_grad_cam_is_not(name: str) -> None:
    torch.manual_seed(0)
    model = randomize(ZOO[name][0]())
    images = noise((64, 96), 2)
    exact = Explainer(model, method="hirescam", layer="pre_activation")(images)
    assert exact.complete
    assert "relu" in exact.layer
    assert_adds_up(exact.maps, exact.identity_gap)
    averaged = Explainer(model, method="grad_cam", layer="pre_activation")(images)
    assert not averaged.complete
    assert averaged.identity_gap.abs().max() > 1e-3 * averaged.maps.abs().sum((-2, -1)).mean()
    # The ledger stays the head's own, at the pooled tensor.
    assert float(averaged.ledger().gap.abs().max()) < 1e-4


@pytest.mark.parametrize("pooling", ["mean", "max", "logsumexp", "attention"])
@pytest.mark.parametrize("backbone", ["resnet10t", "vit_tiny_patch16_224"])
def test_own_heads(pooling: str, backbone: str) -> None:
    from bincam.models import build

    torch.manual_seed(0)
    model = randomize(build(backbone, ["a", "b", "c"], pooling=pooling, input_size=(64, 96)))
    explanation = Explainer(model, method="hirescam" if pooling == "logsumexp" else "cam")(noise((64, 96), 2))
    expected = {"mean": "exact", "max": "exact", "logsumexp": "diagnostic", "attention": "conditional"}[pooling]
    assert explanation.kind == expected
    if pooling == "logsumexp":
        assert explanation.ledger().reason == explanation.reason
        assert torch.isnan(explanation.ledger().bias_share).all()
    else:
        assert explanation.decomposition is not None
        assert_adds_up(explanation.decomposition.evidence, explanation.identity_gap)


def test_flattened_grid_under_a_linear_layer_is_exact() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 6, A)).double()
    images = noise((10, 8), 2).double()
    for method in ("cam", "hirescam"):
        explanation = Explainer(model, method=method)(images)
        assert explanation.kind == "exact"
        assert explanation.complete
        assert float(explanation.identity_gap.abs().max()) < 1e-12


def test_separate_linear_heads_are_one_exact_head() -> None:
    class Heads(TinyNet):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList([nn.Linear(6, 1) for _ in range(A)])

        def forward(self, images: Tensor) -> Tensor:
            vector = self.features(images).mean((2, 3))
            return torch.cat([head(vector) for head in self.heads], dim=1)

    torch.manual_seed(0)
    explanation = Explainer(randomize(Heads()))(noise((12, 16), 2))
    assert explanation.kind == "exact"
    assert_adds_up(explanation.maps, explanation.identity_gap)


def test_one_cell_grid() -> None:
    torch.manual_seed(0)
    model = randomize(timm.create_model("resnet18", num_classes=A))
    explanation = Explainer(model)(noise((32, 32), 2))
    assert explanation.maps.shape == (2, A, 2, 2)
    assert (explanation.kind, explanation.layer) == ("diagnostic", "layer3")
    assert "larger images" in explanation.reason
    larger = Explainer(model)(noise((64, 64), 2))
    assert larger.kind == "exact"
    assert_adds_up(larger.maps, larger.identity_gap)


def test_layer_by_name_and_by_module_agree(tiny: nn.Module, images: Tensor) -> None:
    by_name = Explainer(tiny, layer="conv2")(images)
    by_module = Explainer(tiny, layer=tiny.conv2)(images)
    assert by_name.layer == by_module.layer == "conv2"
    torch.testing.assert_close(by_name.maps, by_module.maps)
    assert by_name.maps.shape[-2:] == (6, 8)


def test_errors_about_layers_list_the_alternatives(tiny: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match=r"no layer 'conv3'.*'conv2'"):
        Explainer(tiny, layer="conv3")
    with pytest.raises(InputError, match="not part of the model"):
        Explainer(tiny, layer=nn.ReLU())(images)
    with pytest.raises(UnsupportedError, match=r"layer 'head'.*layers with a grid: .*conv2"):
        Explainer(tiny, layer="head")(images)


def test_a_class_tokens_last_block_is_refused_naming_the_layer() -> None:
    torch.manual_seed(0)
    model = randomize(timm.create_model(VIT, img_size=64, num_classes=A))
    with pytest.raises(InputError, match=r"layer 'blocks\.11' is zero.*use layer='blocks\.11\.norm1'"):
        Explainer(model, layer="blocks.11")(noise((64, 64)))


def test_no_activation_before_the_pooling_is_refused() -> None:
    torch.manual_seed(0)
    model = randomize(timm.create_model("convnext_atto", num_classes=A))
    with pytest.raises(UnsupportedError, match=r"pre_activation.*'add'"):
        Explainer(model, layer="pre_activation")(noise((64, 64)))


def test_a_model_without_a_grid_is_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, A))
    with pytest.raises(UnsupportedError, match="no layer to explain"):
        resolve(model, noise((4, 4)), read)


def test_two_towers_are_refused_with_what_to_pass() -> None:
    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
            self.head = nn.Linear(8, A)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(torch.cat([self.left(images).mean((2, 3)), self.right(images).mean((2, 3))], 1))

    model = Towers()
    with pytest.raises(UnsupportedError, match=r"combine 2 pooled tensors.*layer='left' or layer='right'"):
        Explainer(model)(noise((9, 9)))
    explanation = Explainer(model, layer="left")(noise((9, 9)))
    assert explanation.bias is None
    assert torch.isnan(explanation.ledger().support).all()


def test_scripted_models_are_refused(tiny: nn.Module, images: Tensor) -> None:
    scripted = torch.jit.trace(tiny, images)
    with pytest.raises(UnsupportedError, match="eager"):
        Explainer(scripted)(images)


def test_a_path_that_depends_on_values_is_noticed() -> None:
    class Fickle(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            if float(images.abs().max()) > 50:
                images = torch.tanh(images) * 2
            return super().forward(images)

    torch.manual_seed(0)
    explainer = Explainer(randomize(Fickle()))
    explainer(noise((12, 16)))
    with pytest.raises(UnsupportedError, match="took another path"):
        explainer(noise((12, 16)) * 100)


def test_resolving_leaves_the_model_as_it_was(tiny: nn.Module) -> None:
    tiny.train()
    tiny.bn.eval()
    modes = [module.training for module in tiny.modules()]
    statistics = tiny.bn.running_mean.clone()
    assert isinstance(resolve(tiny, noise((12, 16)), read), Anatomy)
    assert [module.training for module in tiny.modules()] == modes
    assert torch.equal(tiny.bn.running_mean, statistics)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny.modules())
