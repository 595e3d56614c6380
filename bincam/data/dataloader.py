"""Batches for a model: workers, shards for several processes, normalisation, and images that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from bincam.data.attribute_table import AttributeTable
from bincam.data.dataset import FaceDataset, Key, OnError, Sample, Skipped
from bincam.errors import InputError

Output = Literal["float32", "uint8"]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Batch:
    """B images of a table.

    Attributes:
        images: ``(B, 3, H, W)``: float32, normalised, or uint8.
        labels: ``(B, A)`` float32: 1, 0 or NaN (unknown).
        rows: ``(B,)`` int64 rows of the table.
        landmarks: ``(B, 5, 2)`` float32 in the cropped image, or None.
        boxes: ``(B, 4)`` float32 in the cropped image, or None.
        masks: ``(B, A, H, W)`` bool, or None where no regions were asked for.
        known: ``(B, A)`` bool: whether there is such a mask. False is no empty region: measure NaN there.
        skipped: Images left out of this batch.
        also: What the data set's ``also`` gave for each image, ``(B, ...)``, by name.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    landmarks: Tensor | None = None
    boxes: Tensor | None = None
    masks: Tensor | None = None
    known: Tensor | None = None
    skipped: tuple[Skipped, ...] = ()
    also: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The batch on a device."""
        return self._moved(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory; called by torch's loader."""
        return self._moved(lambda tensor: tensor.pin_memory())

    def _moved(self, move: Callable[[Tensor], Tensor]) -> Batch:
        moved: dict[str, Any] = {
            f.name: move(value) for f in fields(self) if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved, also={name: move(value) for name, value in self.also.items()})


class ShardSampler(Sampler[Key]):
    """The rows of one of several processes: disjoint, together everything, in an order that the epoch determines."""

    def __init__(
        self, count: int, *, shuffle: bool = False, seed: int = 0, rank: int = 0, world: int = 1, even: bool = False
    ) -> None:
        """Say which rows.

        Args:
            count: Rows of the table.
            shuffle: In a new order every epoch.
            seed: Seeds the order; the same in every process.
            rank: This process, from 0.
            world: Number of processes.
            even: Leave the last ``count % world`` rows of the order out, so that every process has as many; training
                in step needs it. Nothing is ever given twice.

        Raises:
            InputError: The rank is not below the number of processes, or a process would have no rows.
        """
        if not 0 <= rank < world:
            raise InputError(f"rank {rank} of {world} processes; ranks are 0 to {world - 1}")
        if count < world:
            raise InputError(f"{count} images for {world} processes; each needs at least one")
        self.count, self.shuffle, self.seed = count, shuffle, seed
        self.rank, self.world, self.even = rank, world, even
        self.epoch = 0

    def __len__(self) -> int:
        return self.count // self.world if self.even else len(range(self.rank, self.count, self.world))

    def __iter__(self) -> Iterator[Key]:
        order = np.arange(self.count)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        return iter([Key(self.epoch, int(row)) for row in order[self.rank :: self.world][: len(self)]])


