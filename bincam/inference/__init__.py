"""Inference: model → logits over many views of an image, and methods at test time. Nothing is written.

Public names are loaded on first use, so ``import bincam.inference`` costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.inference.prediction import Predictions as Predictions
    from bincam.inference.prediction import predict as predict
    from bincam.inference.prediction import predict_blank as predict_blank
    from bincam.inference.tta.adaptation import Adapted as Adapted
    from bincam.inference.tta.adaptation import memo as memo
    from bincam.inference.tta.adaptation import zoom_memo as zoom_memo
    from bincam.inference.tta.augmix import augmix_views as augmix_views
    from bincam.inference.tta.averaging import Averaged as Averaged
    from bincam.inference.tta.averaging import choose_views as choose_views
    from bincam.inference.tta.averaging import mean_probability as mean_probability
    from bincam.inference.tta.batch_norm import blended as blended
    from bincam.inference.tta.entropy import marginal_entropies as marginal_entropies
    from bincam.inference.tta.mirror import predict_mirrored as predict_mirrored
    from bincam.inference.tta.random_crops import random_crops as random_crops
    from bincam.inference.zoom.batches import ViewBatch as ViewBatch
    from bincam.inference.zoom.batches import view_batches as view_batches
    from bincam.inference.zoom.geometry import Places as Places
    from bincam.inference.zoom.geometry import places_of as places_of
    from bincam.inference.zoom.plan import Plan as Plan
    from bincam.inference.zoom.plan import View as View
    from bincam.inference.zoom.plan import view_plan as view_plan
    from bincam.inference.zoom.render import face_square as face_square
    from bincam.inference.zoom.render import render as render
    from bincam.inference.zoom.selection import centred_first as centred_first
    from bincam.inference.zoom.selection import chosen_plan as chosen_plan

_MODULES = {
    "prediction": ("Predictions", "predict", "predict_blank"),
    "tta.adaptation": ("Adapted", "memo", "zoom_memo"),
    "tta.augmix": ("augmix_views",),
    "tta.averaging": ("Averaged", "choose_views", "mean_probability"),
    "tta.batch_norm": ("blended",),
    "tta.entropy": ("marginal_entropies",),
    "tta.mirror": ("predict_mirrored",),
    "tta.random_crops": ("random_crops",),
    "zoom.batches": ("ViewBatch", "view_batches"),
    "zoom.geometry": ("Places", "places_of"),
    "zoom.plan": ("Plan", "View", "view_plan"),
    "zoom.render": ("face_square", "render"),
    "zoom.selection": ("centred_first", "chosen_plan"),
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
