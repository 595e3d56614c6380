"""Pairs as a model sees them: two images and the mask of the edited pixels, cropped in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bincam.data import crop
from bincam.data.images import decode
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.errors import InputError
from bincam.inference.zoom.batches import check_photographs
from bincam.models.card import Card
from bincam.models.preprocess import input_matrix, preprocess
from bincam.studies.counterfactual.pair_table import ImagePair

TAU = 8
"""Levels of 255 by which a channel of an edited pixel differs, where a pair has no mask; as of generated faces."""


@dataclass(frozen=True)
class LoadedPairs:
    """Some pairs.

    Attributes:
        originals: ``(M, C, H, W)``: the different originals.
        original: ``(N,)``: index of each pair's original.
        edited: ``(N, C, H, W)``.
        masks: ``(N, H, W)``, booleans: the edited pixels.
    """

    originals: Tensor
    original: Tensor
    edited: Tensor
    masks: NDArray[np.bool_]

    @property
    def composites(self) -> Tensor:
        """``(N, C, H, W)``: the originals with the edited images' pixels inside of the masks, and nowhere else."""
        inside = torch.from_numpy(self.masks)[:, None]
        return torch.where(inside, self.edited, self.originals[self.original])


def load_pairs(pairs: Sequence[ImagePair], card: Card, *, tau: int = TAU) -> LoadedPairs:
    """Read pairs, and bring images and masks to the size that the model reads.

    Args:
        pairs: At least one.
        card: Of the model.
        tau: Of pairs without a mask, those pixels are taken to be edited of which a channel differs by more than this,
            in levels of 255. Compression changes pixels elsewhere too, so this needs images that are stored without
            loss, or a larger value.

    Raises:
        InputError: A file cannot be read, the files of a pair differ in size, or the model reads faces cropped by
            landmarks and those of a pair are unknown.
    """
    check_photographs(card, what="pairs of images")
    seen = [(pair.image, _points(pair, card)) for pair in pairs]
    number = {original: index for index, original in enumerate(dict.fromkeys(seen))}
    pixels = [decode(file) for file, _ in number]
    edited, masks = [], []
    for pair, (file, points) in zip(pairs, seen, strict=True):
        before, after = pixels[number[file, points]], decode(pair.flipped)
        _check_size(pair.flipped, after, pair.image, before)
        edited.append(preprocess(Image.fromarray(after), card, _shaped(points)))
        mask = _mask(pair, before, after, tau)
        matrix = input_matrix(card, (before.shape[0], before.shape[1]), _shaped(points))
        masks.append(crop.warp(mask.astype(np.uint8), matrix, card.input_size, mask=True) > 0)
    originals = zip(number, pixels, strict=True)
    return LoadedPairs(
        originals=torch.stack(
            [preprocess(Image.fromarray(image), card, _shaped(points)) for (_, points), image in originals]
        ),
        original=torch.tensor([number[original] for original in seen]),
        edited=torch.stack(edited),
        masks=np.stack(masks),
    )


def changed_pixels(before: NDArray[np.uint8], after: NDArray[np.uint8], tau: int = TAU) -> NDArray[np.bool_]:
    """Find the pixels of which a channel differs by more than ``tau`` levels: two ``(H, W, 3)`` to ``(H, W)``.

    >>> changed_pixels(np.array([[[9, 0, 0]]], np.uint8), np.array([[[0, 8, 0]]], np.uint8), tau=8).tolist()
    [[True]]
    """
    return np.asarray(np.abs(before.astype(np.int16) - after).max(axis=-1) > tau)


def _points(pair: ImagePair, card: Card) -> tuple[float, ...] | None:
    """Return the landmarks by which a pair is cropped; None for a model that needs none."""
    if card.fit != "face":
        return None
    if pair.landmarks is None:
        raise InputError(
            f"{pair.image}: the model reads faces cropped by their landmarks (fit 'face' in its card), and the table "
            f"does not know those of this image; add the columns {LANDMARK_COLUMNS[0]} to {LANDMARK_COLUMNS[-1]}"
        )
    return pair.landmarks


def _shaped(points: tuple[float, ...] | None) -> NDArray[np.float64] | None:
    return None if points is None else np.array(points).reshape(-1, 2)


def _mask(pair: ImagePair, before: NDArray[np.uint8], after: NDArray[np.uint8], tau: int) -> NDArray[np.bool_]:
    if pair.influence is None:
        return changed_pixels(before, after, tau)
    stored = decode(pair.influence)
    _check_size(pair.influence, stored, pair.image, before)
    return np.asarray(stored.any(-1))


def _check_size(file: Path, pixels: NDArray[np.uint8], other: Path, expected: NDArray[np.uint8]) -> None:
    if pixels.shape != expected.shape:
        sizes = [f"{image.shape[1]} x {image.shape[0]}" for image in (pixels, expected)]
        raise InputError(f"{file} has {sizes[0]} pixels, but {other} has {sizes[1]}; a pair differs in its edit alone")
