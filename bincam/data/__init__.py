"""Data sets of labelled images: reading, checking, regions, alignment, augmentation.

Public names are imported on first use, so ``import bincam.data`` imports neither pandas nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.data.attribute_table import AttributeTable as AttributeTable
    from bincam.data.augment import Augmentation as Augmentation
    from bincam.data.crop import frontal as frontal
    from bincam.data.dataloader import Batch as Batch
    from bincam.data.dataloader import Loader as Loader
    from bincam.data.dataloader import loader as loader
    from bincam.data.dataset import FaceDataset as FaceDataset
    from bincam.data.decoding.bands import decode_bands as decode_bands
    from bincam.data.matching import match_outputs as match_outputs
    from bincam.data.readers.faces.celeba import celeba as celeba
    from bincam.data.readers.faces.celeba_writer import write_celeba as write_celeba
    from bincam.data.readers.faces.celeba_writer import write_labels as write_labels
    from bincam.data.readers.faces.orl import orl as orl
    from bincam.data.readers.landmarks import landmarks_of as landmarks_of
    from bincam.data.readers.landmarks import read_landmarks_of as read_landmarks_of
    from bincam.data.readers.load import load as load
    from bincam.data.readers.load import load_masks as load_masks
    from bincam.data.readers.load import load_regions as load_regions
    from bincam.data.readers.model_columns import load_for_outputs as load_for_outputs
    from bincam.data.readers.table import table as table
    from bincam.data.regions.box_table import BoxTable as BoxTable
    from bincam.data.regions.box_table import write_box_table as write_box_table
    from bincam.data.regions.boxes import cropped_boxes as cropped_boxes
    from bincam.data.regions.boxes import mask_box as mask_box
    from bincam.data.regions.boxes import part_boxes as part_boxes
    from bincam.data.regions.regions import Regions as Regions

_NAMES = {
    "AttributeTable": "attribute_table",
    "Augmentation": "augment",
    "Batch": "dataloader",
    "FaceDataset": "dataset",
    "Loader": "dataloader",
    "Regions": "regions.regions",
    "BoxTable": "regions.box_table",
    "celeba": "readers.faces.celeba",
    "cropped_boxes": "regions.boxes",
    "decode_bands": "decoding.bands",
    "frontal": "crop",
    "landmarks_of": "readers.landmarks",
    "load": "readers.load",
    "load_for_outputs": "readers.model_columns",
    "load_masks": "readers.load",
    "load_regions": "readers.load",
    "loader": "dataloader",
    "mask_box": "regions.boxes",
    "match_outputs": "matching",
    "orl": "readers.faces.orl",
    "part_boxes": "regions.boxes",
    "read_landmarks_of": "readers.landmarks",
    "table": "readers.table",
    "write_box_table": "regions.box_table",
    "write_celeba": "readers.faces.celeba_writer",
    "write_labels": "readers.faces.celeba_writer",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
