"""Explanations over a folded or compiled trunk: eager's numbers, an unchanged model, and what falls back."""

from __future__ import annotations

import gc
import warnings
import weakref

import pytest
import torch
from torch import Tensor, nn

from bincam import Explainer
from bincam.errors import BincamWarning, InputError
from bincam.models.trunk import trunk as trunks
from tests.conftest import TinyNet, randomize

FAMILIES = {
    "resnet10t": "folded",
    "efficientnet_b0": "folded",
    "mobilenetv3_small_050": "folded",
    "regnety_002": "folded",
    "convnext_atto": "eager",
    "test_vit": "eager",
}


def network(name: str, **options: object) -> nn.Module:
    import timm

    torch.manual_seed(0)
    return randomize(timm.create_model(name, num_classes=3, **options))


def agree(first, second, tolerance: float = 1e-4) -> bool:
    """Maps to a share of mean |S|, and logits likewise of their size."""
    close = (first.maps - second.maps).abs().max() <= tolerance * second.maps.abs().mean()
    return bool(close & ((first.logits - second.logits).abs().max() <= tolerance * second.logits.abs().max()))


@pytest.mark.parametrize("name", FAMILIES)
def test_maps_are_those_of_eager(name):
    size = 160 if name == "test_vit" else 32
    model, images = network(name), torch.randn(2, 3, size, size)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    eager, folded = Explainer(model, trunk="eager"), Explainer(model)
    assert agree(folded(images), eager(images))
    assert torch.allclose(folded.logits(images), eager.logits(images), atol=1e-4)
    assert (eager.trunk.ran, folded.trunk.ran) == ("eager", FAMILIES[name])
    assert bool(folded.trunk.reason) == (FAMILIES[name] == "eager")
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, before[key]) for key, value in after.items())


def test_batch_normalisation_before_a_convolution_is_not_folded():
    """A DenseNet's first normalisation of a layer reads what several layers have joined; its second a convolution."""
    model = network("densenet121", growth_rate=4, block_config=(1, 1))
    images = torch.randn(2, 3, 32, 32)
    folded = Explainer(model)
    assert agree(folded(images), Explainer(model, trunk="eager")(images))
    (remembered,) = trunks._known[model].values()
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert 0 < len(remembered[1].folded) < norms


@pytest.mark.parametrize(
    ("method", "layer"), [("grad_cam", "layer3"), ("hirescam", "pre_activation"), ("layer_cam", "layer2.0.conv2")]
)
def test_layers_inside_the_network(method, layer):
    model, images = network("resnet10t"), torch.randn(2, 3, 64, 64)
    chosen = {"method": method, "layer": layer}
    expected = Explainer(model, trunk="eager", **chosen)(images)
    folded = Explainer(model, **chosen)
    assert agree(folded(images), expected)
    assert folded.trunk.ran == "folded"


def test_methods_of_the_whole_gradient_run_eagerly():
    model, images = randomize(TinyNet()), torch.randn(2, 3, 12, 16)
    for method in ("fullgrad", "score_cam"):
        chosen = {"method": method, "layer": "conv2"}
        explainer = Explainer(model, **chosen)
        assert torch.equal(explainer(images).maps, Explainer(model, trunk="eager", **chosen)(images).maps)
        assert explainer.trunk.ran == "eager"


def test_changed_weights_are_folded_anew():
    model, images = randomize(TinyNet()), torch.randn(2, 3, 12, 16)
    explainer = Explainer(model)
    first = explainer(images)
    with torch.no_grad():
        model.conv1.weight.mul_(-1.5)
        model.bn.running_mean.add_(1.0)
    assert agree(explainer(images), Explainer(model, trunk="eager")(images))
    assert not agree(explainer(images), first, 1e-2)


def test_a_module_that_is_replaced_is_seen():
    """Another layer under the same weights' number of calls must not run with the old folded weights."""
    model, images = randomize(TinyNet()), torch.randn(2, 3, 12, 16)
    explainer = Explainer(model)
    explainer(images)
    model.conv1 = nn.Conv2d(3, 5, 3, padding=1)
    assert agree(explainer(images), Explainer(model, trunk="eager")(images))


