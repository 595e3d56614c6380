"""A batch's rows: outcomes by hand, NaN where nothing is known, sums that leave out what is not finite."""

import numpy as np
import pytest
import torch

from bincam.audit.folder.schema import KEYS, measure_columns, record_schema
from bincam.audit.pipeline.measure import MeasureInputs, ShardBuilder, empty_shard, measure, ones
from bincam.cam import Explainer
from bincam.resample import project
from bincam.stats.outcomes import outcome_codes

SIZE = (12, 16)
GRID = (6, 8)
NAN = float("nan")


def ruler(**changes):
    weights = torch.from_numpy(project(np.ones((4, *SIZE)), GRID))
    options = {
        "references": {},
        "masks": (),
        "regions": {GRID: weights},
        "hits": {GRID: torch.ones(4, *GRID)},
        "totals": {GRID: ones(GRID, SIZE)},
        "size": SIZE,
    }
    return MeasureInputs(**(options | changes))


@pytest.fixture
def explanations(tiny, images):
    return {"grad_cam": Explainer(tiny, names=["a", "b", "c", "d"])(images)}


LABELS = torch.tensor([[1.0, 0, NAN, 1], [0, 0, 1, 1], [1, 1, 0, NAN]])


def test_outcomes_by_hand():
    logits = torch.tensor([[1.0, 0.5, -1.0, 0.2, NAN, 3.0]])
    labels = torch.tensor([[1.0, 0.0, 1.0, 0.0, 1.0, NAN]])
    threshold = torch.tensor([1.0, 0.0, 0.0, 0.5, 0.0, 0.0])
    assert outcome_codes(labels, logits, threshold).tolist() == [[0, 1, 2, 3, -1, -1]]  # z = t counts as positive


def test_every_column_of_the_schema_is_there(explanations):
    columns, maps = measure(explanations, LABELS, torch.arange(3), {}, ruler())
    assert set(columns) | {"attribute"} == {*KEYS, *measure_columns(["grad_cam"])}
    assert {name: tuple(value.shape) for name, value in columns.items() if name != "row"} == dict.fromkeys(
        set(columns) - {"row"}, (3, 4)
    )
    assert set(record_schema(("grad_cam",)).names) == set(columns) | {"attribute"}
    assert maps["grad_cam"] is explanations["grad_cam"].maps


def test_the_whole_image_as_region_has_all_the_energy_and_no_gain(explanations):
    columns, _ = measure(explanations, LABELS, torch.arange(3), {}, ruler())
    energy = columns["grad_cam.energy"]
    known = columns["grad_cam.empty"] == 0
    torch.testing.assert_close(energy[known], torch.ones_like(energy[known]))
    assert torch.isnan(energy[~known]).all()
    assert torch.isnan(columns["grad_cam.gain"]).all()
    torch.testing.assert_close(columns["grad_cam.relevance_rank"], energy, equal_nan=True)  # 1, or an empty map
    torch.testing.assert_close(columns["grad_cam.area"], torch.ones(3, 4))


def test_references_that_are_not_there_are_nan(explanations):
    columns, _ = measure(explanations, LABELS, torch.arange(3), {}, ruler())
    assert torch.isnan(columns["midpoint.bias_share"]).all()
    assert torch.isnan(columns["midpoint.empty"]).all()
    assert not torch.isnan(columns["zero.bias_share"]).any()


def test_masks_of_each_image_are_measured_beside_the_region(explanations):
    masks = np.zeros((3, 4, *SIZE))
    masks[0, 0, :6] = 1
    masks[1] = NAN
    weights = torch.from_numpy(project(masks, GRID))
    drawn = {"object@6x8": weights}
    columns, _ = measure(explanations, LABELS, torch.arange(3), drawn, ruler(masks=("object",)))
    maps = explanations["grad_cam"].maps[0, 0].relu()
    expected = (maps * weights[0, 0]).sum() / (maps * ones(GRID, SIZE)).sum()
    torch.testing.assert_close(columns["grad_cam.object_energy"][0, 0], expected.float())
    assert torch.isnan(columns["grad_cam.object_energy"][1]).all()
    assert torch.isnan(columns["grad_cam.object_energy"][0, 1])  # a mask that lies outside of the crop


