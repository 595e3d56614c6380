"""Explaining the mean over views: its identity, its decisions, what is borrowed, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bincam.cam import METHODS, Explainer, PlacedViews
from bincam.errors import InputError, UnsupportedError
from bincam.inference import centred_first, predict, view_plan
from tests.cam.views.conftest import Make

Photos = list[NDArray[np.uint8]]
SIZE = (16, 16)
SET = {"colour": ["red", "pale", "dark"]}
NAMES = ("red", "pale", "dark", "wet")


@pytest.mark.parametrize("count", [1, 5, 54])
@pytest.mark.parametrize("one_of", [{}, SET])
def test_the_mean_logit_is_constant_prefix_and_the_frames_sum(
    make: Make, photos: Photos, count: int, one_of: dict[str, list[str]]
) -> None:
    explainer = Explainer(make(NAMES, one_of))
    views = explainer.views_of(photos, centred_first(view_plan("short", SIZE), count))
    explanation = explainer(views)
    assert explanation.logits.dtype == torch.float64
    assert explanation.identity_gap.abs().max() < 1e-13
    terms = explanation.decomposition
    assert terms is not None
    assert explanation.beyond is not None
    torch.testing.assert_close(terms.prefix, explanation.beyond)  # the head has no prefix of its own
    assert explanation.ledger().gap.abs().max() < 1e-13
    assert (explanation.kind, explanation.complete, explanation.views) == ("conditional", True, count)


def test_logits_are_the_mean_of_what_predict_says_of_each_view(make: Make, photos: Photos) -> None:
    model = make()
    plan = centred_first(view_plan("short", SIZE), 7)
    explainer = Explainer(model)
    views = explainer.views_of(photos, plan)
    expected = predict(model, photos, plan).logits.astype(float).mean(1)
    np.testing.assert_allclose(explainer(views).logits, expected, rtol=1e-5)
    np.testing.assert_allclose(explainer.logits(views), expected, rtol=1e-5)


def test_of_a_set_raw_scores_are_averaged_so_that_probabilities_sum_to_one(make: Make, photos: Photos) -> None:
    model = make(NAMES, SET)
    explainer = Explainer(model)
    views = explainer.views_of(photos, centred_first(view_plan("short", SIZE), 6))
    explanation = explainer(views)
    raw = model.network(views.flat.double()).detach().unflatten(0, (3, 6)).mean(1)
    torch.testing.assert_close(explanation.scores, raw)
    torch.testing.assert_close(explanation.probability[:, :3], raw[:, :3].softmax(1))
    assert explanation.predicted is not None
    assert explanation.predicted[:, :3].int().argmax(1).tolist() == raw[:, :3].argmax(1).tolist()
    torch.testing.assert_close(explanation.logits[:, 3], raw[:, 3])


def test_the_side_is_that_of_the_mean_and_not_of_each_view(make: Make) -> None:
    model = make(("red",))
    with torch.no_grad():
        model.network.head.weight.copy_(torch.tensor([[4.0, 0.0, 0.0]]))
        model.network.head.bias.fill_(-1.0)
    half = np.zeros((32, 32, 3), np.uint8)
    half[:, :10, 0] = 255  # some views see much red, others none: their answers differ
    plan = view_plan([(32, 1, 0), (32, 1, 2), (16, 1, 1)], SIZE)
    views = Explainer(model).views_of([half], plan)
    each = Explainer(model).logits(views.flat)
    assert len(set((each >= 0).flatten().tolist())) == 2
    explanation = Explainer(model)(views)
    assert explanation.side.item() == (1.0 if each.mean() >= 0 else -1.0)
    torch.testing.assert_close(explanation.maps, explanation.side.item() * explanation.decomposition.evidence)


def test_an_object_that_one_view_alone_sees_lights_where_it_is(make: Make) -> None:
    model = make(("red",))
    with torch.no_grad():
        model.network.head.weight.copy_(torch.tensor([[4.0, 0.0, 0.0]]))
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[2:10, 82:92, 0] = 255
    corner, other = (32, 0, 2), (32, 2, 0)
    explainer = Explainer(model)
    seen = explainer(explainer.views_of([photo], view_plan([corner, other], SIZE)), "positive").maps[0, 0]
    row, column = divmod(int(seen.argmax()), seen.shape[1])
    assert 2 / 64 * len(seen) - 1 <= row <= 10 / 64 * len(seen)
    assert 82 / 96 * seen.shape[1] - 1 <= column <= 92 / 96 * seen.shape[1]
    assert not seen[len(seen) // 2 :, seen.shape[1] // 2 :].any(), "no view shows the lower right"
    blind = explainer(explainer.views_of([photo], view_plan([other], SIZE)), "positive").maps
    assert not blind.any()


def test_black_beyond_a_small_view_is_evidence_without_a_place(make: Make) -> None:
    model = make(("dark",))
    with torch.no_grad():
        model.network.mix.bias = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        model.network.mix.weight.copy_(-torch.eye(3, dtype=torch.float64)[..., None, None])
        model.network.head.weight.copy_(torch.tensor([[1.0, 1.0, 1.0]]))
    white = [np.full((32, 32, 3), 255, np.uint8)]
    explainer = Explainer(model)
    explanation = explainer(explainer.views_of(white, view_plan([(8, 1, 1)], SIZE)), "positive")
    assert explanation.beyond is not None
    # S = 8 around pixel 3: cells of 4 pixels begin at -5, so of each row of cells 0, 3/4, 1 and 1/4 are in the image.
    along = np.array([0, 0.75, 1, 0.25])
    inside = np.outer(along, along)
    assert explanation.beyond.item() == pytest.approx(3 / 16 * ((1 - inside) * (1 - inside)).sum(), abs=1e-6)
    assert explanation.maps.sum().item() == pytest.approx(3 / 16 * ((1 - inside) * inside).sum(), abs=1e-6)
    ledger = explanation.ledger()
    torch.testing.assert_close(ledger.prefix, explanation.beyond)


def test_maps_do_not_depend_on_how_views_are_batched(make: Make, photos: Photos) -> None:
    plan = centred_first(view_plan("short", SIZE), 5)
    whole = Explainer(make(NAMES, SET), method="layer_cam", layer="network.body")
    expected = whole(whole.views_of(photos, plan))
    for batch_size in (1, 4, 10):
        explainer = Explainer(make(NAMES, SET), method="layer_cam", layer="network.body", batch_size=batch_size)
        explanation = explainer(explainer.views_of(photos, plan))
        torch.testing.assert_close(explanation.maps, expected.maps)
        torch.testing.assert_close(explanation.logits, expected.logits)
        assert torch.equal(explanation.side, expected.side)


@pytest.mark.parametrize("method", ["cam", "hirescam", "xgrad_cam", "elementwise", "grad_cam_pp"])
def test_every_native_method_of_a_layer_is_averaged(make: Make, photos: Photos, method: str) -> None:
    explainer = Explainer(make(), method=method)
    plan = centred_first(view_plan("short", SIZE), 3)
    views = explainer.views_of(photos, plan)
    explanation = explainer(views, "positive")
    each = explainer(views.flat, "positive").maps.sum((-2, -1)).unflatten(0, (3, 3)).mean(1)
    assert explanation.complete == (method in ("cam", "hirescam"))
    inside = explanation.maps.sum((-2, -1))
    if METHODS[method].signed and method != "xgrad_cam":
        assert explanation.beyond is not None
        torch.testing.assert_close(inside + explanation.beyond, each)
    else:
        assert inside.shape == each.shape
        assert inside.isfinite().all()


def test_top_and_true_labels_are_of_images(make: Make, photos: Photos) -> None:
    explainer = Explainer(make(NAMES, SET), top=2)
    plan = centred_first(view_plan("short", SIZE), 4)
    labels = torch.tensor([[0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 1]])
    explanation = explainer(explainer.views_of(photos, plan), "true", labels)
    assert [names[-1] for names in map(explanation.output_names, range(3))] == ["dark", "red", "pale"]
    assert explanation.side[:, 0].tolist() == [1, -1, 1]
    assert explanation.identity_gap.abs().max() < 1e-13


def test_a_reference_of_views_is_on_the_frames_grid(make: Make, photos: Photos) -> None:
    explainer = Explainer(make(("red",)))
    plan = centred_first(view_plan("short", SIZE), 6)
    views = explainer.views_of(photos, plan)
    reference = explainer.fit_reference([(views, torch.tensor([[1], [0], [1]]))])
    explanation = explainer(views)
    assert tuple(reference.grid.shape[-2:]) == explanation.maps.shape[-2:] == views.frame_grid((4, 4))
    assert explanation.ledger(reference).gap.abs().max() < 1e-13


def test_the_model_and_the_views_are_as_before(make: Make, photos: Photos) -> None:
    model = make().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    explainer = Explainer(model)
    views = explainer.views_of(photos, centred_first(view_plan("short", SIZE), 2))
    images, state = views.images.clone(), torch.get_rng_state()
    explainer(views)
    assert model.training
    assert torch.equal(views.images, images)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_has_no_mean_is_refused(make: Make, photos: Photos) -> None:
    plan = centred_first(view_plan("short", SIZE), 2)
    for options, problem in (
        ({"method": "fullgrad"}, "fullgrad cannot be averaged over views: its maps are on the grid of the image"),
        ({"method": "eigen_cam"}, "eigen_cam cannot be averaged over views"),
        ({"cells": True}, "no common grid"),
    ):
        explainer = Explainer(make(("red",)), **options)
        views = explainer.views_of(photos, plan)
        for call in (explainer, explainer.logits):
            with pytest.raises(UnsupportedError, match=problem):
                call(views)
    explainer = Explainer(make(("red",)))
    explanation = explainer(explainer.views_of(photos, plan))
    with pytest.raises(UnsupportedError, match="Read the grid without views"):
        explanation.grid()
    with pytest.raises(UnsupportedError, match="like="):
        explainer(explainer.views_of(photos, plan), like=explanation)


def test_views_that_cannot_be_made_are_refused_in_a_line(make: Make, photos: Photos) -> None:
    explainer = Explainer(make(("red",)))
    with pytest.raises(InputError, match=r"views of 24 x 24 pixels, but the model's input is 16 x 16"):
        explainer.views_of(photos, view_plan("short", (24, 24)))
    plan = view_plan([(16, 1, 1)], SIZE)
    with pytest.raises(InputError, match="no images"):
        explainer.views_of([], plan)
    with pytest.raises(InputError, match="pass landmarks="):
        Explainer(make(("red",), fit="face")).views_of(photos, plan)
    with pytest.raises(InputError, match="has no card"):
        Explainer(make(("red",)).network, names=["red"]).views_of(photos, plan)
    views = explainer.views_of(photos, plan)
    with pytest.raises(InputError, match="labels of 2 images"):
        explainer(views, "true", torch.ones(2, 1))
    with pytest.raises(InputError, match=r"places \(B, V, 4\)"):
        PlacedViews(views.images, views.places[:, :, :2], 1.0)


def test_views_of_a_face_are_those_of_its_crop(make: Make) -> None:
    explainer = Explainer(make(("red",), fit="face"))
    landmarks = [[69, 111], [108, 111], [88, 135], [72, 152], [106, 152]]
    photo = np.full((218, 178, 3), 255, np.uint8)
    views = explainer.views_of([photo], view_plan([(18, 1, 1)], SIZE), landmarks=[landmarks])
    assert views.images.min() > 0, "the border is replicated, so that nothing of the crop is black"


def test_a_changed_image_is_not_asked_like_a_mean_over_views(make: Make, photos: Photos) -> None:
    explainer = Explainer(make(("red",)))
    views = explainer.views_of(photos, centred_first(view_plan("short", SIZE), 2))
    explanation = explainer(views)
    for call in (explainer, explainer.logits):
        with pytest.raises(UnsupportedError, match="a mean over views"):
            call(views.images[:, 0], like=explanation)
    assert "mean over 2 views" in repr(explanation)
