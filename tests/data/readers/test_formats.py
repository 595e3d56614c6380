"""The registry of formats: names, recognition, options, and what is said where none fits."""

from __future__ import annotations

import inspect
import typing

import pytest
from pydantic import TypeAdapter

from bincam.data import load, load_for_outputs
from bincam.data.readers import formats
from bincam.data.readers.data_file import save_reading
from bincam.data.readers.format import Format
from bincam.errors import InputError

EVERY = list(formats.formats().values())


@pytest.mark.parametrize("item", EVERY, ids=lambda item: item.name)
def test_every_format_is_complete(item, tmp_path):
    parameters = list(inspect.signature(item.function).parameters.values())
    assert parameters[0].kind is parameters[0].POSITIONAL_OR_KEYWORD
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[1:])
    assert set(item.types) == set(item.defaults)
    for name, kind in item.types.items():
        TypeAdapter(kind)
        assert item.words(name)
        assert f"{name}:" in (inspect.getdoc(item.function) or ""), f"{name} is not described"
    assert len(item.text) <= 90
    assert len(item.expects) <= 90
    assert not item.recognise(tmp_path)
    assert not item.recognise(tmp_path / "missing")
    if item.name not in ("celeba", "table"):  # read without their name, so that earlier audits stay as they are
        kept = typing.cast(dict, inspect.getclosurevars(item.function).nonlocals)
        assert kept["format_name"] == item.name


def test_an_unknown_folder_lists_the_formats_and_an_unknown_name_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"of no format that is known by its files; else state it, --format") as told:
        load(tmp_path)
    assert ", ".join(item.name for item in EVERY) in str(told.value)
    with pytest.raises(InputError, match=r"format 'celebA'.*'celeba'"):
        load(tmp_path, format="celebA")
    with pytest.raises(InputError, match="no such folder or file"):
        load(tmp_path / "missing", format="celeba")
    with pytest.raises(InputError, match="no folder 'img_align_celeba' with images"):
        load(tmp_path, format="celeba")


def test_a_folder_with_a_table_says_which_table_may_be_meant_and_it_works(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "faces.csv").write_text("image,Smiling\n1.jpg,1\n")
    with pytest.raises(InputError, match=r"it holds (.*faces\.csv): if one of them lists the images") as told:
        load(tmp_path)
    named = str(told.value).partition("it holds ")[2].partition(":")[0]
    assert load(named).names == ("Smiling",)
    for number in range(9):
        (tmp_path / f"{number}.csv").touch()
    with pytest.raises(InputError) as told:
        load(tmp_path)
    assert "it holds" not in str(told.value)


def test_a_folder_above_or_below_a_data_set_is_told_where_it_is(tmp_path):
    for name in ("pets/train/cat/1.jpg", "pets/val/cat/1.jpg"):
        (tmp_path / "sets" / name).parent.mkdir(parents=True)
        (tmp_path / "sets" / name).touch()
    pets = tmp_path / "sets" / "pets"
    for folder in (tmp_path, tmp_path / "sets", pets / "train"):
        with pytest.raises(InputError, match=rf"but {pets} is of format class_folders; name that") as told:
            formats.choose(folder)
        assert "one of celeba" not in str(told.value)
    for name in "abc":
        (tmp_path / "more" / f"{name}-annotations-bbox.csv").parent.mkdir(exist_ok=True)
        (tmp_path / "more" / f"{name}-annotations-bbox.csv").touch()
    with pytest.raises(InputError, match=r"a-annotations-bbox\.csv is of format open_images, .*c-annotations-bbox"):
        formats.choose(tmp_path / "more")


def test_a_list_that_belongs_to_a_format_is_not_taken_for_a_table_of_paths(tmp_path):
    for name in ("images.txt", "classes.txt", "bounding_boxes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "list.csv").write_text("file,A\n1.jpg,1\n")
    with pytest.raises(InputError, match=rf"no column 'image' .*; its folder {tmp_path} is of format cub: name that"):
        load(tmp_path / "list.csv")
    masks = tmp_path / "val-annotations-object-segmentation.csv"
    masks.write_text("MaskPath,ImageID\na.png,a\n")
    with pytest.raises(InputError, match=r"it lists masks of Open Images: .* give it as --object-masks"):
        load(masks)


def test_several_formats_are_told_and_one_that_yields_is_not(tmp_path, monkeypatch):
    one, other = (Format(name, "", f"{name}.txt", "table:table", lambda _: True) for name in "ab")
    monkeypatch.setattr(formats.people, "FORMATS", (one, other))
    with pytest.raises(InputError, match=r"may be a \(a\.txt\) and b \(b\.txt\); state which: --format NAME"):
        formats.choose(tmp_path)
    monkeypatch.setattr(formats.people, "FORMATS", (one,))
    (tmp_path / "t.csv").touch()
    assert formats.choose(tmp_path / "t.csv") is one
    assert formats.choose(tmp_path / "t.csv", "table").name == "table"


def test_a_stated_format_is_kept_and_read_again(folder):
    first = load(folder, format="celeba", attributes=["Male"])
    assert first.reading == {"format": "celeba", "attributes": ["Male"]}
    save_reading(folder, first.reading)
    assert load(folder).digest() == first.digest() == load_for_outputs(folder, ["Bald"]).digest()
    with pytest.raises(InputError, match=r"celeba.*no such folder|labels does not apply to this kind of data set"):
        load(folder, labels="0/1")


def test_data_yaml_may_state_a_coding_and_a_format(tmp_path):
    (tmp_path / "t.csv").write_text("image,A\na.png,1\nb.png,-1\n")
    (tmp_path / "data.yaml").write_text(
        "kind: bincam-data\nschema: 1\ntables:\n  t.csv: {format: table, labels: {1: yes, 0: no, -1: unknown}}\n"
    )
    assert load(tmp_path / "t.csv").reading == {
        "format": "table", "labels": {"1": True, "0": False, "-1": "unknown"}
    }  # fmt: skip
    (tmp_path / "data.yaml").write_text("kind: bincam-data\nschema: 1\ntables:\n  t.csv: {variant: 3}\n")
    with pytest.raises(InputError, match="variant is 3; expected aligned or wild"):
        load(tmp_path / "t.csv")
