"""Models by folder or timm name, as commands take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bincam.errors import InputError
from bincam.models.card import make_card
from bincam.models.checkpoint import load
from bincam.models.classifier import AttributeClassifier, construct, timm_config, timm_model


def open_model(source: str | Path) -> AttributeClassifier:
    """Open a model from its folder, or a timm model with timm's own weights and class names.

    ImageNet's classes are a set of outputs of which exactly one is true.

    Args:
        source: A folder with a card, or a timm name.

    Returns:
        The classifier in evaluation mode.

    Raises:
        InputError: The source is neither, or the weights cannot be downloaded.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import models
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64))
        >>> with TemporaryDirectory() as folder:
        ...     models.save(model, folder)
        ...     models.open_model(folder).card.name
        'resnet10t'
    """
    if Path(source).is_dir():
        return load(source)
    name = str(source)
    try:
        config = timm_config(name)
    except InputError as error:
        if Path(name).is_file():
            raise InputError(
                f"{name} is a file, not a model's folder; 'bincam card' makes a model's folder from your weights"
            ) from None
        raise InputError(f"{name} is not a folder, and {error}") from None
    names, labelled = _class_names(name, config)
    card = make_card(
        attributes=names,
        architecture="timm",
        name=name,
        input_size=tuple(config.input_size[1:]),
        mean=tuple(config.mean),
        std=tuple(config.std),
        fit="crop",
        one_of={"class": names} if labelled else {},
        notes="timm's own weights"
        + ("" if labelled else "; it is not known whether its classes exclude one another: each logit is a yes or no"),
    )
    return AttributeClassifier(construct(card, pretrained=True), card).eval()


def _class_names(name: str, config: Any) -> tuple[tuple[str, ...], bool]:
    """ImageNet's labels if timm knows that the model has them, else numbers; and whether they are ImageNet's.

    Of ImageNet's classes exactly one is true of an image.
    """
    from timm.data import imagenet_info

    model = timm_model(name, pretrained=False)
    subset = imagenet_info.infer_imagenet_subset(model)
    if subset is None:
        return tuple(str(n) for n in range(config.num_classes)), False
    info = imagenet_info.ImageNetInfo(subset)
    return tuple(f"{n} {info.index_to_description(n)}" for n in range(config.num_classes)), True
