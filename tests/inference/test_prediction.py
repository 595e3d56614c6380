"""Predictions over views: the model's own numbers, decisions of sets, undefined views; and the model is as before."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from bincam.errors import InputError, UnsupportedError
from bincam.inference import predict, predict_blank, predict_mirrored, render, view_batches, view_plan
from bincam.models import AttributeClassifier, decide
from tests.conftest import TinyNet, randomize
from tests.inference.conftest import card_of

TINY = AttributeClassifier(TinyNet(), card_of())


def state_of(model):
    return {
        "weights": {name: (value.data_ptr(), value.clone()) for name, value in model.state_dict().items()},
        "modes": [module.training for module in model.modules()],
        "gradients": [(p.requires_grad, p.grad) for p in model.parameters()],
        "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
        "attributes": [dict(vars(module)).keys() for module in model.modules()],
        "random": (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()),  # noqa: NPY002
        "modes of gradients": torch.is_grad_enabled(),
    }


def assert_same_state(before, after):
    assert before.keys() == after.keys()
    for (place, value), (other_place, other) in zip(before["weights"].values(), after["weights"].values(), strict=True):
        assert place == other_place
        assert torch.equal(value, other)
    for key in ("modes", "hooks", "attributes", "modes of gradients"):
        assert before[key] == after[key], key
    for (needs, grad), (needs_after, grad_after) in zip(before["gradients"], after["gradients"], strict=True):
        assert needs == needs_after
        assert grad is grad_after
    assert torch.equal(before["random"][0], after["random"][0])
    assert np.array_equal(before["random"][1], after["random"][1])
    assert before["random"][2] == after["random"][2]


def test_logits_are_those_of_the_views(classifier, photos):
    plan = view_plan("short", (16, 16))
    seen = predict(classifier, photos, plan, batch_size=11)
    images = torch.cat([part.images for part in view_batches(photos, plan, classifier.card)])
    with torch.no_grad():
        expected = classifier(images).reshape(3, 54, 4)
    torch.testing.assert_close(torch.from_numpy(seen.logits), expected, rtol=1e-4, atol=1e-5)
    assert np.array_equal(seen.positive, seen.logits >= 0)
    assert seen.undefined_views == {}
    assert seen.sizes.tolist() == [[23, 37], [41, 19], [16, 16]]


def test_sets_and_thresholds_are_decided_in_every_view(photos):
    torch.manual_seed(0)
    card = card_of(one_of={"hair": ("Bald", "Young", "Smiling")}, thresholds={"Eyeglasses": 0.3})
    classifier = AttributeClassifier(randomize(TinyNet()), card).eval()
    plan = view_plan("short", (16, 16))
    seen = predict(classifier, photos, plan)
    images = torch.cat([part.images for part in view_batches(photos, plan, card)])
    with torch.no_grad():
        scores = classifier.scores(images)
    decided = decide(scores, card.set_columns, torch.tensor([0.0, 0.0, 0.3, 0.0])).reshape(3, 54, 4)
    assert np.array_equal(seen.positive, decided.numpy())
    assert (seen.positive[:, :, [1, 3, 0]].sum(-1) == 1).all()
    assert not (seen.positive[..., [0, 1, 3]] == (seen.logits[..., [0, 1, 3]] >= 0)).all()


class Blind(nn.Module):
    """NaN for the first output where the upper left pixel is bright, infinite for the second where it is dark."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images):
        bright = images[:, 0, 0, 0] > 0
        z = images.mean((1, 2, 3))[:, None] * self.weight * torch.ones(4)
        z[bright, 0] = torch.nan
        z[~bright, 1] = torch.inf
        return z


def test_views_without_a_decision_are_counted(photos):
    plan = view_plan("short", (16, 16))
    bright = np.array([[view[0, 0, 0] / 255 > 0.485 for view in render(photo, plan)] for photo in photos])
    seen = predict(AttributeClassifier(Blind(), card_of()), photos, plan)
    assert 0 < bright.sum() < bright.size
    assert np.array_equal(seen.undefined[..., 0], bright)
    assert np.array_equal(seen.undefined[..., 1], ~bright)
    assert not (seen.positive & seen.undefined).any()
    assert seen.undefined_views == {"Smiling": bright.sum(), "Bald": (~bright).sum()}
    in_set = AttributeClassifier(Blind(), card_of(one_of={"hair": ("Bald", "Young")}))
    seen = predict(in_set, photos, plan)
    assert np.array_equal(seen.undefined[..., 3], ~bright), "a set is undefined as a whole"


