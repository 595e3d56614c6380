"""Wrapped, compiled, exported, scripted and quantised networks: explained, or refused with advice that works."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError, UnsupportedError
from bincam.models.tracing.eager import check_followable, eager
from tests.conftest import TinyNet, randomize

METHODS = ("cam", "grad_cam", "hirescam", "fullgrad")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit and torch.ao announce their successors
        warnings.simplefilter("ignore", UserWarning)
        yield


def noise() -> Tensor:
    return torch.randn(2, 3, 12, 16, generator=torch.Generator().manual_seed(3))


def made() -> TinyNet:
    torch.manual_seed(0)
    model = randomize(TinyNet())
    assert isinstance(model, TinyNet)
    return model


class CompiledFunction(TinyNet):
    def __init__(self) -> None:
        super().__init__()
        self.pool = torch.compile(lambda features: features.mean((2, 3)), backend="eager")

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(self.features(images)))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = made()

    def forward(self, images: Tensor) -> Tensor:
        return torch.func.functional_call(self.inner, dict(self.inner.named_parameters()), (images,))


def compiled_in_place() -> nn.Module:
    model = made()
    model.compile(backend="eager")
    return model


def compiled_part() -> nn.Module:
    model = made()
    model.conv2.compile(backend="eager")
    return model


def parallel_part() -> nn.Module:
    model = made()
    model.conv2 = nn.DataParallel(model.conv2)
    return model


def exported() -> nn.Module:
    shapes = ({0: torch.export.Dim("batch")},)
    return torch.export.export(made(), (noise(),), dynamic_shapes=shapes).module()


WRAPPED = {
    "compile()": compiled_in_place,
    "compile() of a part": compiled_part,
    "torch.compile": lambda: torch.compile(made(), backend="eager"),
    "a compiled function": lambda: randomize(CompiledFunction()),
    "DataParallel": lambda: nn.DataParallel(made()),
    "DataParallel part": parallel_part,
    "functional_call": Functional,
    "fx": lambda: torch.fx.symbolic_trace(made()),
    "exported": exported,
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_network_gets_the_maps_of_its_eager_twin(name: str) -> None:
    torch.manual_seed(0)
    model = WRAPPED[name]()
    if name == "a compiled function":
        twin = randomize(TinyNet())
        twin.load_state_dict(model.state_dict())
    else:
        twin = made()
    for method in METHODS:
        expected = Explainer(twin, method=method)(noise(), "positive")
        explanation = Explainer(model, method=method)(noise(), "positive")
        assert explanation.kind == "exact"
        torch.testing.assert_close(explanation.maps, expected.maps)


def test_what_compile_replaced_is_put_back_after_an_error() -> None:
    model = made()
    model.compile(backend="eager")
    implementation = model._compiled_call_impl
    with pytest.raises(RuntimeError), eager(model):
        model(torch.zeros(1, 2, 12, 16))  # another number of channels
    with eager(model):
        assert model._compiled_call_impl is None
    assert model._compiled_call_impl is implementation


@pytest.mark.parametrize("make", [torch.jit.script, lambda model: torch.jit.trace(model, noise())])
@pytest.mark.parametrize("method", METHODS)
def test_a_scripted_network_is_refused_and_the_advice_works(make, method: str) -> None:
    scripted = make(made())
    with pytest.raises(UnsupportedError, match=r"torch\.jit.*give the eager nn\.Module.*load_state_dict"):
        Explainer(scripted, method=method)(noise())
    network = TinyNet().eval()
    network.load_state_dict(scripted.state_dict())
    torch.testing.assert_close(
        Explainer(network, method=method)(noise(), "positive").maps,
        Explainer(made(), method=method)(noise(), "positive").maps,
    )


def test_a_scripted_part_is_named_and_the_advice_works() -> None:
    model = made()
    model.conv2 = torch.jit.trace(model.conv2, torch.randn(1, 5, 12, 16))
    with pytest.raises(UnsupportedError, match=r"submodule 'conv2' is scripted.*load_state_dict\(model\.conv2\.state"):
        Explainer(model)(noise())
    part = TinyNet().conv2
    part.load_state_dict(model.conv2.state_dict())
    model.conv2 = part
    assert Explainer(model)(noise()).kind == "exact"


def test_an_export_for_one_batch_size_is_refused_and_the_advice_works() -> None:
    model = torch.export.export(made(), (noise(),)).module()
    with pytest.raises(InputError, match=r"Guard failed.*dynamic batch size \(dynamic_shapes=\)"):
        Explainer(model)(noise())
    assert Explainer(exported())(noise()).kind == "exact"


class Quantised(nn.Module):
    """A network whose backbone, or all of it, is quantised."""

    def __init__(self, *, head: bool) -> None:
        super().__init__()
        self.quantise, self.dequantise = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.convolution, self.relu = nn.Conv2d(3, 6, 3), nn.ReLU()
        self.pool, self.linear = nn.AdaptiveAvgPool2d(1), nn.Linear(6, 4)
        self.whole = head

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.convolution(self.quantise(images)))
        features = features if self.whole else self.dequantise(features)
        logits = self.linear(torch.flatten(self.pool(features), 1))
        return self.dequantise(logits) if self.whole else logits


def quantised(*, head: bool) -> nn.Module:
    model = randomize(Quantised(head=head))
    model.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    if not head:
        model.linear.qconfig = None
    prepared = torch.ao.quantization.prepare(model)
    prepared(noise())
    return torch.ao.quantization.convert(prepared)


@pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="no quantised kernels here")
def test_quantised_networks_are_refused_or_cut_above_their_quantised_part() -> None:
    torch.manual_seed(0)
    with pytest.raises(UnsupportedError, match="quint8, which has no gradient; explain the float network"):
        Explainer(quantised(head=True))(noise())
    explanation = Explainer(quantised(head=False))(noise())
    assert explanation.kind == "exact"
    assert explanation.maps.any()
    assert float(explanation.identity_gap.abs().max()) < 1e-5
    with pytest.raises(UnsupportedError, match="quantised layers have no gradient; explain the float network"):
        Explainer(quantised(head=False), method="fullgrad")(noise())


@pytest.mark.parametrize(("method", "layer"), [("grad_cam", None), ("hirescam", "conv1"), ("fullgrad", None)])
def test_a_dynamically_quantised_network_is_refused_and_the_advice_works(method: str, layer: str | None) -> None:
    model = torch.ao.quantization.quantize_dynamic(made(), {nn.Linear})
    with pytest.raises(UnsupportedError, match="quantised layers have no gradient; explain the float network"):
        Explainer(model, method=method, layer=layer)(noise())
    assert Explainer(made(), method=method, layer=layer)(noise()).maps.any()


def test_the_pytorch_grad_cam_methods_refuse_lost_gradients_too() -> None:
    model = torch.ao.quantization.quantize_dynamic(made(), {nn.Linear})
    with pytest.raises(UnsupportedError, match="quantised layers have no gradient; explain the float network"):
        Explainer(model, method="shapley_cam", layer="conv2")(noise())


def test_functions_are_refused_and_the_advice_works() -> None:
    model = made()
    for function in (model.forward, functools.partial(model)):
        with pytest.raises(InputError, match=r"not an nn\.Module; give the module itself, or a module whose forward"):
            Explainer(function)(noise())

    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, images: Tensor) -> Tensor:
            return functools.partial(model)(images)

    assert Explainer(Wrapper())(noise()).kind == "exact"


def test_weights_that_are_spread_over_processes_are_refused() -> None:
    class FSDPModule(nn.Module):  # as torch.distributed.fsdp.fully_shard adds it to a module's classes
        pass

    class Sharded(FSDPModule, TinyNet):
        pass

    with pytest.raises(UnsupportedError, match=r"FSDP.*full_state_dict=True"):
        check_followable(Sharded())


class ThroughNumpy(TinyNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.from_numpy(self.features(images).mean((2, 3)).numpy()))


class Mapped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = made()

    def forward(self, images: Tensor) -> Tensor:
        return torch.func.vmap(lambda image: self.inner(image[None])[0])(images)


def test_computations_outside_of_torch_are_named() -> None:
    with pytest.raises(UnsupportedError, match=r"followed back.*'numpy' of its tensors; compute with the tensors"):
        Explainer(randomize(ThroughNumpy()))(noise())
    with pytest.raises(UnsupportedError, match=r"followed back.*torch\.func transform.*tensor operations"):
        Explainer(Mapped().eval())(noise())
