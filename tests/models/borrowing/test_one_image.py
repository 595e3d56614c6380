"""A pass that is random or mixes the images of a batch is refused, with a reason and advice that hold."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bincam import Explainer
from bincam.cam import METHODS, flips, smooth
from bincam.errors import UnsupportedError
from bincam.metrics import deletion, infidelity, insertion, randomisation, road
from bincam.models import resolve
from bincam.models.borrowing.one_image import RUN_ALONE, check_one_image


class Net(nn.Module):
    """Convolution, mean pooling, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def pool(self, images: Tensor) -> Tensor:
        return self.features(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(images))


class BatchStatistics(Net):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, track_running_stats=False), nn.ReLU()
        )


class FunctionalBatchStatistics(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("variance", torch.ones(8))

    def pool(self, images: Tensor) -> Tensor:
        return F.batch_norm(self.features(images), self.mean, self.variance, training=True).mean((2, 3))


class CentredFeatures(Net):
    def pool(self, images: Tensor) -> Tensor:
        features = self.features(images)
        return (features - features.mean(0)).mean((2, 3))


class CentredVectors(Net):
    def pool(self, images: Tensor) -> Tensor:
        vectors = super().pool(images)
        return vectors - vectors.mean(0)


class SoftmaxOverBatch(Net):
    def pool(self, images: Tensor) -> Tensor:
        vectors = super().pool(images)
        return vectors * vectors.softmax(0)


class Contrast(Net):
    def pool(self, images: Tensor) -> Tensor:
        vectors = F.normalize(super().pool(images), dim=1)
        return (vectors @ vectors.T).softmax(1) @ vectors


class AgainstFirst(Net):
    def pool(self, images: Tensor) -> Tensor:
        vectors = super().pool(images)
        return vectors - 0.01 * vectors[:1]


class AgainstLast(Net):
    def pool(self, images: Tensor) -> Tensor:
        vectors = super().pool(images)
        return vectors - 0.01 * vectors[-1:]


class ScaledByLargest(Net):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images / images.amax())


