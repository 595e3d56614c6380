"""One shard of a zoom study: what the model says of some images at every view, as packed bits and float16."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.stored import one_nan, read_tensors, write_tensors
from bincam.errors import InputError

Bools = NDArray[np.bool_]
FOLDER = "views"
_DIGEST = "digest"
_PACKED = ("positive", "undefined", "right")


@dataclass(frozen=True)
class ViewShard:
    """N images, V views, A outputs, Q questions.

    Attributes:
        logits: ``(N, V, A)`` float16; beyond 65,504 infinite.
        positive: ``(N, V, A)``: decisions.
        undefined: ``(N, V, A)``: views without one, neither right nor wrong.
        right: ``(N, V, Q)``: the answer is the true one.
        own_logits: ``(N, A)`` float32, of the model's own crop.
        own_positive: ``(N, A)``.
        own_undefined: ``(N, A)``.
        sizes: ``(N, 2)``: H and W of the images, or of the squares of face crops.
        labels: ``(N, A)`` float32: 1, 0 or NaN.
        centres: ``(N, A, 2)`` float32: x and y of objects as shares of the image; NaN where unknown.
    """

    logits: NDArray[np.float16]
    positive: Bools
    undefined: Bools
    right: Bools
    own_logits: NDArray[np.float32]
    own_positive: Bools
    own_undefined: Bools
    sizes: NDArray[np.int64]
    labels: NDArray[np.float32]
    centres: NDArray[np.float32]

    def write(self, file: Path, study: str) -> None:
        """Write the shard, atomically; three arrays as bits.

        Args:
            file: The file, whose name and study the shard's own digest is of too.
            study: ``StudyFolder.digest``.
        """
        arrays: dict[str, NDArray[Any]] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _PACKED:
            arrays[name] = np.packbits(arrays[name])
        shape = (*self.positive.shape, self.right.shape[2])
        arrays["shape"] = np.array(shape, np.int64)
        write_tensors(file, arrays | {_DIGEST: _digest(arrays, f"{study}/{file.name}")})

    @classmethod
    def read(cls, file: Path, study: str) -> ViewShard:
        """Read a shard.

        Args:
            file: The file.
            study: ``StudyFolder.digest``.

        Raises:
            InputError: The file is missing, broken, or not such a shard, or not the one that this study wrote.
        """
        arrays = read_tensors(file)
        own = arrays.pop(_DIGEST, None)  # which shards of an earlier bincam have not
        if own is not None and not np.array_equal(own, _digest(arrays, f"{study}/{file.name}")):
            raise InputError(
                f"{file}: not the shard that this study wrote there; remove it, and the summary if there is one, and "
                "--resume looks at its images again"
            )
        missing = [name for name in ("shape", *(field.name for field in fields(cls))) if name not in arrays]
        if missing:
            raise InputError(f"{file}: no {missing[0]}, so it is no shard of a zoom study; make the study again")
        stated = arrays.pop("shape")
        if stated.shape != (4,) or stated.dtype != np.int64 or stated.min() < 0:
            raise InputError(f"{file}: its shape is damaged; make the study again")
        images, views, outputs, questions = (int(length) for length in stated)
        for name, (kind, shape) in _expected(images, views, outputs, questions).items():
            if arrays[name].dtype != kind or arrays[name].shape != shape:
                raise InputError(
                    f"{file}: {name} is {arrays[name].dtype} {arrays[name].shape}, expected {kind} {shape}; make the "
                    "study again"
                )
        for name in _PACKED:
            last = questions if name == "right" else outputs
            bits = np.unpackbits(arrays[name], count=images * views * last)
            arrays[name] = bits.reshape(images, views, last).astype(bool)
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _digest(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.uint8]:
    """Compute the SHA-256 of named arrays of one file of one study, as 32 numbers."""
    state = hashlib.sha256(name.encode())
    for key in sorted(arrays):
        array = one_nan(arrays[key])
        state.update(f"{key} {array.dtype} {array.shape}".encode())
        state.update(array.tobytes())
    return np.frombuffer(state.digest(), np.uint8)


def _expected(images: int, views: int, outputs: int, questions: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the type and the shape of each array of a shard's file, three of them as bits."""

    def bits(last: int) -> tuple[str, tuple[int, ...]]:
        return "uint8", (-(-images * views * last // 8),)

    of_own = (images, outputs)
    return {
        "logits": ("float16", (images, views, outputs)),
        "positive": bits(outputs),
        "undefined": bits(outputs),
        "right": bits(questions),
        "own_logits": ("float32", of_own),
        "own_positive": ("bool", of_own),
        "own_undefined": ("bool", of_own),
        "sizes": ("int64", (images, 2)),
        "labels": ("float32", of_own),
        "centres": ("float32", (*of_own, 2)),
    }


def shard_file(folder: Path, number: int) -> Path:
    """Return the file of a shard.

    >>> shard_file(Path("zoom"), 3).as_posix()
    'zoom/views/part-00003.safetensors'
    """
    return folder / FOLDER / f"part-{number:05d}.safetensors"


def shard_images(views: int) -> int:
    """Return the images of a shard: a study that is interrupted loses about 4,000 forward passes at most.

    >>> shard_images(54), shard_images(324), shard_images(10_000)
    (74, 12, 1)
    """
    return max(1, 4000 // views)
