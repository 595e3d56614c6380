"""Configurations: what is wrong is named, with the nearest right word; what is written is what was run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bincam.errors import InputError
from bincam.train.configuration.config import TrainConfig, dump, make_config, read_config
from bincam.train.configuration.reference import document
from bincam.yaml_text import parse_yaml

LEAST = {"data": {"source": "faces"}, "out": "runs/a"}


def put(values, **changes):
    result = {**values, "data": dict(values["data"])}
    for key, value in changes.items():
        *path, last = key.split("__")
        part = result
        for name in path:
            part = part.setdefault(name, {})
        part[last] = value
    return result


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimzer": {}}, "optimzer: unknown key; did you mean 'optimizer'"),
        ({"optimizer__lrr": 1}, r"optimizer\.lrr: unknown key; did you mean 'lr'"),
        ({"arms": {"one": {"los": "bce"}}}, "unknown key; did you mean 'loss'"),
        ({"early_stopping__patienc": 1}, "did you mean 'patience'"),
        ({"optimizer__lr": -1}, r"optimizer\.lr: .*greater than 0, got -1"),
        ({"optimizer__lr": float("nan")}, r"optimizer\.lr: .*finite"),
        ({"optimizer__name": "adam"}, "'adamw', 'sgd' or 'rmsprop', got 'adam'"),
        ({"schedule__metric": "balancd_error"}, "did you mean 'balanced_error'"),
        ({"epochs": True}, "epochs: got true, expected a number"),
        ({"clip_norm": False}, "clip_norm: got false, expected a number"),
        ({"data__size": [80, True]}, r"data\.size: got true"),
        ({"model__pooling": "top", "model__pooling_options": {"share": True}}, "pooling_options: got true"),
        ({"data__fold": 1}, "fold 1 needs the number of folds"),
        ({"data__fold": 4, "data__folds": 4}, "fold 4 of 4 folds, which are counted from 0"),
        ({"data__memory": True, "data__augmentation": "affact"}, "affact crops anew"),
        ({"batch_size": 10, "accumulate": 3}, "10 cannot be computed in 3 equal parts"),
        ({"epochs": 2, "schedule__warmup_epochs": 2}, "must be less than epochs 2"),
        ({"data__size": 0}, r"data\.size\.0: .*greater than or equal to 1"),
        ({"ema": 1.0}, "ema: .*less than 1"),
        ({"out": None}, "out: .*string"),
        ({"out": ""}, "out: .*at least 1 character"),
        *(({"arms": {name: {}}}, f"arm name '{name}' cannot be") for name in ("", "..", "a/b")),
    ],
)
def test_what_is_wrong_is_named(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        make_config(put(LEAST, **changes), source="a.yaml")
    assert str(caught.value).startswith("a.yaml: ")
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match=r"data: .*required \(and 1 more\)"):
        make_config({})


def test_short_forms():
    config = make_config(put(LEAST, data__size=64, loss="focal", arms={"a": {"loss": "bce"}, "b": {"resampling": "x"}}))
    assert config.data.size == (64, 64)
    assert config.loss.name == "focal"
    assert config.arms["a"].loss.name == "bce"
    assert config.arms["b"].resampling.name == "x"
    assert (config.arm("b").loss.name, config.arm("b").out) == ("focal", "runs/a/b")
    assert config.arm("a").resampling.name == "none"


def test_overrides_reach_any_depth_and_make_parts(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("data: {source: faces}\nout: a\nloss: focal\n")
    words = ["optimizer.lr=1e-4", "data.size=[64, 96]", "early_stopping.patience=2", "loss.options.gamma=3", "out=b=c"]
    config = read_config(file, words)
    assert config.optimizer.lr == 1e-4
    assert config.data.size == (64, 96)
    assert config.early_stopping is not None
    assert config.early_stopping.patience == 2
    assert config.loss.model_dump() == {"name": "focal", "options": {"gamma": 3}}
    assert config.out == "b=c"
    two = read_config(file, ["arms.a.loss=bce", "arms.b.loss=focal"]).arms
    assert {name: arm.loss.name for name, arm in two.items()} == {"a": "bce", "b": "focal"}
    arms = read_config(file, ["arms.balanced.loss=focal", "arms.third.loss={name: focal, options: {gamma: 1e-1}}"]).arms
    assert list(arms) == ["unbalanced", "balanced", "third"]
    assert [arm.loss.name for arm in arms.values()] == ["bce", "focal", "focal"]
    assert arms["third"].loss.options == {"gamma": 0.1}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("epochs", "expected key=value"),
        (".lr=1", "expected key=value"),
        ("out.a=1", "out is 'a', which has no keys"),
        ("epochs=[", "not YAML"),
        ("epoch=3", "did you mean 'epochs'"),
        ("loss.options.reduction=sum", "reduction cannot be set"),
        ("arms={pair.json: {}}", "the arm name 'pair.json' cannot be used as a folder name"),
    ],
)
def test_wrong_overrides(tmp_path, word, message):
    file = tmp_path / "c.yaml"
    file.write_text("data: {source: faces}\nout: a\n")
    with pytest.raises(InputError, match=message):
        read_config(file, [word])


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not YAML"), ("- 1", "got list"), ("", "got nothing"), ("\xff", "cannot be read")]
)
def test_wrong_files(tmp_path, text, message):
    file = tmp_path / "c.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message) as caught:
        read_config(file)
    assert str(file) in str(caught.value)


def test_a_missing_file():
    with pytest.raises(InputError, match="no such file"):
        read_config("nowhere.yaml")


def test_what_is_written_reads_back_as_the_same():
    config = make_config(put(LEAST, ema=0.99, early_stopping={}, data__size=64))
    assert make_config(parse_yaml(dump(config))) == config
    odd = make_config({**LEAST, "out": "1e5"})
    assert make_config(parse_yaml(dump(odd))) == odd


def test_the_reference_names_every_key_and_the_page_is_up_to_date():
    text = document()
    assert all(f"`{name}" in text for name in TrainConfig.model_fields)
    page = Path(__file__).parents[3] / "docs" / "train-config.md"
    assert text in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[3] / "experiments").rglob("*.yaml")), ids=lambda p: p.name
)
def test_the_experiments_configurations_are_valid(file):
    read_config(file)


@pytest.mark.parametrize(
    ("told", "precision"),
    [({"avx512_bf16": True}, "bf16"), ({"avx512_bf16": False, "bf16": True}, "bf16"), ({"avx2": True}, "fp32")],
)
def test_auto_is_the_precision_that_the_processor_has_instructions_for_and_the_file_states_it(
    told, precision, monkeypatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    chosen = make_config(put(LEAST, precision="auto", device="cpu"))
    assert chosen.precision == precision
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": precision == "fp32"})
    again = make_config(parse_yaml(dump(chosen)))  # on another machine
    assert again == chosen


def test_auto_is_named_wherever_precisions_are_listed():
    with pytest.raises(InputError, match=r"precision: Input should be 'auto', 'fp32', 'bf16' or 'fp16', got 'fp8'"):
        make_config(put(LEAST, precision="fp8"))
    (row,) = (line for line in document().splitlines() if line.startswith("| `precision`"))
    assert "| auto / fp32 / bf16 / fp16;" in row


def test_auto_is_full_precision_where_torch_does_not_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert make_config(put(LEAST, precision="auto", device="cpu")).precision == "fp32"


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_auto_on_a_gpu_asks_the_gpu(capability, precision, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert make_config(put(LEAST, precision="auto")).precision == precision
