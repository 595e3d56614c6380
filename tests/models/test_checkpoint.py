"""Models on disk: bitwise round trips, foreign files, and files that are mislabelled, broken or would run code."""

from __future__ import annotations

import argparse
import os
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bincam.errors import InputError
from bincam.models.card import make_card, write_card
from bincam.models.checkpoint import WEIGHTS, adopt, load, read_weights, save
from bincam.models.classifier import AttributeClassifier, build

NAMES = ("Smiling", "Bald", "Eyeglasses", "Young")


@pytest.fixture
def factory(monkeypatch, tiny):
    """A module that can be imported, whose function returns the tiny network of this test, without its weights."""
    module = types.ModuleType("their_code")

    def make(count=4):
        return type(tiny)(count)

    module.make = make
    monkeypatch.setitem(sys.modules, "their_code", module)
    return "their_code:make"


@pytest.fixture
def card(factory):
    return make_card(attributes=NAMES, architecture="factory", name=factory, input_size=(12, 16))


@pytest.fixture
def folder(tmp_path, tiny, card):
    save(AttributeClassifier(tiny, card), tmp_path / "model")
    return tmp_path / "model"


def test_round_trip_is_bitwise(tmp_path):
    model = build("resnet10t", ["a", "b"], input_size=(32, 48), pooling="attention", thresholds={"b": -0.5})
    save(model.eval(), tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.card == model.card
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    x = torch.randn(2, 3, 32, 48)
    assert torch.equal(again(x), model(x))
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["card.json", WEIGHTS]


def test_wrapped_and_shared_weights_are_saved_plainly(tmp_path, tiny, card):
    tiny.also = tiny.head  # safetensors refuses shared memory
    model = AttributeClassifier(torch.compile(tiny), card)
    save(nn.DataParallel(model), tmp_path)
    assert {"head.weight", "also.weight"} <= set(load_file(tmp_path / WEIGHTS))


def test_a_model_without_a_card_is_not_saved(tmp_path, tiny):
    with pytest.raises(InputError, match="TinyNet has no card"):
        save(tiny, tmp_path)


@pytest.mark.parametrize("step", ["safetensors.torch.save_file", "bincam.models.checkpoint.write_card"])
def test_a_write_that_fails_leaves_the_old_folder(folder, tiny, card, monkeypatch, step):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    nn.init.zeros_(tiny.head.weight)

    def full(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(step, full)
    with pytest.raises(OSError, match="disk full"):
        save(AttributeClassifier(tiny, card), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_files_of_two_saves_are_not_taken_for_one_model(folder, tiny, card, monkeypatch):
    old = (folder / WEIGHTS).read_bytes()
    nn.init.zeros_(tiny.head.weight)
    replace = Path.replace

    def killed(self, target):
        if Path(target).name == WEIGHTS:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            save(AttributeClassifier(tiny, card), folder)
    assert (folder / WEIGHTS).read_bytes() == old
    with pytest.raises(InputError, match=r"card.json was not written with these weights.safetensors"):
        load(folder, factory=card.name)
    save(AttributeClassifier(tiny, card), folder)
    assert load(folder, factory=card.name).card == card


def test_a_card_that_does_not_name_its_weights_is_read(folder, tiny, card, images):
    write_card(folder, card)
    assert torch.equal(load(folder, factory=card.name)(images), tiny(images))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_foreign_weights_with_the_prefixes_of_wrappers(tmp_path, tiny, card, images, suffix, prefix):
    state = {prefix + name: tensor for name, tensor in tiny.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    assert torch.equal(adopt(card, path)(images), tiny(images))


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_a_state_dict_inside_a_training_checkpoint(tmp_path, tiny, card, images, key):
    torch.save({"epoch": 3, "best": torch.tensor(0.1), key: tiny.state_dict()}, tmp_path / "w.pt")
    assert torch.equal(adopt(card, tmp_path / "w.pt")(images), tiny(images))


def test_names_of_the_network_that_look_like_a_wrapper_stay(tmp_path, tiny, images, monkeypatch, card):
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = type(tiny)()

        def forward(self, x):
            return self.module(x)

    monkeypatch.setattr(sys.modules["their_code"], "make", Holder)
    torch.save({f"module.{name}": tensor for name, tensor in tiny.state_dict().items()}, tmp_path / "w.pt")
    assert torch.equal(adopt(card, tmp_path / "w.pt")(images), tiny(images))


def test_without_weights_the_factory_s_own_stay(card, images):
    assert adopt(card, None)(images).shape == (3, 4)


def test_unpickling_is_refused_by_type_unless_asked_for(tmp_path, tiny, card, images):
    path = tmp_path / "w.pt"
    torch.save({"args": argparse.Namespace(lr=1), "state_dict": tiny.state_dict()}, path)
    with pytest.raises(InputError, match=r"w\.pt: .*unpickle argparse\.Namespace.*unsafe_pickle=True"):
        adopt(card, path)
    assert torch.equal(adopt(card, path, unsafe_pickle=True)(images), tiny(images))


def test_a_pickled_module_is_read_only_on_request(tmp_path, tiny):
    torch.save(tiny, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"unpickle \S*TinyNet"):
        read_weights(tmp_path / "w.pt")
    assert set(read_weights(tmp_path / "w.pt", unsafe_pickle=True)) == set(tiny.state_dict())


class Malicious:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_does_not_run(tmp_path, zipped):
    path, mark = tmp_path / "w.pt", tmp_path / "it_ran"
    torch.save({"x": Malicious(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"unpickle posix\.mkdir"):
        read_weights(path)
    assert not mark.exists()
    with pytest.raises(InputError, match="no tensors"):
        read_weights(path, unsafe_pickle=True)  # the trap works: what was asked for is what happens
    assert mark.exists()


def test_a_missing_class_is_named(tmp_path, monkeypatch):
    module = types.ModuleType("gone")
    module.Thing = type("Thing", (), {"__module__": "gone"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gone", module)
        torch.save({"x": module.Thing()}, tmp_path / "w.pt")
    with pytest.raises(InputError, match="No module named 'gone'"):
        read_weights(tmp_path / "w.pt", unsafe_pickle=True)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_broken_files_are_named(tmp_path, tiny, suffix, damage):
    path = tmp_path / f"w{suffix}"
    state = tiny.state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    content = {"truncated": path.read_bytes()[:-700], "empty": b"", "text": b"these are no weights\n"}[damage]
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a") as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "no tensors in it$"),
        ({"epoch": 3, "lr": 0.1}, "no tensors in it, only epoch, lr"),
        ([1, 2], "contains a list, not a state dict"),
        (torch.zeros(3), "contains a Tensor, not a state dict"),
        ({"w": torch.zeros(1), "epoch": 3}, "entry 'epoch' of the state dict is a int"),
    ],
)
def test_what_is_no_state_dict_is_named(tmp_path, value, message):
    torch.save(value, tmp_path / "w.pt")
    with pytest.raises(InputError, match=message):
        read_weights(tmp_path / "w.pt")


def test_missing_files_and_folders_are_named(tmp_path, folder):
    with pytest.raises(InputError, match=r"none\.pt: no such file"):
        read_weights(tmp_path / "none.pt")
    with pytest.raises(InputError, match=r"none is not a folder.*bincam card"):
        load(tmp_path / "none")
    with pytest.raises(InputError, match=r"contains no card\.json"):
        load(tmp_path)
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"weights\.safetensors: no such file"):
        load(folder, factory="their_code:make")


def test_a_factory_runs_only_where_the_caller_names_it(folder, monkeypatch):
    def must_not_run():
        raise AssertionError("the factory ran")

    monkeypatch.setattr(sys.modules["their_code"], "make", must_not_run)
    with pytest.raises(InputError, match=r"names the function 'their_code:make'.*--factory their_code:make"):
        load(folder)
    with pytest.raises(InputError, match="but you gave 'other:f'"):
        load(folder, factory="other:f")


def test_card_and_weights_that_disagree(folder):
    state = load_file(folder / WEIGHTS)
    state["head.weight"] = torch.zeros(5, 6)
    state["extra"] = torch.zeros(1)
    del state["conv1.bias"]
    save_file(state, folder / WEIGHTS)
    with pytest.raises(InputError) as caught:
        load(folder, factory="their_code:make")
    for part in ("4 attributes", "1 tensors are missing (first: conv1.bias)", "first: extra", "head.weight is (5, 6)"):
        assert part in str(caught.value)
    assert "(4, 6)" in str(caught.value)


def test_an_unknown_schema_is_refused(folder):
    path = folder / "card.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 7'))
    with pytest.raises(InputError, match="schema 7"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("their_code", {}, "module:function, got 'their_code'"),
        (":make", {}, "module:function, got ':make'"),
        ("..code:make", {}, "module:function"),
        ("not_there:make", {}, r"No module named 'not_there'.*PYTHONPATH"),
        ("their_code:made", {}, "no function 'made'"),
        ("their_code:make", {"classes": 3}, r"\{'classes': 3\} raised TypeError.*classes"),
        ("their_code:text", {}, "returned a str"),
        ("their_code:boom", {}, "raised ZeroDivisionError"),
    ],
)
@pytest.mark.usefixtures("factory")
def test_a_factory_that_does_not_work_is_named(name, options, message):
    sys.modules["their_code"].text = lambda: "no module"
    sys.modules["their_code"].boom = lambda: 1 / 0
    card = make_card(attributes=NAMES, architecture="factory", name=name, options=options, input_size=(12, 16))
    with pytest.raises(InputError, match=message) as caught:
        adopt(card, None)
    assert name in str(caught.value)


def test_a_factory_s_module_that_does_not_import_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken_code.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    card = make_card(attributes=NAMES, architecture="factory", name="broken_code:f", input_size=(12, 16))
    with pytest.raises(InputError, match=r"broken_code:f.*SyntaxError"):
        adopt(card, None)


def test_a_factory_that_ends_the_program_is_an_error_of_its_own(folder, monkeypatch):
    monkeypatch.setattr(sys.modules["their_code"], "make", lambda: sys.exit("no licence"))
    with pytest.raises(InputError, match=r"'their_code:make' called with \{\} raised SystemExit: no licence"):
        load(folder, factory="their_code:make")
