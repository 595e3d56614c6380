"""Backbones of ``models.build`` with mean pooling: every module of timm, and variants whose features differ."""

from __future__ import annotations

import os
from typing import Any

from torch import nn

from bincam import models
from bincam.cam import Explainer
from bincam.errors import BincamError
from tests.sweep import table
from tests.sweep.families import OWN_SIZES, TIMM
from tests.sweep.outcome import (
    DRAWS,
    GLOBAL,
    A,
    Outcome,
    Size,
    cheap_initialisation,
    identity_gap,
    noise,
    places_found,
    randomised,
    settle,
)

# Variants whose features have other axes, prefix tokens or branches than the smallest of their module.
VARIANTS: dict[str, dict[str, Any]] = {
    "beitv2_base_patch16_224": {"depth": 2, "embed_dim": 48, "num_heads": 2},
    "caformer_s18": {},
    "coat_lite_tiny": {},
    "coatnet_pico_rw_224": {},
    "convnext_atto": {},
    "convnextv2_atto": {},
    "crossvit_9_dagger_240": {},
    "deit_tiny_distilled_patch16_224": {"depth": 3},
    "eca_botnext26ts_256": {},
    "efficientvim_m1_dist": {},
    "eva02_tiny_patch14_224": {"depth": 3},
    "fastvit_s12": {},
    "gmixer_12_224": {},
    "hieradet_small": {"stages": (1, 1, 1, 1), "global_att_blocks": ()},
    "hgnet_tiny": {},
    "lamhalobotnet50ts_256": {},
    "levit_conv_128s": {},
    "maxvit_rmlp_pico_rw_256": {},
    "mobilenetv3_small_050": {},
    "mobilevitv2_050": {},
    "mvitv2_small_cls": {},
    "naflexvit_base_patch16_par_gap": {"depth": 2},
    "nest_tiny_jx": {},
    "pit_ti_distilled_224": {},
    "poolformer_s12": {},
    "regnety_002": {},
    "repvgg_a0": {},
    "resmlp_12_224": {},
    "mixer_s32_224": {},
    "tnt_s_patch16_224": {"depth": 2},
    "twins_pcpvt_small": {"depths": (1, 1, 1, 1)},
    "vgg11_bn": {"mlp_ratio": 0.02},
    "vit_relpos_small_patch16_rpn_224": {"depth": 3},
    "vit_small_patch16_dinov3": {"depth": 3},
    "xception71": {},
}
LARGER: dict[str, Size] = {
    "convit_tiny": (64, 64),
    "crossvit_9_dagger_240": (240, 240),
    "eca_botnext26ts_256": (256, 256),
    "eva02_tiny_patch14_224": (56, 84),
    "lamhalobotnet50ts_256": (256, 256),
    "mvitv2_small_cls": (64, 64),
    "nest_tiny_jx": (128, 128),
    "levit_conv_128s": (128, 192),
    "efficientvim_m1_dist": (128, 192),
    "efficientvim_m1": (128, 192),
}


def builds(*, everything: bool = False) -> list[tuple[str, dict[str, Any], Size]]:
    """Backbone, options and size of the builds to test.

    A module whose own head pools the mean of the same features is tested already by its own model, at the same size and
    by the same checks; its build is tested too where ``BINCAM_SWEEP`` is ``all``.
    """
    everything = everything or os.environ.get("BINCAM_SWEEP") == "all"
    outcomes = {} if everything else table.read()
    pooled = {key.rpartition(" ")[0] for key, outcome in outcomes.items() if _pools_the_mean(outcome)}
    smallest = [
        (name, options, _size(name, family))
        for family, (name, options) in TIMM.items()
        if f"timm {family}" not in pooled
    ]
    return [*smallest, *((name, options, _size(name, "")) for name, options in VARIANTS.items())]


def _pools_the_mean(outcome: Outcome) -> bool:
    return outcome.pooling == "mean" and outcome.result in ("exact", "conditional")


def _size(name: str, family: str) -> Size:
    return LARGER.get(name) or OWN_SIZES.get(f"timm {family}", ((64, 96),))[0]


def built(name: str, options: dict[str, Any], size: Size) -> Outcome:
    """Build a classifier with mean pooling, explain it, and check its claims."""
    try:
        with cheap_initialisation():
            model = models.build(name, [str(column) for column in range(A)], input_size=size, **options)
    except BincamError as error:
        return Outcome("refused", reason=str(error))
    layout = model.network._features.layout
    # The cells of a plain (B, C, h, w) tensor have no other order than the image's; its places need no proof.
    measurable = name not in GLOBAL and (layout is None or layout.order != "NCHW" or layout.cells is not None)
    outcome = Outcome("refused")
    for seed in range(DRAWS):
        outcome = _explained(randomised(model, seed), size, measurable=measurable)
        if not outcome.faults:
            break
    return outcome


def _explained(model: nn.Module, size: Size, *, measurable: bool) -> Outcome:
    settle(model, noise(8, size))
    explainer = Explainer(model, method="cam")
    try:
        explanation = explainer(noise(2, size), "positive")
    except BincamError as error:
        return Outcome("refused", reason=str(error))
    height, width = explanation.maps.shape[-2:]
    faults = []
    gap = identity_gap(explainer, noise(2, size), constant=True)
    if not gap <= 1e-3:
        faults.append(f"an identity gap of {gap:.1e}")
    if height * width > 1 and measurable:
        places = places_found(lambda batch: explainer(batch, "positive").maps, size, (height, width))
        if places < 0.75:
            faults.append(f"places are found in {places:.2f} of the pairs")
    return Outcome(explanation.kind, "mean", (height, width), explanation.layer, explanation.reason, tuple(faults))