def test_the_model_is_as_before(classifier, photos):
    classifier.train()
    classifier.network.bn.eval()
    classifier.network.head.weight.requires_grad_(False)
    classifier.network.head.bias.grad = torch.ones(4)
    before = state_of(classifier)
    with torch.enable_grad():
        predict(classifier, photos, view_plan("short", (16, 16)))
        predict_mirrored(classifier, photos)
        predict_blank(classifier)
    assert_same_state(before, state_of(classifier))


def test_the_model_is_as_before_after_an_error(classifier, photos):
    classifier.train()
    before = state_of(classifier)
    with pytest.raises(InputError, match="no such file"):
        predict(classifier, [*photos, "nowhere.png"], view_plan("short", (16, 16)), batch_size=5)
    assert_same_state(before, state_of(classifier))

    class Failing(TinyNet):
        def forward(self, images):
            if len(images) == 5:
                self.left = images
                raise RuntimeError("five is too many")
            return super().forward(images)

    failing = AttributeClassifier(Failing(), card_of())
    before = state_of(failing)
    with pytest.raises(InputError, match="five is too many"):
        predict(failing, photos, view_plan("short", (16, 16)), batch_size=5)
    assert_same_state(before, state_of(failing))


def test_code_between_batches_runs_in_the_callers_modes(classifier, photos):
    def source():
        for photo in photos:
            assert torch.is_grad_enabled()
            torch.rand(3)
            yield photo

    torch.manual_seed(5)
    torch.rand(9)
    expected = torch.rand(1)
    torch.manual_seed(5)
    predict(classifier, source(), view_plan("short", (16, 16)), batch_size=5)
    assert torch.equal(torch.rand(1), expected)


def test_models_that_are_refused(photos):
    plan = view_plan("short", (16, 16))
    with pytest.raises(InputError, match="TinyNet has none"):
        predict(TinyNet(), photos, plan)
    with pytest.raises(InputError, match="no images"):
        predict(AttributeClassifier(TinyNet(), card_of()), [], plan)

    for single in ("photo.jpg", photos[0]):
        for run in (lambda one: predict(TINY, one, plan), lambda one: predict_mirrored(TINY, one)):
            with pytest.raises(InputError, match="a single image"):
                run(single)

    class Mixing(TinyNet):
        def forward(self, images):
            return super().forward(images) - super().forward(images).mean(0)

    with pytest.raises(UnsupportedError, match="batch"):
        predict(AttributeClassifier(Mixing(), card_of()), photos, plan)


def test_a_model_of_fixed_size_runs_at_every_scale():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))
    seen = predict(
        AttributeClassifier(network, card_of()), [np.zeros((1, 1, 3), np.uint8)], view_plan("paper", (16, 16))
    )
    assert seen.logits.shape[0] == 1
    assert np.isfinite(seen.logits).all()


def test_a_blank_frame_is_black(classifier):
    blank = predict_blank(classifier)
    seen = predict(classifier, [np.zeros((5, 5, 3), np.uint8)], view_plan([(16, 1, 1)], (16, 16)))
    np.testing.assert_allclose(blank.logits, seen.logits, rtol=1e-5)


def test_a_mirror_image_is_the_crop_of_the_mirrored(classifier, photos):
    seen = predict_mirrored(classifier, photos, batch_size=2)
    flipped = predict_mirrored(classifier, [np.ascontiguousarray(photo[:, ::-1]) for photo in photos])
    np.testing.assert_allclose(seen.logits[:, 1], flipped.logits[:, 0], atol=2e-2)
    assert np.abs(seen.logits[:, 0] - seen.logits[:, 1]).max() > 1e-3
