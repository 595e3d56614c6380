"""Data sets of labelled images: reading, checking, regions, alignment, augmentation.

Public names are loaded on first use, so ``import bincam.data`` costs neither pandas nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bincam.data.align import frontal as frontal
    from bincam.data.attributes import AttributeTable as AttributeTable
    from bincam.data.augment import Augmentation as Augmentation
    from bincam.data.celeba import celeba as celeba
    from bincam.data.celeba import write_celeba as write_celeba
    from bincam.data.celeba import write_labels as write_labels
    from bincam.data.dataset import FaceDataset as FaceDataset
    from bincam.data.loader import Batch as Batch
    from bincam.data.loader import Loader as Loader
    from bincam.data.loader import loader as loader
    from bincam.data.orl import orl as orl
    from bincam.data.regions import Regions as Regions
    from bincam.data.source import load as load
    from bincam.data.tabular import table as table

_NAMES = {
    "AttributeTable": "attributes",
    "Augmentation": "augment",
    "Batch": "loader",
    "FaceDataset": "dataset",
    "Loader": "loader",
    "Regions": "regions",
    "celeba": "celeba",
    "frontal": "align",
    "load": "source",
    "loader": "loader",
    "orl": "orl",
    "table": "tabular",
    "write_celeba": "celeba",
    "write_labels": "celeba",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        # Cached in the module, which also keeps the function ``celeba`` in front of the submodule of that name.
        value = getattr(importlib.import_module(f"bincam.data.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bincam.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
