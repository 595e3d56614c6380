"""Training of a network's last stage alone, on stored features of the stages below: a few minutes without a GPU.

The stages below keep ImageNet's weights and statistics, so their output is computed once for each image and its mirror
image. What is trained is the last residual stage, the convolution before the last activation, and the linear layer: all
that lies between the features and the maps. Both arms begin with the same weights and see the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bincam.errors import InputError
from bincam.files import atomic, read_json, write_json
from bincam.postprocessing.thresholds import tune
from bincam.progress import track
from bincam.train.runs.initial_model import updated_card, weights_digest

if TYPE_CHECKING:
    from bincam.data import AttributeTable
    from bincam.models import AttributeClassifier
    from bincam.train import TrainConfig

LOSSES, KIND, SCHEMA = "losses.json", "bincam-experiment-losses", 1
BELOW = 6
"""Blocks of efficientnet_lite0 that are not trained, of seven."""


@dataclass(frozen=True)
class Features:
    """Output of the stages below, of the images of a split.

    Attributes:
        plain: ``(N, C, h, w)``.
        mirrored: The same of the mirror images; None where they are not needed.
        labels: ``(N, A)``: 1, 0, or NaN.
    """

    plain: Tensor
    mirrored: Tensor | None
    labels: Tensor


def below(backbone: Any, images: Tensor) -> Tensor:
    """Return what the stages below make of images ``(B, 3, H, W)``."""
    x = backbone.bn1(backbone.conv_stem(images))
    for block in backbone.blocks[:BELOW]:
        x = block(x)
    return torch.as_tensor(x)


class Top(nn.Module):
    """What is trained: features of the stages below to logits."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        if len(network.backbone.blocks) != BELOW + 1:
            raise InputError(
                f"expected {BELOW + 1} blocks as in efficientnet_lite0, got {len(network.backbone.blocks)}"
            )
        self.stage, self.head = network.backbone.blocks[BELOW], network.head
        self.convolution, self.norm, self.pool = network.backbone.conv_head, network.backbone.bn2, network.pool

    def forward(self, features: Tensor) -> Tensor:
        """Return logits ``(B, A)``."""
        logits: Tensor = self.head(self.pool(self.norm(self.convolution(self.stage(features)))))
        return logits


def features(model: AttributeClassifier, table: AttributeTable, file: Path, *, mirrored: bool) -> Features:
    """Compute the features of all images of a table, or read them.

    Args:
        model: With its initial weights.
        table: The images.
        file: Where they are stored; of another table, size or network it is made anew.
        mirrored: Also of the mirror images.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    backbone: Any = model.network.backbone
    asked = {"of": f"{table.digest()} {weights_digest(backbone)} {model.card.input_size} {model.card.fit}"}
    if not (file.is_file() and _of(file) == asked):
        parts = _computed(model, table, mirrored=mirrored)
        with atomic(file) as part:
            save_file(parts, part, metadata=asked)
    with safe_open(file, "pt") as stored:
        found = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  not a mapping
    return Features(found["plain"], found.get("mirrored"), torch.tensor(table.labels))


def _computed(model: AttributeClassifier, table: AttributeTable, *, mirrored: bool) -> dict[str, Tensor]:
    from bincam.data import loader

    backbone: Any = model.network.backbone
    backbone.eval()
    batches = loader(table, card=model.card, batch_size=16)
    plain: list[Tensor] = []
    other: list[Tensor] = []
    with torch.inference_mode():
        for batch in track(batches, "features", total=math.ceil(len(table) / 16), unit="batches"):
            images = batch.images.to(memory_format=torch.channels_last)
            plain.append(below(backbone, images).contiguous())
            if mirrored:
                other.append(below(backbone, images.flip(-1)).contiguous())
    return {name: torch.cat(parts) for name, parts in (("plain", plain), ("mirrored", other)) if parts}


def _of(file: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(file, "pt") as stored:
        return dict(stored.metadata())


def batches(count: int, size: int, epochs: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows of each batch, and whether each is mirrored: a new order in every epoch.

    >>> [len(rows) for rows, _ in batches(5, 2, 2, 0)]
    [2, 2, 2, 2]
    """
    for epoch in range(epochs):
        random = np.random.default_rng([seed, epoch])
        order, mirrored = torch.from_numpy(random.permutation(count)), torch.from_numpy(random.random(count) < 0.5)
        for first in range(0, count - size + 1, size):
            rows = order[first : first + size]
            yield rows, mirrored[rows]


