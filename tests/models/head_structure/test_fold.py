"""Heads in many spellings: the claim, the identity, and the evidence against float64 autograd."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import UnsupportedError
from bincam.models.head_structure.norm import Norm, norm_scale
from tests.conftest import randomize

C, A, CELLS = 6, 3, 48


class Net(nn.Module):
    """Two convolutions and a head that is a function of the features."""

    def __init__(self, head: Callable[[Net, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, C, 3, stride=2, padding=1)
        self.linear, self.norm = nn.Linear(C, A), nn.LayerNorm(C)
        self.weight, self.bias = nn.Parameter(torch.randn(A, C)), nn.Parameter(torch.randn(A))
        self.scale = nn.Parameter(torch.rand(C) + 0.5)
        self.heads = nn.ModuleList(nn.Linear(C, 1) for _ in range(A))
        self.everywhere = nn.Parameter(torch.randn(A, C, 6, 8))
        self.head = head

    def features(self, images: Tensor) -> Tensor:
        return torch.relu(self.conv2(torch.relu(self.conv1(images))))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self, self.features(images))


def mean(features: Tensor) -> Tensor:
    return features.mean((2, 3))


def assigned(net: Net, features: Tensor) -> Tensor:
    logits = torch.empty(len(features), A, dtype=features.dtype)
    for column, head in enumerate(net.heads):
        logits[:, column] = head(mean(features))[:, 0]
    return logits


def added_in_place(net: Net, features: Tensor) -> Tensor:
    logits = torch.zeros(len(features), A, dtype=features.dtype)
    for column, head in enumerate(net.heads):
        logits[:, column] += head(mean(features))[:, 0]
    return logits


def index_copied(net: Net, features: Tensor) -> Tensor:
    logits = torch.zeros(len(features), A, dtype=features.dtype)
    for column, head in enumerate(net.heads):
        logits.index_copy_(1, torch.tensor([column]), head(mean(features)))
    return logits


def through_data(net: Net, features: Tensor) -> Tensor:
    logits = torch.zeros(len(features), A, dtype=features.dtype)
    for column, head in enumerate(net.heads):
        logits.data[:, column] = head(mean(features))[:, 0]
    return logits


def into_out(net: Net, features: Tensor) -> Tensor:
    logits = torch.empty(len(features), A, dtype=features.dtype)
    with torch.no_grad():
        torch.matmul(mean(features), net.weight.t(), out=logits)
    return logits


def pairs(net: Net, features: Tensor) -> Tensor:
    return torch.stack([net.linear(mean(features)), F.linear(mean(features), net.weight)], -1)


def log_odds(logarithms: Tensor) -> Tensor:
    return logarithms[..., 1] - logarithms[..., 0]


EXACT: dict[str, Callable[[Net, Tensor], Tensor]] = {
    "assigned": assigned,
    "added in place": added_in_place,
    "index_copy": index_copied,
    "data": through_data,
    "out": into_out,
    "cat of heads": lambda net, f: torch.cat([head(mean(f)) for head in net.heads], 1),
    "stack of heads": lambda net, f: torch.stack([head(mean(f))[:, 0] for head in net.heads], 1),
    "mean of mean": lambda net, f: net.linear(f.mean(3).mean(2)),
    "mean of mean, channels last": lambda net, f: net.linear(f.permute(0, 2, 3, 1).mean(1).mean(1)),
    "adaptive_avg_pool1d": lambda net, f: net.linear(F.adaptive_avg_pool1d(f.flatten(2), 1)[..., 0]),
    "flatten, mean": lambda net, f: net.linear(f.flatten(2).mean(2)),
    "sum / n": lambda net, f: net.linear(f.sum((2, 3)) / (f.shape[2] * f.shape[3])),
    "sum of sum": lambda net, f: net.linear(f.sum(-1).sum(-1) * 0.02),
    "avg_pool2d": lambda net, f: net.linear(F.avg_pool2d(f, f.shape[2:]).flatten(1)),
    "einsum over cells": lambda net, f: torch.einsum("bchw,kc->bk", f, net.weight) / CELLS + net.bias,
    "einsum, own weights": lambda net, f: torch.einsum("bchw,kchw->bk", f, net.everywhere),
    "convolution over the grid": lambda net, f: F.conv2d(f, net.everywhere).flatten(1),
    "addmm": lambda net, f: torch.addmm(net.bias, mean(f), net.weight.t()),
    "bmm": lambda net, f: torch.bmm(mean(f)[:, None], net.weight.t()[None].expand(len(f), -1, -1))[:, 0],
    "baddbmm": lambda net, f: torch.baddbmm(
        net.bias[None, None], mean(f)[:, None], net.weight.t()[None].expand(len(f), -1, -1)
    )[:, 0],
    "conv1d": lambda net, f: F.conv1d(mean(f)[..., None], net.weight[..., None], net.bias)[..., 0],
    "tensordot": lambda net, f: torch.tensordot(mean(f), net.weight, dims=([1], [1])),
    "inner": lambda net, f: torch.inner(mean(f), net.weight),
    "mv": lambda net, f: torch.stack([torch.mv(net.weight, vector) for vector in mean(f)]),
    "constant on the left": lambda net, f: (net.weight @ mean(f).t()).t(),
    "rsub": lambda net, f: torch.rsub(net.linear(mean(f)), 1.5),
    "lerp": lambda net, f: torch.lerp(net.linear(mean(f)), net.bias, 0.3),
    "where": lambda net, f: net.linear(torch.where(net.scale > 1, mean(f), torch.zeros((), dtype=f.dtype))),
    "index_select": lambda net, f: net.linear(mean(f).index_select(1, torch.arange(C - 1, -1, -1))),
    "gather": lambda net, f: net.linear(mean(f).gather(1, torch.arange(C - 1, -1, -1).expand(len(f), -1))),
    "temperature": lambda net, f: net.linear(mean(f)) * net.bias.mean().exp() - net.bias,
    "layer scale": lambda net, f: net.linear(mean(f) * net.scale),
    "weights of cells": lambda net, f: net.linear((f * net.everywhere[0, 0]).sum((2, 3))),
    "log-softmax of two": lambda net, f: log_odds(F.log_softmax(pairs(net, f), -1)),
    "logarithms of softmax": lambda net, f: log_odds(torch.softmax(pairs(net, f), -1).log()),
    "logit of sigmoid": lambda net, f: torch.logit(torch.sigmoid(net.linear(mean(f)))),
    "maximum of maximum": lambda net, f: net.linear(f.amax(3).amax(2)),
    "values of max": lambda net, f: net.linear(f.flatten(2).max(-1).values),
    "an assertion on values": lambda net, f: net.linear(mean(f)) if bool(f.isfinite().all()) else f,
}
CONDITIONAL: dict[str, Callable[[Net, Tensor], Tensor]] = {
    "layer_norm": lambda net, f: net.linear(net.norm(mean(f))),
    "layer_norm after mean of mean": lambda net, f: net.linear(net.norm(f.mean(3).mean(2))),
    "layer_norm after sum / n": lambda net, f: net.linear(net.norm(f.sum((2, 3)) / CELLS)),
    "group_norm of one group": lambda net, f: net.linear(F.group_norm(mean(f), 1, net.scale)),
    "rms_norm": lambda net, f: net.linear(F.rms_norm(mean(f), (C,), net.scale, 1e-6)),
    "rms_norm in steps": lambda net, f: net.linear(
        mean(f) * torch.rsqrt(mean(f).pow(2).mean(-1, keepdim=True) + 1e-6) * net.scale
    ),
    "unbiased variance": lambda net, f: net.linear(mean(f) * torch.rsqrt(mean(f).var(-1, keepdim=True) + 1e-6)),
    "length": lambda net, f: F.linear(F.normalize(mean(f)), F.normalize(net.weight)) * 10,
    "length in steps": lambda net, f: mean(f) / mean(f).norm(dim=-1, keepdim=True) @ net.weight.t(),
    "cosine_similarity": lambda net, f: F.cosine_similarity(mean(f)[:, None], net.weight[None], dim=-1),
}
DIAGNOSTIC: dict[str, tuple[Callable[[Net, Tensor], Tensor], str]] = {
    "relu": (lambda net, f: net.linear(torch.relu(mean(f) - 0.5)), "'relu'"),
    "relu far from its kink": (lambda net, f: net.linear(torch.relu(mean(f) + 1000)), "'relu'"),
    "clamp far from its ends": (lambda net, f: net.linear(mean(f).clamp(-1000, 1000)), "'clamp'"),
    "abs": (lambda net, f: net.linear(mean(f).abs()), "'abs'"),
    "tanh near zero": (lambda net, f: torch.tanh(net.linear(mean(f)) * 1e-3) * 1e3, "'tanh'"),
    "product of two": (lambda net, f: net.linear(mean(f)) * net.linear(mean(f)), "several poolings"),
    "square": (lambda net, f: net.linear(mean(f).pow(2)), "'pow'"),
    "two norms": (lambda net, f: net.linear(net.norm(net.norm(mean(f)))), "several normalisations"),
    "log-softmax": (lambda net, f: F.log_softmax(net.linear(mean(f)), -1), "log_softmax.*does not cancel"),
    "log-softmax, nearly constant": (
        lambda net, f: F.log_softmax(torch.cat([net.linear(mean(f)), torch.full((len(f), 1), 50.0)], 1), -1)[:, :A],
        "log_softmax.*does not cancel",
    ),
    "a branch": (lambda net, f: net.linear(mean(f)) * (2 if mean(f)[0].sum() > 0 else 1), "Python value.*'bool'"),
}

NOT_OF_ONE_IMAGE: dict[str, tuple[Callable[[Net, Tensor], Tensor], str]] = {
    "a number of the features": (lambda net, f: net.linear(mean(f)) * f.mean().item(), "Python value.*'item'"),
    "a number of the vector": (
        lambda net, f: net.linear(mean(f)) * mean(f).norm().item(),
        "Python value.*'item'",
    ),
    "dropout that is active": (
        lambda net, f: net.linear(F.dropout(mean(f), 0.5, training=True)),
        "random in evaluation mode",
    ),
}


def made(head: Callable[[Net, Tensor], Tensor]) -> Net:
    torch.manual_seed(1)
    net = randomize(Net(head))
    assert isinstance(net, Net)
    return net


def noise(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 12, 16, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", EXACT)
def test_affine_heads_are_exact_however_they_are_written(name: str) -> None:
    net = made(EXACT[name]).double()
    images = noise().double()
    explanation = Explainer(net, method="cam")(images, side="positive")
    assert explanation.kind == "exact", explanation.reason
    assert explanation.complete
    assert float(explanation.identity_gap.abs().max()) < 1e-6
    assert explanation.maps.shape == (2, A, 6, 8)
    # An affine function is its gradient times its argument plus a constant, so g⊙F is the only evidence there is. The
    # gradient is taken by autograd on the features, which a head that detaches does not have: there by its twin.
    head = EXACT["assigned"] if name == "data" else EXACT[name]
    if name == "out":
        head = lambda net, f: mean(f) @ net.weight.t()  # noqa: E731
    if name in ("logarithms of softmax", "log-softmax of two", "logit of sigmoid"):
        head = {
            "logit of sigmoid": lambda net, f: net.linear(mean(f)),
        }.get(name, lambda net, f: log_odds(pairs(net, f)))
    with torch.no_grad():
        features = net.features(images)
    features.requires_grad_()
    logits = head(net, features)
    for column in range(A):
        (gradient,) = torch.autograd.grad(logits[:, column].sum(), features, retain_graph=True)
        expected = (gradient * features).sum(1)
        torch.testing.assert_close(explanation.maps[:, column], expected.detach(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_normalisation_is_conditional_however_it_is_written(name: str) -> None:
    net = made(CONDITIONAL[name])
    images = noise()
    explanation = Explainer(net, method="cam")(images, side="positive")
    assert explanation.kind == "conditional", explanation.reason
    assert float(explanation.identity_gap.abs().max()) < 1e-4
    with torch.no_grad():
        torch.testing.assert_close(explanation.logits, net(images))
    # Features of another size change the statistic; the identity must follow it.
    smaller = Explainer(net, method="cam")(images * 0.01, side="positive")
    assert float(smaller.identity_gap.abs().max()) < 1e-4


@pytest.mark.parametrize("name", DIAGNOSTIC)
def test_a_head_that_is_not_affine_is_diagnostic_with_its_reason(name: str) -> None:
    head, reason = DIAGNOSTIC[name]
    net = made(head)
    with torch.random.fork_rng():
        explanation = Explainer(net)(noise(), side="positive")
    assert explanation.kind == "diagnostic"
    assert explanation.bias is None
    assert re.search(reason, explanation.reason), explanation.reason


@pytest.mark.parametrize("name", NOT_OF_ONE_IMAGE)
def test_a_head_that_is_no_function_of_one_image_is_refused(name: str) -> None:
    head, reason = NOT_OF_ONE_IMAGE[name]
    net = made(head)
    with torch.random.fork_rng(), pytest.raises(UnsupportedError) as refusal:
        Explainer(net)(noise(), side="positive")
    if "batch_size=1" not in str(refusal.value):
        assert re.search(reason, str(refusal.value))
        return
    explanation = Explainer(net, batch_size=1)(noise(), side="positive")  # as the message advises
    assert explanation.kind == "diagnostic"
    assert re.search(reason, explanation.reason), explanation.reason


def test_a_graph_that_torch_cannot_record_is_refused_and_its_advice_works() -> None:
    def views(net: Net, features: Tensor) -> Tensor:
        logits = torch.empty(len(features), A)
        columns = [logits[:, column] for column in range(A)]
        for column, head in zip(columns, net.heads, strict=True):
            column.copy_(head(mean(features))[:, 0])
        return logits

    with pytest.raises(UnsupportedError, match=r"logits\[:, i\] = score, or join the scores with torch\.cat"):
        Explainer(made(views))(noise())
    for name in ("assigned", "cat of heads"):
        assert Explainer(made(EXACT[name]))(noise()).kind == "exact"


@pytest.mark.parametrize("wrap", ["weight_norm", "spectral_norm"])
def test_parametrised_linear_heads_are_exact(wrap: str) -> None:
    net = made(lambda net, f: net.linear(mean(f)))
    getattr(nn.utils.parametrizations, wrap)(net.linear)
    explanation = Explainer(net.eval())(noise())
    assert explanation.kind == "exact"
    assert float(explanation.identity_gap.abs().max()) < 1e-5


@pytest.mark.parametrize("name", ["convnext_zepto_rms", "convnext_zepto_rms_ols"])
def test_a_timm_head_with_rms_norm_is_conditional(name: str) -> None:
    torch.manual_seed(0)
    model = randomize(timm.create_model(name, num_classes=A))
    explanation = Explainer(model, method="cam")(torch.randn(2, 3, 64, 96), side="positive")
    assert explanation.kind == "conditional", explanation.reason
    assert float(explanation.identity_gap.abs().max()) < 1e-4


def test_statistics_by_hand() -> None:
    vector = torch.tensor([[3.0, 1.0]])
    assert norm_scale(vector, Norm(center=False, eps=0.0)).item() == pytest.approx(5**-0.5)
    assert norm_scale(vector, Norm(center=True, eps=0.0)).item() == pytest.approx(1.0)
    assert norm_scale(vector, Norm(center=True, eps=0.0, statistic="unbiased_variance")).item() == pytest.approx(
        2**-0.5
    )
    assert norm_scale(vector, Norm(center=False, eps=0.0, statistic="length")).item() == pytest.approx(10**-0.5)
    assert norm_scale(vector, Norm(center=False, eps=4.0, statistic="length")).item() == pytest.approx(0.25)
    assert norm_scale(vector, None).item() == 1.0
