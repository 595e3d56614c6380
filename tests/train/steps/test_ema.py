"""The average of weights: its recursion, and that it is what is judged and kept."""

from __future__ import annotations

import copy

import torch

import bincam
from bincam.models import AttributeClassifier, make_card
from bincam.models.borrowing.borrow import evaluating
from bincam.train import fit
from bincam.train.steps.ema import Average


def test_the_recursion_by_hand():
    model = bincam.models.build("resnet10t", ["a"], input_size=(32, 32), channels=[8] * 4, stem_width=8)
    average = Average(model, 0.6)
    expected = copy.deepcopy(model.network.head.weight.data)
    for step in range(8):
        with torch.no_grad():
            model.network.head.weight.add_(torch.randn_like(model.network.head.weight))
        average.update(model, step)
        decay = 0.0 if step < 2 else min(0.6, 1 - step ** (-2 / 3))
        expected = decay * expected + (1 - decay) * model.network.head.weight.data
    torch.testing.assert_close(average.model.network.head.weight.data, expected)
    assert not average.model.training


def test_the_average_is_kept_and_the_steps_are_those_without_it(config):
    with_it, without = fit(config(to="a", ema=0.9)), fit(config(to="b"))
    assert [r["train_loss"] for r in with_it.history] == [r["train_loss"] for r in without.history]
    a, b = (bincam.load(result.folder / "last").network.head.weight for result in (with_it, without))
    assert not torch.equal(a, b)
    assert with_it.history[-1]["validation"]["mean"]["loss"] != without.history[-1]["validation"]["mean"]["loss"]


def test_validation_of_an_average_reads_no_cache_of_earlier_weights():
    class Cached(torch.nn.Module):
        """Caches what follows from its weights, in evaluation mode, in which an average always is."""

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))
            self.cache = {}

        def forward(self, images):
            if self.training:
                return images.mean((2, 3))[:, :1] * self.scale
            return images.mean((2, 3))[:, :1] * self.cache.setdefault("scale", self.scale.clone())

    card = make_card(attributes=("Bald",), architecture="factory", name="mine:make", input_size=(8, 8))
    average = Average(AttributeClassifier(Cached(), card), decay=0.5)
    images = torch.ones(2, 3, 8, 8)
    for value in (1.0, 2.0):
        average.model.network.scale.data.fill_(value)
        with torch.no_grad(), evaluating(average.model):
            assert average.model(images).tolist() == [[value], [value]]
    assert average.model.network.cache == {}
