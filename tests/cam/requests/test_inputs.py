"""The caller's images are never written to, and precisions of all kinds are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bincam import Explainer
from bincam.cam import BRIDGED, METHODS, flips, smooth
from bincam.errors import InputError
from bincam.metrics import deletion, infidelity, insertion, randomisation, road
from bincam.models import resolve
from tests.conftest import TinyNet, randomize


class Writing(TinyNet):
    """Normalises its input in place, and begins with an activation in place."""

    def forward(self, images: Tensor) -> Tensor:
        images.sub_(0.1).div_(0.5)
        images[:, 0] = 0.5 * images[:, 0]
        return super().forward(torch.nn.functional.relu_(images))


class Reading(TinyNet):
    """The same function without writing."""

    def forward(self, images: Tensor) -> Tensor:
        images = (images - 0.1) / 0.5
        images = torch.cat([0.5 * images[:, :1], images[:, 1:]], 1)
        return super().forward(torch.nn.functional.relu(images))


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    writing = randomize(Writing())
    reading = Reading().eval()
    reading.load_state_dict(writing.state_dict())
    return writing, reading


def last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": torch.clone,
    "channels_last": last,
    "view": lambda images: images.repeat(1, 1, 1, 2)[..., ::2],
    "expanded": lambda images: images[:1].expand(3, -1, -1, -1),
    "numpy": lambda images: torch.from_numpy(images.numpy().copy()),
    "gradient": lambda images: images.clone().requires_grad_(),
    "graph": lambda images: images.clone().requires_grad_() * 1,
    "double": lambda images: images.double(),
    "half": lambda images: images.half(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", [True, False])
def test_images_stay_as_they_are(pair: tuple[nn.Module, nn.Module], images: Tensor, form: str, order: bool) -> None:
    writing, reading = pair
    given = FORMS[form](images)
    before = given.detach().clone()
    explainer, expected = Explainer(writing, channels_last=order), Explainer(reading, channels_last=order)(given)
    for _ in range(2):
        explanation = explainer(given)
        torch.testing.assert_close(explanation.maps, expected.maps)
        torch.testing.assert_close(explainer.logits(given), expected.logits)
    assert explanation.kind == "exact"
    assert torch.equal(given, before)
    assert not given.is_leaf or given.grad is None


def test_inference_tensors(pair: tuple[nn.Module, nn.Module], images: Tensor) -> None:
    with torch.inference_mode():
        given = images.clone()
        explanation = Explainer(pair[0])(given)
        assert torch.equal(given, images)
    torch.testing.assert_close(explanation.maps, Explainer(pair[1])(images).maps)


@pytest.mark.parametrize("method", [*METHODS, *(name for name in BRIDGED if name != "random_cam")])
def test_no_method_changes_the_images(pair: tuple[nn.Module, nn.Module], images: Tensor, method: str) -> None:
    images = last(images)
    before = images.clone()
    side: Any = "positive" if method not in BRIDGED or BRIDGED[method].knows_side else "any"
    bias = pair[0].head.bias.detach()
    if method == "ablation_cam":  # takes positive logits only
        side, bias = "positive", bias.fill_(20)
        pair[1].head.bias.detach().fill_(20)
    options: Any = {"names": list("abcd"), "method": method, "layer": "conv2"}
    maps = [Explainer(model, [0], **options)(images, side).maps for model in pair]
    torch.testing.assert_close(*maps, atol=1e-4, rtol=1e-4)
    assert torch.equal(images, before)


def test_no_measure_changes_the_images(pair: tuple[nn.Module, nn.Module], images: Tensor) -> None:
    images = last(images)
    before = images.clone()
    results = []
    for model in pair:
        explainer = Explainer(model)
        explanation = explainer(images)
        results.append(
            [
                deletion(explainer, images, explanation, steps=2).area,
                insertion(explainer, images, explanation, steps=2).area,
                infidelity(explainer, images, explanation, patches=2).raw.float(),
                road(explainer, images, explanation, fractions=(0.5,)).score,
                randomisation(explainer, images, stages=1, draws=1).correlation.float(),
                smooth(explainer, images, samples=1).maps,
                flips(explainer, images).maps,
                explainer.fit_reference([(images, torch.tensor([[1, 0, 1, 1]] * 2 + [[0, 1, 0, 0]]))]).grid,
            ]
        )
        resolve(model, images[:1], lambda logits: logits)
        assert torch.equal(images, before)
    for writing, reading in zip(*results, strict=True):
        torch.testing.assert_close(writing, reading, atol=1e-4, rtol=1e-3)


# -- precision ---------------------------------------------------------------------------------------------------------


class TwoLayers(TinyNet):
    """Two linear layers, whose product is not representable in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(6, 32), nn.Linear(32, 4))


