"""Training batches, which follow from seed, epoch and order alone, whatever the number of processes."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.data.attribute_table import AttributeTable
from bincam.data.augment import Augmentation
from bincam.data.dataloader import Batch, Loader, ShardSampler, loader
from bincam.data.dataset import FaceDataset, Key
from bincam.errors import InputError
from bincam.models import Card
from bincam.progress import track
from bincam.train.configuration.config import TrainConfig
from bincam.train.steps.resampling import questions, resampled

Rows = NDArray[np.int64]
Order = Callable[[int], Rows]
"""From an epoch to its rows, in the order in which they are seen."""


def shuffled(count: int, seed: int) -> Order:
    """Return an order that contains every row once and is shuffled anew every epoch."""
    return lambda epoch: np.random.default_rng([seed, epoch]).permutation(count)


def make_order(table: AttributeTable, config: TrainConfig) -> Order:
    """Create the order that a configuration asks for: shuffled, or resampled.

    Raises:
        InputError: The resampling or an option is unknown.
    """
    if config.resampling.name == "none":
        return shuffled(len(table), config.seed)
    return resampled(questions(table), config.resampling.name, config.seed, **config.resampling.options)


def repeats(rows: Rows) -> Rows:
    """Count the earlier occurrences of each entry of an epoch's order: 0 everywhere, unless rows are resampled."""
    by_row = np.argsort(rows, kind="stable")
    ordered = rows[by_row]
    result = np.empty_like(rows)
    result[by_row] = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
    return result


def mirrored(rows: Rows, count: int, seed: int, epoch: int) -> NDArray[np.bool_]:
    """Draw which entries of an epoch's order are mirrored; repeated rows are drawn for separately.

    Args:
        rows: The whole epoch's order.
        count: Rows of the table.
        seed: Of the run.
        epoch: From 0.
    """
    draw = np.random.default_rng([seed, epoch, 1])
    result = (draw.random(count) < 0.5)[rows]  # by row, whatever its position in the order
    again = repeats(rows) > 0
    result[again] = draw.random(np.count_nonzero(again)) < 0.5
    return np.asarray(result)


def order_digest(rows: Rows) -> str:
    """Compute the SHA-256 of an epoch's row order."""
    return hashlib.sha256(np.ascontiguousarray(rows, "<i8").tobytes()).hexdigest()


def pixel_sum(images: Tensor, rows: Tensor) -> Tensor:
    """Compute a checksum of a batch that depends on the position of each pixel and on the row of each image.

    Σ_i r(row_i) Σ_chw w(c, h, w) bits(i, c, h, w), with fixed pseudo-random odd factors r and w. It is the same for the
    same images in any order, divided in any way, on any number of processes. A mirrored image, two swapped pixels or
    two swapped images change the sum (except in about one case in 2^32).

    Args:
        images: ``(B, C, H, W)`` float32, in any memory format.
        rows: ``(B,)`` int64, on the CPU: the images' rows in the table.

    Returns:
        int64, modulo 2^64, on the images' device, without synchronising with it.
    """
    last = images.is_contiguous(memory_format=torch.channels_last)
    bits = images.view(torch.int32)
    flat = (bits.permute(0, 2, 3, 1) if last else bits).flatten(1)  # (B, CHW) in the order of memory
    weights = _pixel_weights(tuple(images.shape[1:]), images.device, last)
    chunk = 1 if images.device.type == "cpu" else len(flat)  # the products of one image fit into a CPU's cache
    sums = torch.cat([(part * weights).sum(1) for part in flat.split(chunk)])  # (B,)
    row_factors = torch.from_numpy(_odd(rows.numpy(), stream=1)).to(images.device, non_blocking=True)
    return (sums * row_factors).sum()


@lru_cache(maxsize=2)
def _pixel_weights(shape: tuple[int, int, int], device: torch.device, last: bool) -> Tensor:
    """Compute an odd factor for each position of an image, ``(CHW,)`` int64, in the order of memory."""
    weights = torch.from_numpy(_odd(np.arange(math.prod(shape)), stream=0)).view(shape)
    return (weights.permute(1, 2, 0) if last else weights).flatten().to(device)


def _odd(numbers: NDArray[np.int64], *, stream: int) -> NDArray[np.int64]:
    """Hash numbers below 2^40 to pseudo-random odd int64 (SplitMix64: Steele, Lea, Flood 2014)."""
    z = (numbers.astype(np.uint64) + np.uint64((stream << 40) + 1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)) | np.uint64(1)).view(np.int64)


class StepSampler(ShardSampler):
    """Samples the rows of one process, starting at any step of the epoch, so that an interrupted epoch can be resumed.

    With ``world`` processes of ``share`` rows per step, step s takes the ``world * share`` entries of the epoch's order
    that start at ``s * world * share``, whatever ``world`` is. Rows that do not fill a step are left out of the epoch.
    """

    def __init__(self, order: Order, count: int, *, share: int, rank: int, world: int) -> None:
        super().__init__(count, rank=rank, world=world, even=True)
        self.order, self.share = order, share
        self.steps = count // (world * share)
        self.start = 0

    def __len__(self) -> int:
        return (self.steps - self.start) * self.share

    def __iter__(self) -> Iterator[Key]:
        rows = self.order(self.epoch)
        keys = zip(self.own(rows).tolist(), self.own(repeats(rows)).tolist(), strict=True)
        return iter([Key(self.epoch, row, repeat) for row, repeat in keys])

    def own(self, entries: NDArray[Any]) -> NDArray[Any]:
        """Select this process's entries of an array over the epoch's order, from step ``start`` on."""
        return entries[self.rank :: self.world][self.start * self.share : self.steps * self.share]


