"""The loss that a configuration states for a table: of its attributes, and of its sets of outputs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bincam.errors import InputError, nearest
from bincam.one_of import set_columns, yes_or_no
from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.config import TrainConfig
from bincam.train.configuration.options import parameters
from bincam.train.configuration.sections import SetLossConfig
from bincam.train.labelled_sets import LabelledSets
from bincam.train.losses.base import AttributeLoss
from bincam.train.losses.joint import JointLoss
from bincam.train.losses.registry import make_loss
from bincam.train.losses.set_registry import OF_ATTRIBUTE_LOSS, OF_SETS_ALONE, SET_LOSSES, make_set_loss
from bincam.train.steps.resampling import rates


def set_loss_of(config: TrainConfig) -> SetLossConfig:
    """Return the loss of sets that a configuration states, or the one that belongs to its loss of attributes.

    ``bce`` implies ``cross_entropy``, ``weighted_bce`` and ``moon_bce`` imply ``inverse_frequency``, ``class_balanced``
    and ``logit_adjusted`` those of the same names; options that both have are taken over. ``two_head``, which
    attributes do not have, is itself.

    Raises:
        InputError: No loss of sets belongs to the loss of attributes, or to one of its options.

    >>> from bincam.train import TrainConfig
    >>> set_loss_of(TrainConfig(data={"source": "orl"}, out="x", loss="moon_bce")).name
    'inverse_frequency'
    """
    if config.set_loss is not None:
        return config.set_loss
    name = OF_ATTRIBUTE_LOSS.get(config.loss.name)
    if name is None:
        raise InputError(
            f"loss {config.loss.name!r} has no counterpart for sets of outputs; state set_loss: "
            f"{', '.join(SET_LOSSES)}{nearest(config.loss.name, OF_ATTRIBUTE_LOSS)}"
        )
    if name in OF_SETS_ALONE:
        return SetLossConfig(name=name, options=config.loss.options)
    foreign = sorted(config.loss.options.keys() - set(parameters(SET_LOSSES[name])))
    if foreign:
        raise InputError(
            f"option {foreign[0]!r} of loss {config.loss.name!r} has no meaning for sets of outputs; state "
            f"set_loss: {name}"
        )
    return SetLossConfig(name=name, options=config.loss.options)


def make_run_loss(config: TrainConfig, table: LabelledSets) -> AttributeLoss | JointLoss:
    """Create the loss of a run.

    Args:
        config: Of the run.
        table: The training split.

    Returns:
        The loss of the attributes; where the table has sets, joined with one loss for each.

    Raises:
        InputError: A loss or an option is unknown or does not fit the data, or sets are configured and there are none.
    """
    counts = ClassCounts.from_table(table)
    if not table.one_of:
        if config.loss.name in OF_SETS_ALONE:
            raise InputError(
                f"loss {config.loss.name!r} is of sets of outputs, but the data state none; state them in "
                "data.options: one_of or one_of_columns"
            )
        for key in ("set_loss", "set_weights"):
            if getattr(config, key):
                raise InputError(
                    f"{key} is configured, but the data state no sets of outputs; state them in data.options: "
                    "one_of or one_of_columns"
                )
        return make_loss(config.loss.name, counts, **config.loss.options)
    columns = yes_or_no(table.names, table.one_of)
    at = set_columns(table.one_of, table.names)
    stated = set_loss_of(config)
    if columns and config.loss.name in OF_SETS_ALONE:
        raise InputError(
            f"loss {config.loss.name!r} is of sets of outputs, and {', '.join(table.names[c] for c in columns[:3])} "
            f"{'is an attribute' if len(columns) == 1 else 'are attributes'} in none; state set_loss: "
            f"{config.loss.name}, and a loss of attributes such as loss: bce"
        )
    joint = JointLoss(
        make_loss(config.loss.name, counts.select(columns), **config.loss.options) if columns else None,
        columns,
        {name: make_set_loss(stated.name, counts.positives[list(own)], **stated.options) for name, own in at.items()},
        {name: list(own) for name, own in at.items()},
        config.set_weights,
    )
    joint.set_epoch(0, config.epochs)  # refuses a warm-up as long as the run, before anything is trained
    return joint


def has_set_head(config: TrainConfig, table: LabelledSets) -> bool:
    """Return True if the loss of sets trains a second head."""
    return bool(table.one_of) and SET_LOSSES[set_loss_of(config).name].heads > 1


def loss_name(config: TrainConfig, table: LabelledSets) -> str:
    """Name the loss of a run for its card: that of the attributes, that of the sets, or both."""
    names = [config.loss.name] if yes_or_no(table.names, table.one_of) else []
    return ", ".join([*names, *([set_loss_of(config).name] if table.one_of else [])])


def score_shift(
    loss: AttributeLoss | JointLoss, table: LabelledSets, shares: NDArray[np.float64] | None
) -> dict[str, float]:
    """Compute the card's ``score_shift``, by output of a set: of the losses, and of resampling where it is a constant.

    Args:
        loss: Of the run.
        table: The training split.
        shares: Of the draws, ``(N,)``; None without resampling.

    Returns:
        Entries of the sets whose shift is a constant. Resampling shifts the scores of a set by log(rate drawn) -
        log(rate in the data) if the images' shares depend on nothing else: one set, and no attribute.
    """
    if not isinstance(loss, JointLoss) or (shares is not None and len(loss.parts) > 1):
        return {}
    result: dict[str, float] = {}
    for name, columns in set_columns(table.one_of, table.names).items():
        shift = loss.of_set(name).score_shift
        if shift is None:
            continue
        if shares is not None:
            labels = table.labels[:, list(columns)]
            uniform = np.full(len(labels), 1 / len(labels))
            drawn = torch.from_numpy(np.log(rates(labels, shares) / rates(labels, uniform)))
            shift = shift + drawn - drawn.mean()
        result |= dict(zip(table.one_of[name], shift.tolist(), strict=True))
    return result
