import json

import pytest

from bincam.errors import InputError
from bincam.files import write_json
from bincam.generated.begun import NAME, head, read_same

SETTINGS = {"count": 3, "seed": 1}


def same(root, settings=SETTINGS, kind="bincam-things", schema=1):
    return read_same(root, settings, kind=kind, schema=schema)


def test_a_new_or_empty_folder_has_no_card(tmp_path):
    assert same(tmp_path / "new") is None
    assert same(tmp_path) is None


def test_the_card_of_the_same_settings_is_returned(tmp_path):
    write_json(tmp_path / NAME, head("bincam-things", 1, SETTINGS))
    assert same(tmp_path) == head("bincam-things", 1, SETTINGS)
    for asked, words in (
        ({"settings": {"count": 4, "seed": 1}}, "other settings \\(count 3, not 4\\)"),
        ({"kind": "bincam-faces"}, "expected a bincam-faces file"),
        ({"schema": 2}, "schema 1"),
    ):
        with pytest.raises(InputError, match=words):
            same(tmp_path, **asked)


def test_another_version_and_other_content_are_refused(tmp_path):
    write_json(tmp_path / NAME, {**head("bincam-things", 1, SETTINGS), "bincam": "0.0.9"})
    with pytest.raises(InputError, match=r"made by bincam 0\.0\.9"):
        same(tmp_path)
    (tmp_path / NAME).rename(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="contains no card"):
        same(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        same(tmp_path / "notes.txt")


COMPLETE = {"images": int, "measured.splits": dict[str, int], "measured.cues.mark.class": str}
CARD = {**head("bincam-things", 1, SETTINGS), "complete": True, "images": 3}
CARD["measured"] = {"splits": {"train": 3}, "cues": {"mark": {"class": "star"}}}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"settings": None}, "damaged: settings is missing"),
        ({"settings": []}, "damaged: settings has another form"),
        ({"complete": "yes"}, "damaged: complete has another form"),
        ({"images": None}, "damaged: images is missing"),
        ({"images": float("nan")}, "damaged: images has another form"),
        ({"measured": []}, r"damaged: measured\.splits is missing"),
        ({"measured": {"splits": {"train": "3"}}}, r"damaged: measured\.splits has another form"),
        ({"measured": {"splits": {}, "cues": {"mark": 3}}}, r"damaged: measured\.cues\.mark\.class is missing"),
    ],
)
def test_a_damaged_card_is_told(tmp_path, entries, words):
    def read(card):
        (tmp_path / NAME).write_text(json.dumps(card))
        return read_same(tmp_path, SETTINGS, kind="bincam-things", schema=1, complete=COMPLETE)

    assert read(CARD) == CARD
    assert read(head("bincam-things", 1, SETTINGS))["complete"] is False
    with pytest.raises(InputError, match=rf"card\.json: {words}; choose a new folder, or delete"):
        read({**CARD, **entries})
