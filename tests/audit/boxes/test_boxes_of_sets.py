"""Boxes of a set of outputs: each output is a class, and top-1 is the set's argmax."""

import numpy as np
import pytest
import torch

from bincam import scenes
from bincam.audit.folder.parts.boxes import read_boxes
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.data import BoxTable, load
from bincam.errors import InputError
from bincam.models import build
from tests.audit.conftest import NOTES_ALLOWED

pytestmark = NOTES_ALLOWED
NAMES = [f"shape={name}" for name in scenes.SHAPES]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    scenes.make(root, 20, seed=1, rule="one", size=64, workers=1)
    return root


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    tiny = {"channels": [8, 8, 8, 8], "stem_width": 8, "input_size": (64, 64), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    return build("resnet10t", NAMES, one_of={"shape": NAMES}, **tiny)


@pytest.mark.slow  # may be the first to compile the search for components
def test_each_output_has_boxes_and_the_argmax_decides(labelled, model, tmp_path):
    data = load(labelled / "label.csv")
    settings = Settings(split=None, batch_size=4, gate_images=0, boxes=True)
    audit = run(model, data, tmp_path / "audit", settings)
    rows, truth = read_boxes(audit.folder, audit.shards), BoxTable.read(labelled / "boxes.parquet")
    assert len(rows.row) == 20  # one label per image
    for row, name, box in zip(rows.row, rows.attribute, rows.boxes["true_box"], strict=True):
        assert data.labels[row, data.index(name)] == 1
        assert box.tolist() == truth.of(data.ids[row], name)[0].tolist()
    predicted = np.array(NAMES)[audit.scores().argmax(1)]
    for name, entry in audit.summary["boxes"]["attributes"].items():
        own = rows.of(name)
        assert entry["positives"] == len(own.row)
        hits = (np.nan_to_num(own.numbers["cam"]) >= 0.5) & (predicted[own.row] == name)
        if len(hits):
            assert entry["top_1"]["fixed"]["value"] == pytest.approx(hits.mean())
    boxes = audit.summary["boxes"]
    assert sum(entry["pxap"]["images"] for entry in boxes["attributes"].values()) == 20  # masks are there, too
    judged = [entry for name, entry in boxes["attributes"].items() if name not in boxes["not_judged"]]
    assert boxes["not_judged"]  # a grid of 2 x 2 cells reaches few of the objects
    assert boxes["overall"]["measured"] == sum(entry["measured"] for entry in judged)


def test_outputs_without_rows_of_their_own_have_no_boxes(labelled, model, tmp_path):
    settings = Settings(split=None, batch_size=4, gate_images=0, boxes=True, one_of_rows=2)
    with pytest.raises(InputError, match="outputs that have a row of their own; raise one_of_rows"):
        run(model, load(labelled / "label.csv"), tmp_path / "audit", settings)
