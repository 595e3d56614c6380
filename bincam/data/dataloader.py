"""Batches for a model: worker processes, shards for distributed training, normalisation, unreadable images."""

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
        images: ``(B, C, H, W)``: float32, normalised, or uint8.
        labels: ``(B, A)`` float32: 1, 0 or NaN (unknown).
        rows: ``(B,)`` int64 rows of the table.
        landmarks: ``(B, 5, 2)`` float32 in the cropped image, or None.
        boxes: ``(B, 4)`` float32 in the cropped image, or None.
        masks: ``(B, A, H, W)`` bool, or None if no regions were requested.
        known: ``(B, A)`` bool: whether the image has this mask. False does not mean an empty region: report NaN there.
        skipped: Unreadable images that this batch leaves out.
        also: The arrays that the data set's ``also`` returned, stacked to ``(B, ...)``, by name.

    Example:
        >>> import torch
        >>> from bincam.data import Batch
        >>> batch = Batch(torch.zeros(2, 3, 8, 8), torch.ones(2, 1), torch.tensor([4, 5]))
        >>> len(batch), batch.to("cpu").labels.tolist()
        (2, [[1.0], [1.0]])
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
        """Copy the batch to a device."""
        return self._moved(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Copy the batch to page-locked memory; called by torch's DataLoader."""
        return self._moved(lambda tensor: tensor.pin_memory())

    def _moved(self, move: Callable[[Tensor], Tensor]) -> Batch:
        moved: dict[str, Any] = {
            f.name: move(value) for f in fields(self) if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved, also={name: move(value) for name, value in self.also.items()})


class ShardSampler(Sampler[Key]):
    """The rows of one of several processes: disjoint and jointly complete, in an order that the epoch determines."""

    def __init__(
        self, count: int, *, shuffle: bool = False, seed: int = 0, rank: int = 0, world: int = 1, even: bool = False
    ) -> None:
        """Set the order and this process's share of it.

        Args:
            count: Number of rows of the table.
            shuffle: Use a new order every epoch.
            seed: Seed of the order; the same in every process.
            rank: Rank of this process, from 0.
            world: Number of processes.
            even: Leave out the last ``count % world`` rows of the order, so that all processes have equally many, as
                synchronous training needs. No row is repeated.

        Raises:
            InputError: The rank is not below the number of processes, or a process would have no rows.
        """
        if not 0 <= rank < world:
            raise InputError(f"rank {rank} of {world} processes; expected 0 to {world - 1}")
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
    """Batches of a table, epoch by epoch, as made by ``loader``.

    Attributes:
        dataset: The images.
        sampler: The order of the rows.
        skipped: Images of the current epoch that could not be read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from bincam.data import AttributeTable, loader
        >>> with TemporaryDirectory() as folder:
        ...     faces = AttributeTable(("Smiling",), np.ones((1, 1)), ("missing.png",), folder)
        ...     batches = loader(faces, on_error="skip")
        ...     batches.set_epoch(3)
        ...     images = sum(len(batch) for batch in batches)
        >>> images, len(batches.skipped)
        (0, 1)
    """

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
        """Set up the batches; ``loader`` describes the arguments."""
        self.dataset = dataset
        self.sampler = sampler
        self.skipped: list[Skipped] = []
        # An exception in a worker would be wrapped in that process's traceback, so errors are returned as values.
        skipping = copy(dataset)
        skipping.on_error = "skip"
        self._loader = DataLoader(
            skipping,
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
        """Number of batches in an epoch."""
        return len(self._loader)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration, which determines order and augmentation."""
        self.sampler.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the batches of the epoch; ``skipped`` is cleared and then collects the unreadable images.

        Raises:
            InputError: An image cannot be read, and ``on_error`` is ``"raise"``.
        """
        self.skipped = []
        with _without_threads():
            batches = iter(self._loader)  # starts the workers
        for batch in batches:
            if batch.skipped and self.dataset.on_error == "raise":
                raise InputError(batch.skipped[0].reason)
            self.skipped += batch.skipped
            if len(batch):  # a batch of which every image is unreadable is left out
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
    """Make batches of a table in the form that a model takes.

    Args:
        table: The images.
        card: An object with ``input_size`` (or ``size``), ``mean``, ``std`` and optionally ``fit``, such as the card of
            a bincam model. The other arguments take precedence.
        size: ``(H, W)`` of the images, or the side of a square; 224 if neither this nor a card states it.
        mean: Per channel, of pixels in [0, 1]; ImageNet's by default.
        std: Likewise.
        output: ``"float32"`` (normalised) or ``"uint8"`` (not normalised).
        batch_size: Number of images per batch.
        workers: Number of processes that read images; 0 reads in the current process. The batches do not depend on it.
        shuffle: Use a new order every epoch.
        drop_last: Leave out the last batch if it is not full.
        rank: Rank of this process among ``world``; processes get disjoint images.
        world: Number of processes.
        even: Give every process equally many images, by leaving out fewer than ``world``.
        seed: Seed of order and augmentation.
        on_error: ``"raise"`` reports the file that cannot be read; ``"skip"`` leaves it out and adds it to ``skipped``.
        pin_memory: Use page-locked memory, for faster copies to a GPU.
        options: ``fit``, ``augmentation``, ``regions`` and ``also`` of ``FaceDataset``.

    Returns:
        An iterable of ``Batch``, with ``set_epoch`` and ``skipped``.

    Raises:
        InputError: An argument is invalid.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from PIL import Image
        >>> from bincam.data import AttributeTable, loader
        >>> with TemporaryDirectory() as folder:
        ...     for name in "abc":
        ...         Image.new("RGB", (178, 218)).save(f"{folder}/{name}.png")
        ...     faces = AttributeTable(("Smiling",), np.ones((3, 1)), ("a.png", "b.png", "c.png"), folder)
        ...     for batch in loader(faces, size=64, batch_size=2):
        ...         print(tuple(batch.images.shape), batch.rows.tolist())
        (2, 3, 64, 64) [0, 1]
        (1, 3, 64, 64) [2]
    """
    if size is None:
        size = getattr(card, "input_size", getattr(card, "size", 224))
    mean = tuple(getattr(card, "mean", IMAGENET_MEAN) if mean is None else mean)
    std = tuple(getattr(card, "std", IMAGENET_STD) if std is None else std)
    if options.get("fit") is None and card is not None:
        options["fit"] = getattr(card, "fit", None)
    if len(mean) != len(std) or not mean or min(std) <= 0:
        raise InputError(f"mean and std need a number per channel each, and std > 0, got {mean} and {std}")
    if output not in {"float32", "uint8"}:
        raise InputError(f"output={output!r}: expected 'float32' or 'uint8'")
    if batch_size < 1 or workers < 0:
        raise InputError(f"expected batch_size >= 1 and workers >= 0, got {batch_size} and {workers}")
    return Loader(
        FaceDataset(table, size=size, channels=len(mean), seed=seed, on_error=on_error, **options),
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
    """Stack samples, in a worker, so that normalisation takes no time of the training process."""

    def __init__(self, table: AttributeTable, output: Output, mean: Sequence[float], std: Sequence[float]) -> None:
        self.labels = torch.from_numpy(np.array(table.labels))
        self.output = output
        self.scale = torch.tensor([1 / (255 * s) for s in std]).view(-1, 1, 1)
        self.offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(-1, 1, 1)

    def __call__(self, samples: list[Sample | Skipped]) -> Batch:
        readable = [s for s in samples if isinstance(s, Sample)]
        rows = torch.tensor([s.row for s in readable], dtype=torch.int64)
        skipped = tuple(s for s in samples if isinstance(s, Skipped))
        if not readable:
            return Batch(torch.empty(0), self.labels[rows], rows, skipped=skipped)
        channels = len(self.scale)
        # Planes are split image by image: opencv does that several times faster than a strided copy of the batch.
        images = torch.from_numpy(np.stack([cv2.split(s.view.image) for s in readable]))  # (B, 3, H, W) uint8
        if channels == 1 and images.shape[1] == 3:
            images = _grey(images)
        if self.output == "uint8" and images.dtype != torch.uint8:
            images = images.round().to(torch.uint8)
        if self.output == "float32":
            images = images.float().mul_(self.scale).add_(self.offset)
        return Batch(
            images=images,
            labels=self.labels[rows],
            rows=rows,
            landmarks=_stack([s.view.landmarks for s in readable]),
            boxes=_stack([s.view.box for s in readable]),
            masks=_stack([s.masks for s in readable]),
            known=_stack([s.known for s in readable]),
            skipped=skipped,
            also={name: torch.from_numpy(np.stack([s.also[name] for s in readable])) for name in readable[0].also},
        )


@contextmanager
def _without_threads() -> Iterator[None]:
    """Stop opencv's threads while workers are forked: the forked copy of a running thread pool deadlocks."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _one_thread(_: int) -> None:
    """Limit a worker to one thread, because threads of opencv and BLAS in every worker compete with the model."""
    if cv2.getNumThreads() != 1:  # a spawned worker; in a forked one the threads are stopped already
        cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")  # for the lifetime of the worker


def _stack(arrays: Sequence[Any]) -> Tensor | None:
    return None if arrays[0] is None else torch.from_numpy(np.stack(arrays))


def _grey(pixels: Tensor) -> Tensor:
    """Convert to ITU-R 601 luma, as pillow's mode L: ``(B, 3, H, W)`` to ``(B, 1, H, W)`` uint8."""
    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32).view(3, 1, 1)
    return ((pixels.int() * weights).sum(1, keepdim=True) + 0x8000 >> 16).to(torch.uint8)
