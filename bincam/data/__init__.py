"""Data sets of labelled images: reading, checking, regions, alignment, augmentation.

Public names are loaded on first use, so ``import bincam.data`` costs neither pandas nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.data.align import frontal as frontal
    from bincam.data.attributes import AttributeTable as AttributeTable
    from bincam.data.augment import Augmentation as Augmentation
    from bincam.data.batches import Batch as Batch
    from bincam.data.batches import Loader as Loader
    from bincam.data.batches import loader as loader
    from bincam.data.celeba_layout import celeba as celeba
    from bincam.data.celeba_layout import write_celeba as write_celeba
    from bincam.data.celeba_layout import write_labels as write_labels
    from bincam.data.dataset import FaceDataset as FaceDataset
    from bincam.data.orl_faces import orl as orl
    from bincam.data.regions import Regions as Regions
    from bincam.data.source import load as load
    from bincam.data.source import load_regions as load_regions
    from bincam.data.tabular import table as table

_NAMES = {
    "AttributeTable": "attributes",
    "Augmentation": "augment",
    "Batch": "batches",
    "FaceDataset": "dataset",
    "Loader": "batches",
    "Regions": "regions",
    "celeba": "celeba_layout",
    "frontal": "align",
    "load": "source",
    "load_regions": "source",
    "loader": "batches",
    "orl": "orl_faces",
    "table": "tabular",
    "write_celeba": "celeba_layout",
    "write_labels": "celeba_layout",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
