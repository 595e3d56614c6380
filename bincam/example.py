"""A small model and generated images that need no download: discs, squares and crosses on a textured background.

The positions of the shapes are known and crosses are rare, so the images show in under a minute what bincam is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from bincam.models import AttributeClassifier

SHAPES = ("disc", "square", "cross")
RATES = (0.5, 0.3, 0.12)
"""Prevalence of each shape in the training images."""
SIZE = (96, 128)
"""(H, W) of the images, in pixels."""
SHOWN = ((True, False, False), (False, True, True), (True, True, True), (False, False, False))
"""The shapes in each image of the example."""


@dataclass(frozen=True)
class Trained:
    """The example's model.

    Attributes:
        model: In evaluation mode, with its card.
        accuracy: Per attribute, a sentence on its true positive and true negative rates on a balanced test set.
    """

    model: AttributeClassifier
    accuracy: dict[str, str]


def scene(present: tuple[bool, ...], random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw an image: shapes of random colour, size and position, apart from each other, on a random texture.

    Args:
        present: Whether each of ``SHAPES`` is in the image.
        random: Source of everything else.

    Returns:
        The image ``(H, W, 3)``, and the pixels of each shape ``(3, H, W)``.

    Example:
        >>> image, masks = scene((True, False, False), np.random.default_rng(0))
        >>> image.shape, masks.any((1, 2)).tolist()
        ((96, 128, 3), [True, False, False])
    """
    height, width = SIZE
    y, x = np.mgrid[:height, :width]
    image = random.uniform(90, 165, 3) + np.zeros((height, width, 1))
    for _ in range(4):  # plane waves of random direction and length make a texture without edges
        wave = random.normal(0, 0.25, 2)
        ripple = np.sin(wave[0] * y + wave[1] * x + random.uniform(0, 2 * np.pi))
        image += ripple[..., None] * random.normal(0, 9, 3)
    image += random.normal(0, 6, image.shape)
    masks = np.zeros((len(SHAPES), height, width), dtype=bool)
    slots = random.permutation(6)  # a 2 x 3 arrangement keeps shapes apart
    for kind, (name, is_present) in enumerate(zip(SHAPES, present, strict=True)):
        if not is_present:
            continue
        radius = random.uniform(11, 16)
        row, column = divmod(int(slots[kind]), 3)
        dy = y - (row + 0.5) * height / 2 - random.uniform(-6, 6)
        dx = x - (column + 0.5) * width / 3 - random.uniform(-4, 4)
        if name == "disc":
            masks[kind] = dy**2 + dx**2 < radius**2
        else:
            box = np.maximum(abs(dy), abs(dx)) < 0.9 * radius
            masks[kind] = box if name == "square" else box & (np.minimum(abs(dy), abs(dx)) < 0.3 * radius)
        colour = random.uniform(0, 255, 3)
        colour += np.where(abs(colour.mean() - 128) < 70, 80 * np.sign(colour.mean() - 128), 0)
        image[masks[kind]] = colour + random.normal(0, 4, (int(masks[kind].sum()), 3))
    return np.clip(image, 0, 255).astype(np.uint8), masks


def train(pictures: int = 1536, epochs: int = 6, seed: int = 0) -> Trained:
    """Train a narrow ResNet-10 on generated images, with binary cross-entropy.

    Args:
        pictures: Number of training images.
        epochs: Passes over them.
        seed: Seed of the images, their order and the initial weights; the global random state is restored.

    Returns:
        The model and its accuracy.
    """
    import torch
    import torch.nn.functional as F

    from bincam.models import build
    from bincam.progress import track

    random = np.random.default_rng(seed)
    images, labels = _generate(pictures, RATES, random)
    positives = labels.sum(0).astype(int).tolist()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(
            "resnet10t",
            SHAPES,
            input_size=SIZE,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            train_counts={name: (pictures - n, n) for name, n in zip(SHAPES, positives, strict=True)},
            channels=[16, 32, 64, 64],
            stem_width=8,
            output_stride=16,  # a grid of 6 x 8 cells, not of 3 x 4
        )
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's own types
        batch = 32
        steps = pictures // batch * epochs
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps)
        targets = torch.from_numpy(labels)
        for step in track(range(steps), "train", unit="steps"):
            if step % (pictures // batch) == 0:
                order = random.permutation(pictures)
            rows = order[step % (pictures // batch) * batch :][:batch]
            loss = F.binary_cross_entropy_with_logits(model(_normalised(images[rows])), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return Trained(model.eval(), _test(model, random))


def write_images(folder: str | Path, seed: int = 1) -> list[Path]:
    """Write the images of the example, one for each row of ``SHOWN``, named after their shapes.

    Args:
        folder: Folder to write to.
        seed: Seed of the images.

    Returns:
        Their paths.
    """
    from PIL import Image

    from bincam.files import atomic

    random = np.random.default_rng(seed)
    files = []
    for number, present in enumerate(SHOWN, start=1):
        names = [name for name, is_present in zip(SHAPES, present, strict=True) if is_present]
        files.append(Path(folder) / f"{number}-{'-'.join(names) or 'nothing'}.png")
        with atomic(files[-1]) as part:
            Image.fromarray(scene(present, random)[0]).save(part)
    return files


def _generate(
    count: int, rates: tuple[float, ...], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    labels = random.random((count, len(SHAPES))) < rates
    images = np.stack([scene(tuple(row), random)[0] for row in labels])
    return images, labels.astype(np.float32)


def _normalised(images: NDArray[np.uint8]) -> Tensor:
    import torch

    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()  # (B, 3, H, W), channels last in memory
    return (pixels / 255 - 0.5) / 0.25


def _test(model: AttributeClassifier, random: np.random.Generator) -> dict[str, str]:
    import torch

    from bincam.stats.formatting import percent

    images, labels = _generate(240, (0.5, 0.5, 0.5), random)
    with torch.no_grad():
        predicted = torch.cat([model(_normalised(part)) for part in np.array_split(images, 5)]).numpy() >= 0
    truth = labels > 0
    return {
        name: f"detected in {percent(float(predicted[truth[:, n], n].mean()), 0)} of the test images that contain one, "
        f"rejected in {percent(float((~predicted[~truth[:, n], n]).mean()), 0)} of the others"
        for n, name in enumerate(SHAPES)
    }
