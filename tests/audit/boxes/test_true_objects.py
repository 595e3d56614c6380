"""Where an audit finds true boxes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from bincam.audit.pipeline.boxes.columns import measure_boxes
from bincam.audit.pipeline.boxes.reading import IGNORED, ReadBoxes
from bincam.audit.pipeline.boxes.true_objects import TRUE_PARTS, find_objects
from bincam.data import BoxTable, Regions, write_box_table
from bincam.data.crop import fit_matrix
from bincam.data.dataset import Crop
from bincam.data.regions.mask_files import MaskFiles
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from tests.audit.planted import NAMES, write_pictures


@pytest.fixture
def both(tmp_path):
    """Pictures with boxes and masks that differ, so that it can be seen which is taken."""
    table = write_pictures(tmp_path / "pictures", 6)
    root = tmp_path / "pictures"
    write_box_table(root / "boxes.parquet", [(name, "Object", 0, 0, 16, 8) for name in table.ids])
    folder = root / "masks" / "parts"
    folder.mkdir(parents=True)
    parts = {"1": {"name": "object", "attributes": ["Object"]}}
    (folder / "parts.json").write_text(json.dumps({"kind": "bincam-parts", "schema": 1, "parts": parts}))
    for name in table.ids:
        mask = np.zeros((32, 32), np.uint8)
        mask[::4, ::4] = 1  # 64 specks
        Image.fromarray(mask).save(folder / name)
    return table, Regions.stored(folder)


def crop_of(size):
    return Crop(0, None, fit_matrix("stretch", (32, 32), size), (32, 32))


def test_a_file_comes_before_masks_unless_crops_turn_the_images(both):
    table, masks = both
    found = find_objects(table, masks, NAMES, turned=False)
    assert found.names == ("Object",)
    boxes, drawn = found.of(table.ids[0], crop_of((16, 64)), (16, 64), [True])
    assert boxes[0].tolist() == [[0, 0, 32, 4]]  # moved with the crop
    assert drawn[0].shape == (16, 64)
    turned = find_objects(table, masks, NAMES, turned=True)
    assert turned.table is None
    boxes, _ = turned.of(table.ids[0], crop_of((32, 32)), (32, 32), [True])
    assert len(boxes[0]) == TRUE_PARTS  # of many specks the largest


def test_what_is_not_asked_for_is_not_read(both):
    table, masks = both
    found = find_objects(table, masks, NAMES, turned=False)
    boxes, drawn = found.of("no-such-image.png", crop_of((32, 32)), (32, 32), [False])
    assert len(boxes[0]) == 0
    assert drawn == [None]


def test_boxes_that_the_data_set_states_come_after_a_file_and_before_masks(both):
    table, masks = both
    stated = BoxTable({(name, "Object"): np.array([[4.0, 4, 8, 8]]) for name in table.ids}, "instances.json")
    table = replace(table, objects=stated)
    found = find_objects(table, masks, NAMES, turned=False)
    assert found.source.endswith("boxes.parquet")
    (table.root / "boxes.parquet").unlink(missing_ok=True)
    (table.root.parent / "boxes.parquet").unlink(missing_ok=True)
    found = find_objects(table, masks, NAMES, turned=False)
    boxes, _ = found.of(table.ids[0], crop_of((32, 32)), (32, 32), [True])
    assert (found.source, boxes[0].tolist()) == ("instances.json", [[4, 4, 8, 8]])
    moved = BoxTable({**stated.boxes, (table.ids[0], "Object"): np.array([[4.0, 4, 8, 9]])}, "instances.json")
    assert found.digest == stated.digest() != moved.digest()
    assert find_objects(table, masks, NAMES, turned=True).table is None


def test_a_data_set_without_boxes_of_the_attributes_takes_those_of_its_masks(both):
    table, masks = both
    (table.root / "boxes.parquet").unlink(missing_ok=True)
    (table.root.parent / "boxes.parquet").unlink(missing_ok=True)
    for stated in ({}, {(table.ids[0], "Another"): np.array([[0.0, 0, 4, 4]])}):
        found = find_objects(replace(table, objects=BoxTable(stated, "list")), masks, ("Object",), turned=False)
        assert found.table is None
        assert found.names == ("Object",)


def test_pixels_that_masks_ignore_are_left_out_of_those_that_are_counted(tmp_path):
    mask, ignore = np.zeros((32, 32), bool), np.zeros((32, 32), bool)
    mask[:8, :8], ignore[:16] = True, True
    for name, drawn in (("mask.png", mask), ("ignore.png", ignore)):
        Image.fromarray(drawn).save(tmp_path / name)
    files = {(name, "Object"): (tmp_path / "mask.png",) for name in ("a.png", "b.png")}
    shape = MaskFiles(tmp_path, files, {"a.png": tmp_path / "ignore.png"})
    table = replace(write_pictures(tmp_path / "pictures", 2), objects=None)
    found = find_objects(table, Regions({"": shape}, {}, "list", per_image=True), ("Object",), turned=False)
    wanted = np.ones((2, 1), bool)
    reader = ReadBoxes(found, ("a.png", "b.png"), wanted, (32, 32), (4, 4))
    crops = [Crop(row, None, np.eye(2, 3), (32, 32)) for row in range(2)]
    read = [reader(crop) for crop in crops]
    also = {key: torch.from_numpy(np.stack([one[key] for one in read])) for key in read[0]}
    assert IGNORED in also
    rows = measure_boxes(torch.rand(2, 1, 4, 4), also, np.arange(2), wanted, wanted, [0], (32, 32))
    counts = rows["pixels"].reshape(2, 2, len(LEVELS) + 1).sum(2)
    assert counts.tolist() == [[64, 16 * 32], [64, 32 * 32 - 64]]
