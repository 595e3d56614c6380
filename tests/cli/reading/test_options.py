"""Lists of names and assignments mean the same in every command."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import bincam.models
from bincam.audit import open_audit
from bincam.cli.reading.options import expand_groups, help_text, parse_assignments, parse_names, parse_numbers
from bincam.data import write_celeba
from bincam.errors import InputError
from tests.cli.conftest import tiny
from tests.data.conftest import make_images, make_table

COMMA = "Hair, black"
PIXELS = ("--size", "64,96", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--head", "logits")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        (" a , b", ["a", "b"]),
        ('"Hair, black",Male', [COMMA, "Male"]),
        ('Male , "Hair, black" ', ["Male", COMMA]),
        ('"a ""b"""', ['a "b"']),
    ],
)
def test_lists_of_names(text, names):
    assert parse_names("--names", text) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a name is empty"),
        (" ", "a name is empty"),
        ("a,,b", "a name is empty"),
        ("a,", "a name is empty"),
        ("a, a", "--names: 'a' is given twice"),
        ('"a,b', "a quotation mark is not closed"),
        ("a\nb", "on one line"),
    ],
)
def test_malformed_lists_of_names(text, message):
    with pytest.raises(InputError, match=message):
        parse_names("--names", text)


def test_a_list_that_is_one_known_name_needs_no_quotes():
    assert parse_names("--names", ["Hair, black ", "Male"], known=(COMMA, "Male")) == [COMMA, "Male"]
    assert parse_names("--names", " ", may_be_empty=True) == []
    with pytest.raises(InputError, match="'Male' is given twice"):
        parse_names("--names", ["Male", "a,Male"])


def test_assignments_are_split_at_the_last_sign():
    assert parse_assignments("--set", ["c=d = 0.5", f"{COMMA}=x"]) == {"c=d": "0.5", COMMA: "x"}
    assert parse_numbers("--set", ["c=d=-5e-1"]) == {"c=d": -0.5}
    for text in ("a", "=1", "a=", " = 1"):
        with pytest.raises(InputError, match="expected NAME=VALUE"):
            parse_assignments("--set", [text])
    for value in ("x", "nan", "inf"):
        with pytest.raises(InputError, match=f"--set a={value}: expected a finite number"):
            parse_numbers("--set", [f"a={value}"])
    with pytest.raises(InputError, match="--set: 'a' is given twice"):
        parse_assignments("--set", ["a=1", " a=2"])


