import json

import pytest
from PIL import Image

from bincam.cli.generated.scenes import parse_scale
from bincam.errors import InputError

FAST = ("--size", 64, "--workers", 1)


def test_make_tells_what_was_made_and_the_data_commands_read_it_so(tmp_path, command):
    out = tmp_path / "set"
    made = command(
        "scenes", "make", "--out", out, "--count", 40, "--seed", 2, "--shortcut", "mark:star=0.9",
        "--prevalence", "star=0.6,heart=0.1", *FAST,
    )  # fmt: skip
    assert made.code == 0, made.err
    assert "40 images (32 train, 4 validation, 4 test)" in made.out
    assert "(heart)" in made.out
    assert "on average no classifier is right in more than" in made.out
    assert "the mark agrees with star in" in made.out
    card = json.loads((out / "card.json").read_text())
    assert card["settings"]["prevalence"]["heart"] == 0.1
    assert card["settings"]["prevalence"]["ring"] == pytest.approx(3.3 / 8, abs=1e-6)
    assert made.out.splitlines()[-1].startswith(f"labels: {out / 'label.csv'}; data.yaml")
    described = command("data", "describe", out / "label.csv", "--json")
    assert described.code == 0, described.err
    assert "shape=star" in described.out


def test_json_is_the_card_and_nothing_else(tmp_path, command):
    made = command("scenes", "make", "--out", tmp_path / "set", "--count", 3, "--rule", "all", "--json", *FAST)
    assert json.loads(made.out) == json.loads((tmp_path / "set/card.json").read_text())


def test_attributes_need_no_set(tmp_path, command):
    made = command("scenes", "make", "--out", tmp_path / "set", "--count", 10, "--rule", "all", *FAST)
    assert made.out.splitlines()[-1].startswith(f"labels: {tmp_path / 'set/present.csv'};")
    assert "no classifier" not in made.out


def test_sheet(tmp_path, command):
    words = ("--count", 3, "--columns", 2, "--kind", "scenes", "--zoom", 1, "--size", 64)
    made = command("scenes", "sheet", "--out", tmp_path / "sheet.png", *words)
    assert made.out.strip() == str(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (136, 136)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--rule", "two"], "unknown rule 'two'"),
        (["--places", "corners"], "did you mean 'corner'"),
        (["--shortcut", "colour:star=1.2"], "between 0 and 1"),
        (["--shortcut", "colour:star"], "--shortcut colour:star: expected CUE:SHAPE=STRENGTH"),
        (["--shortcut", "colour:star=much"], "finite number"),
        (["--shortcut", "mark:stra=1"], "did you mean 'star'"),
        (["--prevalence", "star"], "--prevalence star: expected SHAPE=SHARE"),
        (["--prevalence", "star=0.1,star=0.2"], "'star' is given twice"),
        (["--prevalence", "stra=0.1"], "did you mean 'star'"),
        (["--prevalence", "star=1,heart=1,ring=1,cross=0.9"], "4 shapes reach at most 3.667"),
        (["--scale", "0.4"], "cannot be placed"),
        (["--scale", "0.3-0.2"], "the least and the greatest side"),
        (["--scale", "big"], "--scale big: expected MIN-MAX"),
        (["--size", "20"], "a size of 32 to 1024"),
        (["--count", "0"], "a count of 1 to 999999"),
        (["--seed", "-1"], "'--seed'"),
        (["--workers", "0"], "at least one worker"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(tmp_path, command, options, word):
    outcome = command("scenes", "make", "--out", tmp_path / "set", "--count", 5, *options)
    assert word in outcome.mistake
    assert outcome.out == ""
    assert not (tmp_path / "set").exists()


def test_a_folder_with_another_set_is_refused(tmp_path, command):
    words = ("scenes", "make", "--out", tmp_path / "set", *FAST, "--count")
    assert command(*words, 3).code == 0
    assert "made with other settings (count 3, not 4)" in command(*words, 4).mistake


def test_parsing():
    assert parse_scale(" 0.1 - 0.2") == (0.1, 0.2)
    for text in ("", "-0.2", "0.1-0.2-0.3", "0.1-", "nan", "0.1,0.2"):
        with pytest.raises(InputError, match="expected MIN-MAX"):
            parse_scale(text)
