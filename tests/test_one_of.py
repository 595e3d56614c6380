"""Sets of outputs that exclude one another, as cards and tables state them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bincam.data import AttributeTable
from bincam.errors import InputError
from bincam.models import make_card, read_card, write_card
from bincam.one_of import check_sets, collapse, expand

OUTPUTS = ("blond", "dark", "other", "Male")


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"hair": ["blond"]}, "has 1 output; of a set exactly one output is true"),
        ({"hair": []}, "has 0 outputs"),
        ({"hair": ["blond", "drak"]}, "names 'drak'; did you mean 'dark'"),
        ({"hair": ["blond", "blond"]}, "twice in itself"),
        ({"hair": ["blond", "dark"], "sex": ["Male", "dark"]}, "in set 'hair' too; sets do not overlap"),
        ({"hair": "blond"}, "pass a list of names"),
        ({" ": ["blond", "dark"]}, "an empty name"),
        ({"overall": ["blond", "dark"]}, "names the means over attributes; rename it"),
        ({"Male": ["blond", "dark"]}, "set 'Male' has the name of an output.*rename the set"),
        ({"dark": ["blond", "dark"]}, "set 'dark' has the name of an output.*rename the set"),
    ],
)
def test_sets_that_cannot_be_are_refused(sets: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_sets(sets, OUTPUTS)


def test_a_card_states_sets_and_keeps_its_bytes_without_them(tmp_path: Path) -> None:
    fields = {"attributes": OUTPUTS, "architecture": "timm", "name": "resnet10t", "input_size": (64, 64)}
    card = make_card(**fields, one_of={"hair": ["blond", "dark", "other"]})
    write_card(tmp_path, card)
    assert read_card(tmp_path).one_of == {"hair": ("blond", "dark", "other")}
    write_card(tmp_path, make_card(**fields))
    assert "one_of" not in (tmp_path / "card.json").read_text("utf-8")
    with pytest.raises(InputError, match="sets do not overlap"):
        make_card(**fields, one_of={"hair": ["blond", "dark"], "sex": ["Male", "dark"]})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 0, 0, 1], "set 'hair' of 'b.png' has 0 true labels"),
        ([1, 1, 0, 1], "set 'hair' of 'b.png' has 2 true labels"),
        ([1, 0, np.nan, 1], "set 'hair' of 'b.png' has 1 true labels and unknown ones"),
    ],
)
def test_a_table_has_one_true_label_per_set_and_image(row: list[float], message: str) -> None:
    sets = {"hair": ("blond", "dark", "other")}
    good = [[0, 1, 0, 1], [1, 0, 0, 0], [np.nan, np.nan, np.nan, 1]]
    table = AttributeTable(OUTPUTS, np.array(good), ("a.png", "b.png", "c.png"), Path("photos"), one_of=sets)
    assert table.select(["Male", "other", "dark", "blond"]).one_of == sets
    assert table.select(["Male", "dark"]).one_of == {}
    assert table.digest() != AttributeTable(OUTPUTS, np.array(good), table.ids, Path("photos")).digest()
    with pytest.raises(InputError, match=message):
        AttributeTable(OUTPUTS, np.array([good[0], row, good[2]]), table.ids, Path("photos"), one_of=sets)


def test_whole_sets_are_named_in_place_of_their_outputs() -> None:
    sets = {"hair": ("blond", "dark"), "age": ("young", "old")}
    assert collapse(["young", "blond", "Male", "dark"], sets) == ["young", "set 'hair' of 2 outputs", "Male"]
    assert expand(["age", "Male"], sets) == ["young", "old", "Male"]
