"""A second output for label sets: how a card states it, what is made of it, and what is refused."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from bincam import Explainer
from bincam.errors import InputError
from bincam.models import AttributeClassifier, build, load, make_card, read_card, save

HAIR = ("blond", "brown", "dark")
SIDES = {"side": ("left", "right"), "hair": HAIR}
STATED = {"attributes": ("left", "smiling", *HAIR, "right"), "input_size": (32, 32), "one_of": SIDES}
OPTIONS = {"channels": [8, 8, 8, 8], "stem_width": 8}


@pytest.fixture
def model():
    torch.manual_seed(0)
    sets = {name: list(members) for name, members in SIDES.items()}
    return build("resnet10t", STATED["attributes"], one_of=sets, set_head=True, input_size=(32, 32), **OPTIONS).eval()


def images(n=2):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_a_folder_keeps_both_heads(model, tmp_path):
    save(model, tmp_path)
    card = read_card(tmp_path)
    assert (card.output, card.set_output) == ("decisions", "label_sets")
    again = load(tmp_path)
    with torch.no_grad():
        for name, p in model.set_scores(images()).items():
            assert torch.equal(again.set_scores(images())[name], p)
    assert "label sets  from output 'label_sets'" in str(card)


def test_scores_of_sets_are_found_by_their_columns(model):
    """The second head has the outputs in sets alone, in the order of the attributes: left, hair, right."""
    assert model.card.set_output_columns == {"side": (0, 4), "hair": (1, 2, 3)}
    with torch.no_grad():
        raw = model.network(images())
        found = model.set_scores(images())
    assert raw["label_sets"].shape == (2, 5)
    torch.testing.assert_close(found["side"], raw["label_sets"][:, [0, 4]].sigmoid())
    torch.testing.assert_close(found["hair"], raw["label_sets"][:, 1:4].sigmoid())


def test_decisions_and_maps_are_those_of_the_first_head(model):
    one = build("resnet10t", STATED["attributes"], one_of=model.card.one_of, input_size=(32, 32), **OPTIONS)
    own = model.network.state_dict()
    one.network.load_state_dict({name: value for name, value in own.items() if not name.startswith("set_head")})
    x = images()
    with torch.no_grad():
        torch.testing.assert_close(model(x), one.eval()(x))
        torch.testing.assert_close(one.set_scores(x)["hair"], one(x)[:, 2:5].sigmoid())  # of one head, the softmax
    two, alone = Explainer(model)(x), Explainer(one)(x)
    torch.testing.assert_close(two.maps, alone.maps)
    assert two.kind == alone.kind == "conditional"
    assert float(two.identity_gap.abs().max()) < 1e-5


def test_the_other_weights_of_a_seed_are_those_of_one_head():
    states = []
    for set_head in (False, True):
        torch.manual_seed(3)
        states.append(build("resnet10t", HAIR, one_of={"hair": HAIR}, set_head=set_head, **OPTIONS).state_dict())
    one, two = states
    assert set(two) - set(one) == {"network.set_head.weight", "network.set_head.bias"}
    assert all(torch.equal(two[name], value) for name, value in one.items())


def test_cards_without_a_second_output_have_the_bytes_that_they_had(tmp_path):
    save(build("resnet10t", ["smiling"], input_size=(32, 32), **OPTIONS), tmp_path)
    assert "set_output" not in json.loads((tmp_path / "card.json").read_text())


class Pair(nn.Module):
    def __init__(self, width=5):
        super().__init__()
        self.body, self.first, self.second = nn.Flatten(), nn.Linear(3072, 6), nn.Linear(3072, width)

    def forward(self, x):
        return self.second(self.body(x)), self.first(self.body(x))


def test_a_network_of_ones_own_may_have_two_outputs_by_index(monkeypatch, tmp_path):
    module = ModuleType("two_outputs_of_mine")
    module.make = Pair
    monkeypatch.setitem(sys.modules, module.__name__, module)
    name = f"{module.__name__}:make"
    card = make_card(architecture="factory", name=name, output=1, set_output=0, **STATED)
    own = AttributeClassifier(Pair(), card).eval()
    save(own, tmp_path)
    assert json.loads((tmp_path / "card.json").read_text())["set_output"] == 0  # which is no missing value
    with torch.no_grad():
        found = load(tmp_path, factory=name).set_scores(images())
        torch.testing.assert_close(found["side"], own.network(images())[0][:, [0, 4]].sigmoid())
        wrong = AttributeClassifier(Pair(width=6), card)
        with pytest.raises(
            InputError, match=r"set_output 0 has shape \(2, 6\) of torch.float32; expected logits \(2, 5\)"
        ):
            wrong.set_scores(images())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"one_of": {}, "set_output": "label_sets"}, "'label_sets' is of outputs in sets, and one_of states none"),
        ({"architecture": "timm", "set_output": 1}, "a complete timm model has one head; use a factory"),
        ({"set_output": "label_sets"}, "output names the other one, got None"),
        ({"architecture": "factory", "name": "a:b", "output": 1, "set_output": 1}, "output names the other one, got 1"),
        ({"architecture": "factory", "name": "a:b", "output": [0, 1], "set_output": 1}, "output names the other one"),
        ({"output": "a", "set_output": "b"}, "bincam's own heads are called output 'decisions' and set_output"),
        ({"output": "decisions", "set_output": True}, "expected numbers, got True"),
    ],
)
def test_contradictions_are_refused_in_one_line(fields, message):
    with pytest.raises(InputError) as error:
        make_card(**{"architecture": "attribute_head", "name": "resnet10t", **STATED, **fields})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_head_for_sets_needs_sets():
    with pytest.raises(InputError, match="one_of states none"):
        build("resnet10t", ["smiling"], set_head=True)
