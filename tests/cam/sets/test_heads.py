"""Heads that score sets: those that decompose, those that end in a softmax, and several that are one model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError, UnsupportedError
from bincam.models import AttributeClassifier, make_card
from tests.cam.sets.six_outputs import NAMES, SETS, network


class Flattened(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()), nn.Linear(5 * 7 * 5, 6)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).flatten(1))


class Tokens(nn.Module):
    """A token without a position is averaged with the cells, and a norm follows."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm, self.head = nn.Conv2d(3, 5, 3), nn.LayerNorm(5), nn.Linear(5, 6)
        self.token = nn.Parameter(torch.randn(5))

    def forward(self, images: Tensor) -> Tensor:
        cells = self.body(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token * cells.mean(1, keepdim=True), cells], 1)
        return self.head(self.norm(tokens.mean(1)))


class Highest(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 5, 3), nn.Linear(5, 6)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).amax((-2, -1)))


@pytest.mark.parametrize("head", [Flattened, Tokens, Highest])
def test_every_head_that_decomposes_does_so_for_all_outputs_and_for_few(
    pictures: Tensor, head: type[nn.Module]
) -> None:
    torch.manual_seed(0)
    model = head().double().eval()
    whole = Explainer(model, names=NAMES, one_of=SETS, method="cam")(pictures, "positive")
    raw = Explainer(model, names=NAMES, method="cam")(pictures, "positive")
    assert whole.complete
    assert whole.identity_gap.abs().max() < 1e-12
    few = Explainer(model, ["Asian", "old"], names=NAMES, one_of=SETS, method="cam")(pictures, "positive")
    best = Explainer(model, names=NAMES, one_of=SETS, method="cam", top=1)(pictures, "positive")
    for explanation in (few, best):
        assert explanation.identity_gap.abs().max() < 1e-12
        for image in range(5):
            columns = [NAMES.index(name) for name in explanation.output_names(image)]
            torch.testing.assert_close(explanation.maps[image], whole.maps[image, columns])
            torch.testing.assert_close(explanation.bias[image], whole.bias[image, columns])
            torch.testing.assert_close(
                explanation.decomposition.prefix[image], whole.decomposition.prefix[image, columns]
            )
    weights = raw.logits[:, [0, 2]].softmax(-1)  # of the alternatives to Black
    others = (weights[..., None, None] * raw.maps[:, [0, 2]]).sum(1)
    torch.testing.assert_close(whole.maps[:, 1], raw.maps[:, 1] - others)


def test_sets_of_two_and_yes_or_no_attributes_keep_the_kind_of_their_head(pictures: Tensor) -> None:
    for chosen in (["old", "Male"], ["young"]):
        explanation = Explainer(network(), chosen, names=NAMES, one_of=SETS)(pictures)
        assert (explanation.kind, explanation.reason) == ("exact", "mean pooling, then affine layers")
        assert explanation.identity_gap.abs().max() < 1e-13
    alone = Explainer(network(), ["Male"], names=NAMES, one_of=SETS)(pictures)
    assert (alone.sets, alone.alternatives, alone.predicted) == ((), None, None)
    torch.testing.assert_close(alone.maps, Explainer(network(), ["Male"], names=NAMES)(pictures).maps)


@pytest.mark.parametrize("last", ["softmax", "log_softmax"])
def test_heads_that_end_in_a_softmax_are_exact_in_a_set(pictures: Tensor, last: str) -> None:
    model = network(nn.Linear(8, 3))
    ending = nn.Softmax(-1) if last == "softmax" else nn.LogSoftmax(-1)
    names, sets = ("a", "b", "c"), {"set": ("a", "b", "c")}
    head = "probabilities" if last == "softmax" else "logits"
    plain = Explainer(model, names=names, one_of=sets)(pictures)
    ended = nn.Sequential(*model, ending)
    explanation = Explainer(ended, names=names, one_of=sets, head=head)(pictures)
    assert explanation.kind == "conditional"
    assert f"the {last} cancels in the logit" in explanation.reason
    torch.testing.assert_close(explanation.maps, plain.maps)
    torch.testing.assert_close(explanation.logits, plain.logits)
    assert explanation.identity_gap.abs().max() < 1e-12
    assert Explainer(ended, names=names, one_of=sets, head=head, versus="mean")(pictures).kind == "exact"
    raw = Explainer(ended, names=names, one_of=sets, head=head, versus="nothing")
    with pytest.raises(UnsupportedError, match="needs the scores before the softmax"):
        raw(pictures)
    card = make_card(attributes=names, architecture="factory", name="x:y", input_size=(9, 7), one_of=sets, head=head)
    torch.testing.assert_close(Explainer(AttributeClassifier(ended, card))(pictures).maps, plain.maps)