class Loader:
    """Batches of a table, epoch after epoch."""

    def __init__(
        self,
        dataset: FaceDataset,
        *,
        batch_size: int,
        workers: int,
        output: Output,
        mean: Sequence[float],
        std: Sequence[float],
        sampler: ShardSampler,
        drop_last: bool,
        pin_memory: bool,
    ) -> None:
        """See ``loader``."""
        self.dataset = dataset
        self.sampler = sampler
        self.skipped: list[Skipped] = []
        # An error in a worker would arrive wrapped in that process's traceback, so it is sent as a value.
        sent = copy(dataset)
        sent.on_error = "skip"
        self._loader = DataLoader(
            sent,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            drop_last=drop_last,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            worker_init_fn=_one_thread,
            collate_fn=_Collate(dataset.table, output, mean, std),
        )

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._loader)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives; order and augmentation follow from it."""
        self.sampler.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        """The batches; ``skipped`` is emptied first and then collects what could not be read.

        Raises:
            InputError: An image cannot be read, where the dataset is to raise.
        """
        self.skipped = []
        with _without_threads():
            batches = iter(self._loader)  # starts the workers
        for batch in batches:
            if batch.skipped and self.dataset.on_error == "raise":
                raise InputError(batch.skipped[0].reason)
            self.skipped += batch.skipped
            if len(batch):  # a batch of nothing but broken images is none
                yield batch


def loader(
    table: AttributeTable,
    *,
    card: Any = None,
    size: int | tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: Output = "float32",
    batch_size: int = 32,
    workers: int = 0,
    shuffle: bool = False,
    drop_last: bool = False,
    rank: int = 0,
    world: int = 1,
    even: bool = False,
    seed: int = 0,
    on_error: OnError = "raise",
    pin_memory: bool = False,
    **options: Any,
) -> Loader:
    """Batches of a table, as a model takes them.

    Args:
        table: The images.
        card: Any object with ``input_size`` (or ``size``), ``mean``, ``std`` and, if it says so, ``fit``; what is
            given beside it wins. A bincam model's card is one.
        size: ``(H, W)`` of the images, or a square's side; 224 where neither this nor a card says so.
        mean: Per channel, of pixels in [0, 1]; ImageNet's by default.
        std: Likewise.
        output: ``"float32"``, normalised; or ``"uint8"``, not normalised.
        batch_size: Images per batch.
        workers: Processes that read; 0 reads in this one. The batches are the same with any number.
        shuffle: In a new order every epoch.
        drop_last: Leave out the last batch where it is not full.
        rank: Which of ``world`` processes this is; they get disjoint images.
        world: Number of processes.
        even: Give every process as many images, by leaving out fewer than ``world``.
        seed: Seeds order and augmentation.
        on_error: ``"raise"`` names the file that cannot be read; ``"skip"`` leaves it out and counts it in ``skipped``.
        pin_memory: For faster copies to a GPU.
        options: ``fit``, ``augmentation``, ``regions`` and ``also`` of ``FaceDataset``.

    Raises:
        InputError: A value that makes no sense, with what to give instead.
    """
    if size is None:
        size = getattr(card, "input_size", getattr(card, "size", 224))
    mean = tuple(getattr(card, "mean", IMAGENET_MEAN) if mean is None else mean)
    std = tuple(getattr(card, "std", IMAGENET_STD) if std is None else std)
    if options.get("fit") is None and card is not None:
        options["fit"] = getattr(card, "fit", None)
    if len(mean) != len(std) or len(mean) not in {1, 3} or min(std) <= 0:
        raise InputError(f"mean and std need three numbers each (one for grey) and std above 0, got {mean} and {std}")
    if output not in {"float32", "uint8"}:
        raise InputError(f"output={output!r}: 'float32' or 'uint8'")
    if batch_size < 1 or workers < 0:
        raise InputError(f"a batch has at least one image and workers are not negative, got {batch_size} and {workers}")
    return Loader(
        FaceDataset(table, size=size, seed=seed, on_error=on_error, **options),
        batch_size=batch_size,
        workers=workers,
        output=output,
        mean=mean,
        std=std,
        sampler=ShardSampler(len(table), shuffle=shuffle, seed=seed, rank=rank, world=world, even=even),
        drop_last=drop_last,
        pin_memory=pin_memory,
    )


class _Collate:
    """Stack samples. In a worker, so that normalising costs the training process nothing."""

    def __init__(self, table: AttributeTable, output: Output, mean: Sequence[float], std: Sequence[float]) -> None:
        self.labels = torch.from_numpy(np.array(table.labels))
        self.output = output
        self.scale = torch.tensor([1 / (255 * s) for s in std]).view(-1, 1, 1)
        self.offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(-1, 1, 1)

    def __call__(self, samples: list[Sample | Skipped]) -> Batch:
        good = [s for s in samples if isinstance(s, Sample)]
        rows = torch.tensor([s.row for s in good], dtype=torch.int64)
        skipped = tuple(s for s in samples if isinstance(s, Skipped))
        if not good:
            return Batch(torch.empty(0), self.labels[rows], rows, skipped=skipped)
        channels = len(self.scale)
        # Planes are split image by image: opencv does that several times faster than a strided copy of the batch.
        images = torch.from_numpy(np.stack([cv2.split(s.view.image) for s in good]))  # (B, 3, H, W) uint8
        if channels == 1:
            images = _grey(images)
        if self.output == "float32":
            images = images.float().mul_(self.scale).add_(self.offset)
        return Batch(
            images=images,
            labels=self.labels[rows],
            rows=rows,
            landmarks=_stack([s.view.landmarks for s in good]),
            boxes=_stack([s.view.box for s in good]),
            masks=_stack([s.masks for s in good]),
            known=_stack([s.known for s in good]),
            skipped=skipped,
            also={name: torch.from_numpy(np.stack([s.also[name] for s in good])) for name in good[0].also},
        )


@contextmanager
def _without_threads() -> Iterator[None]:
    """Stop opencv's threads while workers are forked: a copy of its pool without the threads never answers."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _one_thread(_: int) -> None:
    """Workers are the parallelism: threads of opencv and BLAS in each of them would only take the model's cores."""
    if cv2.getNumThreads() != 1:  # a worker that was spawned; in a forked one they are stopped already
        cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")  # for as long as the worker lives


def _stack(arrays: Sequence[Any]) -> Tensor | None:
    return None if arrays[0] is None else torch.from_numpy(np.stack(arrays))


def _grey(pixels: Tensor) -> Tensor:
    """ITU-R 601 luma, as pillow's mode L: ``(B, 3, H, W)`` to ``(B, 1, H, W)`` uint8."""
    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32).view(3, 1, 1)
    return ((pixels.int() * weights).sum(1, keepdim=True) + 0x8000 >> 16).to(torch.uint8)
