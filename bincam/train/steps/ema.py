"""An exponential moving average of the weights (Polyak and Juditsky 1992; decay with warm-up)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bincam.models import AttributeClassifier


class Average:
    """A moving average of parameters and buffers: a' = d a + (1 - d) w, with d = min(decay, 1 - t^(-2/3)) at step t.

    d is small in the first steps, so the initial random weights are soon forgotten. Implemented by timm's
    ``ModelEmaV3``; t counts from 0, and the first two steps copy the weights.

    Example:
        >>> from bincam.models import build
        >>> model = build("resnet10t", ("Bald",))
        >>> average = Average(model, decay=0.99)
        >>> for step in range(4):  # instead of training
        ...     _ = model.network.head.bias.data.fill_(step)
        ...     average.update(model, step)
        >>> average.model.network.head.bias.data
        tensor([2.2886])
    """

    def __init__(self, model: AttributeClassifier, decay: float) -> None:
        from timm.utils.model_ema import ModelEmaV3

        self._ema: Any = ModelEmaV3(model, decay=decay, use_warmup=True)

    @property
    def model(self) -> AttributeClassifier:
        """The averaged model, in evaluation mode."""
        model: AttributeClassifier = self._ema.module
        return model

    def update(self, model: AttributeClassifier, step: int) -> None:
        """Update the average after optimiser step ``step``, counted from 0 over the whole run."""
        self._ema.update(model, step=step)

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore the average from ``model.network.state_dict()``."""
        self.model.network.load_state_dict(state)