def test_a_group_becomes_the_options_of_a_command():
    @dataclass(frozen=True)
    class Group:
        depth: Annotated[int, typer.Option(help="Depth.")] = 3
        names: Annotated[list[str] | None, typer.Option()] = None

    seen = []

    def command(file: str, *, group: Group, flag: bool = False) -> None:
        """Do something

        in two paragraphs, of which
        one is wrapped.
        """
        seen.append((file, group, flag))

    command.__annotations__["group"] = Group  # a local class cannot be looked up by its name
    app = typer.Typer()
    app.command()(expand_groups(command))
    assert CliRunner().invoke(app, ["f", "--depth", "5", "--names", "a", "--names", "b"]).exit_code == 0
    assert CliRunner().invoke(app, ["g", "--flag"]).exit_code == 0
    assert seen == [("f", Group(5, ["a", "b"]), False), ("g", Group(), True)]
    assert help_text(command) == "Do something\n\nin two paragraphs, of which one is wrapped."


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model and a data set with the attributes Smiling, Male and one with a comma in its name."""
    root = tmp_path_factory.mktemp("options")
    bincam.models.save(tiny(["Smiling", "Male", COMMA]), root / "model")
    table = make_table()
    write_celeba(table, make_images(len(table)), root / "set")
    rows = "".join(f"{n}.png,{n % 2},{n // 2 % 2},1,x\n" for n in range(8))
    (root / "table.csv").write_text(f'image,Smiling,Male,"{COMMA}","camera, old"\n{rows}')
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(root / "image.png")
    return root


def words(name, folders, tmp_path):
    """A command up to the option of which a list of names is asked."""
    table, out = folders / "table.csv", tmp_path / "out"
    groups = ("--group-columns", '"camera, old"')
    model = ("--model", folders / "model")
    return {
        "describe": ("data", "describe", table, *groups, "--attributes"),
        "check": ("data", "check", table, *groups, "--attributes"),
        "regions": ("data", "regions", table, *groups, "--out", out, "--attributes"),
        "groups": ("data", "describe", table, "--attributes", "Male", "--group-columns"),
        "landmarks": ("data", "describe", table, "--attributes", "Male", "--landmark-columns"),
        "explain": ("explain", folders / "image.png", *model, "--json", "--attributes"),
        "names": ("explain", folders / "image.png", *PIXELS, "--factory", "m:f", "--json", "--names"),
        "card": ("card", "-", *PIXELS, "--factory", "m:f", "--out", out, "--names"),
        "audit": ("audit", *model, "--data", folders / "set", "--out", out, "--attributes"),
        "audit methods": ("audit", *model, "--data", folders / "set", "--out", out, "--method"),
        "audit groups": ("audit", *model, "--data", folders / "set", "--out", out, "--groups"),
        "audit slices": ("audit", *model, "--data", folders / "set", "--out", out, "--slice-by"),
        "faces make": ("faces", "make", "--out", out, "--count", "2", "--influence"),
        "faces pairs": ("faces", "pairs", "--out", out, "--count", "2", "--attributes"),
    }[name]


LISTS = (
    *("describe", "check", "regions", "groups", "landmarks", "explain", "names", "card"),
    *("audit", "audit methods", "audit groups", "audit slices", "faces make", "faces pairs"),
)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Male, Male", "'Male' is given twice"),
        ("Male,,Bald", "a name is empty; expected NAME,NAME,..."),
        ('"Male', "a quotation mark is not closed"),
    ],
)
def test_every_command_refuses_malformed_lists_in_one_way(command, folders, tmp_path, name, text, message):
    start = words(name, folders, tmp_path)
    mistake = command(*start, text).mistake
    assert mistake.startswith(f"bincam: {start[-1]}")
    assert message in mistake
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["describe", "explain"])
def test_blanks_are_dropped_and_commas_are_quoted(command, folders, tmp_path, name):
    for text in (f'"{COMMA}",Male', f' Male , "{COMMA}"'):
        done = command(*words(name, folders, tmp_path), text, *(() if name == "explain" else ("--json",)))
        assert COMMA in done.out, done
        assert "Smiling" not in done.out
    if name == "explain":
        assert COMMA in command(*words(name, folders, tmp_path), COMMA).out


def test_an_attribute_with_a_comma_is_audited(command, folders, tmp_path):
    for n in range(4):
        Image.fromarray(np.full((64, 96, 3), 60 * n, np.uint8)).save(folders / f"{n}.png")
    rows = "".join(f"{n}.png,{n % 2},1,{n // 2 % 2}\n" for n in range(4))
    (folders / "plain.csv").write_text(f'image,Smiling,Male,"{COMMA}"\n{rows}')
    common = ("--data", folders / "plain.csv", "--split", "all", "--gate-images", "0", "--reference-split", "none")
    text = f'"{COMMA}", Male'
    done = command("audit", "--model", folders / "model", *common, "--out", tmp_path / "out", "--attributes", text)
    assert done.code == 0, done.err
    assert open_audit(tmp_path / "out").attributes == ("Male", COMMA)


@pytest.mark.parametrize(
    ("start", "first", "again"),
    [
        (("explain", "IMAGE", "--model", "MODEL", "--json", "--threshold-logit"), "Male=0", "Male=1"),
        (("explain", "IMAGE", "--model", "MODEL", "--json", "--threshold-prob"), "Male=.5", "Male=.6"),
        (("audit", "--model", "MODEL", "--data", "SET", "--out", "OUT", "--threshold-logit"), "Male=0", "Male = 1"),
        (
            ("card", "-", *PIXELS, "--factory", "m:f", "--names", "Left", "--out", "OUT", "--train-counts"),
            "Left=1:2",
            "Left=3:4",
        ),
        (("faces", "make", "--out", "OUT", "--count", "2", "--set"), "Male=0.5", "Male=0.6"),
        (("faces", "pairs", "--out", "OUT", "--set"), "Male=0.5", "Male=0.6"),
        (("faces", "make", "--out", "OUT", "--count", "2", "--correlate"), "Male,Bald=0.1", "Male,Bald=0.2"),
        (("train", "CONFIG", "--set"), "optimizer.lr=1", "optimizer.lr =2"),
    ],
)
def test_every_command_refuses_a_name_that_is_assigned_twice(command, folders, tmp_path, start, first, again):
    places = {
        "IMAGE": folders / "image.png",
        "MODEL": folders / "model",
        "SET": folders / "set",
        "OUT": tmp_path / "out",
        "CONFIG": tmp_path / "config.yaml",
    }
    start = [places.get(word, word) for word in start]
    mistake = command(*start, first, start[-1], again).mistake
    assert mistake.startswith(f"bincam: {start[-1]}: ")
    assert mistake.endswith("is given twice\n")
