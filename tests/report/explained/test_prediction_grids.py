"""Lines of a terminal for prediction grids: what is named, what is left out, and what is undefined."""

from __future__ import annotations

import torch

from bincam.cam import PredictionGrid
from bincam.report.explained.prediction_grids import describe_grid, grid_caption, grid_summary, scales_of


def of_set(winners: list[list[int]], count: int) -> PredictionGrid:
    """A set of outputs of which each cell names the given one."""
    names = tuple(f"output {n}" for n in range(count))
    members = torch.nn.functional.one_hot(torch.tensor([winners]), count).movedim(-1, 1).float()
    return PredictionGrid(
        names[:1],
        "frozen",
        members[:, :1],
        torch.zeros(1, 1),
        torch.zeros(1),
        sets=("kind",),
        members={"kind": members},
        names={"kind": names},
        places=torch.zeros(1, 1, dtype=torch.int64),
    )


def summary(winners: list[list[int]], count: int = 9) -> str:
    (line,) = grid_summary(describe_grid(of_set(winners, count), 0, {"kind": ("output 0", 0.5)}))
    return line.replace("\u202f", " ")


def test_outputs_that_are_left_out_are_counted() -> None:
    assert summary([[0, 0], [0, 1]]) == "kind: output 0, p = 50 %; of 4 cells name output 0 3, output 1 1"
    assert summary([[0, 1, 2], [3, 4, 4]]).endswith("and one more output")
    assert summary([[0, 1, 2], [3, 4, 5]]).endswith("and 2 more outputs")


def test_an_undefined_attribute_is_said_to_be() -> None:
    scores = torch.tensor([[[[torch.nan, 1.0]]], [[[0.5, -3.0]]]])
    grid = PredictionGrid(("a",), "pointwise", scores, torch.tensor([[torch.nan], [0.25]]), torch.zeros(1))
    entries = [describe_grid(grid, row, {}) for row in (0, 1)]
    assert entries[0]["attributes"][0]["scores"] == [[None, 1.0]]
    assert "logit undefined" in grid_summary(entries[0])[0]
    assert scales_of(entries) == {"a": 3.0}
    assert "by up to 1.5 here" in grid_caption(entries[1], "max pooling")
    assert grid_summary({"sets": [], "attributes": [entries[1]["attributes"][0]] * 20})[-1] == "... and 8 more"
