"""MEMO against a plain re-implementation of the published recipe, and a model that is as before."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torchvision.transforms import RandomResizedCrop

from bincam.errors import InputError, UnsupportedError
from bincam.inference import augmix_views, blended, memo, random_crops, zoom_memo
from bincam.inference.tta.random_crops import crop_box
from bincam.models import AttributeClassifier, preprocess
from tests.conftest import TinyNet, randomize
from tests.inference.conftest import card_of
from tests.inference.test_prediction import assert_same_state, state_of


class PlainBatchNorm(nn.BatchNorm2d):
    """The published blend: N/(N+1) of the running and 1/(N+1) of the batch's statistics, without their gradient."""

    def forward(self, images):
        mean = images.detach().mean((0, 2, 3))
        var = images.detach().var((0, 2, 3), unbiased=True)
        share = 16 / 17
        return F.batch_norm(
            images,
            share * self.running_mean + (1 - share) * mean,
            share * self.running_var + (1 - share) * var,
            self.weight,
            self.bias,
            False,
            0,
            self.eps,
        )


def published(classifier, photo, views, rate, sets=(), attributes=(0, 1, 2, 3)):
    """One image by torch's own optimiser on a copy of the model; the loss is that of the source for sets."""
    model = copy.deepcopy(classifier.network)
    model.bn.__class__ = PlainBatchNorm
    card = classifier.card
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    inputs = torch.stack([preprocess(Image.fromarray(view), card) for view in views])
    scores = model(inputs)
    loss = 0
    for columns in sets:
        logits = scores[:, columns] - scores[:, columns].logsumexp(-1, keepdim=True)
        average = logits.logsumexp(0) - np.log(len(logits))
        loss = loss - (average * average.exp()).sum()
    for column in attributes:
        p = scores[:, column].sigmoid().mean()
        loss = loss - p * p.log() - (1 - p) * (1 - p).log()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        return model(preprocess(Image.fromarray(photo), card)[None])[0], loss.item()


RATE = 0.5  # large, so that a step that is not taken is seen


@pytest.mark.parametrize("of_set", [False, True])
def test_predictions_are_those_of_the_published_recipe(photos, of_set):
    torch.manual_seed(0)
    names = ("Smiling", "Bald", "Eyeglasses", "Young")
    card = card_of(one_of={"all": names} if of_set else {})
    classifier = AttributeClassifier(randomize(TinyNet()), card).eval()
    adapted = zoom_memo(classifier, photos, views=6, rate=RATE, seed=3)
    moved = 0.0
    for row, photo in enumerate(photos):
        views = random_crops(photo, (16, 16), 6, np.random.default_rng((3, row)))
        scores, loss = published(
            classifier, photo, views, RATE, [[0, 1, 2, 3]] if of_set else [], [] if of_set else [0, 1, 2, 3]
        )
        expected = scores.softmax(0).logit() if of_set else scores
        np.testing.assert_allclose(adapted.after.logits[row, 0], expected.numpy(), atol=1e-4)
        assert adapted.entropy[row].sum() == pytest.approx(loss, abs=1e-5)
        moved = max(moved, np.abs(adapted.after.logits[row] - adapted.before.logits[row]).max())
    assert moved > 0.01
    assert adapted.unadapted == 0


def test_each_attribute_alone_is_adapted_as_if_there_were_no_other(classifier, photos):
    alone = zoom_memo(classifier, photos[:1], views=6, rate=RATE, per_attribute=True)
    views = random_crops(photos[0], (16, 16), 6, np.random.default_rng((0, 0)))
    for column in range(4):
        scores, loss = published(classifier, photos[0], views, RATE, attributes=[column])
        assert alone.after.logits[0, 0, column] == pytest.approx(scores[column].item(), abs=1e-4)
        assert alone.entropy[0, column] == pytest.approx(loss, abs=1e-5)


def test_every_image_begins_with_the_models_own_weights(classifier, photos):
    together = zoom_memo(classifier, photos, views=4, rate=RATE)
    again = zoom_memo(classifier, photos, views=4, rate=RATE)
    assert np.array_equal(together.after.logits, again.after.logits)
    first = zoom_memo(classifier, photos[:1], views=4, rate=RATE)
    assert np.array_equal(first.after.logits[0], together.after.logits[0])


@pytest.mark.parametrize("adapt", [zoom_memo, memo])
def test_the_model_is_as_before(classifier, photos, adapt):
    classifier.train()
    classifier.network.conv1.requires_grad_(False)
    classifier.network.head.bias.grad = torch.ones(4)
    before = state_of(classifier)
    with torch.no_grad():
        adapt(classifier, photos, views=3, per_attribute=True)
    with pytest.raises(InputError, match="no such file"):
        adapt(classifier, [photos[0], "nowhere.png"], views=3)
    assert_same_state(before, state_of(classifier))


