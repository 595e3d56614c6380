"""The pure functions, against values worked out by hand and against each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bincam.cam.maps import methods
from bincam.errors import InputError

FUNCTIONS = {name: method.function for name, method in methods.METHODS.items() if method.function is not None}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# One image, one attribute, two channels, a grid of 1 x 2.
F = torch.tensor([[[[1.0, 3.0]], [[2.0, 0.0]]]], dtype=torch.float64)
G = torch.tensor([[[[[0.5, -0.25]], [[-1.0, 2.0]]]]], dtype=torch.float64)
PLUS, MINUS = torch.ones(1, 1, dtype=torch.float64), -torch.ones(1, 1, dtype=torch.float64)


def by_hand_pp(sign: float) -> list[float]:
    """Grad-CAM++ with scalars: a = g² / (2g² + ΣF g³ + 1e-6), w = Σ a relu(g), on σg."""
    sums = [4.0, 2.0]
    maps = [0.0, 0.0]
    for channel, gradients in enumerate([[0.5, -0.25], [-1.0, 2.0]]):
        weight = 0.0
        for value in gradients:
            g = sign * value
            weight += max(g, 0.0) * g**2 / (2 * g**2 + sums[channel] * g**3 + 1e-6)
        for cell, feature in enumerate([[1.0, 3.0], [2.0, 0.0]][channel]):
            maps[cell] += weight * feature
    return [sign * value for value in maps]


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("grad_cam", PLUS, [0.125 * 1 + 0.5 * 2, 0.125 * 3 + 0.5 * 0]),
        ("grad_cam", MINUS, [0.125 * 1 + 0.5 * 2, 0.125 * 3 + 0.5 * 0]),
        ("hirescam", PLUS, [0.5 - 2.0, -0.75 + 0.0]),
        ("elementwise", PLUS, [0.5, 0.0]),
        ("elementwise", MINUS, [-2.0, -0.75]),
        ("layer_cam", PLUS, [0.5, 0.0]),
        ("layer_cam", MINUS, [-2.0, -0.75]),
        # weights: (0.5 - 0.75) / 4 and (-2 + 0) / 2
        ("xgrad_cam", PLUS, [-0.0625 - 2.0, -0.1875]),
        ("grad_cam_pp", PLUS, by_hand_pp(1.0)),
        ("grad_cam_pp", MINUS, by_hand_pp(-1.0)),
    ],
)
def test_by_hand(name: str, side: Tensor, expected: list[float]) -> None:
    got = FUNCTIONS[name](F, G, side)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64).view(1, 1, 1, 2), rtol=0, atol=2e-7)


def test_cam_by_hand() -> None:
    weight = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    torch.testing.assert_close(methods.cam(F, weight, 0.5).flatten(), torch.tensor([-0.75, 0.75], dtype=torch.float64))
    flat = torch.tensor([[[[0.5, 1.0]], [[-1.0, 4.0]]]], dtype=torch.float64)  # (A, C, h, w)
    torch.testing.assert_close(methods.cam(F, flat).flatten(), torch.tensor([-1.5, 3.0], dtype=torch.float64))


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_constant_gradient_may_be_given_as_one_cell(name: str, rectified: bool) -> None:
    features = random(2, 5, 3, 4)
    features = features.relu() if rectified else features
    side = torch.tensor([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]], dtype=torch.float64)
    for batch in (2, 1):
        short = random(batch, 3, 5, 1, 1, seed=1)
        whole = short.expand(2, 3, 5, 3, 4)
        torch.testing.assert_close(FUNCTIONS[name](features, short, side), FUNCTIONS[name](features, whole, side))


@pytest.mark.parametrize("name", ["grad_cam", "hirescam", "xgrad_cam"])
def test_linear_methods_say_the_opposite_for_the_opposite_gradient(name: str) -> None:
    features, gradients, side = random(2, 4, 3, 3), random(2, 3, 4, 3, 3, seed=1), torch.ones(2, 3).double()
    torch.testing.assert_close(FUNCTIONS[name](features, -gradients, side), -FUNCTIONS[name](features, gradients, side))


@pytest.mark.parametrize("name", ["elementwise", "layer_cam", "grad_cam_pp"])
def test_one_sided_methods_explain_the_negative_side_through_the_negated_gradient(name: str) -> None:
    features, gradients = random(2, 4, 3, 3), random(2, 3, 4, 3, 3, seed=1)
    ones = torch.ones(2, 3).double()
    torch.testing.assert_close(
        -FUNCTIONS[name](features, gradients, -ones), FUNCTIONS[name](features, -gradients, ones)
    )
    if name == "elementwise":
        both = FUNCTIONS[name](features, gradients, ones) + FUNCTIONS[name](features, gradients, -ones)
        torch.testing.assert_close(both, methods.hirescam(features, gradients, ones))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_degenerate(name: str) -> None:
    function = FUNCTIONS[name]
    nothing = function(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 2, 3, 3), torch.ones(1, 2))
    assert torch.equal(nothing, torch.zeros(1, 2, 3, 3))
    pixel = function(torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1, 1), 3.0), torch.ones(1, 1))
    assert pixel.shape == (1, 1, 1, 1)
    assert torch.isfinite(pixel).all()
    unknown = function(random(1, 2, 3, 3), random(1, 2, 2, 3, 3), torch.tensor([[1.0, torch.nan]]).double())
    assert torch.isfinite(unknown[0, 0]).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inputs_are_not_written_to(name: str) -> None:
    features, gradients, side = random(1, 2, 3, 3), random(1, 2, 2, 3, 3, seed=1), torch.ones(1, 2).double()
    before = features.clone(), gradients.clone()
    FUNCTIONS[name](features, gradients, side)
    assert torch.equal(features, before[0])
    assert torch.equal(gradients, before[1])


def test_unknown_method_offers_near_names() -> None:
    with pytest.raises(InputError, match=r"'gradcam'.*'grad_cam'"):
        methods.find("gradcam")
    with pytest.raises(InputError, match=r"'scorecam'.*'score_cam'"):
        methods.find("scorecam", ("score_cam",))
