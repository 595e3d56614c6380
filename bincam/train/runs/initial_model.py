"""The initial model of a run, with random or pretrained weights, and its card."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bincam.data import AttributeTable
from bincam.data.matching import same_sets
from bincam.errors import InputError
from bincam.models import AttributeClassifier, Card, build, load, make_card
from bincam.models.checkpoint import fill
from bincam.one_of import Sets
from bincam.train.configuration.config import TrainConfig
from bincam.train.configuration.sections import ResamplingConfig
from bincam.train.losses.base import AttributeLoss
from bincam.train.losses.joint import JointLoss
from bincam.train.steps.resampling import make_shares, questions, shift


def initial_model(
    config: TrainConfig, table: AttributeTable, counts: dict[str, tuple[int, int]], *, set_head: bool = False
) -> AttributeClassifier:
    """Create a classifier with its initial weights, from the seed and, if configured, from pretrained weights.

    The caller's random state is unchanged.

    Args:
        config: Of the run.
        table: The training split.
        counts: ``(negatives, positives)`` of each attribute.
        set_head: With a second head for label sets.

    Raises:
        InputError: The backbone or an option is unknown, or the pretrained weights do not fit.
    """
    network, data = config.model, config.data
    pretrained = network.pretrained
    if pretrained == "lite0" and network.name != "tf_efficientnet_lite0":
        raise InputError(
            f"model.pretrained: lite0 are the weights of 'tf_efficientnet_lite0', but model.name is {network.name!r}"
        )
    reserved = sorted(network.options.keys() & inspect.signature(build).parameters.keys())
    if reserved:
        raise InputError(
            f"model.options: {reserved[0]!r} cannot be passed to timm.create_model; it is set by the data and the "
            "other keys under data and model"
        )
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(config.seed)
        model = build(
            network.name,
            table.names,
            pooling=network.pooling,
            pooling_options=network.pooling_options,
            pretrained=pretrained == "timm",
            input_size=data.size,
            mean=data.mean,
            std=data.std,
            train_counts=counts,
            one_of=table.one_of if set_head else None,
            set_head=set_head,
            **network.options,
        )
    if pretrained == "lite0":
        from bincam.train.runs.lite0 import load_lite0

        load_lite0(model.network.backbone)  # type: ignore[arg-type]  # build made it
    elif pretrained not in {"none", "timm"}:
        copy_weights(model, Path(pretrained), backbone_only=network.pretrained_part == "backbone", one_of=table.one_of)
    return model


def copy_weights(model: AttributeClassifier, folder: Path, *, backbone_only: bool, one_of: Sets | None = None) -> None:
    """Copy the weights of a model folder into a new model of the same architecture.

    Args:
        model: The new model.
        folder: Of the stored model.
        backbone_only: Leave the head as it is.
        one_of: The sets of outputs that the new model will have.

    Raises:
        InputError: The architectures differ or, unless only the backbone is copied, the attributes or their sets.
    """
    stored, one_of = load(folder), one_of or {}
    for field in ("architecture", "name"):
        expected, got = getattr(model.card, field), getattr(stored.card, field)
        if expected != got:
            raise InputError(f"model.pretrained: {folder} has {field} {got!r}, expected {expected!r}")
    if not backbone_only and not same_sets(stored.card.one_of, one_of):
        raise InputError(
            f"model.pretrained: {folder} has the sets of outputs {_described(stored.card.one_of)}, expected "
            f"{_described(one_of)}; model.pretrained_part: backbone copies the backbone only"
        )
    if not backbone_only and stored.card.attributes != model.card.attributes:
        raise InputError(
            f"model.pretrained: {folder} has the attributes {_abbreviate(stored.card.attributes)}, expected "
            f"{_abbreviate(model.card.attributes)}; model.pretrained_part: backbone copies the backbone only"
        )
    if not backbone_only and stored.card.set_output != model.card.set_output:
        has = "a" if stored.card.set_output is not None else "no"
        raise InputError(
            f"model.pretrained: {folder} has {has} second head for label sets, unlike the model to be trained "
            "(set_loss: two_head has one); model.pretrained_part: backbone copies the backbone only"
        )
    target: Any = model.network
    source: Any = stored.network
    if backbone_only:
        target, source = target.backbone, source.backbone
    fill(target, source.state_dict(), source=f"model.pretrained: {folder}")


def updated_card(model: AttributeClassifier, **fields: Any) -> Card:
    """Return the model's card with some fields replaced, validated as a whole."""
    return make_card(**{**model.card.model_dump(), **fields})


def card_shift(
    loss: AttributeLoss | JointLoss, resampling: ResamplingConfig, table: AttributeTable
) -> dict[str, float]:
    """Compute the card's ``logit_shift``: the sum of the loss's and the resampling's; empty if not a constant.

    The outputs of sets have none; see ``bincam.train.run_loss.score_shift``.

    Args:
        loss: Of the run.
        resampling: Of the run.
        table: The training split.

    Raises:
        InputError: The resampling or an option is unknown.
    """
    of_attributes = loss.attributes if isinstance(loss, JointLoss) else loss
    if of_attributes is None:
        return {}
    of_loss = of_attributes.logit_shift
    of_resampling: float | None = 0.0
    if resampling.name != "none":
        labels = questions(table)
        of_resampling = shift(labels, make_shares(labels, resampling.name, **resampling.options))
    if of_loss is None or of_resampling is None:
        return {}
    return dict(zip(of_attributes.attributes, (of_loss + of_resampling).tolist(), strict=True))


def weights_digest(model: nn.Module) -> str:
    """Compute the SHA-256 of names and values of all parameters and buffers."""
    state = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        state.update(name.encode())
        state.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return state.hexdigest()


def _described(one_of: Sets) -> str:
    return ", ".join(f"{name} ({_abbreviate(tuple(members))})" for name, members in one_of.items()) or "(none)"


def _abbreviate(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f", ... ({len(names)})" if len(names) > 4 else "")
