"""Image classifiers of Hugging Face's transformers, from small configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf
from torch import Tensor, nn

from tests.sweep.outcome import A, Case, Size

DIVISIBLE = ((64, 96), (96, 96))
SQUARE = ((64, 64), (96, 96))
VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "patch_size": 16,
    "hidden_dropout_prob": 0.0,
}
PYRAMID = {"hidden_sizes": (16, 24, 32, 40), "depths": (1, 1, 2, 1), "num_attention_heads": (1, 2, 4, 4)}
WINDOWS = {"embed_dim": 16, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)}


def head(
    name: str, config: str, options: dict[str, Any] | None = None, *, sized: str = "both", output: str = "logits"
) -> Case:
    """A class of transformers ``...ForImageClassification``.

    Args:
        name: The class.
        config: The class of its configuration.
        options: Of the configuration.
        sized: Meaning of ``image_size``: ``both`` (H, W), ``one`` number for square images, the ``first`` number of
            images of any size, or ``no`` such option.
        output: Key of the logits.
    """

    def make(size: Size) -> nn.Module:
        configuration = getattr(hf, config)(**(options or {}), **_extent(sized, size))
        configuration.num_labels = A
        return getattr(hf, name)(configuration)

    return Case(name, "huggingface", config.removesuffix("Config"), make, _sizes(sized), output)


def _extent(sized: str, size: Size) -> dict[str, Any]:
    extents: dict[str, dict[str, Any]] = {"both": {"image_size": size}, "no": {}}
    return extents.get(sized, {"image_size": size[0]})


def _sizes(sized: str) -> tuple[Size, ...]:
    return SQUARE if sized == "one" else DIVISIBLE


def nested(name: str, config: str, options: dict[str, Any], text: dict[str, Any], *, sized: str = "both") -> Case:
    """A head on the vision half of a model of images and texts."""

    def make(size: Size) -> nn.Module:
        configuration = getattr(hf, config)(text_config=text, vision_config={**options, **_extent(sized, size)})
        configuration.num_labels = A
        return getattr(hf, name)(configuration)

    return Case(name, "huggingface", config.removesuffix("Config"), make, _sizes(sized), "logits")


class Pooled(nn.Module):
    """A linear layer on what a headless model returns, read in one of the ways that users write."""

    def __init__(self, body: nn.Module, width: int, read: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.body = body
        self.read = read
        self.classifier = nn.Linear(width, A)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.read(self.body(pixel_values=images)))


def wrapped(
    family: str, config: str, options: dict[str, Any], read: Callable[[Any], Tensor], width: int, *, sized: str = "both"
) -> Case:
    """A user's own wrapper of a headless model."""

    def make(size: Size) -> nn.Module:
        configuration = getattr(hf, config)(**options, **_extent(sized, size))
        body = getattr(hf, family.split(",", maxsplit=1)[0])(configuration)
        return Pooled(body, width, read)

    return Case(family, "huggingface", config.removesuffix("Config"), make, _sizes(sized))


class Patches(nn.Module):
    """Siglip2 takes patches, not images: this cuts them as its processor does."""

    def __init__(self, model: nn.Module, side: int) -> None:
        super().__init__()
        self.model = model
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        rows, columns = height // self.side, width // self.side
        cut = images.reshape(count, channels, rows, self.side, columns, self.side).permute(0, 2, 4, 3, 5, 1)
        shapes = torch.tensor([[rows, columns]] * count)
        mask = torch.ones(count, rows * columns, dtype=torch.int32)
        patches = cut.reshape(count, rows * columns, -1)
        return self.model(pixel_values=patches, pixel_attention_mask=mask, spatial_shapes=shapes).logits


def siglip2(size: Size) -> nn.Module:
    del size
    configuration = hf.Siglip2Config(text_config=TEXT, vision_config={**TOWER, "num_patches": 16})
    configuration.num_labels = A
    return Patches(hf.Siglip2ForImageClassification(configuration), TOWER["patch_size"])


def perceiver(size: Size) -> nn.Module:
    configuration = hf.PerceiverConfig(
        num_latents=8, d_latents=32, num_self_attends_per_block=2, num_self_attention_heads=2,
        num_cross_attention_heads=1, image_size=size[0], num_labels=A,
    )  # fmt: skip
    return hf.PerceiverForImageClassificationConvProcessing(configuration)


TEXT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "vocab_size": 8,
    "max_position_embeddings": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
TOWER = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64, "patch_size": 16}
RESNET = {"embedding_size": 16, "hidden_sizes": (16, 24, 32, 40), "depths": (1, 1, 1, 1)}