def test_heads_without_sums_for_sets_are_refused() -> None:
    for head in ("margin", "two_logits"):
        with pytest.raises(InputError, match=f"head='{head}'"):
            Explainer(network(), names=NAMES, one_of=SETS, head=head)
    with pytest.raises(InputError, match="pass names="):
        Explainer(network(), one_of=SETS)
    card = make_card(attributes=NAMES, architecture="factory", name="x:y", input_size=(9, 7))
    with pytest.raises(InputError, match="omit these arguments"):
        Explainer(AttributeClassifier(network(), card), one_of=SETS)
    with pytest.raises(InputError, match="names 'Whte'"):
        Explainer(network(), names=NAMES, one_of={"race": ["Whte", "Black"]})


class ThreeHeads(nn.Module):
    """As FairFace's outputs, from heads of their own."""

    def __init__(self, collect: Callable[[dict[str, Tensor]], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.race, self.gender, self.age = nn.Linear(8, 7), nn.Linear(8, 2), nn.Linear(8, 9)
        self.collect = collect

    def forward(self, images: Tensor) -> object:
        pooled = self.body(images).mean((-2, -1))
        return self.collect({name: getattr(self, name)(pooled) for name in ("race", "gender", "age")})


@pytest.mark.parametrize(
    ("collect", "output"),
    [
        (dict, ["race", "gender", "age"]),
        (lambda heads: list(heads.values()), [0, 1, 2]),
        (lambda heads: tuple(heads.values()), (-3, -2, -1)),
    ],
)
def test_three_heads_are_one_model(collect: Callable[[dict[str, Tensor]], object], output: list[str | int]) -> None:
    names = [f"r{n}" for n in range(7)] + ["woman", "man"] + [f"a{n}" for n in range(9)]
    sets = {"race": names[:7], "gender": names[7:9], "age": names[9:]}
    model = ThreeHeads(collect).eval()
    images = torch.randn(3, 3, 10, 10)
    explanation = Explainer(model, names=names, one_of=sets, output=output)(images)
    assert explanation.kind == "conditional"
    assert explanation.complete
    assert explanation.identity_gap.abs().max() < 1e-5
    linear = Explainer(model, names=names, one_of=sets, output=output, versus="mean")(images)
    assert linear.kind == "exact"
    heads = ThreeHeads(dict)(images)
    for name, columns in (("race", slice(0, 7)), ("gender", slice(7, 9)), ("age", slice(9, 18))):
        torch.testing.assert_close(explanation.probability[:, columns], heads[name].softmax(-1).detach())
    card = make_card(
        attributes=names, architecture="factory", name="x:y", input_size=(10, 10), one_of=sets, output=output
    )
    torch.testing.assert_close(Explainer(AttributeClassifier(model, card))(images).maps, explanation.maps)


def test_heads_of_pairs_are_joined_to_attributes() -> None:
    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(3, 4, 3)
            self.heads = nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 2)])

        def forward(self, images: Tensor) -> list[Tensor]:
            pooled = self.body(images).mean((-2, -1))
            return [head(pooled) for head in self.heads]

    model, images = Pairs().eval(), torch.randn(3, 3, 8, 8)
    explanation = Explainer(model, names=["a", "b"], head="two_logits", output=[0, 1])(images)
    assert explanation.kind == "exact"
    expected = torch.stack([pair[:, 1] - pair[:, 0] for pair in model(images)], 1).detach()
    torch.testing.assert_close(explanation.logits, expected)
    with pytest.raises(InputError, match="cannot be joined, because their shapes differ: 0 "):
        Explainer(ThreeHeads(lambda heads: [heads["race"], heads["age"][:, :, None]]), output=[0, 1])(images)