class Failing(TinyNet):
    """Fails in the prediction after the step, when weights, statistics and gradients are others."""

    passes = 0

    def forward(self, images):
        if len(images) == 1 and not torch.equal(self.head.weight, self.first):
            raise RuntimeError("failed after the step")
        return super().forward(images)


def test_the_model_is_as_before_after_an_error(photos):
    network = randomize(Failing())
    network.first = network.head.weight.detach().clone()
    classifier = AttributeClassifier(network, card_of())
    before = state_of(classifier)
    with pytest.raises(InputError, match="failed after the step"):
        zoom_memo(classifier, photos, views=3, rate=RATE)
    assert_same_state(before, state_of(classifier))


def test_frozen_parameters_take_part(classifier, photos):
    free = zoom_memo(classifier, photos, views=4, rate=RATE)
    classifier.requires_grad_(False)
    frozen = zoom_memo(classifier, photos, views=4, rate=RATE)
    assert np.array_equal(free.after.logits, frozen.after.logits)


class Sometimes(TinyNet):
    """NaN for batches of several images: views without a finite entropy."""

    def forward(self, images):
        z = super().forward(images)
        return z * torch.nan if len(images) > 1 else z


def test_images_that_cannot_be_adapted_keep_the_models_weights(photos):
    classifier = AttributeClassifier(randomize(Sometimes()), card_of())
    adapted = zoom_memo(classifier, photos, views=3)
    assert adapted.unadapted == 3
    assert np.isnan(adapted.entropy).all()
    assert np.array_equal(adapted.before.logits, adapted.after.logits)


def test_requests_that_are_refused(classifier, photos):
    for options, message in (({"views": 0}, "views=0"), ({"rate": 0.0}, "rate=0"), ({"prior": -1}, "prior=-1")):
        with pytest.raises(InputError, match=message):
            zoom_memo(classifier, photos, **options)
    with pytest.raises(InputError, match="no images"):
        zoom_memo(classifier, [])
    with pytest.raises(InputError, match="landmarks"):
        zoom_memo(AttributeClassifier(TinyNet(), card_of(fit="face")), photos)

    class Detached(TinyNet):
        def forward(self, images):
            return super().forward(images).detach()

    with pytest.raises(UnsupportedError, match="no gradient"):
        zoom_memo(AttributeClassifier(Detached(), card_of()), photos, views=2)
    narrow = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4))
    with pytest.raises(InputError, match=r"'1'|network\.1.*single value per channel"):
        zoom_memo(AttributeClassifier(narrow, card_of()), photos, views=2)
    assert zoom_memo(AttributeClassifier(narrow, card_of()), photos, views=2, prior=None).unadapted == 0


def test_a_face_model_adapts_to_the_square_of_its_crop():
    image = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    marks = np.array([[18.0, 25.0], [32.0, 25.0], [25.0, 31.0], [20.0, 37.0], [30.0, 37.0]])
    classifier = AttributeClassifier(randomize(TinyNet()), card_of(fit="face"))
    adapted = zoom_memo(classifier, [image], landmarks=[marks], views=3, rate=RATE)
    assert adapted.after.sizes.tolist() == [[66, 66]]
    with torch.no_grad():
        own = classifier.network(preprocess(Image.fromarray(image), classifier.card, marks)[None])
    np.testing.assert_allclose(adapted.before.logits[0], own.numpy(), atol=1e-5)


def test_a_blend_is_undone_after_an_error():
    layer = nn.BatchNorm2d(2).eval()
    before = layer.running_mean
    with pytest.raises(RuntimeError), blended(layer, 16):
        layer(torch.zeros(2, 2, 4, 4, dtype=torch.int64))
    assert layer.running_mean is before
    assert not layer._forward_pre_hooks
    layer = nn.BatchNorm2d(2, track_running_stats=False).eval()
    with blended(layer, 16) as count:
        assert count == 0


@pytest.mark.parametrize("shape", [(23, 37), (5, 90), (1, 1)])
def test_crops_have_the_distribution_of_torchvision(shape):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    own = np.array([crop_box(shape, rng) for _ in range(2000)])
    image = torch.zeros(1, *shape)
    theirs = np.array([RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(2000)])
    for mine, other in zip(own.T, theirs.T, strict=True):
        error = np.sqrt((mine.var() + other.var()) / 2000)
        assert abs(mine.mean() - other.mean()) <= 4 * error + 1e-9
        assert mine.min() >= 0
    assert (own[:, 0] + own[:, 2]).max() <= shape[0]
    assert (own[:, 1] + own[:, 3]).max() <= shape[1]


def test_views_of_the_smallest_image():
    one = np.full((1, 1, 3), 77, np.uint8)
    assert (random_crops(one, (8, 8), 3, np.random.default_rng(0)) == 77).all()
    mixed = augmix_views(one, (8, 8), 3, np.random.default_rng(0))
    assert mixed.shape == (3, 8, 8, 3)
    assert np.isfinite(mixed).all()
