"""An exponential moving average of the weights (Polyak and Juditsky 1992; decay with warm-up)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bincam.models import AttributeClassifier


class Average:
    """Follows a model's parameters and buffers: a' = d a + (1 - d) w, with d = min(decay, 1 - t^(-2/3)) at step t.

    While few steps are taken d is small, so that the first random weights are soon forgotten. timm's ``ModelEmaV3``
    does the work; ``t`` counts from 0 and the first two steps copy the weights.
    """

    def __init__(self, model: AttributeClassifier, decay: float) -> None:
        from timm.utils.model_ema import ModelEmaV3

        self._ema: Any = ModelEmaV3(model, decay=decay, use_warmup=True)

    @property
    def model(self) -> AttributeClassifier:
        """The averaged model, in evaluation mode."""
        model: AttributeClassifier = self._ema.module
        return model

    def follow(self, model: AttributeClassifier, step: int) -> None:
        """After optimiser step ``step``, counted from 0 over the whole run."""
        self._ema.update(model, step=step)

    def load(self, state: dict[str, Tensor]) -> None:
        """Put back what ``model.network.state_dict()`` gave."""
        self.model.network.load_state_dict(state)
