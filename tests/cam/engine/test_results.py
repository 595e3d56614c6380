"""Results of an explainer: shapes, sides, layers, independence of batches and chunks, and degenerate features."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer
from bincam.models import build
from tests.conftest import ATTRIBUTES, TinyNet


@pytest.mark.parametrize("method", METHODS)
def test_shapes_and_signs(tiny: nn.Module, images: Tensor, method: str) -> None:
    explanation = Explainer(tiny, ATTRIBUTES, method=method)(images)
    grid = (12, 16) if method == "fullgrad" else (6, 8)
    assert explanation.maps.shape == (3, 4, *grid)
    assert explanation.attributes == ATTRIBUTES
    assert explanation.side.abs().eq(1).all()
    assert torch.equal(explanation.side > 0, explanation.logits >= 0)
    assert not explanation.maps.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(explanation.logits, tiny(images))
    if not METHODS[method].signed and method != "grad_cam_pp":
        assert explanation.maps.min() >= 0
    assert explanation.upsample().shape == (3, 4, 12, 16)
    torch.testing.assert_close(torch.stack(list(explanation.upsampled((5, 7)))), explanation.upsample((5, 7)))


@pytest.mark.parametrize("method", [m for m in METHODS if m != "cam"])
@pytest.mark.parametrize("layer", [None, "pre_activation", "conv1", "relu"])
def test_layers(mlp: nn.Module, images: Tensor, method: str, layer: str | None) -> None:
    explanation = Explainer(mlp, method=method, layer=layer)(images)
    assert torch.isfinite(explanation.maps).all()
    assert explanation.maps.any()


def test_negative_side_is_the_positive_map_negated_for_linear_methods(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, method="grad_cam")
    torch.testing.assert_close(explainer(images, "negative").maps, -explainer(images, "positive").maps)


def test_true_side_follows_the_labels(tiny: nn.Module, images: Tensor) -> None:
    labels = torch.tensor([[1, 0, -1, torch.nan]] * 3)
    explanation = Explainer(tiny)(images, "true", labels)
    assert explanation.side[:, :3].tolist() == [[1, -1, -1]] * 3
    assert torch.isnan(explanation.side[:, 3]).all()
    assert torch.isnan(explanation.maps[:, 3]).all()
    assert torch.isfinite(explanation.maps[:, :3]).all()


def test_threshold_moves_the_predicted_side_and_ties_are_positive(tiny: nn.Module, images: Tensor) -> None:
    logits = Explainer(tiny, ATTRIBUTES)(images).logits
    at = Explainer(tiny, ATTRIBUTES, threshold={"Bald": float(logits[0, 1])})(images)
    assert at.side[0, 1] == 1
    above = Explainer(tiny, ATTRIBUTES, threshold=float(logits.max()) + 1)(images)
    assert (above.side == -1).all()
    ledger = above.ledger()
    torch.testing.assert_close(ledger.support - ledger.opposition, above.threshold - logits)


def test_logits_alone_are_the_explanations(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ["Young", "Bald"], names=ATTRIBUTES)
    tiny.train()
    got = explainer.logits(images)
    assert tiny.training
    assert not got.requires_grad
    torch.testing.assert_close(got, explainer(images).logits)
    assert Explainer(tiny).logits(images).shape == (3, 4)


@pytest.mark.parametrize("method", METHODS)
def test_a_subset_is_the_same_columns(tiny: nn.Module, images: Tensor, method: str) -> None:
    whole = Explainer(tiny, names=ATTRIBUTES, method=method)(images)
    part = Explainer(tiny, ["Young", "Bald"], names=ATTRIBUTES, method=method)(images)
    assert part.attributes == ("Young", "Bald")
    torch.testing.assert_close(part.maps, whole.maps[:, [3, 1]])
    torch.testing.assert_close(part.logits, whole.logits[:, [3, 1]])
    by_column = Explainer(tiny, [-1, 1], method=method)(images)
    assert by_column.attributes == ("3", "1")
    torch.testing.assert_close(by_column.maps, part.maps)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "cam"])
def test_chunks_do_not_matter(mlp: nn.Module, images: Tensor, method: str) -> None:
    for layer in (None, "conv1"):
        whole = Explainer(mlp, method=method, layer=layer)(images).maps
        for chunk in (1, 3, 100):
            torch.testing.assert_close(Explainer(mlp, method=method, layer=layer, chunk=chunk)(images).maps, whole)


@pytest.mark.parametrize("model_name", ["tiny", "mlp"])
@pytest.mark.parametrize("method", METHODS)
def test_batch_mates_do_not_matter(request: Any, images: Tensor, method: str, model_name: str) -> None:
    if (method, model_name) == ("cam", "mlp"):
        return  # refused, see test_statements.py
    model = request.getfixturevalue(model_name)
    explainer = Explainer(model, method=method)
    together = explainer(images).maps
    for index in range(3):
        torch.testing.assert_close(explainer(images[index : index + 1]).maps[0], together[index], rtol=1e-4, atol=1e-6)


def test_complete_is_told_truthfully(tiny: nn.Module, mlp: nn.Module, images: Tensor) -> None:
    for model in (tiny, mlp):
        for method in METHODS:
            if model is mlp and method == "cam":
                continue
            for layer in (None, "pre_activation"):
                double = model.double()
                explanation = Explainer(double, method=method, layer=layer)(images.double())
                adds_up = float(explanation.identity_gap.abs().max()) < 1e-6
                if explanation.complete:
                    assert adds_up, (method, layer)
                elif model is tiny:
                    assert not adds_up, (method, layer)


@pytest.mark.parametrize("name", ["resnet10t", "resnet18"])
def test_before_the_last_relu_hirescam_draws_what_grad_cam_draws_behind_it(name: str) -> None:
    """So a table of both methods at both layers has two different entries, where the head is exact."""
    model = build(name, ATTRIBUTES, input_size=(64, 64)).double()
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    pooled = Explainer(model)(images).maps
    before = Explainer(model, method="hirescam", layer="pre_activation")(images).maps
    torch.testing.assert_close(before, pooled)
    torch.testing.assert_close(Explainer(model, method="hirescam")(images).maps, pooled)
    assert not torch.allclose(Explainer(model, layer="pre_activation")(images).maps, pooled)


@pytest.mark.parametrize("method", METHODS)
def test_constant_features(images: Tensor, method: str) -> None:
    model = TinyNet()
    with torch.no_grad():
        model.conv2.weight.zero_()
        model.conv2.bias.fill_(0.5)
    explanation = Explainer(model.eval(), method=method)(images)
    if method != "fullgrad":
        assert explanation.maps.std((-2, -1)).max() < 1e-6
    ledger = explanation.ledger("floor")
    assert ledger.placed_support.abs().max() < 1e-6
    assert (ledger.bias_share == 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_dead_features(images: Tensor, method: str) -> None:
    model = TinyNet()
    with torch.no_grad():
        model.conv2.weight.zero_()
        model.conv2.bias.fill_(-0.5)
    explanation = Explainer(model.eval(), method=method)(images)
    assert not explanation.maps.any()
    assert (explanation.ledger().empty == 1).all()
    assert (explanation.ledger().bias_share == 1).all()


def test_nan_logits_stay_nan(images: Tensor) -> None:
    model = TinyNet().eval()
    with torch.no_grad():
        model.head.bias[1] = torch.nan
    explanation = Explainer(model, ATTRIBUTES, layer="conv2")(images)
    assert torch.isnan(explanation.side[:, 1]).all()
    assert torch.isnan(explanation.maps[:, 1]).all()
    assert torch.isfinite(explanation.maps[:, [0, 2, 3]]).all()
