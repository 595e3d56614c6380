"""The card: round trip, and invalid fields."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from bincam.errors import InputError
from bincam.models.card import FILE, make_card, read_card, write_card

FIELDS = {"attributes": ("Smiling", "Bald"), "architecture": "timm", "name": "resnet10t", "input_size": (64, 96)}


def test_round_trip(tmp_path):
    card = make_card(
        **FIELDS,
        options={"drop_path_rate": 0.1, "layers": [1, 2]},
        head="probabilities",
        output="logits",
        mean=(0.5, 0.4, 0.3),
        std=(0.1, 0.2, 0.3),
        fit="crop",
        thresholds={"Bald": -1.25},
        tuned_thresholds={"Bald": -1.5, "Smiling": 0.25},
        train_counts={"Bald": (98, 2)},
        logit_shift={"Smiling": 0.1},
        loss="bce",
        notes="σ and ü",
    )
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card
    assert json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["schema"] == 1


def test_a_card_cannot_be_changed():
    with pytest.raises(ValidationError):
        make_card(**FIELDS).head = "margin"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributes": ()}, "attributes"),
        ({"attributes": ("a", "b", "a")}, "repeated names: a"),
        ({"attributes": ("a", " ")}, "empty name at position 1"),
        ({"attributes": ("a", 3)}, r"attributes\.1"),
        ({"architecture": "keras"}, "architecture.*attribute_head"),
        ({"name": ""}, "name"),
        ({"head": "sigmoid"}, "head.*two_logits"),
        ({"pooling": "avg"}, "pooling.*mean"),
        ({"fit": "pad"}, "fit.*stretch"),
        ({"tuned_thresholds": {"Blad": 0.0}}, "tuned_thresholds names 'Blad'; did you mean 'Bald'"),
        ({"input_size": (0, 4)}, r"at least 1, got \(0, 4\)"),
        ({"input_size": (4,)}, r"input_size"),
        ({"input_size": 64}, "input_size"),
        ({"input_size": (True, 64)}, "input_size: expected numbers, got .True"),
        ({"input_size": (64.5, 64)}, "input_size"),
        ({"output": True}, "output: expected numbers|output"),
        ({"mean": (0.5,), "std": (0.1, 0.2)}, r"same number of channels.*\(0\.5,\)"),
        ({"mean": (), "std": ()}, "mean and std"),
        ({"std": (0.1, 0.0, 0.1)}, r"std > 0.*0\.0"),
        ({"mean": (float("nan"), 0.5, 0.5)}, r"mean\.0.*finite"),
        ({"std": (float("inf"), 0.5, 0.5)}, r"std\.0.*finite"),
        ({"thresholds": {"Bald": float("nan")}}, r"thresholds\.Bald.*finite"),
        ({"thresholds": {"Bald": True}}, "thresholds: expected numbers"),
        ({"thresholds": {"Balt": 0.0}}, "thresholds names 'Balt'; did you mean 'Bald'"),
        ({"train_counts": {"Bald": (-1, 2)}}, r"Bald: counts are .*\(-1, 2\)"),
        ({"train_counts": {"Balt": (1, 2)}}, "train_counts names 'Balt'"),
        ({"logit_shift": {"x": 1.0}}, "logit_shift names 'x'"),
        ({"logit_shift": {"Bald": float("inf")}}, r"logit_shift\.Bald.*finite"),
        ({"options": {"act_layer": object}}, "option 'act_layer'.*JSON"),
        ({"options": {"rate": float("nan")}}, "option 'rate'.*JSON"),
        ({"threshold": 0}, "threshold: .*did you mean 'thresholds'"),
    ],
)
def test_what_is_impossible_is_refused_by_name(change, message):
    with pytest.raises(InputError, match=message) as caught:
        make_card(**{**FIELDS, **change})
    assert "\n" not in str(caught.value)


def test_a_missing_field_is_named():
    with pytest.raises(InputError, match=r"attributes: .*\(and 3 more\)"):
        make_card()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"card\.json:1: not JSON"),
        ("[]", "expected a bincam-model file, got 'list'"),
        ('{"kind": "bincam-audit", "schema": 1}', "got 'bincam-audit'"),
        ('{"kind": "bincam-model", "schema": 9}', "schema 9, but this bincam reads schema 1"),
        ('{"kind": "bincam-model", "schema": 1, "attributes": ["a"]}', r"card\.json: architecture"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_card(tmp_path)
    assert str(tmp_path / FILE) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"card\.json: no such file"):
        read_card(tmp_path)


def test_a_card_is_shown_in_a_terminal_and_a_notebook():
    names = [f"a{n}" for n in range(12)]
    card = make_card(
        attributes=("<script>", *names), architecture="timm", name="resnet18", input_size=(64, 32), thresholds={"a1": 1}
    )
    lines = repr(card).splitlines()
    assert lines[0] == "Card of resnet18 (timm), 13 attributes"
    assert any(line.startswith("attributes  <script>, a0, ") and line.endswith("a8, …") for line in lines)
    assert any(line.split(maxsplit=1) == ["input", "64 × 32 pixels, stretch"] for line in lines)
    assert any(line.split(maxsplit=1) == ["thresholds", "of 1 attribute"] for line in lines)
    assert str(card) == repr(card)
    assert "&lt;script&gt;" in card._repr_html_()
    assert "<script>" not in card._repr_html_()


SET = {"attributes": ("dark", "fair", "red", "Male"), "one_of": {"hair": ("dark", "fair", "red")}}


@pytest.mark.parametrize(
    "counts",
    [
        {"dark": (30, 70), "fair": (80, 20), "red": (90, 10), "Male": (5, 7)},
        {"dark": (30, 70), "red": (90, 10)},  # that of the third is unknown
        {"dark": (0, 0), "fair": (0, 0), "red": (0, 0)},
    ],
)
def test_training_counts_of_a_set_are_of_the_same_images(counts):
    assert make_card(**(FIELDS | SET), train_counts=counts).train_counts == counts


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {"dark": (30, 70), "fair": (80, 20), "red": (90, 11)},
            "set 'hair': 100 images of 'dark' .30 negative and 70 positive. but 101 of 'red' .90 and 11.",
        ),
        (
            {"dark": (30, 70), "fair": (80, 20), "red": (80, 20)},
            "train_counts of set 'hair': 110 positives of its outputs in 100 images",
        ),
        ({"dark": (30, 70), "fair": (80, 20), "red": (95, 5)}, "95 positives of its outputs in 100 images"),
        ({"dark": (30, 70), "red": (60, 40)}, "110 positives of 2 of its 3 outputs in 100 images"),
    ],
)
def test_contradictory_training_counts_of_a_set_are_refused(counts, message):
    with pytest.raises(InputError, match=message) as refused:
        make_card(**(FIELDS | SET), train_counts=counts)
    assert "\n" not in str(refused.value)


def test_a_set_with_the_name_of_an_output_is_refused():
    with pytest.raises(InputError, match=r"set 'Male' has the name of an output.*rename the set"):
        make_card(**(FIELDS | SET | {"one_of": {"Male": ("dark", "fair", "red")}}))
