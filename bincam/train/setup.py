"""The setup of a run: its splits, class counts, loss, order of rows, initial model and identity."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from bincam.data.dataset import FaceDataset
from bincam.errors import BincamWarning
from bincam.models import AttributeClassifier
from bincam.models.memory_order import plain_image, takes_channels_last
from bincam.stats.class_counts import ClassCounts
from bincam.train.batches import Order, make_order
from bincam.train.checkpoint import Identity
from bincam.train.config import TrainConfig
from bincam.train.initial_model import card_shift, initial_model, updated_card, weights_digest
from bincam.train.losses.base import AttributeLoss
from bincam.train.losses.registry import make_loss
from bincam.train.resampling import weights_classes
from bincam.train.splits import Splits


@dataclass(frozen=True, eq=False)
class Setup:
    """Everything that follows from a configuration and its data before the first step.

    Attributes:
        splits: Of the data set.
        counts: Of the training split.
        loss: Of the run.
        order: Epoch to its rows.
        model: With its initial weights; its card states loss, head, shift and fit.
        identity: Of the run; a state must match it to be resumed.
    """

    splits: Splits
    counts: ClassCounts
    loss: AttributeLoss
    order: Order
    model: AttributeClassifier
    identity: Identity


def make_setup(config: TrainConfig, splits: Splits, *, world: int) -> Setup:
    """Prepare a run; warn where its loss does not suit its batches or its resampling.

    Args:
        config: Of the run.
        splits: Its data.
        world: Number of processes.

    Raises:
        InputError: The loss, the resampling, the model or one of their options is unknown or does not fit the data.
    """
    train = splits.train
    counts = ClassCounts.from_table(train)
    loss = make_loss(config.loss.name, counts, **config.loss.options)
    _warn(config, loss, world)
    model = initial_model(config, train, counts.pairs())
    identity = Identity(config, train.names, splits.digest, weights_digest(model))
    model.card = updated_card(
        model,
        loss=config.loss.name,
        head=loss.head,
        logit_shift=card_shift(loss, config.resampling, train),
        fit=FaceDataset(train, size=model.card.input_size, fit=config.data.fit).fit,
    )
    return Setup(splits, counts, loss, make_order(train, config), model, identity)


def in_memory_order(config: TrainConfig, model: AttributeClassifier) -> TrainConfig:
    """Return a configuration with images in plain order, if the model does not take them in channels-last order."""
    image = plain_image(model, len(model.card.mean), model.card.input_size)
    if not config.channels_last or takes_channels_last(model, image):
        return config
    return config.model_copy(update={"channels_last": False})


def _warn(config: TrainConfig, loss: AttributeLoss, world: int) -> None:
    if not loss.separable and world * config.accumulate > 1:
        warnings.warn(
            f"loss {config.loss.name} compares the entries of a batch, and each of {world} processes x "
            f"{config.accumulate} parts compares only its own: the result depends on how batches are divided",
            BincamWarning,
            stacklevel=6,
        )
    if config.resampling.name != "none" and weights_classes(loss):
        warnings.warn(
            f"loss {config.loss.name} weights the classes of an attribute, and resampling {config.resampling.name} "
            "changes how often each is drawn: the two effects add up; resample with bce, or weight without resampling",
            BincamWarning,
            stacklevel=6,
        )
