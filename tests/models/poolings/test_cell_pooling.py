"""Poolings of cell scores: formulas in many digits, gradients by finite differences, what may be claimed, and cards."""

from __future__ import annotations

import mpmath
import pytest
import torch

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.models import AttributeClassifier, build, load, make_card, save
from bincam.models.poolings.cell_pooling import CellPool, best_count, noisy_or_pool, pcam_pool, top_pool
from bincam.models.poolings.pooling import make_pool

TINY = {"channels": [8, 8, 8, 8], "stem_width": 8}
HARD = [[-300.0, -310.0], [-40.0, -20.0], [-0.1, 0.2], [30.0, -5.0], [300.0, -300.0], [-15.0, -15.0]]


def in_many_digits(cells: list[float]) -> tuple[float, float]:
    """Noisy-or and PCAM of some cells, with 400 digits."""
    with mpmath.workdps(400):
        p = [1 / (1 + mpmath.exp(-mpmath.mpf(s))) for s in cells]
        none = mpmath.fprod(1 - each for each in p)
        noisy = mpmath.log((1 - none) / none)
        pcam = mpmath.fsum(each * s for each, s in zip(p, cells, strict=True)) / mpmath.fsum(p)
        return float(noisy), float(pcam)


@pytest.mark.parametrize("cells", HARD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noisy_or_and_pcam_lose_no_digits(cells: list[float], dtype: torch.dtype) -> None:
    s = torch.tensor(cells, dtype=dtype).view(1, 1, 1, -1)
    noisy, pcam = in_many_digits([float(value) for value in s.flatten()])
    tolerance = 2e-6 if dtype == torch.float32 else 1e-13
    assert noisy_or_pool(s).item() == pytest.approx(noisy, rel=tolerance, abs=tolerance)
    assert pcam_pool(s).item() == pytest.approx(pcam, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("pool", [top_pool, noisy_or_pool, pcam_pool])
def test_gradients_are_those_of_finite_differences(pool: object) -> None:
    generator = torch.Generator().manual_seed(0)
    for size in (0.5, 5.0, 20.0):
        s = (torch.randn(2, 2, 3, 4, dtype=torch.float64, generator=generator) * size).requires_grad_()
        assert torch.autograd.gradcheck(pool, (s,), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("pool", [noisy_or_pool, pcam_pool])
def test_gradients_remain_finite_where_probabilities_underflow(pool: object) -> None:
    s = torch.tensor([[-500.0, 500.0], [-500.0, -600.0], [900.0, 900.0]]).view(3, 1, 1, 2).requires_grad_()
    pool(s).sum().backward()
    assert s.grad is not None
    assert s.grad.isfinite().all()


def test_top_by_hand_and_its_limits() -> None:
    s = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(top_pool(s, share=1.0), s.mean((2, 3)))
    torch.testing.assert_close(top_pool(s, share=0.01), s.amax((2, 3)))
    best = s.flatten(2).sort(-1, descending=True).values
    torch.testing.assert_close(top_pool(s, share=0.25), best[..., :5].mean(-1))


@pytest.mark.parametrize(("cells", "share", "count"), [(49, 0.1, 5), (49, 0.25, 12), (10, 0.25, 3), (1, 0.1, 1)])
def test_the_number_of_best_cells(cells: int, share: float, count: int) -> None:
    assert best_count(cells, share) == count


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("top", {"share": 0.0}, r"share=0.0"),
        ("top", {"share": 1.5}, r"share=1.5"),
        ("top", {"part": 0.5}, r"option 'part' of pooling 'top'; it has share"),
        ("mean", {"share": 0.5}, r"option 'share' of pooling 'mean', which has no options"),
        ("logsumexp", {"sharpness": -1.0}, r"sharpness=-1.0"),
    ],
)
def test_options_are_checked(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_pool(name, 3, options)
    with pytest.raises(InputError, match=message):
        build("resnet10t", ["a"], pooling=name, pooling_options=options, input_size=(32, 32), **TINY)


@pytest.mark.parametrize(("name", "options"), [("top", {"share": 0.5}), ("noisy_or", {}), ("pcam", {})])
def test_a_model_pools_its_heads_scores_and_claims_nothing(name: str, options: dict[str, float]) -> None:
    torch.manual_seed(0)
    model = build("resnet10t", ["a", "b"], pooling=name, pooling_options=options, input_size=(64, 96), **TINY).eval()
    images = torch.randn(3, 3, 64, 96)
    net = model.network
    features = net._features.of(net.backbone, images)
    cells = torch.nn.functional.linear(features.movedim(1, -1), net.head.weight, net.head.bias).movedim(-1, 1)
    assert isinstance(net.pool, CellPool)
    torch.testing.assert_close(model(images), net.pool(cells))
    anatomy = Explainer(model).anatomy((64, 96))
    assert (anatomy.kind, anatomy.pooling, anatomy.decomposes) == ("diagnostic", name, False)
    assert anatomy.layer.layout.grid == (2, 3)
    assert Explainer(model)(images).maps.shape == (3, 2, 2, 3)


@pytest.mark.parametrize(
    ("name", "options"), [("top", {"share": 0.5}), ("noisy_or", {}), ("logsumexp", {"sharpness": 3})]
)
def test_saving_and_loading_keep_the_pooling(tmp_path: object, name: str, options: dict[str, float]) -> None:
    torch.manual_seed(0)
    model = build("resnet10t", ["a"], pooling=name, pooling_options=options, input_size=(64, 64), **TINY).eval()
    save(model, tmp_path)
    again = load(tmp_path).eval()
    assert again.card == model.card
    assert again.card.pooling_options == options
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(again(images), model(images))


def test_cards_of_other_poolings_keep_their_bytes() -> None:
    model = build("resnet10t", ["a"], input_size=(64, 64), **TINY)
    assert "pooling_options" not in model.card.model_dump()


def test_log_odds_are_needed_where_cells_are_probabilities() -> None:
    with pytest.raises(InputError, match=r"exactly one output of set 'hair' is true; use 'top'"):
        build("resnet10t", ["a", "b"], pooling="noisy_or", one_of={"hair": ["a", "b"]}, input_size=(64, 64), **TINY)
    card = build("resnet10t", ["a"], pooling="pcam", input_size=(64, 64), **TINY).card
    with pytest.raises(InputError, match=r"head 'margin'"):
        make_card(**{**card.model_dump(), "head": "margin"})


def test_dropout_drops_channels_of_all_cells() -> None:
    torch.manual_seed(0)
    options = {"pooling": "top", "pooling_options": {"share": 1.0}, "input_size": (64, 64), "drop_rate": 0.5}
    model: AttributeClassifier = build("resnet10t", ["a"], **options, **TINY)
    net = model.network
    net.backbone.eval()
    images = torch.randn(1, 3, 64, 64)
    features = net._features.of(net.backbone, images).mean((2, 3))
    torch.manual_seed(1)
    out = net(images)
    torch.manual_seed(1)
    kept = torch.nn.functional.dropout2d(torch.ones(1, 8, 2, 2), 0.5).mean((2, 3))
    torch.testing.assert_close(out, net.head(features * kept), rtol=1e-5, atol=1e-5)