def test_hooks_of_others_see_what_the_model_computes():
    model, images = randomize(TinyNet()), torch.randn(2, 3, 12, 16)
    expected = Explainer(model, trunk="eager")(images)
    seen: list[Tensor] = []
    handle = model.conv1.register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    explainer = Explainer(model)
    with pytest.warns(BincamWarning, match="hooks"):
        explained = explainer(images)
    with torch.no_grad():
        assert torch.equal(seen[-1], model.conv1(images.contiguous(memory_format=torch.channels_last)))
    assert torch.equal(explained.maps, expected.maps)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # told once
        explainer(images)
    handle.remove()
    explainer(images)
    assert explainer.trunk.ran == "folded"


def test_a_pass_that_writes_to_a_buffer_is_folded_once(images, monkeypatch):
    """The writes are undone; only the counters of torch tell of them."""

    class Counting(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            self.bn.num_batches_tracked += 1
            return super().forward(images)

    made, times = trunks.foldable, []
    monkeypatch.setattr(trunks, "foldable", lambda *given: times.append(1) or made(*given))
    explainer = Explainer(randomize(Counting()))
    for _ in range(3):
        explainer(images)
    assert explainer.trunk.ran == "folded"
    assert len(times) == 1


class BatchDependentPath(TinyNet):
    """Takes another path for batches than for one image."""

    def features(self, images: Tensor) -> Tensor:
        if len(images) > 1:
            images = images + 0.0
        return super().features(images)


def test_another_path_falls_back(images):
    model = randomize(BatchDependentPath())
    explainer = Explainer(model)
    with pytest.warns(BincamWarning, match="passes differ"):
        logits = explainer.logits(images)
    assert torch.allclose(logits, Explainer(model, trunk="eager").logits(images))
    assert explainer.trunk.ran == "eager"


def test_an_unstable_fold_falls_back(monkeypatch):
    """The planted fault: folded weights that are wrong by one per cent are found by the scores of one image."""
    made = trunks.foldable

    def wrong(trace, model):
        folded = made(trace, model)
        folded[0].weight *= 1.01
        return folded

    monkeypatch.setattr(trunks, "foldable", wrong)
    model, images = randomize(TinyNet()), torch.randn(2, 3, 12, 16)
    explainer = Explainer(model)
    with pytest.warns(BincamWarning, match="something else"):
        explained = explainer(images)
    assert torch.equal(explained.maps, Explainer(model, trunk="eager")(images).maps)


def test_explainers_of_a_model_share_one_copy_which_goes_with_it():
    model, images = randomize(TinyNet()), torch.randn(2, 3, 12, 16)
    for method in ("grad_cam", "hirescam", "cam"):
        Explainer(model, method=method)(images)
    (remembered,) = trunks._known[model].values()
    held = sum(one.weight.numel() + one.bias.numel() for one in remembered[1].folded)
    assert held <= sum(parameter.numel() for parameter in model.parameters())
    gone = weakref.ref(model)
    del model, remembered
    gc.collect()
    assert gone() is None


def test_bf16_is_that_of_eager():
    model, images = network("resnet10t"), torch.randn(2, 3, 32, 32)
    eager = Explainer(model, trunk="eager", precision="bf16")(images)
    folded = Explainer(model, precision="bf16")(images)
    full = Explainer(model, trunk="eager")(images)
    error, folded_error = ((each.maps - full.maps).norm() / full.maps.norm() for each in (eager, folded))
    assert 0 < error < 0.03
    assert folded_error < 3 * error


def test_an_unknown_trunk_is_refused():
    with pytest.raises(InputError, match="trunk='fast'; expected eager, folded, compiled"):
        Explainer(randomize(TinyNet()), trunk="fast")


class Branching(TinyNet):
    """Python code that reads a value of a tensor below the explained one."""

    def features(self, images: Tensor) -> Tensor:
        scale = 2.0 if float(images.mean()) > 100 else 1.0
        return super().features(images * scale)


class TwoLevels(TinyNet):
    """A tensor from below joins the explained one above it, and a shape is asked for on the way."""

    def forward(self, images: Tensor) -> Tensor:
        low = self.relu(self.bn(self.conv1(images)))
        high = self.conv2(low).relu()
        pooled = high.flatten(2).mean(-1).view(high.shape[0], -1)
        return self.head(pooled) + low.mean((1, 2, 3))[:, None]


@pytest.mark.slow  # compiles
@pytest.mark.parametrize(("kind", "layer"), [(TinyNet, None), (TinyNet, "pre_activation"), (TwoLevels, "conv2")])
def test_compiled_maps_are_those_of_eager(kind, layer):
    model, images = randomize(kind()), torch.randn(3, 3, 12, 16)
    expected = Explainer(model, trunk="eager", layer=layer)(images)
    explainer = Explainer(model, trunk="compiled", layer=layer)
    ran = []
    for _ in range(3):
        assert agree(explainer(images), expected, 1e-5)
        ran.append(explainer.trunk.ran)
    assert ran == ["folded", "compiled", "compiled"]
    assert explainer.trunk.reason == ""
    other = torch.randn(5, 3, 12, 16)  # a shape that was not compiled
    assert agree(explainer(other), Explainer(model, trunk="eager", layer=layer)(other), 1e-5)


@pytest.mark.slow  # compiles
def test_compiled_code_is_that_of_the_weights():
    model, images = randomize(TinyNet()), torch.randn(3, 3, 12, 16)
    explainer = Explainer(model, trunk="compiled")
    explainer(images)
    first = explainer(images)
    with torch.no_grad():
        model.conv2.weight.mul_(-1.5)
    changed = explainer(images)
    assert explainer.trunk.ran == "folded"  # until the shape comes again
    assert agree(changed, Explainer(model, trunk="eager")(images))
    assert not agree(changed, first, 1e-2)


def falls_back(model: nn.Module, match: str) -> None:
    """Check that a network is not compiled, that this is told once, and that the numbers are eager's."""
    images = torch.randn(3, 3, 12, 16)
    explainer = Explainer(model, trunk="compiled")
    explainer(images)
    with pytest.warns(BincamWarning, match=match):
        explained = explainer(images)
    assert agree(explained, Explainer(model, trunk="eager")(images), 1e-5)
    assert explainer.trunk.ran == "folded"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explainer(images)


def test_branches_on_values_are_not_compiled():
    falls_back(randomize(Branching()), "computes with 'float' of its own tensors")


def test_without_a_compiler(monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("No working C++ compiler found\nin torch._inductor.config.cpp.cxx")

    monkeypatch.setattr(torch, "compile", failing)
    falls_back(randomize(TinyNet()), "torch.compile failed: RuntimeError: No working C\\+\\+ compiler found$")


def test_compiled_code_that_computes_something_else_is_not_used(monkeypatch):
    def wrong(graph, **_):
        return lambda images: [1.01 * value for value in graph(images)]

    monkeypatch.setattr(torch, "compile", wrong)
    falls_back(randomize(TinyNet()), "computes something else")


@pytest.mark.slow  # compiles
def test_a_diverged_network_is_not_compiled():
    """Compiled convolutions with their ReLU make 0 of NaN, see findings/compiled_convolutions_lose_nan.sh."""
    model = randomize(TinyNet())
    with torch.no_grad():
        model.conv1.weight[0, 0, 0, 0] = float("nan")
    images = torch.randn(3, 3, 12, 16)
    explainer = Explainer(model, trunk="compiled")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        explained = [explainer(images) for _ in range(3)]
    assert explainer.trunk.ran != "compiled"
    for one in explained:
        assert one.logits.isnan().all()
        assert one.maps.isnan().any()
