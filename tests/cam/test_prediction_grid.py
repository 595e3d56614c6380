"""Cell scores: identities in float64, both readings against the head itself, sets, references, and refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer, Reference
from bincam.errors import InputError, UnsupportedError
from bincam.models import build
from tests.cam.sets.six_outputs import NAMES, SETS, network


@pytest.fixture
def pictures() -> Tensor:
    return torch.randn(5, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def one_cell_at_a_time(model: nn.Sequential, pictures: Tensor) -> Tensor:
    """The head of ``six_outputs.network`` behind its pooling, applied to each cell's vector: ``(B, outputs, h, w)``."""
    features = model[:2](pictures)
    cells = features.flatten(2).transpose(1, 2)
    return (
        model[4:](cells.reshape(-1, cells.shape[-1]))
        .unflatten(0, cells.shape[:2])
        .transpose(1, 2)
        .unflatten(-1, features.shape[-2:])
    )


@pytest.mark.parametrize("cells", [False, True])
def test_cells_are_the_head_of_each_cell_and_their_mean_is_the_logit(pictures: Tensor, cells: bool) -> None:
    model = network()
    grid = Explainer(model, names=NAMES, threshold=0.1, cells=cells)(pictures).grid()
    assert (grid.reading, grid.decomposes, grid.shape) == ("frozen", True, (6, 7))
    torch.testing.assert_close(grid.scores, one_cell_at_a_time(model, pictures), rtol=1e-12, atol=1e-12)
    assert grid.gap.abs().max() < 1e-13
    assert torch.equal(grid.yes == 1, grid.scores >= 0.1)


def test_a_flattened_head_decomposes(pictures: Tensor) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 42, 2)).double().eval()
    grid = Explainer(model, names=["a", "b"])(pictures).grid()
    assert grid.shape == (6, 7)
    assert grid.gap.abs().max() < 1e-13


@pytest.mark.parametrize("norm", [nn.LayerNorm(8), nn.RMSNorm(8)])
def test_a_norm_after_pooling_has_two_readings(pictures: Tensor, norm: nn.Module) -> None:
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(3))
    model = network(norm, nn.Linear(8, 6))
    explanation = Explainer(model, names=NAMES, cells=True)(pictures)
    frozen, pointwise = explanation.grid(), explanation.grid("pointwise")
    assert frozen.reading == "frozen"
    assert frozen.gap.abs().max() < 1e-12
    alone = Explainer(model, names=NAMES)(pictures).grid("frozen")
    torch.testing.assert_close(frozen.scores, alone.scores)
    assert not pointwise.decomposes
    torch.testing.assert_close(pointwise.scores, one_cell_at_a_time(model, pictures), rtol=1e-9, atol=1e-9)
    expected = explanation.logits - pointwise.scores.mean((-2, -1))
    torch.testing.assert_close(pointwise.gap, expected)
    assert pointwise.gap.abs().max() > 1e-3, "the norm of a mean is not the mean of norms"


POOLINGS = ["max", "logsumexp", "attention", "top", "noisy_or", "pcam"]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_other_poolings_are_read_pointwise_by_the_same_head(pooling: str) -> None:
    torch.manual_seed(0)
    options = {"in_chans": 3, "channels": [8, 8, 8, 8], "stem_width": 8}
    model = build("resnet10t", ["a", "b"], pooling=pooling, input_size=(64, 96), **options).double().eval()
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    explanation = Explainer(model, cells=True)(images)
    grid = explanation.grid()
    assert (grid.reading, grid.shape) == ("pointwise", (2, 3))
    net = model.network
    features = net._features.of(net.backbone, images)
    expected = nn.functional.conv2d(features, net.head.weight[:, :, None, None], net.head.bias)
    torch.testing.assert_close(grid.scores, expected, rtol=1e-9, atol=1e-9)
    with pytest.raises(UnsupportedError, match="no frozen prediction grid"):
        explanation.grid("frozen")
    with pytest.raises(UnsupportedError, match=r"read pointwise.*cells=True"):
        Explainer(model)(images).grid()


def test_tokens_on_a_grid_with_a_pooled_class_token() -> None:
    """The frozen reading adds what has no place to the constant, so that its mean remains the logit."""
    import timm

    torch.manual_seed(0)
    options = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}
    for fc_norm in (False, True):
        model = (
            timm.create_model("vit_tiny_patch16_224", num_classes=2, global_pool="avg", fc_norm=fc_norm, **options)
            .double()
            .eval()
        )
        explanation = Explainer(model, names=["a", "b"], cells=True)(torch.randn(2, 3, 32, 32, dtype=torch.float64))
        frozen, pointwise = explanation.grid(), explanation.grid("pointwise")
        assert frozen.shape == (4, 4)
        assert frozen.gap.abs().max() < 1e-12
        assert (pointwise.gap.abs().max() < 1e-9) == (not fc_norm)


