"""What a configuration chooses is what is done: precision, memory format, first weights, thresholds, the clock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import timm
import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from torch import nn

from bincam.data import loader
from bincam.errors import InputError
from bincam.models import AttributeClassifier
from bincam.train import fit, loop
from bincam.train.evaluations import run_evaluation
from bincam.train.losses.base import AttributeLoss
from bincam.train.runs.initial_model import initial_model
from bincam.train.steps.optimizer_step import Stepper
from tests.train.conftest import NAMES


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_steps_are_in_the_precision_asked_for_and_losses_and_validation_in_fp32(config, monkeypatch, precision, dtype):
    forward, terms = AttributeClassifier.forward, AttributeLoss.terms
    models, losses = set(), set()

    def watched_forward(self, images):
        logits = forward(self, images)
        models.add((self.training, logits.dtype))
        return logits

    def watched_terms(self, logits, targets):
        value = terms(self, logits, targets)
        losses.add((logits.requires_grad, logits.dtype, value.dtype))
        return value

    monkeypatch.setattr(AttributeClassifier, "forward", watched_forward)
    monkeypatch.setattr(AttributeLoss, "terms", watched_terms)
    model = fit(config(epochs=1, precision=precision)).model()
    assert models == {(True, dtype), (False, torch.float32)}
    assert losses == {(True, torch.float32, torch.float32), (False, torch.float32, torch.float32)}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_loss_of_a_step_in_bf16_is_that_of_autocast(config, table):
    settings = config(epochs=1, batch_size=96, data__augmentation="none", precision="bf16")
    result = fit(settings)
    train = table.split("train")
    model = initial_model(settings, train, {}).to(memory_format=torch.channels_last)
    batch = next(iter(loader(train, card=result.model().card, batch_size=96)))
    images, known = batch.images.contiguous(memory_format=torch.channels_last), ~batch.labels.isnan()

    def loss(logits):
        assert logits.dtype == torch.float32
        return float(nn.functional.binary_cross_entropy_with_logits(logits[known], batch.labels[known]))

    with torch.no_grad():
        whole = model(images)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(images)
    found = result.history[0]["train_loss"]
    assert abs(loss(half.float()) - loss(whole)) > 1e-5
    assert found == pytest.approx(loss(half.float()), abs=2e-6)


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("memory", [True, False])
def test_model_and_images_lie_in_the_memory_format_asked_for(config, monkeypatch, chosen, memory):
    """In steps, on validation (by the average of the weights) and on the test split."""
    forward = AttributeClassifier.forward
    seen = []

    def lies(tensor):
        """Whether in channels last; None where it lies the same either way."""
        last, first = (tensor.is_contiguous(memory_format=f) for f in (torch.channels_last, torch.contiguous_format))
        assert last or first
        return None if last and first else last

    def watched(self, images):
        kernels = {lies(p) for p in self.parameters() if p.ndim == 4} - {None}
        seen.append((self.training, len(images), lies(images), kernels))
        return forward(self, images)

    monkeypatch.setattr(AttributeClassifier, "forward", watched)
    fit(config(epochs=1, ema=0.9, channels_last=chosen, data__memory=memory))
    steps, validation, test = [(True, 16)] * 6, [(False, 16), (False, 16), (False, 13)], [(False, 16), (False, 14)]
    probes = {(False, 1), (False, 3)}  # of the check that the output is a function of one image, in either order
    seen = [batch for batch in seen if batch[:2] not in probes]
    assert seen == [(*batch, chosen, {chosen}) for batch in steps + validation + test]


def test_timms_own_weights_are_what_a_run_starts_from_where_asked_for(config, table, monkeypatch):
    """Its hub cannot be reached here: weights of one number stand for those that it would give."""
    create = timm.create_model

    def from_a_hub(name, *, pretrained=False, **options):
        model = create(name, **options)
        if pretrained:
            for parameter in model.parameters():
                nn.init.constant_(parameter, 0.03125)
        return model

    monkeypatch.setattr(timm, "create_model", from_a_hub)
    settings = config(epochs=1, model__pretrained="timm", optimizer__lr=1e-12)
    backbone = fit(settings).model().network.backbone
    assert all(torch.allclose(p, torch.tensor(0.03125), atol=1e-8) for p in backbone.parameters())
    other = initial_model(config(model__pretrained="none"), table.split("train"), {}).network.backbone
    assert not any((p == 0.03125).any() for p in other.parameters())


def test_weights_of_timm_that_cannot_be_had_end_the_run(config, monkeypatch):
    create = timm.create_model

    def offline(name, *, pretrained=False, **options):
        if pretrained:
            raise ConnectionError("Name or service not known")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError, match="pretrained weights of 'resnet10t' cannot be downloaded"):
        fit(config(epochs=1, model__pretrained="timm"))


def test_the_test_is_at_zero_and_at_the_thresholds_of_the_best_epoch(config, table):
    """That is the first of three, which calls nothing positive, so that no later one has fewer false positives."""
    result = fit(config(epochs=3, best="fpr", optimizer__lr=1e-2, schedule__name="constant", data__memory=True))
    assert (result.best_epoch, result.epochs) == (1, 3)
    model, split = result.model(), table.split("test")
    with torch.no_grad():
        z = torch.cat([model(batch.images) for batch in loader(split, card=model.card, batch_size=16)]).double().numpy()

    def called(a, thresholds):
        known = split.labels[:, a] >= 0
        return split.labels[known, a], z[known, a] >= thresholds.get(NAMES[a], 0.0)

    def counts(thresholds):
        return [confusion_matrix(*called(a, thresholds)).ravel().tolist() for a in range(2)]

    tuned, last = (record["tuned_thresholds"] for record in (result.history[0], result.history[2]))
    assert all(mine not in others for mine, *others in zip(counts(tuned), counts({}), counts(last), strict=True))
    for by, thresholds in (("zero", {}), ("tuned", tuned)):
        found = result.test[by]
        cells = [[found["attributes"][name][key] for key in ("tn", "fp", "fn", "tp")] for name in NAMES]
        assert cells == counts(thresholds)
        errors = [1 - balanced_accuracy_score(*called(a, thresholds)) for a in range(2)]
        assert [found["attributes"][name]["balanced_error"] for name in NAMES] == pytest.approx(errors)
        assert found["mean"]["balanced_error"] == pytest.approx(sum(errors) / 2)
    assert result.test["tuned_thresholds"] == model.card.tuned_thresholds == tuned


@pytest.mark.parametrize("accumulate", [1, 2])
def test_images_per_second_are_those_of_the_steps_alone(config, monkeypatch, accumulate):
    """Of a clock that goes on by half a second in a step, and by much more in what is none."""
    now = [1000.0]

    def taking(seconds, function):
        def slow(*args, **kwargs):
            now[0] += seconds
            return function(*args, **kwargs)

        return slow

    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(Stepper, "step", taking(0.5, Stepper.step))
    for module, name in ((run_evaluation, "ask"), (loop, "write_state")):
        monkeypatch.setattr(module, name, taking(50.0, getattr(module, name)))
    result = fit(config(epochs=2, batch_size=20, accumulate=accumulate, checkpoint_steps=2))
    # 96 images fill four batches of 20.
    assert [record["images_per_second"] for record in result.history] == pytest.approx([40.0, 40.0])
