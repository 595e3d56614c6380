"""Models by what a user calls them: a folder with a card, or a timm name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bincam.errors import InputError
from bincam.models.card import make_card
from bincam.models.checkpoint import load
from bincam.models.classifier import AttributeClassifier, construct, timm_config, timm_model


def open_model(source: str | Path) -> AttributeClassifier:
    """A model from its folder, or a timm model with timm's own weights and class names.

    Args:
        source: A folder with a card, else a timm name.

    Returns:
        The classifier in evaluation mode.

    Raises:
        InputError: Neither, or the weights cannot be had.
    """
    if Path(source).is_dir():
        return load(source)
    name = str(source)
    try:
        config = timm_config(name)
    except InputError as error:
        if Path(name).is_file():
            raise InputError(
                f"{name} is a file, not a model's folder; 'bincam card' makes a folder from weights of yours"
            ) from None
        raise InputError(f"{name} is no folder, and {error}") from None
    names = _class_names(name, config)
    card = make_card(
        attributes=names,
        architecture="timm",
        name=name,
        input_size=tuple(config.input_size[1:]),
        mean=tuple(config.mean),
        std=tuple(config.std),
        fit="crop",
        notes="timm's own weights; its classes exclude one another, and each logit is read here as a yes or no",
    )
    return AttributeClassifier(construct(card, pretrained=True), card).eval()


def _class_names(name: str, config: Any) -> tuple[str, ...]:
    """ImageNet's labels where timm knows that the model has them, else numbers."""
    from timm.data import imagenet_info

    model = timm_model(name, pretrained=False)
    subset = imagenet_info.infer_imagenet_subset(model)
    if subset is None:
        return tuple(str(n) for n in range(config.num_classes))
    info = imagenet_info.ImageNetInfo(subset)
    return tuple(f"{n} {info.index_to_description(n)}" for n in range(config.num_classes))
