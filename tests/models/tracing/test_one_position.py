"""Calls of which one position is read: found where that is so, and with the gradients of the model's own pass."""

from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from bincam import Explainer
from bincam.models.tracing.cut import Cut, PathChangedError, Place
from bincam.models.tracing.one_position import one_position
from bincam.models.tracing.trace import record
from tests.conftest import randomize

TOKENS = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def identity(output):
    return output


class Block(nn.Module):
    """A layer of attention over tokens, and what a subclass reads of it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.inner, self.outer, self.head = nn.Linear(8, 12), nn.Linear(12, 8), nn.Linear(8, 3)
        self.double().eval()

    def attend(self, tokens):
        q, k, v = self.qkv(self.norm(tokens)).chunk(3, -1)
        shares = (q @ k.transpose(1, 2) / 3).softmax(-1)
        return tokens + self.out(shares @ v)

    def tokens(self, tokens):
        attended = self.attend(tokens)
        return attended + self.outer(F.gelu(self.inner(attended)))

    def forward(self, tokens):
        return self.head(self.read(self.tokens(tokens)))

    def read(self, tokens):
        return tokens[:, 0]


class Last(Block):
    def read(self, tokens):
        return tokens[:, -1, :]


class Written(Block):
    """A later call reads a tensor under the name under which another has written to it."""

    def tokens(self, tokens):
        attended = self.attend(tokens)
        hidden = self.inner(attended)
        hidden.mul_(2)
        return attended + self.outer(hidden)


class Mean(Block):
    def read(self, tokens):
        return tokens[:, 0] + tokens.mean(1)


class Two(Block):
    def read(self, tokens):
        return tokens[:, 0] + tokens[:, 1]


class Counted(Block):
    """The logits depend on all tokens through a number."""

    def read(self, tokens):
        return tokens[:, 0] * float(tokens.sum())


class Flat(Block):
    """Images and tokens share an axis for a while, which a pass of one image does not show."""

    def tokens(self, tokens):
        attended = self.attend(tokens)
        flat = attended.reshape(-1, 8)
        return attended + self.outer(F.gelu(self.inner(flat))).reshape(len(tokens), -1, 8)


class Pooled(Block):
    """Attention of one query, whose axis of one position is then picked."""

    def tokens(self, tokens):
        query, values = tokens.mean(1, keepdim=True), self.inner(tokens)[..., :8]
        return (query @ values.transpose(1, 2)).softmax(-1) @ values


def calls_of(model):
    return one_position(record(model, TOKENS[:1], identity))


@pytest.mark.parametrize("kind", [Block, Last, Written, Flat])
def test_the_position_that_is_read_has_the_same_logits_and_gradients(kind):
    model = kind()
    first = next(call.index for call in record(model, TOKENS, identity).calls.values() if call.name == "layer_norm")
    narrowed = calls_of(model).above(first)
    assert narrowed.calls
    found = []
    for above in (None, narrowed):
        with torch.no_grad(), Cut(None, Place(first, "layer_norm", "input"), above=above) as cut:
            logits = model(TOKENS)
        found.append((logits, *(torch.autograd.grad(z, cut.leaf, retain_graph=True)[0] for z in logits.sum(0))))
    for own, same in zip(*found, strict=True):
        torch.testing.assert_close(own, same, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [Mean, Two, Counted, Pooled])
def test_nothing_is_narrowed_where_the_logits_depend_on_other_positions(kind):
    found = calls_of(kind())
    assert found is None or not any(call.name in ("linear", "add", "gelu") for call in found.above(0).calls.values())


def test_nothing_before_the_explained_tensor_is_changed():
    found = calls_of(Block())
    all_calls = found.above(0).calls
    later = sorted(all_calls)[3]
    assert min(found.above(later).calls) >= later
    assert set(found.above(later).calls) < set(all_calls)


def test_a_pass_on_another_path_is_noticed():
    narrowed = calls_of(Block()).above(0)
    index = next(index for index, call in narrowed.calls.items() if call.name == "linear")
    with pytest.raises(PathChangedError, match="was 'linear' and is now 'relu'"):
        narrowed.function(index, F.relu, (), {})


NETWORKS = {
    "vit_tiny_patch16_224": True,
    "deit3_small_patch16_224": True,
    "beit_base_patch16_224": True,  # attention with a bias of each pair of tokens
    "eva02_tiny_patch14_224": True,  # rotary positions, gated MLP
    "deit_tiny_distilled_patch16_224": False,  # a head of its own for a second token
}


@pytest.mark.parametrize(("name", "narrows"), NETWORKS.items(), ids=NETWORKS)
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
def test_maps_of_class_tokens_are_those_of_the_network_as_it_is(name, narrows, fused, monkeypatch):
    monkeypatch.setattr("timm.layers.attention.use_fused_attn", lambda *_: fused)
    for module in ("vision_transformer", "beit", "eva"):
        monkeypatch.setattr(f"timm.models.{module}.use_fused_attn", lambda *_: fused, raising=False)
    torch.manual_seed(0)
    side = 56 if "14" in name else 64
    options: Any = {
        "num_classes": 4,
        "img_size": side,
        "depth": 2,
        "num_heads": 2,
        "embed_dim": 48,
        "global_pool": "token",
    }
    model = randomize(timm.create_model(name, **options)).double()
    images = torch.randn(2, 3, side, side, dtype=torch.float64)
    layer = "blocks.1.norm1"
    maps = {
        trunk: Explainer(model, names=list("abcd"), method="hirescam", layer=layer, trunk=trunk)(images).maps
        for trunk in ("eager", "folded")
    }
    assert maps["eager"].any()
    torch.testing.assert_close(maps["folded"], maps["eager"], rtol=0, atol=1e-10)
    trace = record(model, images[:1], identity)
    assert ("softmax" in {call.name for call in trace.calls.values()}) != fused
    found = one_position(trace)
    names = set() if found is None else {call.name for call in found.above(0).calls.values()}
    assert ("linear" in names) == narrows
