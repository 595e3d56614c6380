"""Masks that say nothing, models without a grid, and cells that all say the same."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.errors import InputError, UnsupportedError
from bincam.models import AttributeClassifier
from bincam.report import write_report
from tests.audit.cells.conftest import audited
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import NAMES, SIDE, Eye, eye_card, reader
from tests.audit.planted_cells import cell_settings

pytestmark = NOTES_ALLOWED


def cells_of(audit, name="Object"):
    return audit.summary["attributes"][name]["cells"]


def test_without_any_mask_the_cells_are_not_told_apart_and_a_note_says_so(masked, root, tmp_path):
    settings = cell_settings(root, object_masks=None)
    with pytest.warns(match="cells are not told apart: Object and Other"):
        audit = run(reader(0), masked, tmp_path / "none", settings)
    assert cells_of(audit)["rows"] == []
    assert audit.summary["cells"]["masked"] == 0
    page = write_report(audit.folder, tmp_path / "report.html").read_text()
    assert "No attribute has a mask." in page
    assert "There is no mask of an object and no region" in page


@pytest.fixture(scope="module")
def odd_masks(masked, tmp_path_factory):
    """Masks that are empty, cover everything, are smaller than a cell, or missing; in turn."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "Object").mkdir()
    positive = np.flatnonzero((masked.labels[:, 0] == 1) & (masked.splits == "test"))
    kinds = {}
    for number, row in enumerate(positive):
        kind = kinds[masked.ids[row]] = ("empty", "everything", "small", "missing")[number % 4]
        mask = np.full((SIDE, SIDE), 255 if kind == "everything" else 0, np.uint8)
        if kind == "small":
            mask[9, 9] = 255
        if kind != "missing":
            Image.fromarray(mask).save(folder / "Object" / masked.ids[row])
    return folder, kinds


def test_masks_that_say_nothing_are_undefined_and_small_ones_a_fallback(masked, root, odd_masks, tmp_path):
    folder, kinds = odd_masks
    audit = audited(0, masked, root, tmp_path / "odd", object_masks=folder, sample=4)
    records = audit.records(["row", "attribute", "cells.fallback", "cells.auroc", "cells.recovery"])
    names = audit.images.set_index("row")["image"]
    own = records[(records["attribute"] == "Object") & names.loc[records["row"]].isin(kinds).to_numpy()]
    for row, fallback, auroc in zip(own["row"], own["cells.fallback"], own["cells.auroc"], strict=True):
        small = kinds[names.loc[row]] == "small"
        assert (fallback == 1) == small
        assert np.isfinite(auroc) == small
    entry = cells_of(audit)
    assert entry["masked"] == sum(kind == "small" for kind in kinds.values())
    assert entry["fallback"]["value"] == 1
    assert entry["auroc_covering"]["figure"]["value"] is None
    assert entry["images"] == len(kinds)
    write_report(audit.folder, tmp_path / "report.html")


def test_cells_that_all_say_the_same_rank_nothing(masked, root, tmp_path):
    audit = audited(None, masked, root, tmp_path / "constant")
    row = cells_of(audit)["rows"][0]
    assert (row["measure"], row["figure"]["value"], row["difference"]["value"]) == ("auroc", 0.5, 0)
    write_report(audit.folder, tmp_path / "report.html")


class Whole(nn.Module):
    """One cell: the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, SIDE), nn.ReLU())
        self.head = nn.Linear(4, len(NAMES))

    def forward(self, images):
        return self.head(self.features(images).mean((2, 3)))


class Deep(Eye):
    """An MLP behind the pooling."""

    def __init__(self) -> None:
        super().__init__([[1.0] * 3] * 2, [0.0, 0.0])
        self.more = nn.Sequential(nn.Linear(2, 8), nn.GELU(), nn.Linear(8, 2))

    def forward(self, images):
        return self.more(super().forward(images))


@pytest.mark.parametrize("network", [Whole, Deep])
def test_a_model_without_a_grid_is_refused_in_one_line_before_the_pass(masked, root, tmp_path, network):
    torch.manual_seed(0)
    model = AttributeClassifier(network(), eye_card()).eval()
    with pytest.raises(UnsupportedError, match="no prediction grid") as refused:
        run(model, masked, tmp_path / "no", cell_settings(root))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "no").exists()


class Peak(Eye):
    """The highest cell decides."""

    def forward(self, images):
        return self.head(self.features(self.grid(images)).amax((2, 3)))


def test_a_pooling_that_is_no_mean_is_read_pointwise_and_keeps_no_other(masked, root, tmp_path):
    model = AttributeClassifier(Peak([[40.0, 0.0, 0.0], [0.0] * 3], [-1.0, 1.5]), eye_card()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        audit = run(model, masked, tmp_path / "peak", cell_settings(root))
    cells = audit.manifest.cells
    assert (cells.reading, cells.poolings, cells.midpoint) == ("pointwise", [], False)
    assert cells_of(audit)["rows"][0]["difference"]["low"] > 0.2
    assert "poolings" not in cells_of(audit)
    assert audit.summary["attributes"]["Object"]["counts"]["FN"] == 0
    page = write_report(audit.folder, tmp_path / "report.html").read_text()
    assert "pointwise: the head is applied to each cell alone" in page
    assert "No image is missed, so no evidence was lost." in page


def test_a_grid_that_is_no_choice_is_refused():
    with pytest.raises(InputError, match="grid: got"):
        Settings(grid="frozen")


def test_an_audit_without_validation_images_says_why_poolings_are_not_compared(masked, root, tmp_path):
    audit = audited(0, masked, root, tmp_path / "alone", reference_split=None)
    assert "no reference split" in cells_of(audit)["poolings"]["reason"]
    assert not audit.manifest.cells.midpoint
    page = write_report(audit.folder, tmp_path / "report.html").read_text()
    assert "is not known: no reference split" in page
