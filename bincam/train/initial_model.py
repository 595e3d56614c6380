"""The model that a run starts from."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bincam.data import AttributeTable
from bincam.errors import InputError
from bincam.models import AttributeClassifier, Card, build, load, make_card
from bincam.models.checkpoint import fill
from bincam.train.config import TrainConfig
from bincam.train.config_sections import ResamplingConfig
from bincam.train.losses.base import AttributeLoss
from bincam.train.resampling import make_shares, shift


def first_model(config: TrainConfig, table: AttributeTable, counts: dict[str, tuple[int, int]]) -> AttributeClassifier:
    """A classifier with its first weights, which follow from the seed and, where asked for, from pretrained ones.

    The caller's random state is left as it was.

    Args:
        config: Of the run.
        table: The training split.
        counts: ``(negatives, positives)`` of each attribute.

    Raises:
        InputError: The backbone or an option is unknown, or the pretrained weights do not fit it.
    """
    wanted, data = config.model, config.data
    pretrained = wanted.pretrained
    if pretrained == "lite0" and wanted.name != "tf_efficientnet_lite0":
        raise InputError(
            f"model.pretrained: lite0 is the weights of 'tf_efficientnet_lite0', and model.name is {wanted.name!r}"
        )
    set_elsewhere = sorted(wanted.options.keys() & inspect.signature(build).parameters.keys())
    if set_elsewhere:
        raise InputError(
            f"model.options: {set_elsewhere[0]!r} is no option of timm.create_model here; it follows from the data and "
            "the keys under data and model"
        )
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(config.seed)
        model = build(
            wanted.name,
            table.names,
            pooling=wanted.pooling,
            pretrained=pretrained == "timm",
            input_size=data.size,
            mean=data.mean,
            std=data.std,
            train_counts=counts,
            **wanted.options,
        )
    if pretrained == "lite0":
        from bincam.train.lite0 import load_lite0

        load_lite0(model.network.backbone)  # type: ignore[arg-type]  # build made it
    elif pretrained not in {"none", "timm"}:
        take_weights(model, Path(pretrained), backbone_only=wanted.pretrained_part == "backbone")
    return model


def take_weights(model: AttributeClassifier, folder: Path, *, backbone_only: bool) -> None:
    """Put the weights of a model's folder into a new model of the same architecture.

    Raises:
        InputError: Another architecture, or, unless only the backbone is taken, other attributes.
    """
    theirs = load(folder)
    for field in ("architecture", "name"):
        ours, other = getattr(model.card, field), getattr(theirs.card, field)
        if ours != other:
            raise InputError(f"model.pretrained: {folder} is of {field} {other!r}, and this model of {ours!r}")
    if not backbone_only and theirs.card.attributes != model.card.attributes:
        raise InputError(
            f"model.pretrained: {folder} answers {_few(theirs.card.attributes)}, and this model is to answer "
            f"{_few(model.card.attributes)}; model.pretrained_part: backbone takes the weights below the head"
        )
    target: Any = model.network
    source: Any = theirs.network
    if backbone_only:
        target, source = target.backbone, source.backbone
    fill(target, source.state_dict(), source=f"model.pretrained: {folder}")


def card_of(model: AttributeClassifier, **fields: Any) -> Card:
    """The model's card with some fields set, checked as a whole."""
    return make_card(**{**model.card.model_dump(), **fields})


def card_shift(loss: AttributeLoss, resampling: ResamplingConfig, table: AttributeTable) -> dict[str, float]:
    """The card's ``logit_shift``: the loss's, and what re-sampling adds to it; empty where that is no constant.

    Args:
        loss: Of the run.
        resampling: Of the run.
        table: The training split.

    Raises:
        InputError: An unknown re-sampling or option.
    """
    own = loss.logit_shift
    moved: float | None = 0.0
    if resampling.name != "none":
        moved = shift(table.labels, make_shares(table.labels, resampling.name, **resampling.options))
    if own is None or moved is None:
        return {}
    return dict(zip(table.names, (own + moved).tolist(), strict=True))


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of names and values of all parameters and buffers."""
    state = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        state.update(name.encode())
        state.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return state.hexdigest()


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f", ... ({len(names)})" if len(names) > 4 else "")
