"""The columns of grids: evidence planted on objects is found, its twin elsewhere is not, and nulls tell a template."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bincam.cam import PredictionGrid
from bincam.metrics import Foreground, foreground, image_columns, null_columns
from bincam.metrics.localization.cells.columns import NULLS, OF_IMAGE

N, GRID = 120, (6, 6)


def objects(seed: int = 0) -> Tensor:
    """A square of 2 x 2 cells anywhere, ``(N, 1, h, w)``."""
    random = np.random.default_rng(seed)
    cells = torch.zeros(N, 1, *GRID)
    for image, (top, left) in enumerate(random.integers(0, 5, (N, 2))):
        cells[image, 0, top : top + 2, left : left + 2] = 1
    return cells


def grid_of(scores: Tensor) -> PredictionGrid:
    mean = scores.mean((-2, -1))
    return PredictionGrid(("star",), "frozen", scores, mean, torch.zeros(1, dtype=torch.float64))


def masks_of(cells: Tensor) -> Foreground:
    return foreground(cells, torch.ones(GRID))


@pytest.fixture
def labels() -> Tensor:
    return (torch.arange(N) % 2).float()[:, None]


@pytest.fixture
def noise() -> Tensor:
    return torch.randn(N, 1, *GRID, generator=torch.Generator().manual_seed(0)) * 0.3 - 1


def summary(columns: dict[str, Tensor]) -> dict[str, float]:
    return {name: values.nanmean().item() for name, values in columns.items()}


def test_planted_evidence_is_found_and_its_twin_is_not(labels: Tensor, noise: Tensor) -> None:
    cells = objects()
    on_object = grid_of(noise + 2 * cells * labels[..., None, None])
    elsewhere = grid_of(noise + 2 * objects(seed=1) * labels[..., None, None])
    for grid, found in ((on_object, True), (elsewhere, False)):
        of_image = summary(image_columns(grid, masks_of(cells), labels))
        null = summary(null_columns(grid, masks_of(cells), labels, own_region=False))
        assert (of_image["auroc"] - null["null_auroc"] > 0.4) == found
        assert abs(of_image["auroc"] - null["null_auroc"]) < 0.06 or found
        assert (of_image["recovery"] - of_image["chance"] > 0.5) == found
        assert (of_image["contrast"] > 0.8) == found
        assert null["false_alarm"] < 0.05
        assert of_image["foreground"] == pytest.approx(4 / 36)
        assert of_image["fallback"] == 0
        assert abs(of_image["gap"]) < 1e-6


def test_a_template_looks_right_alone_and_its_null_says_that_it_is_none(labels: Tensor, noise: Tensor) -> None:
    """Objects in the centre, and scores that are higher there whatever is in the image."""
    cells = torch.zeros(N, 1, *GRID)
    cells[..., 2:4, 2:4] = 1
    grid = grid_of(noise + 2 * cells)
    of_image, null = (
        summary(image_columns(grid, masks_of(cells), labels)),
        summary(null_columns(grid, masks_of(cells), labels, own_region=True)),
    )
    assert of_image["auroc"] > 0.99
    assert abs(of_image["auroc"] - null["null_auroc"]) < 0.01
    assert of_image["recovery"] == 1
    assert null["false_alarm"] == 1


def test_only_images_with_the_attribute_and_a_mask_count(labels: Tensor, noise: Tensor) -> None:
    labels[:10] = torch.nan
    cells = objects()
    cells[20:30] = torch.nan
    columns = image_columns(grid_of(noise), masks_of(cells), labels)
    assert tuple(columns) == OF_IMAGE
    has = (labels == 1)[:, 0]
    has[20:30] = False
    for name in OF_IMAGE[:-1]:
        assert torch.equal(columns[name].isfinite()[:, 0], has), name
    nulls = null_columns(grid_of(noise), masks_of(cells), labels, own_region=False)
    assert tuple(nulls) == NULLS
    assert torch.equal(nulls["null_auroc"].isfinite()[:, 0], has)
    assert torch.equal(nulls["false_alarm"].isfinite(), labels == 0)
    assert nulls["absent_alarm"].isnan().all()
    own = null_columns(grid_of(noise), masks_of(cells), labels, own_region=True)["false_alarm"]
    without = (labels == 0)[:, 0]
    without[20:30] = False
    assert torch.equal(own.isfinite()[:, 0], without)


def test_shared_regions_are_those_of_every_image(labels: Tensor, noise: Tensor) -> None:
    shared = torch.zeros(1, *GRID)
    shared[0, 1:3, 1:4] = 1
    each = shared.expand(N, 1, *GRID)
    grid = grid_of(noise)
    for one, other in (
        (image_columns(grid, masks_of(shared), labels), image_columns(grid, masks_of(each), labels)),
        (
            null_columns(grid, masks_of(shared), labels, own_region=True),
            null_columns(grid, masks_of(each), labels, own_region=True),
        ),
    ):
        for name, values in one.items():
            torch.testing.assert_close(values, other[name], equal_nan=True)


def test_in_a_set_cells_name_the_true_output_and_not_an_absent_one() -> None:
    random = torch.Generator().manual_seed(0)
    true = torch.arange(N) % 3
    cells = objects()
    raw = torch.randn(N, 3, *GRID, generator=random) * 0.3
    raw[:, 2] += 0.5  # elsewhere the cells name the last output
    raw += 2 * torch.nn.functional.one_hot(true, 3)[..., None, None] * cells
    labels = torch.nn.functional.one_hot(true, 3).float()
    grid = PredictionGrid(
        ("a", "b", "c"),
        "frozen",
        raw,
        raw.mean((-2, -1)),
        torch.zeros(3),
        sets=("kind",) * 3,
        members={"kind": raw},
        names={"kind": ("a", "b", "c")},
        places=torch.arange(3).expand(N, 3),
    )
    masks = masks_of(cells.expand(N, 3, *GRID))
    of_image = image_columns(grid, masks, labels)
    nulls = null_columns(grid, masks, labels, own_region=False)
    assert of_image["recovery"].nanmean() > 0.99
    assert torch.equal(of_image["recovery"].isfinite(), labels == 1)
    assert nulls["false_alarm"].nanmean() < 0.2
    assert nulls["absent_alarm"].nanmean() < 0.2
    assert torch.equal(nulls["absent_alarm"].isfinite(), labels == 1)
    raw -= 2 * torch.nn.functional.one_hot(true, 3)[..., None, None] * cells  # the twin: nothing is on the object
    assert image_columns(grid, masks, labels)["recovery"][:, :2].nanmean() < 0.9
    assert null_columns(grid, masks, labels, own_region=False)["false_alarm"].nanmean() > 0.5
    nothing_absent = {"kind": torch.ones(N, 3, dtype=torch.bool)}
    assert null_columns(grid, masks, labels, own_region=False, present=nothing_absent)["absent_alarm"].isnan().all()