class Shift(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features + features.mean(0)


class HiddenInFeatures(Net):
    """The logits are a function of one image, and the output of one layer is not."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = Shift()

    def pool(self, images: Tensor) -> Tensor:
        features = self.features(images)
        return (self.shift(features) - features.mean(0)).mean((2, 3))


MIXING = [
    BatchStatistics,
    FunctionalBatchStatistics,
    CentredFeatures,
    CentredVectors,
    SoftmaxOverBatch,
    Contrast,
    AgainstFirst,
    AgainstLast,
    ScaledByLargest,
]


@pytest.mark.parametrize("kind", MIXING)
def test_a_pass_that_mixes_images_is_refused_and_the_advice_works(kind: type[Net], images: Tensor) -> None:
    model = kind().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    message = r"logits of an image depend on the other images of its batch.*pass batch_size=1"
    for explain in (Explainer(model), Explainer(model, method="hirescam"), Explainer(model, batch_size=3)):
        with pytest.raises(UnsupportedError, match=message):
            explain(images)
        with pytest.raises(UnsupportedError, match=message):
            explain.logits(images)
        with pytest.raises(UnsupportedError, match=message):
            explain.anatomy((12, 16))
    with pytest.raises(UnsupportedError, match=message):
        resolve(model, images[:1], lambda logits: logits)
    alone = Explainer(model, batch_size=1)
    explanation = alone(images)
    assert RUN_ALONE in explanation.reason
    with torch.no_grad():
        singly = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(explanation.logits, singly)
    torch.testing.assert_close(alone.logits(images), singly)
    torch.testing.assert_close(alone(images[1:]).maps, explanation.maps[1:])
    if explanation.complete:
        torch.testing.assert_close(explanation.identity_gap, torch.zeros(3, 2), atol=1e-5, rtol=0)
    for name, value in model.state_dict().items():
        if name not in ("mean", "variance"):  # which the calls above, outside of bincam, have written to
            assert torch.equal(value, before[name])


def test_the_module_is_named() -> None:
    with pytest.raises(UnsupportedError, match=r"first seen at the output of BatchNorm2d 'features.1'"):
        Explainer(BatchStatistics()).anatomy((16, 16))


def test_features_that_depend_on_the_batch_are_refused_under_logits_that_do_not(images: Tensor) -> None:
    model = HiddenInFeatures().eval()
    assert Explainer(model).logits(images).shape == (3, 2)
    assert Explainer(model)(images).kind == "exact"
    with pytest.raises(UnsupportedError, match="explained features of an image depend on the other images"):
        Explainer(model, layer="shift")(images)


def test_a_model_that_needs_several_images_is_refused_with_that_reason(images: Tensor) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(8, track_running_stats=False)
    )
    for batch_size in (None, 1):
        with pytest.raises(UnsupportedError, match="runs on 3 images but not on one"):
            Explainer(model, batch_size=batch_size)(images)


def test_one_at_a_time_joins_all_that_a_method_returns(tiny: nn.Module, images: Tensor) -> None:
    labels = torch.tensor([[1, 0, -1, 1]] * 3)
    for method in (*METHODS, "score_cam"):
        together = Explainer(tiny, method=method, layer="conv2")(images, "true", labels)
        singly = Explainer(tiny, method=method, layer="conv2", batch_size=1)(images, "true", labels)
        torch.testing.assert_close(singly.maps, together.maps)
        torch.testing.assert_close(singly.logits, together.logits)
        torch.testing.assert_close(singly.side, together.side)
        torch.testing.assert_close(singly.ledger().support, together.ledger().support)
        assert (singly.kind, singly.reason, singly.complete) == (together.kind, together.reason, together.complete)


def test_measures_of_a_model_that_is_run_alone(images: Tensor) -> None:
    explainer = Explainer(BatchStatistics().eval(), batch_size=1)
    explanation = explainer(images)
    first = explainer(images[:1])
    for curve in (deletion, insertion):
        whole = curve(explainer, images, explanation, steps=2).area
        torch.testing.assert_close(curve(explainer, images[:1], first, steps=2).area, whole[:1])
    assert infidelity(explainer, images, explanation, patches=2).raw.shape == (3, 2)
    assert road(explainer, images, explanation, fractions=(0.5,)).score.shape == (3, 2)
    assert randomisation(explainer, images, stages=1, draws=1).correlation.shape == (1, 1, 3, 2)
    assert smooth(explainer, images, samples=1).maps.shape == flips(explainer, images).maps.shape
    reference = explainer.fit_reference([(images, torch.tensor([[1, 0], [0, 1], [1, 1]]))], "mean")
    assert explanation.ledger(reference).reference == "mean"


class Dropped(Net):
    rate = 0.5

    def pool(self, images: Tensor) -> Tensor:
        return F.dropout(super().pool(images), self.rate)


class RarelyDropped(Dropped):
    rate = 0.001


class Depth(Net):
    def pool(self, images: Tensor) -> Tensor:
        features = self.features(images)
        kept = images.new_empty((len(images), 1, 1, 1)).bernoulli_(0.999)
        return (features + kept * features).mean((2, 3))


class Skipped(Net):
    def pool(self, images: Tensor) -> Tensor:
        features = self.features(images)
        if torch.rand(1) < 0.001:
            features = 2 * features
        return features.mean((2, 3))


class Noisy(Net):
    def pool(self, images: Tensor) -> Tensor:
        return super().pool(images + 0.1 * torch.randn_like(images))


class NumpyNoise(Net):
    def pool(self, images: Tensor) -> Tensor:
        return super().pool(images) + float(np.random.rand())  # noqa: NPY002


class PythonNoise(Net):
    def pool(self, images: Tensor) -> Tensor:
        return super().pool(images) * random.random()


class OwnGenerator(Net):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator()

    def pool(self, images: Tensor) -> Tensor:
        return super().pool(images) + torch.rand(1, generator=self.generator)


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (Dropped, r"\(dropout in the model\)"),
        (RarelyDropped, r"\(dropout in the model\)"),
        (Depth, r"\(bernoulli in the model\)"),
        (Skipped, r"\(rand in the model\)"),
        (Noisy, r"\(randn_like in the model\)"),
        (NumpyNoise, ""),
        (PythonNoise, ""),
        (OwnGenerator, r"\(rand in the model\)"),
    ],
)
def test_a_random_pass_is_refused_with_what_draws(kind: type[Net], call: str, images: Tensor) -> None:
    for explainer in (Explainer(kind()), Explainer(kind(), batch_size=1)):
        for run in (explainer, explainer.logits):
            with pytest.raises(UnsupportedError, match=f"random in evaluation mode {call}".strip()):
                run(images)


def test_the_advice_about_dropout_works(images: Tensor) -> None:
    class Advised(Net):
        def pool(self, images: Tensor) -> Tensor:
            return F.dropout(super().pool(images), 0.5, training=self.training)

    assert Explainer(Advised().train())(images).kind == "exact"


@pytest.mark.parametrize("draw", [lambda: torch.randn(3), lambda: F.dropout(torch.ones(3), 0.1), random.random])
def test_a_draw_without_effect_is_no_reason(draw: object, images: Tensor) -> None:
    class Idle(Net):
        def pool(self, images: Tensor) -> Tensor:
            draw()  # type: ignore[operator]
            return super().pool(images)

    assert Explainer(Idle())(images).kind == "exact"


def test_a_chaotic_model_is_not_taken_for_a_mixing_one(images: Tensor) -> None:
    class Chaotic(Net):
        """A logistic map amplifies the last bit, which differs between batch sizes, to the size of the logits."""

        def pool(self, images: Tensor) -> Tensor:
            vectors = torch.sigmoid(super().pool(images) * (1 + 1e-6 * len(images)))
            for _ in range(22):
                vectors = 3.9 * vectors * (1 - vectors)
            return vectors

    model = Chaotic().eval()
    with torch.no_grad():
        assert (model(images)[:1] - model(images[:1])).abs().max() > 1e-4
    with pytest.raises(UnsupportedError):  # in float64 the planted dependence on the batch size remains
        check_one_image(model, images[:1], lambda logits: logits)

    class Rounding(Chaotic):
        def pool(self, images: Tensor) -> Tensor:
            nudge = 1e-6 * len(images) if images.dtype == torch.float32 else 0.0
            vectors = torch.sigmoid(Net.pool(self, images) * (1 + nudge))
            for _ in range(22):
                vectors = 3.9 * vectors * (1 - vectors)
            return vectors

    assert check_one_image(Rounding().eval(), images[:1], lambda logits: logits) == ""


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_check_sees_little_in_half_precision_and_does_not_see_rounding(dtype: torch.dtype, images: Tensor) -> None:
    assert check_one_image(Net().eval().to(dtype), images[:1].to(dtype), lambda logits: logits) == ""
    with pytest.raises(UnsupportedError, match="depend on the other images"):
        check_one_image(AgainstFirst().eval().to(dtype), images[:1].to(dtype), lambda logits: logits)


def test_writes_that_torch_does_not_count_are_noticed(images: Tensor) -> None:
    model = Net().eval()
    explainer = Explainer(model)
    explainer(images)
    model.head.weight.data.mul_(2)
    explanation = explainer(images)
    torch.testing.assert_close(explanation.identity_gap, torch.zeros(3, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(explanation.maps, Explainer(model)(images).maps)


def test_weights_are_checked_again_and_only_then(images: Tensor) -> None:
    class Gated(Net):
        """Independent of the batch as long as the gate is closed, as it is before training."""

        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Parameter(torch.zeros(1))

        def pool(self, images: Tensor) -> Tensor:
            vectors = super().pool(images)
            return vectors + self.gate * vectors.mean(0)

    model = Gated().eval()
    passes: list[int] = []
    model.register_forward_pre_hook(lambda _, arguments: passes.append(len(arguments[0])))
    explainer = Explainer(model)
    explainer(images)
    first = len(passes)
    explainer(images)
    assert len(passes) == first + 1
    with torch.no_grad():
        model.gate.fill_(1)
    with pytest.raises(UnsupportedError, match="depend on the other images"):
        explainer(images)