def test_regions_of_each_image_take_the_place_of_fixed_ones(explanations):
    top = np.zeros((3, 4, *SIZE))
    top[:, :, :6] = 1
    drawn = {"region@6x8": torch.from_numpy(project(top, GRID)), "hits@6x8": torch.ones(3, 4, *GRID)}
    columns, _ = measure(explanations, LABELS, torch.arange(3), drawn, ruler(regions=None, hits=None))
    torch.testing.assert_close(columns["grad_cam.area"], torch.full((3, 4), 0.5))


def test_sums_leave_out_maps_that_are_not_finite_and_unknown_outcomes(explanations):
    columns, maps = measure(explanations, LABELS, torch.arange(3), {}, ruler())
    spoiled = maps["grad_cam"].clone()
    spoiled[0, 0, 0, 0] = NAN
    gathering = ShardBuilder()
    gathering.add(columns, {"grad_cam": spoiled}, torch.zeros(3, 3, *SIZE), {})
    shard = gathering.shard({})
    assert np.isfinite(shard.sums["grad_cam.sum"]).all()
    assert shard.sums["grad_cam.count"].sum() == 12 - 1 - 2  # one map, and two labels that nobody knows
    assert shard.maps["grad_cam"].dtype == np.float16
    assert np.isnan(shard.maps["grad_cam"][0, 0, 0, 0])


def test_what_half_precision_cannot_hold_is_nan_and_counted(explanations):
    columns, maps = measure(explanations, LABELS, torch.arange(3), {}, ruler())
    large = maps["grad_cam"].clone()
    large[0, 1, 2, 3] = -7e4
    large[2, 1, 0, 0] = 1e9
    large[1, 0, 0, 0] = NAN  # undefined already
    large[1, 2, 0, 0] = 65504
    gathering = ShardBuilder()
    gathering.add(columns, {"grad_cam": large}, torch.zeros(3, 3, *SIZE), {})
    shard = gathering.shard({})
    assert shard.sums["grad_cam.beyond"].tolist() == [0, 2, 0, 0]
    stored = shard.maps["grad_cam"]
    assert np.isnan(stored[0, 1, 2, 3])
    assert np.isnan(stored).sum() == 3
    assert not np.isinf(stored).any()
    assert np.abs(shard.sums["grad_cam.sum"]).max() > 6e4  # means are summed before


def test_batches_add_up(explanations, tiny, images):
    whole, parts = ShardBuilder(), ShardBuilder()
    columns, maps = measure(explanations, LABELS, torch.arange(3), {}, ruler())
    whole.add(columns, maps, images, {"outline": torch.full((3, 4, 2, 2), 255)})
    for row in range(3):
        one = {"grad_cam": Explainer(tiny, names=["a", "b", "c", "d"])(images[row : row + 1])}
        columns, maps = measure(one, LABELS[row : row + 1], torch.tensor([row]), {}, ruler())
        parts.add(columns, maps, images[row : row + 1], {"outline": torch.full((1, 4, 2, 2), 255)})
    a, b = whole.shard({}), parts.shard({})
    assert set(a.sums) == set(b.sums)
    for name, value in a.sums.items():
        np.testing.assert_allclose(value, b.sums[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(a.columns["grad_cam.mass"], b.columns["grad_cam.mass"], rtol=1e-4)
    assert (a.sums["outline.sum"] == 3).all()


def test_a_head_without_a_decomposition_has_no_ledger_but_maps(images):
    torch.manual_seed(0)
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5),
        nn.GELU(), nn.Linear(5, 4),
    ).eval()  # fmt: skip
    e = {"grad_cam": Explainer(model, names=["a", "b", "c", "d"])(images)}
    columns, _ = measure(e, LABELS, torch.arange(3), {}, ruler())
    assert torch.isnan(columns["zero.support"]).all()
    assert torch.isnan(columns["zero.empty"]).all()
    assert not torch.isnan(columns["grad_cam.mass"]).any()


def test_a_shard_of_nothing_has_all_columns():
    shard = empty_shard(measure_columns(["cam"]), 4, {"cam": GRID}, {3: "broken"})
    assert shard.maps["cam"].shape == (0, 4, *GRID)
    assert {len(value) for value in shard.columns.values()} == {0}
    assert shard.skipped == {3: "broken"}