class Normed(TwoLayers):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(nn.functional.layer_norm(self.features(images).mean((2, 3)), (6,)))


@pytest.mark.parametrize("kind", [TinyNet, TwoLayers, Normed])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_head_is_judged_in_float32(kind: type[nn.Module], dtype: torch.dtype, images: Tensor) -> None:
    torch.manual_seed(0)
    model = randomize(kind())
    expected = Explainer(model)(images)
    converted = Explainer(model.to(dtype))(images)
    assert (converted.kind, converted.reason) == (expected.kind, expected.reason) != ("diagnostic", "")
    eps = torch.finfo(dtype).eps
    scale = float(expected.maps.abs().sum((2, 3)).max() + expected.logits.abs().max())
    assert float((converted.logits.double() - expected.logits).abs().max()) < 16 * eps * scale + 1e-6
    decomposition = converted.decomposition
    assert decomposition is not None
    total = decomposition.evidence.sum((2, 3)) + decomposition.bias
    assert float((total - converted.logits).abs().max()) < 16 * eps * scale + 1e-6
    assert {p.dtype for p in model.parameters()} == {dtype}


@pytest.mark.parametrize("method", [*METHODS, *(name for name in BRIDGED if name != "ablation_cam")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_method_reads_half_precision(method: str, dtype: torch.dtype, tiny: nn.Module, images: Tensor) -> None:
    side: Any = "positive" if method not in BRIDGED or BRIDGED[method].knows_side else "any"
    autocast = Explainer(tiny, [0], method=method, layer="conv2", precision="bf16")(images, side)
    converted = Explainer(tiny.to(dtype), [0], method=method, layer="conv2")(images, side)
    assert autocast.maps.isfinite().all()
    assert converted.maps.isfinite().all()


class FirstIsFloat(TinyNet):
    """A parameter in float32 is registered before the convolutions, which are in another precision."""

    def __init__(self) -> None:
        super().__init__()
        self.half()
        rest = dict(self._modules)
        self._modules.clear()
        self.scale = nn.Parameter(torch.ones(1))
        self._modules.update(rest)


class FloatHead(TinyNet):
    def __init__(self) -> None:
        super().__init__()
        self.half()
        self.head.float()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)).float())


class Casting(TinyNet):
    """Casts its input itself, so that it cannot run at another precision."""

    def __init__(self) -> None:
        super().__init__()
        self.half()

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.half())


class Quantised(TinyNet):
    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("codes", nn.Parameter(torch.ones(3, dtype=torch.int8), requires_grad=False))


@pytest.mark.parametrize("kind", [FirstIsFloat, FloatHead, Casting, Quantised])
def test_mixed_precisions(kind: type[nn.Module], images: Tensor) -> None:
    torch.manual_seed(0)
    model = kind().eval()
    dtypes = [p.dtype for p in model.parameters()]
    explanation = Explainer(model)(images)
    assert explanation.kind == "exact"
    assert float(explanation.identity_gap.abs().max()) < 1e-2
    assert [p.dtype for p in model.parameters()] == dtypes


def test_lazy_layers_have_no_weights_to_explain(images: Tensor) -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(InputError, match=r"'0.weight' has no values before the first forward pass; run the model once"):
        Explainer(model)(images)
    model(images)
    assert Explainer(model)(images).kind == "exact"


def test_numpy_memory_is_not_written_to(pair: tuple[nn.Module, nn.Module]) -> None:
    array = np.random.default_rng(0).random((2, 3, 12, 16), dtype=np.float32)
    before = array.copy()
    Explainer(pair[0], channels_last=False)(torch.from_numpy(array))
    assert np.array_equal(array, before)


@pytest.mark.parametrize("channels", [1, 4])
def test_the_structure_of_a_network_of_other_channels_is_found_without_a_card(channels):
    network = nn.Sequential(nn.Conv2d(channels, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    assert Explainer(network).anatomy((16, 16), channels=channels).kind == "exact"
    with pytest.raises(InputError, match="channels=0: expected at least 1"):
        Explainer(network).anatomy((16, 16), channels=0)