CASES: tuple[Case, ...] = (
    head("BeitForImageClassification", "BeitConfig", VIT),
    head(
        "BitForImageClassification",
        "BitConfig",
        {"embedding_size": 16, "hidden_sizes": (16, 24, 32, 40), "depths": (1, 1, 1, 1), "num_groups": 4},
        sized="no",
    ),
    nested("CLIPForImageClassification", "CLIPConfig", TOWER, TEXT, sized="one"),
    head(
        "ConvNextForImageClassification",
        "ConvNextConfig",
        {"hidden_sizes": (16, 24, 32, 40), "depths": (1, 1, 2, 1)},
        sized="no",
    ),
    head(
        "ConvNextV2ForImageClassification",
        "ConvNextV2Config",
        {"hidden_sizes": (16, 24, 32, 40), "depths": (1, 1, 2, 1)},
        sized="no",
    ),
    head(
        "CvtForImageClassification",
        "CvtConfig",
        {"embed_dim": (16, 24, 32), "num_heads": (1, 2, 2), "depth": (1, 2, 3)},
        sized="no",
    ),
    head("Data2VecVisionForImageClassification", "Data2VecVisionConfig", VIT),
    head("DeiTForImageClassification", "DeiTConfig", VIT),
    head("DeiTForImageClassificationWithTeacher", "DeiTConfig", VIT),
    head("Dinov2ForImageClassification", "Dinov2Config", {**VIT, "mlp_ratio": 2}, sized="first"),
    head(
        "Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersConfig", {**VIT, "mlp_ratio": 2}, sized="first"
    ),
    head("DonutSwinForImageClassification", "DonutSwinConfig", {**WINDOWS, "window_size": 2}),
    head(
        "EfficientNetForImageClassification",
        "EfficientNetConfig",
        {"width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320},
        sized="no",
    ),
    head(
        "FocalNetForImageClassification",
        "FocalNetConfig",
        {"embed_dim": 16, "hidden_sizes": (16, 24, 32, 40), "depths": (1, 1, 2, 1)},
    ),
    head(
        "HGNetV2ForImageClassification",
        "HGNetV2Config",
        {
            "embedding_size": 8,
            "hidden_sizes": (16, 24, 32, 40),
            "stem_channels": (3, 8, 12),
            "stage_in_channels": (12, 16, 24, 32),
            "stage_mid_channels": (8, 8, 8, 8),
            "stage_out_channels": (16, 24, 32, 40),
            "stage_num_blocks": (1, 1, 1, 1),
            "stage_numb_of_layers": (2, 2, 2, 2),
        },
        sized="no",
    ),
    head(
        "HieraForImageClassification",
        "HieraConfig",
        {"embed_dim": 16, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)},
    ),
    head("IJepaForImageClassification", "IJepaConfig", VIT),
    head(
        "LevitForImageClassification",
        "LevitConfig",
        {"hidden_sizes": (16, 32, 48), "num_attention_heads": (1, 2, 3), "depths": (1, 1, 1), "key_dim": (8, 8, 8)},
        sized="one",
    ),
    head(
        "LevitForImageClassificationWithTeacher",
        "LevitConfig",
        {"hidden_sizes": (16, 32, 48), "num_attention_heads": (1, 2, 3), "depths": (1, 1, 1), "key_dim": (8, 8, 8)},
        sized="one",
    ),
    nested("MetaClip2ForImageClassification", "MetaClip2Config", TOWER, TEXT, sized="one"),
    head("MobileNetV1ForImageClassification", "MobileNetV1Config", {"depth_multiplier": 0.25}, sized="no"),
    head("MobileNetV2ForImageClassification", "MobileNetV2Config", {"depth_multiplier": 0.25}, sized="no"),
    head(
        "MobileViTForImageClassification",
        "MobileViTConfig",
        {"hidden_sizes": (16, 24, 32), "neck_hidden_sizes": (8, 8, 12, 16, 20, 24, 48), "num_attention_heads": 2},
        sized="no",
    ),
    head("MobileViTV2ForImageClassification", "MobileViTV2Config", {"width_multiplier": 0.25}, sized="no"),
    Case(
        "PerceiverForImageClassificationConvProcessing", "huggingface", "Perceiver", perceiver, ((224, 224),), "logits"
    ),
    head(
        "PoolFormerForImageClassification",
        "PoolFormerConfig",
        {"hidden_sizes": (16, 24, 32, 40), "depths": (1, 1, 2, 1)},
        sized="no",
    ),
    head(
        "PPLCNetForImageClassification",
        "PPLCNetConfig",
        {"scale": 0.25, "class_expand": 64},
        sized="no",
        output="last_hidden_state",
    ),
    head(
        "PvtForImageClassification",
        "PvtConfig",
        {**PYRAMID, "hidden_sizes": (16, 32, 32, 64), "mlp_ratios": (2, 2, 2, 2)},
        sized="one",
    ),
    head(
        "PvtV2ForImageClassification",
        "PvtV2Config",
        {**PYRAMID, "hidden_sizes": (16, 32, 32, 64), "mlp_ratios": (2, 2, 2, 2)},
    ),
    head("RegNetForImageClassification", "RegNetConfig", {**RESNET, "groups_width": 8}, sized="no"),
    head("ResNetForImageClassification", "ResNetConfig", RESNET, sized="no"),
    head(
        "SegformerForImageClassification",
        "SegformerConfig",
        {**PYRAMID, "hidden_sizes": (16, 32, 32, 64), "mlp_ratios": (2, 2, 2, 2)},
        sized="no",
    ),
    nested("SiglipForImageClassification", "SiglipConfig", TOWER, TEXT, sized="one"),
    Case("Siglip2ForImageClassification, patches cut before", "huggingface", "Siglip2", siglip2, DIVISIBLE),
    head(
        "SwiftFormerForImageClassification",
        "SwiftFormerConfig",
        {"depths": (1, 1, 2, 1), "embed_dims": (16, 24, 32, 40)},
        sized="no",
    ),
    head("SwinForImageClassification", "SwinConfig", {**WINDOWS, "window_size": 2}),
    head("Swinv2ForImageClassification", "Swinv2Config", {**WINDOWS, "window_size": 2}),
    head(
        "TextNetForImageClassification",
        "TextNetConfig",
        {
            "stem_out_channels": 8,
            "hidden_sizes": (8, 16, 24, 32, 40),
            "conv_layer_kernel_sizes": [[[3, 3]], [[3, 3]], [[3, 3]], [[3, 3]]],
            "conv_layer_strides": [[2], [2], [2], [2]],
        },
        sized="no",
    ),
    head(
        "TimmWrapperForImageClassification",
        "TimmWrapperConfig",
        {"architecture": "resnet10t", "model_args": {"channels": (16, 24, 32, 40)}},
        sized="no",
    ),
    head("ViTForImageClassification", "ViTConfig", VIT),
    head("ViTMSNForImageClassification", "ViTMSNConfig", VIT),
    wrapped("ViTModel, class token", "ViTConfig", VIT, lambda out: out.last_hidden_state[:, 0], 32),
    wrapped("ViTModel, mean of patches", "ViTConfig", VIT, lambda out: out.last_hidden_state[:, 1:].mean(1), 32),
    wrapped("ViTModel, mean of tokens", "ViTConfig", VIT, lambda out: out.last_hidden_state.mean(1), 32),
    wrapped("ViTModel, pooler", "ViTConfig", VIT, lambda out: out.pooler_output, 32),
    wrapped("CLIPVisionModel, pooler", "CLIPVisionConfig", TOWER, lambda out: out.pooler_output, 32, sized="one"),
    wrapped("SiglipVisionModel, pooler", "SiglipVisionConfig", TOWER, lambda out: out.pooler_output, 32, sized="one"),
    wrapped(
        "DINOv3ViTModel, pooler",
        "DINOv3ViTConfig",
        {**TOWER, "num_register_tokens": 4},
        lambda out: out.pooler_output,
        32,
    ),
    wrapped(
        "DINOv3ViTModel, mean of patches",
        "DINOv3ViTConfig",
        {**TOWER, "num_register_tokens": 4},
        lambda out: out.last_hidden_state[:, 5:].mean(1),
        32,
    ),
    wrapped(
        "DINOv3ConvNextModel, pooler",
        "DINOv3ConvNextConfig",
        {"hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 2, 1]},
        lambda out: out.pooler_output,
        40,
        sized="no",
    ),
    wrapped("ResNetModel, pooler", "ResNetConfig", RESNET, lambda out: out.pooler_output.flatten(1), 40, sized="no"),
    wrapped("SwinModel, pooler", "SwinConfig", {**WINDOWS, "window_size": 2}, lambda out: out.pooler_output, 128),
    wrapped(
        "ResNetBackbone, last map",
        "ResNetConfig",
        RESNET,
        lambda out: out.feature_maps[-1].mean((2, 3)),
        40,
        sized="no",
    ),
)