def test_in_a_set_frozen_log_odds_have_the_logit_as_mean_and_cells_name_the_highest_score(
    pictures: Tensor,
) -> None:
    model = network()
    raw = one_cell_at_a_time(model, pictures)
    for cells in (False, True):
        grid = Explainer(model, names=NAMES, one_of=SETS, cells=cells)(pictures).grid()
        assert grid.gap.abs().max() < 1e-12
        for owner, columns in (("race", [0, 1, 2]), ("age", [5, 4])):
            assert torch.equal(grid.winners(owner), raw[:, columns].argmax(1))
            assert grid.names[owner] == tuple(SETS[owner])
        yes = grid.yes
        assert torch.equal(yes[:, :3].sum(1), torch.ones_like(yes[:, 0]))
        assert torch.equal(yes[:, 3] == 1, raw[:, 3] >= 0)
        assert torch.equal(yes[:, 5] == 1, raw[:, 5] >= raw[:, 4])
        assert grid.raw == cells


@pytest.mark.parametrize("odds", [-12.0, 0.3, 12.0])
def test_float32_names_the_same_cells_however_certain_the_image_is(pictures: Tensor, odds: float) -> None:
    model = network()
    with torch.no_grad():
        model[-1].bias[0] += odds
    exact = one_cell_at_a_time(model, pictures)[:, :3]
    grid = Explainer(model.float(), names=NAMES, one_of=SETS)(pictures.float()).grid()
    best = exact.topk(2, dim=1).values
    clear = best[:, 0] - best[:, 1] > 1e-5
    assert clear.float().mean() > 0.99
    assert torch.equal(grid.winners("race")[clear], exact.argmax(1)[clear])


def test_some_outputs_of_a_set_need_the_cells_of_all(pictures: Tensor) -> None:
    model = network()
    whole = Explainer(model, names=NAMES, one_of=SETS)(pictures).grid()
    for asked in ({"attributes": ["Asian", "Male"]}, {"top": 1}, {"versus": "runner_up"}):
        explainer = Explainer(model, names=NAMES, one_of=SETS, **asked)
        with pytest.raises(InputError, match=r"set 'race'.*cells=True"):
            explainer(pictures).grid()
        explanation = Explainer(model, names=NAMES, one_of=SETS, cells=True, batch_size=2, **asked)(pictures)
        grid = explanation.grid()
        assert grid.gap.abs().max() < 1e-12
        assert torch.equal(grid.winners("race"), whole.winners("race"))
        assert torch.equal(explanation.rows(slice(1, 3)).grid().scores, grid.scores[1:3])
    some = Explainer(model, ["Asian", "Male"], names=NAMES, one_of=SETS, cells=True)(pictures).grid()
    torch.testing.assert_close(some.scores, whole.scores[:, 2:4])
    assert torch.equal(some.yes, whole.yes[:, 2:4])


def test_a_reference_takes_out_what_cells_get_on_average(pictures: Tensor) -> None:
    explanation = Explainer(network(), NAMES[:2], names=NAMES)(pictures)
    s_ref = torch.randn(2, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    reference = Reference("midpoint", NAMES[:2], s_ref, torch.ones(2, 2))
    zero, against = explanation.grid(), explanation.grid(reference=reference)
    assert against.reference == "midpoint"
    assert against.gap.abs().max() < 1e-12
    expected = zero.scores - 42 * s_ref + s_ref.sum((-2, -1))[:, None, None]
    torch.testing.assert_close(against.scores, expected)


def test_a_reference_of_zeros_changes_nothing_in_a_set(pictures: Tensor) -> None:
    explanation = Explainer(network(), names=NAMES, one_of=SETS)(pictures)
    reference = Reference("midpoint", NAMES, torch.zeros(6, 6, 7, dtype=torch.float64), torch.ones(6, 2))
    zero, against = explanation.grid(), explanation.grid(reference=reference)
    assert torch.equal(zero.scores, against.scores)
    assert torch.equal(zero.yes, against.yes)


def test_what_has_no_grid_is_refused_in_one_line(pictures: Tensor) -> None:
    def refused(model: nn.Module, images: Tensor, **asked: object) -> str:
        with pytest.raises((UnsupportedError, InputError)) as error:
            Explainer(model, names=["a", "b"], cells=True)(images).grid(**asked)
        assert "\n" not in str(error.value)
        return str(error.value)

    torch.manual_seed(0)
    body = (nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    mlp = nn.Sequential(*body, nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    assert "cannot be applied to one cell" in refused(mlp, pictures)
    small = build("resnet10t", ["a", "b"], input_size=(32, 32), channels=[8, 8, 8, 8], stem_width=8).eval()
    with pytest.raises(UnsupportedError, match="a single cell at this input size"):
        Explainer(small)(torch.randn(1, 3, 32, 32)).grid()
    linear = nn.Sequential(*body, nn.Linear(4, 2)).double()
    assert "'frozen' or 'pointwise'" in refused(linear, pictures, reading="cold")
    assert "expected 'zero' or a fitted Reference" in refused(linear, pictures, reference="midpoint")


def test_undefined_scores_say_neither(pictures: Tensor) -> None:
    grid = Explainer(network(), names=NAMES, one_of=SETS)(pictures).grid()
    for values in (grid.scores, *grid.members.values()):
        values[1] = torch.nan
    assert grid.yes[1].isnan().all()
    assert (grid.winners("race")[1] == -1).all()
    assert grid.yes[0].isfinite().all()


def test_keeping_cells_changes_no_map(pictures: Tensor) -> None:
    plain, kept = (Explainer(network(), names=NAMES, cells=cells)(pictures) for cells in (False, True))
    assert torch.equal(plain.maps, kept.maps)
    assert torch.equal(plain.logits, kept.logits)
