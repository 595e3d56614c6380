"""Where an audit finds true boxes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bincam.audit.pipeline.boxes.true_objects import TRUE_PARTS, find_objects
from bincam.data import BoxTable, Regions, write_box_table
from bincam.data.crop import fit_matrix
from bincam.data.dataset import Crop
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
