"""The setup of a run: its splits, class counts, loss, order of rows, initial model and identity."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.data import AttributeTable
from bincam.data.dataset import FaceDataset
from bincam.errors import BincamWarning, InputError
from bincam.models import AttributeClassifier
from bincam.models.tracing.memory_order import plain_image, takes_channels_last
from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.config import TrainConfig
from bincam.train.configuration.sections import OF_SETS
from bincam.train.losses.base import AttributeLoss
from bincam.train.losses.joint import JointLoss
from bincam.train.run_loss import has_set_head, loss_name, make_run_loss, score_shift, set_loss_of
from bincam.train.runs.checkpoint import Identity
from bincam.train.runs.initial_model import card_shift, initial_model, updated_card, weights_digest
from bincam.train.runs.splits import Splits
from bincam.train.steps.batches import Order, make_order
from bincam.train.steps.resampling import make_shares, questions, weights_classes


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
    loss: AttributeLoss | JointLoss
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
    loss = make_run_loss(config, train)
    _require_metrics(config, loss)
    _warn(config, loss, world)
    model = initial_model(config, train, counts.pairs(), set_head=has_set_head(config, train))
    identity = Identity(config, train.names, splits.digest, weights_digest(model))
    fit = FaceDataset(train, size=model.card.input_size, fit=config.data.fit).fit
    if fit == "face":
        _require_landmarks(splits, config.data.source)
    model.card = updated_card(
        model,
        loss=loss_name(config, train),
        one_of=train.one_of,
        score_shift=score_shift(loss, train, _shares(config, train)),
        head=loss.head,
        logit_shift=card_shift(loss, config.resampling, train),
        fit=fit,
    )
    return Setup(splits, counts, loss, make_order(train, config), model, identity)


def in_memory_order(config: TrainConfig, model: AttributeClassifier) -> TrainConfig:
    """Return a configuration with images in plain order, if the model does not take them in channels-last order."""
    image = plain_image(model, len(model.card.mean), model.card.input_size)
    if not config.channels_last or takes_channels_last(model, image):
        return config
    return config.model_copy(update={"channels_last": False})


def _shares(config: TrainConfig, train: AttributeTable) -> NDArray[np.float64] | None:
    if config.resampling.name == "none":
        return None
    return make_shares(questions(train), config.resampling.name, **config.resampling.options)


def _require_metrics(config: TrainConfig, loss: AttributeLoss | JointLoss) -> None:
    """Refuse to select epochs by a metric that sets do not have, where there are only sets."""
    if not isinstance(loss, JointLoss) or loss.attributes is not None:
        return
    metrics = {"best": config.best, "schedule.metric": config.schedule.metric}
    if config.early_stopping is not None:
        metrics["early_stopping.metric"] = config.early_stopping.metric
    for key, metric in metrics.items():
        if metric not in OF_SETS:
            raise InputError(
                f"{key}: {metric!r} is not defined for sets of outputs; expected one of {', '.join(OF_SETS)}"
            )


def _require_landmarks(splits: Splits, source: str) -> None:
    """Refuse images that cannot be cropped to the face, before the first step and not at the first such image.

    Raises:
        InputError: Some images of a split lack landmarks.
    """
    for name in ("train", "validation", "test"):
        table: AttributeTable | None = getattr(splits, name)
        if table is not None and (lacking := table.without_landmarks()):
            raise InputError(
                f"{source}: split {name!r}: {lacking:,} of {len(table):,} images lack landmarks (all five points are "
                "needed), so they have no face crop; leave these images out, or set data.fit to crop or stretch"
            )


def _warn(config: TrainConfig, loss: AttributeLoss | JointLoss, world: int) -> None:
    if not loss.separable and world * config.accumulate > 1:
        of_sets = isinstance(loss, JointLoss) and not all(loss.of_set(name).separable for name in loss.names)
        name = set_loss_of(config).name if of_sets else config.loss.name
        warnings.warn(
            f"loss {name} compares the entries of a batch, and each of {world} processes x {config.accumulate} parts "
            "compares only its own: the result depends on how batches are divided",
            BincamWarning,
            stacklevel=6,
        )
    if config.resampling.name == "none":
        return
    joint = loss if isinstance(loss, JointLoss) else None
    of_attributes = loss.attributes if isinstance(loss, JointLoss) else loss
    if of_attributes is not None and weights_classes(of_attributes):
        warnings.warn(
            f"loss {config.loss.name} weights the classes of an attribute, and resampling {config.resampling.name} "
            "changes how often each is drawn: the two effects add up; resample with bce, or weight without resampling",
            BincamWarning,
            stacklevel=6,
        )
    if joint is not None and not all(joint.of_set(name).treats_equally for name in joint.names):
        warnings.warn(
            f"loss {set_loss_of(config).name} weights the outputs of a set, and resampling {config.resampling.name} "
            "changes how often each is drawn: the two effects add up; resample with set_loss: cross_entropy, or weight "
            "without resampling",
            BincamWarning,
            stacklevel=6,
        )
