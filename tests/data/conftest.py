from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bincam.data import AttributeTable, write_celeba
from bincam.data.describe import SPLITS

MEAN_FACE = np.array([[69, 111], [108, 111], [88, 135], [72, 152], [106, 152]], np.float32)


def make_table(n: int = 12, *, names: tuple[str, ...] = ("Bald", "Smiling", "Male"), seed: int = 0) -> AttributeTable:
    rng = np.random.default_rng(seed)
    landmarks = MEAN_FACE + rng.integers(-3, 4, (n, 5, 2)).astype(np.float32)
    return AttributeTable(
        names=names,
        labels=(rng.random((n, len(names))) < 0.4).astype(np.float32),
        ids=tuple(f"{i:06d}.jpg" for i in range(1, n + 1)),
        root=Path(),
        splits=np.array([SPLITS[i * 3 // n] for i in range(n)]),
        identities=np.array([str(100 + i // 2) for i in range(n)]),
        landmarks=landmarks,
        boxes=np.column_stack([np.full((n, 2), 40), np.full((n, 2), 100)]).astype(np.float32),
    )


def make_images(n: int, size: tuple[int, int] = (218, 178), seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 6, 5, 3)).astype(np.uint8)
    return [
        np.kron(one, np.ones((-(-size[0] // 6), -(-size[1] // 5), 1), np.uint8))[: size[0], : size[1]] for one in coarse
    ]


def equal(a: AttributeTable, b: AttributeTable) -> bool:
    """Equality of everything except the image folder."""
    return replace(a, root=Path(), source="").digest() == replace(b, root=Path(), source="").digest()


@pytest.fixture
def table() -> AttributeTable:
    return make_table()


@pytest.fixture
def folder(tmp_path: Path, table: AttributeTable) -> Path:
    write_celeba(table, make_images(len(table)), tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def edit(folder: Path) -> Callable[[str, Callable[[list[bytes]], list[bytes]]], Path]:
    """Change the lines of one of the folder's files."""

    def change(name: str, by: Callable[[list[bytes]], list[bytes]]) -> Path:
        file = folder / name
        file.write_bytes(b"\n".join(by(file.read_bytes().split(b"\n"))))
        return file

    return change