class TrainingBatches:
    """Training batches of one process, divided into the parts of each step."""

    def __init__(
        self,
        table: AttributeTable,
        config: TrainConfig,
        card: Card,
        order: Order,
        *,
        rank: int,
        world: int,
        device: torch.device,
    ) -> None:
        """Prepare the loader, or decode all images into memory.

        Args:
            table: The training split.
            config: Of the run.
            card: Size, fit, mean and std.
            order: The rows of an epoch.
            rank: This process.
            world: Number of processes.
            device: To which batches are moved.

        Raises:
            InputError: A batch cannot be divided evenly, or the images do not fill one batch or do not fit into memory.
        """
        data, batch_size, accumulate = config.data, config.batch_size, config.accumulate
        if batch_size % (world * accumulate):
            raise InputError(
                f"batch_size {batch_size} cannot be divided among {world} processes with {accumulate} parts each"
            )
        rows = len(order(0))
        if rows < batch_size:
            raise InputError(
                f"{rows} training images do not fill one batch of {batch_size}; choose a smaller batch_size"
            )
        self.table, self.order, self.seed = table, order, config.seed
        self.accumulate, self.device = accumulate, device
        self.flip = data.augmentation == "flip"
        self.format = torch.channels_last if config.channels_last else torch.contiguous_format
        self.scale = torch.tensor([1 / (255 * s) for s in card.std], device=device).view(-1, 1, 1)
        self.offset = torch.tensor([-m / s for m, s in zip(card.mean, card.std, strict=True)], device=device)
        self.offset = self.offset.view(-1, 1, 1)
        self.sampler = StepSampler(order, rows, share=batch_size // world, rank=rank, world=world)
        self.pixels = decode_all(table, card, workers=data.workers) if data.memory else None
        self.labels = torch.from_numpy(np.array(table.labels))
        self.micro = batch_size // (world * accumulate)
        dataset = FaceDataset(
            table,
            size=card.input_size,
            fit=card.fit,
            augmentation=Augmentation() if data.augmentation == "affact" else None,
            channels=len(card.mean),
            seed=config.seed,
        )
        self.loader = Loader(
            dataset,
            batch_size=self.micro,
            workers=data.workers,
            output="float32",
            mean=card.mean,
            std=card.std,
            sampler=self.sampler,
            drop_last=False,
            pin_memory=device.type == "cuda",
        )

    @property
    def steps(self) -> int:
        """The number of optimiser steps per epoch."""
        return self.sampler.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[list[Batch]]:
        """Iterate over the steps of an epoch; each is a list of parts, normalised and on the device.

        Args:
            epoch: From 0.
            start: The first step.
        """
        self.sampler.epoch, self.sampler.start = epoch, start
        flips = None
        if self.flip:
            flips = torch.from_numpy(self.sampler.own(mirrored(self.order(epoch), len(self.table), self.seed, epoch)))
        parts: list[Batch] = []
        done = 0
        for batch in self._from_memory() if self.pixels is not None else iter(self.loader):
            moved = batch.to(self.device, non_blocking=True)
            images = moved.images.contiguous(memory_format=self.format)
            if flips is not None:
                at = flips[done : done + len(batch)].nonzero()[:, 0].to(self.device, non_blocking=True)
                images[at] = images[at].flip(-1)  # indices, because a mask would wait for a GPU to count them
            done += len(batch)
            # Rows stay on the CPU, where reading them does not wait for a GPU.
            parts.append(replace(moved, images=images, rows=batch.rows))
            if len(parts) == self.accumulate:
                yield parts
                parts = []

    def _from_memory(self) -> Iterator[Batch]:
        assert self.pixels is not None
        rows = torch.tensor([key.row for key in self.sampler], dtype=torch.int64)
        for part in rows.split(self.micro) if len(rows) else ():  # torch splits an empty tensor into one empty part
            # Page-locked for a GPU, because copying from other memory would block.
            shape, pinned = (len(part), *self.pixels.shape[1:]), self.device.type == "cuda"
            pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)  # (B, H, W, C)
            torch.index_select(self.pixels, 0, part, out=pixels)
            images = pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
            yield Batch(images.float().mul_(self.scale).add_(self.offset), self.labels[part], part)


def decode_all(table: AttributeTable, card: Card, *, workers: int) -> Tensor:
    """Decode and crop every image of a table: ``(N, H, W, C)`` uint8, which is channels last when permuted.

    Raises:
        InputError: The images need more memory than the machine has, or one cannot be read.
    """
    if table.value_range is not None:
        raise InputError("data.memory keeps 8 bits of each value, and the images have more; remove it")
    (height, width), channels = card.input_size, len(card.mean)
    needed = len(table) * height * width * channels
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise InputError(
            f"data.memory: {len(table)} images of {height} x {width} need {needed / 2**30:.1f} GiB, and this machine "
            f"has {memory / 2**30:.1f} GiB; remove it and set data.workers instead"
        )
    pixels = torch.empty(len(table), height, width, channels, dtype=torch.uint8)
    batches = loader(table, card=card, output="uint8", batch_size=64, workers=workers)
    for batch in track(batches, "reading", unit="images", amount=len, total=len(table)):
        pixels[batch.rows] = batch.images.permute(0, 2, 3, 1)
    return pixels
