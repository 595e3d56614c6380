"""Which images a step sees, and as what; and that an epoch's record tells."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.errors import InputError
from bincam.train import fit
from bincam.train.steps.batches import TrainingBatches, mirrored, pixel_sum, repeats, shuffled
from tests.train.conftest import digest


def test_images_in_memory_are_the_same_images(config):
    read = fit(config(epochs=2, to="a"))
    kept = fit(config(epochs=2, to="b", data__memory=True))
    assert [r["pixels"] for r in read.history] == [r["pixels"] for r in kept.history]
    assert digest(read.folder) == digest(kept.folder)


def test_grey_images_in_memory_and_not(config):
    grey = {"epochs": 1, "data__mean": [0.5], "data__std": [0.25], "model__options__in_chans": 1}
    read = fit(config(to="a", **grey))
    kept = fit(config(to="b", data__memory=True, **grey))
    assert digest(read.folder) == digest(kept.folder)


def test_more_images_than_memory_are_refused(config, monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda _: 10)
    with pytest.raises(InputError, match=r"96 images of 32 x 32 need .* GiB, and this machine has"):
        fit(config(data__memory=True))


def test_half_of_the_images_are_mirrored_and_the_right_ones(config, table):
    settings = config(batch_size=96, data__memory=True)
    plain = config(batch_size=96, data__memory=True, data__augmentation="none")
    from bincam.train.runs.initial_model import initial_model, updated_card

    train = table.split("train")
    card = updated_card(initial_model(settings, train, {}), fit="stretch")
    order = shuffled(96, 0)

    def images(one):
        feed = TrainingBatches(train, one, card, order, rank=0, world=1, device=torch.device("cpu"))
        ((batch,),) = list(feed.epoch(3))
        return batch

    flipped, straight = images(settings), images(plain)
    assert torch.equal(flipped.rows, straight.rows)
    turned = torch.from_numpy(mirrored(flipped.rows.numpy(), 96, 0, 3))
    assert 30 < int(turned.sum()) < 66
    assert torch.equal(flipped.images[~turned], straight.images[~turned])
    assert torch.equal(flipped.images[turned], straight.images[turned].flip(-1))
    assert flipped.images.is_contiguous(memory_format=torch.channels_last)


def test_an_image_that_is_drawn_again_is_another_view(table):
    from bincam.data.augment import Augmentation
    from bincam.data.dataset import FaceDataset, Key

    rows = np.array([5, 2, 5, 5, 0, 2])
    assert repeats(rows).tolist() == [0, 0, 1, 2, 0, 1]
    many = np.arange(96).repeat(50)
    turned = mirrored(many, 96, 0, 3).reshape(96, 50)
    assert np.array_equal(turned[:, 0], mirrored(np.arange(96), 96, 0, 3))  # as if nothing were re-sampled
    assert np.abs(turned.mean(1) - 0.5).max() < 0.35
    views = FaceDataset(table, size=32, fit="stretch", augmentation=Augmentation())
    first, again = (views[Key(1, 7, repeat)].view.image for repeat in (0, 1))
    assert not np.array_equal(first, again)
    assert np.array_equal(first, views[Key(1, 7)].view.image)


def test_the_sum_of_pixels_sees_where_they_are_and_whose_they_are():
    images, rows = torch.randn(6, 3, 8, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40, 46)
    whole = pixel_sum(images, rows)
    assert whole.dtype == torch.int64

    def changed(at, to):
        other = images.clone()
        other[at] = to
        return int(pixel_sum(other, rows)) != int(whole)

    assert changed(2, images[2].flip(-1))
    assert changed(2, images[2].flip(0))
    assert changed((2, 0, 1, [1, 3]), images[2, 0, 1, [3, 1]])  # two pixels
    assert changed([1, 4], images[[4, 1]])  # two images of other rows
    assert changed([0, 3], images[[0, 3]].flip(-1))
    assert not changed(2, images[2])
    assert pixel_sum(images, rows + 1) != whole

    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert pixel_sum(images[order], rows[order]) == whole
    parts = zip(images[order].split(4), rows[order].split(4), strict=True)
    assert sum((pixel_sum(*part) for part in parts), torch.zeros((), dtype=torch.int64)) == whole
    assert pixel_sum(images.contiguous(memory_format=torch.channels_last), rows) == whole
    assert pixel_sum(images.permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2), rows) == whole


def test_a_mirrored_training_image_shows_in_an_epochs_record(config, monkeypatch):
    def other(rows, count, seed, epoch):
        return mirrored(rows, count, seed, epoch) ^ (rows == rows[0])

    once = fit(config(epochs=1, to="a"))
    monkeypatch.setattr("bincam.train.steps.batches.mirrored", other)
    again = fit(config(epochs=1, to="b"))
    assert once.history[0]["order"] == again.history[0]["order"]
    assert once.history[0]["pixels"] != again.history[0]["pixels"]