def rate(step: int, steps: int, warmup: int) -> float:
    """Return the factor of the learning rate: a linear rise, then a cosine.

    >>> rate(0, 10, 2), rate(2, 10, 2)
    (0.5, 1.0)
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def fit_top(model: AttributeClassifier, loss: nn.Module, train: Features, config: TrainConfig) -> list[float]:
    """Train the last stage in place; return the mean loss of every epoch."""
    assert train.mirrored is not None
    top = Top(model.network).train()
    per_epoch = len(train.plain) // config.batch_size
    steps, warmup = config.epochs * per_epoch, round(config.schedule.warmup_epochs * per_epoch)
    optimizer = torch.optim.AdamW(top.parameters(), lr=config.optimizer.lr, weight_decay=config.optimizer.weight_decay)
    losses: list[float] = []
    drawn = batches(len(train.plain), config.batch_size, config.epochs, config.seed)
    for step, (rows, mirrored) in enumerate(track(drawn, "last stage", total=steps, unit="steps")):
        for group in optimizer.param_groups:
            group["lr"] = config.optimizer.lr * rate(step, steps, warmup)
        chosen = torch.where(mirrored[:, None, None, None], train.mirrored[rows], train.plain[rows])
        value = loss(top(chosen.contiguous(memory_format=torch.channels_last)), train.labels[rows])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
    top.eval()
    return [float(np.mean(losses[epoch * per_epoch : (epoch + 1) * per_epoch])) for epoch in range(config.epochs)]


def logits(model: AttributeClassifier, seen: Features) -> Tensor:
    """Return the logits of all images, ``(N, A)``."""
    top = Top(model.network).eval()
    with torch.inference_mode():
        return torch.cat([top(part) for part in seen.plain.split(256)])


def fit_pair(config: TrainConfig, arms: Mapping[str, Path], stored: Path) -> dict[str, list[float]]:
    """Train every arm that has no folder yet, and save its model with thresholds that were tuned on validation.

    Args:
        config: Of the pair, as for ``bincam.train.fit_pair``.
        arms: Name of each arm to the folder of its model.
        stored: Folder of the features, which seeds and arms share.

    Returns:
        The mean loss of every epoch, by arm.
    """
    from bincam.models import save
    from bincam.models.card import FILE
    from bincam.train.runs.setup import make_setup
    from bincam.train.runs.splits import read_splits

    splits = read_splits(config.data)
    found: dict[str, list[float]] = {}
    for name, folder in arms.items():
        if (folder / FILE).is_file():
            found[name] = read_json(folder / LOSSES, kind=KIND, schema=SCHEMA)["losses"]
            continue
        own = config.arm(name)
        setup = make_setup(own, splits, world=1)
        model = setup.model
        train = features(model, splits.train, stored / "train.safetensors", mirrored=True)
        held = features(model, splits.validation, stored / "validation.safetensors", mirrored=False)
        found[name] = fit_top(model, setup.loss, train, own)
        tuned = tune(logits(model, held).double().numpy(), splits.validation.labels)
        thresholds = dict(zip(splits.train.names, map(float, tuned), strict=True))
        model.card = updated_card(model, tuned_thresholds=thresholds)
        write_json(folder / LOSSES, {"kind": KIND, "schema": SCHEMA, "losses": found[name]})
        save(model, folder)  # last: with its card an arm is finished
    return found
