"""One shard of a zoom study: what the model says of some images at every view, as packed bits and float16."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.stored import read_tensors, write_tensors
from bincam.errors import InputError

Bools = NDArray[np.bool_]
FOLDER = "views"
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

    def write(self, file: Path) -> None:
        """Write the shard, atomically; three arrays as bits."""
        arrays: dict[str, NDArray[Any]] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _PACKED:
            arrays[name] = np.packbits(arrays[name])
        shape = (*self.positive.shape, self.right.shape[2])
        write_tensors(file, arrays | {"shape": np.array(shape, np.int64)})

    @classmethod
    def read(cls, file: Path) -> ViewShard:
        """Read a shard.

        Raises:
            InputError: The file is missing, broken, or not such a shard.
        """
        arrays = read_tensors(file)
        missing = [name for name in ("shape", *(field.name for field in fields(cls))) if name not in arrays]
        if missing:
            raise InputError(f"{file}: no {missing[0]}, so it is no shard of a zoom study; make the study again")
        images, views, outputs, questions = (int(length) for length in arrays.pop("shape"))
        for name in _PACKED:
            last = questions if name == "right" else outputs
            bits = np.unpackbits(arrays[name], count=images * views * last)
            arrays[name] = bits.reshape(images, views, last).astype(bool)
        return cls(**arrays)


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
