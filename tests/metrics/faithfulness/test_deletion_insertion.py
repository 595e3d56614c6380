"""Deletion and insertion against a model whose scores can be computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer, Explanation
from bincam.errors import InputError
from bincam.metrics.faithfulness.deletion_insertion import Curve, deletion, insertion
from tests.conftest import ATTRIBUTES


class Corner(nn.Module):
    """z = 4 · (mean of the top left quarter) - 1, and its negative: one positive and one negative decision."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.pool.weight)

    def forward(self, images: Tensor) -> Tensor:
        quarter = self.pool(images)[:, 0, :4, :4].mean((-2, -1))
        return torch.stack((4 * quarter - 1, 1 - 4 * quarter), 1)


def explanation_of(images: Tensor, maps: Tensor, side: Tensor, logits: Tensor) -> Explanation:
    size = (int(images.shape[2]), int(images.shape[3]))
    names, t = ("yes", "no"), torch.zeros(2)
    return Explanation(names, logits, side, t, maps, None, None, "given", "", "diagnostic", "", False, "logits", size)


@pytest.fixture
def corner() -> tuple[Explainer, Tensor, Explanation]:
    """Two images that are 1 in the quarter that matters and -1/3 elsewhere, so that their mean is 0."""
    images = torch.full((2, 1, 8, 8), -1 / 3)
    images[:, :, :4, :4] = 1
    explainer = Explainer(Corner(), ["yes", "no"])
    logits = explainer.logits(images)
    maps = torch.zeros(2, 2, 8, 8)
    maps[..., :4, :4] = 1
    return explainer, images, explanation_of(images, maps, torch.tensor([[1.0, -1.0]] * 2), logits)


def test_curves_by_hand(corner: tuple[Explainer, Tensor, Explanation]) -> None:
    """Deletion takes the 16 pixels that matter in the first quarter; both sides have z of 3 down to -1."""
    explainer, images, explanation = corner
    got = deletion(explainer, images, explanation, steps=8)
    kept = torch.tensor([1, 0.5, 0, 0, 0, 0, 0, 0, 0])  # of the pixels that matter, after eighths
    torch.testing.assert_close(got.scores, torch.sigmoid(4 * kept - 1).expand(2, 2, 9))
    torch.testing.assert_close(got.area, torch.trapezoid(got.scores, dx=1 / 8))
    back = insertion(explainer, images, explanation, baseline="mean", steps=8)
    torch.testing.assert_close(back.scores, torch.sigmoid(4 * (1 - kept) - 1).expand(2, 2, 9))
    assert got.fractions.tolist() == [k / 8 for k in range(9)]


def test_the_wrong_map_is_worse(corner: tuple[Explainer, Tensor, Explanation]) -> None:
    explainer, images, explanation = corner
    inverted = replace(explanation, maps=-explanation.maps)
    constant = replace(explanation, maps=torch.ones_like(explanation.maps))
    areas = [deletion(explainer, images, e).area.mean().item() for e in (explanation, constant, inverted)]
    assert areas == sorted(areas)
    areas = [
        insertion(explainer, images, e, baseline="mean").area.mean().item() for e in (inverted, constant, explanation)
    ]
    assert areas == sorted(areas)
    # Without a scan line, every step of a random order takes its share of the pixels that matter.
    curve = deletion(explainer, images, constant, steps=4).scores[0, 0]
    kept = ((torch.logit(curve) + 1) / 4).tolist()
    assert kept == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=0.2)


@pytest.mark.parametrize("curve_of", [deletion, insertion])
def test_the_random_order_is_a_constant_maps(tiny: nn.Module, images: Tensor, curve_of: object) -> None:
    assert callable(curve_of)
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    passes = []
    tiny.register_forward_hook(lambda *_: passes.append(1))
    control: Curve = curve_of(explainer, images, explanation, ["Young", "Bald"], order="random", steps=4, seed=3)
    assert len(passes) == 5  # however many attributes
    constant = replace(explanation, maps=torch.ones_like(explanation.maps))
    expected: Curve = curve_of(explainer, images, constant, ["Young", "Bald"], steps=4, seed=3)
    torch.testing.assert_close(control.scores, expected.scores)
    explanation.maps[0, 3, 0, 0] = torch.nan
    undefined: Curve = curve_of(explainer, images, explanation, ["Young", "Bald"], order="random", steps=4)
    assert torch.isnan(undefined.area).tolist() == [[True, False], [False, False], [False, False]]


