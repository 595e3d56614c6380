"""Reader of LFWA: CelebA's 40 attributes of the 13,143 photographs of Labeled Faces in the Wild."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Coding
from bincam.data.readers.sources.lines import first_file
from bincam.data.readers.sources.matlab import matrix, read_matlab, rows_from_one, texts, variable
from bincam.errors import InputError

_SPLITS = {"train": "indices_img_train", "test": "indices_img_test"}


@reader_of("lfwa")
def lfwa(root: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None) -> AttributeTable:
    r"""Read ``lfw_att_40.mat``, in which images are called ``Aaron_Eckhart\Aaron_Eckhart_0001.jpg``.

    The file is distributed in MATLAB's version 7.3, which is HDF5 and needs ``bincam[hdf5]``.

    Args:
        root: Folder with ``lfw_att_40.mat`` and, for the splits, ``indices_train_test.mat``, whose rows are counted
            from 1.
        images: Folder of the images; ``lfw`` or ``lfw-deepfunneled`` in ``root`` by default.

    Returns:
        The table; a person is the folder of the image.

    Raises:
        InputError: A file is missing or of another content.
    """
    file = first_file(root, ["lfw_att_40.mat", "Anno/lfw_att_40.mat"], "lfw_att_40.mat")
    folder = (
        first_file(root, ["lfw", "lfw-deepfunneled", "lfw_funneled"], "folder of images") if images is None else images
    )
    content = read_matlab(file)
    names = texts(content, "AttrName", file)
    ids = [name.replace("\\", "/") for name in texts(content, "name", file)]
    labels = matrix(content, "label", file, (len(ids), len(names))).astype(np.float32)
    if wrong := labels[(labels != 0) & (labels != 1)].tolist():
        raise InputError(f"{file}: a label is {wrong[0]:g}; labels are 0 and 1")
    extra: dict[str, Any] = {}
    if (indices := file.parent / "indices_train_test.mat").is_file():
        stated = read_matlab(indices)
        splits = np.full(len(ids), "", "U10")
        for split, name in _SPLITS.items():
            at = rows_from_one(variable(stated, name, indices), len(ids), f"{indices}: {name}")
            if (splits[at] != "").any():
                raise InputError(f"{indices}: {name}: an image is in the other split, too")
            splits[at] = split
        extra["splits"] = splits
    return AttributeTable(
        tuple(name.strip() for name in names),
        labels,
        tuple(ids),
        Path(folder),
        identities=np.array([name.rpartition("/")[0] for name in ids]),
        source=str(root),
        meaning=(f"labels: {Coding.of('0/1')}",),
        **extra,
    )
