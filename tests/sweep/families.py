"""The models of the sweep: the smallest variant of every module of timm and family of torchvision."""

from __future__ import annotations

from typing import Any

import timm
import torchvision
from torch import nn

from tests.sweep.outcome import A, Case, Size

# The smallest variant of every module of timm by its number of parameters; ``test_every_module_of_timm_is_tried``
# notices modules that a new version adds. Options make large ones shallow.
TIMM: dict[str, tuple[str, dict[str, Any]]] = {
    "beit": ("beit_base_patch16_224", {"depth": 2, "embed_dim": 48, "num_heads": 2}),
    "byoanet": ("lambda_resnet26t", {}),
    "byobnet": ("mobileone_s1", {}),
    "cait": ("cait_xxs24_224", {"depth": 3}),
    "coat": ("coat_tiny", {}),
    "convit": ("convit_tiny", {}),
    "convmixer": ("convmixer_768_32", {}),
    "convnext": ("convnext_zepto_rms", {}),
    "cpubone": ("cpubone_nano", {}),
    "crossvit": ("crossvit_tiny_240", {"depth": ((1, 1, 0),) * 3}),
    "csatv2": ("csatv2", {}),
    "cspnet": ("cs3darknet_focus_s", {}),
    "cspnext": ("cspnext_tiny", {}),
    "davit": ("davit_tiny", {}),
    "deepseek_vit": ("deepseek_vit_412m", {"depth": 2}),
    "deit": ("deit_tiny_patch16_224", {"depth": 3}),
    "densenet": ("densenet121", {"block_config": (2, 2, 2, 2)}),
    "dla": ("dla46x_c", {}),
    "dpn": ("dpn48b", {}),
    "edgenext": ("edgenext_xx_small", {}),
    "efficientformer": ("efficientformer_l1", {}),
    "efficientformer_v2": ("efficientformerv2_s0", {}),
    "efficientnet": ("mobilenetv2_035", {}),
    "efficientvim": ("efficientvim_m1", {}),
    "efficientvit_mit": ("efficientvit_b0", {}),
    "efficientvit_msra": ("efficientvit_m0", {}),
    "eva": ("vit_tiny_patch16_dinov3_qkvb", {"depth": 3}),
    "fasternet": ("fasternet_t0", {}),
    "fastvit": ("fastvit_t8", {}),
    "focalnet": ("focalnet_tiny_srf", {}),
    "gcvit": ("gcvit_xxtiny", {}),
    "gemma4_vit": ("gemma4_vit_167m", {"depth": 2}),
    "ghostnet": ("ghostnet_050", {}),
    "hardcorenas": ("hardcorenas_b", {}),
    "hgnet": ("hgnetv2_b0", {}),
    "hiera": ("hiera_tiny_224", {}),
    "hieradet_sam2": ("sam2_hiera_tiny", {}),
    "hrnet": ("hrnet_w18_small", {}),
    "iformer": ("iformer_t", {}),
    "inception_next": ("inception_next_atto", {}),
    "inception_resnet_v2": ("inception_resnet_v2", {}),
    "inception_v3": ("inception_v3", {}),
    "inception_v4": ("inception_v4", {}),
    "lcnetv2": ("lcnetv2_small", {}),
    "levit": ("levit_128s", {}),
    "lowformer": ("lowformer_b0", {}),
    "mambaout": ("mambaout_femto", {}),
    "maxxvit": ("maxvit_pico_rw_256", {}),
    "metaformer": ("poolformerv2_s12", {}),
    "mlp_mixer": ("gmlp_ti16_224", {}),
    "mobilenetv3": ("lcnet_035", {}),
    "mobilenetv5": ("mobilenetv5_base", {}),
    "mobilevit": ("mobilevit_xxs", {}),
    "mvitv2": ("mvitv2_tiny", {}),
    "naflexvit": ("naflexvit_base_patch16_gap", {"depth": 2}),
    "nasnet": ("nasnetalarge", {"stem_size": 12, "num_features": 480}),
    "nest": ("nest_tiny", {}),
    "nextvit": ("nextvit_small", {}),
    "nfnet": ("nf_regnet_b0", {}),
    "pit": ("pit_ti_224", {}),
    "pnasnet": ("pnasnet5large", {}),
    "pvt_v2": ("pvt_v2_b0", {}),
    "qwen3_vit": ("qwen3_vit_88m", {"depth": 2}),
    "rdnet": ("rdnet_tiny", {}),
    "regnet": ("regnetx_002", {}),
    "repghost": ("repghostnet_050", {}),
    "repvit": ("repvit_m1", {}),
    "res2net": ("res2next50", {}),
    "resnest": ("resnest14d", {}),
    "resnet": ("resnet10t", {}),
    "resnetv2": ("resnetv2_18", {}),
    "rexnet": ("rexnet_100", {}),
    "selecsls": ("selecsls42", {}),
    "senet": ("legacy_seresnet18", {}),
    "sequencer": ("sequencer2d_s", {}),
    "shvit": ("shvit_s1", {}),
    "sknet": ("skresnet18", {}),
    "starnet": ("starnet_s050", {}),
    "swiftformer": ("swiftformer_xs", {}),
    "swin_transformer": (
        "swin_tiny_patch4_window7_224",
        {"depths": (1, 1, 1, 1), "embed_dim": 24, "num_heads": (1, 2, 4, 8)},
    ),
    "swin_transformer_v2": (
        "swinv2_tiny_window8_256",
        {"depths": (1, 1, 1, 1), "embed_dim": 24, "num_heads": (1, 2, 4, 8)},
    ),
    "swin_transformer_v2_cr": (
        "swinv2_cr_tiny_224",
        {"depths": (1, 1, 1, 1), "embed_dim": 24, "num_heads": (1, 2, 4, 8)},
    ),
    "tiny_vit": ("tiny_vit_5m_224", {}),
    "tnt": ("tnt_s_legacy_patch16_224", {"depth": 2}),
    "tresnet": ("tresnet_m", {}),
    "twins": ("twins_svt_small", {}),
    "vgg": ("vgg11", {"mlp_ratio": 0.02}),
    "visformer": ("visformer_tiny", {}),
    "vision_transformer": ("vit_tiny_patch16_224", {"depth": 3}),
    "vision_transformer_hybrid": ("vit_tiny_r_s16_p8_224", {"depth": 3}),
    "vision_transformer_relpos": ("vit_srelpos_small_patch16_224", {"depth": 3}),
    "vision_transformer_sam": ("samvit_base_patch16_224", {"depth": 2, "embed_dim": 96, "num_heads": 2}),
    "vitamin": ("vitamin_small_224", {}),
    "volo": ("volo_d1_224", {}),
    "vovnet": ("ese_vovnet19b_slim_dw", {}),
    "xception": ("legacy_xception", {}),
    "xception_aligned": ("xception41p", {}),
    "xcit": ("xcit_nano_12_p16_224", {"depth": 3}),
}
# Families that take no images of 64 x 96 pixels, or read them as a grid of a cell, and what they take.
SQUARES: tuple[Size, ...] = ((64, 64), (96, 96))
OWN_SIZES: dict[str, tuple[Size, ...]] = {
    "timm byoanet": ((64, 96), (96, 96)),
    "timm convit": SQUARES,
    "timm crossvit": ((240, 240),),
    "timm csatv2": ((128, 192), (192, 192)),
    "timm deepseek_vit": ((56, 84), (84, 84)),
    "timm efficientformer": ((224, 224),),
    "timm efficientvit_msra": ((128, 192), (64, 96)),
    "timm inception_resnet_v2": ((96, 128), (128, 128)),
    "timm inception_v3": ((96, 128), (128, 128)),
    "timm inception_v4": ((96, 128), (128, 128)),
    "timm levit": ((128, 192), (32, 32)),
    "timm mvitv2": SQUARES,
    "timm nasnet": ((96, 128), (96, 96)),
    "timm nest": ((128, 128),),
    "timm nextvit": ((128, 192), (96, 96)),
    "timm pnasnet": ((96, 128), (64, 96)),
    "timm rexnet": ((128, 192), (96, 96)),
    "timm selecsls": ((128, 192), (64, 96)),
    "timm shvit": ((128, 192), (64, 64)),
    "timm vgg": ((64, 96), (224, 224)),
    "timm volo": ((64, 96), (64, 64)),
    "torchvision alexnet": ((128, 192), (192, 192)),
    "torchvision inception": ((96, 128), (128, 128)),
    "torchvision maxvit": ((64, 64), (128, 128)),
    "torchvision vision_transformer": SQUARES,
}
UNSIZED = {"crossvit", "efficientformer"}
TORCHVISION: dict[str, tuple[str, dict[str, Any]]] = {
    "alexnet": ("alexnet", {}),
    "convnext": ("convnext_tiny", {}),
    "densenet": ("densenet121", {}),
    "efficientnet": ("efficientnet_b0", {}),
    "efficientnet_v2": ("efficientnet_v2_s", {}),
    "googlenet": ("googlenet", {"init_weights": False, "aux_logits": False}),
    "inception": ("inception_v3", {"init_weights": False, "aux_logits": False}),
    "maxvit": (
        "MaxVit",
        {
            "stem_channels": 8,
            "partition_size": 2,
            "block_channels": [8, 16, 24, 32],
            "block_layers": [1, 1, 1, 1],
            "head_dim": 4,
            "stochastic_depth_prob": 0.0,
        },
    ),
    "mnasnet": ("mnasnet0_5", {}),
    "mobilenetv2": ("mobilenet_v2", {}),
    "mobilenetv3": ("mobilenet_v3_small", {}),
    "regnet": ("regnet_y_400mf", {}),
    "resnet": ("resnet18", {}),
    "resnext": ("resnext50_32x4d", {}),
    "shufflenetv2": ("shufflenet_v2_x0_5", {}),
    "squeezenet": ("squeezenet1_1", {}),
    "swin": ("swin_t", {}),
    "swin_v2": ("swin_v2_t", {}),
    "vgg": ("vgg11", {}),
    "vision_transformer": ("vit_b_16", {}),
    "wide_resnet": ("wide_resnet50_2", {}),
}


def of_timm(family: str, name: str, options: dict[str, Any]) -> Case:
    sized = bool(timm.get_pretrained_cfg(name).fixed_input_size) and family not in UNSIZED

    def make(size: Size) -> nn.Module:
        extent = {"img_size": size} if sized else {}
        return timm.create_model(name, num_classes=A, **extent, **options)

    return Case(family, "timm", name, make, OWN_SIZES.get(f"timm {family}", ((64, 96), (96, 96))))


def of_torchvision(family: str, name: str, options: dict[str, Any]) -> Case:
    def make(size: Size) -> nn.Module:
        extent = {"vision_transformer": {"image_size": size[0]}, "maxvit": {"input_size": size}}.get(family, {})
        return getattr(torchvision.models, name)(num_classes=A, **extent, **options)

    return Case(family, "torchvision", name, make, OWN_SIZES.get(f"torchvision {family}", ((64, 96), (96, 96))))


CASES: tuple[Case, ...] = (
    *(of_timm(family, name, options) for family, (name, options) in TIMM.items()),
    *(of_torchvision(family, name, options) for family, (name, options) in TORCHVISION.items()),
)