def test_the_side_is_the_clean_images(corner: tuple[Explainer, Tensor, Explanation]) -> None:
    """At the end the model would decide otherwise; the score still is that of the side explained."""
    explainer, images, explanation = corner
    curve = deletion(explainer, images, explanation)
    assert (curve.scores[..., 0] > 0.5).all()
    assert (curve.scores[..., -1] < 0.5).all()
    other = deletion(explainer, images, replace(explanation, side=-explanation.side))
    torch.testing.assert_close(other.scores, 1 - curve.scores)


def test_margins_are_scored_as_margins(corner: tuple[Explainer, Tensor, Explanation]) -> None:
    explainer, images, explanation = corner
    got = deletion(explainer, images, replace(explanation, head="margin"), steps=2)
    assert got.scores[0, 0].tolist() == pytest.approx([1, 0, 0])


def test_undefined_is_nan(corner: tuple[Explainer, Tensor, Explanation]) -> None:
    explainer, images, explanation = corner
    maps, side = explanation.maps.clone(), explanation.side.clone()
    maps[0, 0, 0, 0] = torch.nan
    side[1, 1] = torch.nan
    got = deletion(explainer, images, replace(explanation, maps=maps, side=side), steps=2)
    assert torch.isnan(got.area).tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize("curve_of", [deletion, insertion])
@pytest.mark.parametrize("baseline", ["mean", "blur"])
def test_batches_and_subsets_do_not_matter(tiny: nn.Module, images: Tensor, curve_of: object, baseline: str) -> None:
    assert callable(curve_of)
    explainer = Explainer(tiny, ATTRIBUTES)
    whole: Curve = curve_of(explainer, images, explainer(images), baseline=baseline, steps=4)
    assert torch.isfinite(whole.scores).all()
    for index in range(3):
        one = images[index : index + 1]
        alone: Curve = curve_of(explainer, one, explainer(one), ["Young", "Bald"], baseline=baseline, steps=4)
        assert alone.attributes == ("Young", "Bald")
        torch.testing.assert_close(alone.scores[0], whole.scores[index, [3, 1]])


def test_one_pixel_and_one_step() -> None:
    images = torch.ones(1, 1, 8, 8)
    explainer = Explainer(Corner(), ["yes", "no"])
    got = deletion(
        explainer, images, explanation_of(images, torch.ones(1, 2, 1, 1), torch.ones(1, 2), torch.ones(1, 2)), steps=1
    )
    assert got.scores.shape == (1, 2, 2)
    torch.testing.assert_close(got.area, got.scores.mean(-1))


def test_state_is_borrowed(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    tiny.train()
    before, weights = torch.random.get_rng_state(), {k: v.clone() for k, v in tiny.state_dict().items()}
    copy = images.clone()
    deletion(explainer, images, explanation, steps=2)
    insertion(explainer, images, explanation, steps=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(module.training for module in tiny.modules())
    assert all(torch.equal(value, weights[name]) for name, value in tiny.state_dict().items())
    assert torch.equal(images, copy)


def test_wrong_input_is_refused(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    with pytest.raises(InputError, match="did you mean 'Smiling'"):
        deletion(explainer, images, explanation, ["smiling"])
    with pytest.raises(InputError, match="no attribute"):
        deletion(explainer, images, explanation, [])
    with pytest.raises(InputError, match="3 of 12 x 16 pixels were explained"):
        insertion(explainer, images[:2], explanation)
    with pytest.raises(InputError, match="baseline"):
        deletion(explainer, images, explanation, baseline="black")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="order"):
        deletion(explainer, images, explanation, order="least")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one step"):
        deletion(explainer, images, explanation, steps=0)
