"""An audit of a COCO file: the boxes and masks that the data set states are those that maps are compared with."""

from __future__ import annotations

import json

import pytest

from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.data import load
from tests.audit.boxes.conftest import BOX
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import NAMES, SIDE, reader, write_pictures

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Pictures in a folder of their own, and a file of annotations: the object has a box and a polygon."""
    root = tmp_path_factory.mktemp("coco")
    table = write_pictures(root / "pictures", 24)
    x0, y0, x1, y1 = BOX
    annotations = []
    for row, labels in enumerate(table.labels):
        for category, label in enumerate(labels):
            shape = {"bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]]}
            if label == 1:
                entry = {"id": len(annotations), "image_id": 3 * row, "category_id": 10 + category}
                annotations.append({**entry, **(shape if category == 0 else {})})
    images = [{"id": 3 * row, "file_name": name, "width": SIDE, "height": SIDE} for row, name in enumerate(table.ids)]
    categories = [{"id": 10 + category, "name": name} for category, name in enumerate(NAMES)]
    file = root / "instances.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file


@pytest.mark.slow  # two audits
def test_evidence_on_the_object_is_told_from_evidence_elsewhere(file, tmp_path):
    table = load(file, images=file.parent / "pictures" / "img_align_celeba", unannotated="absent")
    chosen = Settings(
        batch_size=4,
        shard_images=8,
        gate_images=0,
        boxes=True,
        boxes_sample=0,
        split=None,
        reference_split=None,
        object_masks=file,
    )
    found = {}
    for name, channel in (("on", 0), ("off", 1)):
        audit = run(reader(channel), table, tmp_path / name, chosen)
        entry = audit.summary["boxes"]["attributes"]["Object"]
        found[name] = entry["known"]["fixed"]["value"], entry["measured"]
        assert entry["pxap"]["value"] is not None  # of the polygons
    positives = int((table.labels[:, 0] == 1).sum())
    assert found == {"on": (1.0, positives), "off": (0.0, positives)}
