"""Files that a user writes by hand, and those of models: configurations, regions, rules, cards, weights, states."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bincam import models
from bincam.audit.gate.rules import read_rules
from bincam.cli.card import read_counts
from bincam.data import Regions
from bincam.files import read_json, read_yaml
from bincam.train.configuration.config import TrainConfig, read_config
from tests.properties.judging import examples, judge
from tests.properties.strategies import changed, damaged, names, values

AUDIT = SimpleNamespace(attributes=("Smiling", "Age<30"), methods=("grad_cam",), masks=())
CONFIG = {
    "data": {"source": "orl", "folds": 4, "size": [64, 64], "mean": [0.5, 0.5, 0.5]},
    "loss": {"name": "focal", "options": {"gamma": 2}},
    "out": "runs/x",
    "epochs": 3,
    "batch_size": 8,
    "seed": 1,
    "optimizer": {"lr": 0.1},
    "schedule": {"name": "step", "every": 2},
    "ema": 0.9,
    "early_stopping": {"patience": 2},
    "arms": {"a": {"loss": "bce"}},
    "model": {"backbone": "resnet10t"},
}
REGIONS = {
    "units": "share",
    "size": [10, 20],
    "attributes": {"Bald": "top"},
    "regions": {
        "top": {"box": [0, 0, 1, 0.5]},
        "eye": [{"ellipse": [0.5, 0.5, 0.1, 0.1], "angle": 3}, {"box": [0, 0, 1, 1], "minus": True}],
        "mouth": {"polygon": [[0, 0], [1, 0], [1, 1]]},
        "cells": {"cells": {"rows": "0-2", "columns": "1-3+4-5", "grid": [7, 7]}},
    },
}
SCALARS = (
    "9999-99-99",
    "2001-13-01T00:00:00Z",
    "1" * 5000,
    "0x" + "f" * 5000,
    "!!python/name:os.system",
    "!!timestamp x",
    "!!int x",
    "!!float",
    "!!binary x",
    "&a [*a]",
    "? [1]\n: x",
    "[" * 2000,
    "{a: " * 2000,
    "1:99999999999:0",
    "0o9",
    "!!set {x}",
    "!!omap [x]",
    "<<: x",
    "\t",
    "{<<: *a}",
    "- !!null x",
    "!!bool x",
    "\x07",
    "%YAML 9.9",
    "--- a\n--- b",
    "'",
    ".inf",
    "-.INF",
    "1e999",
    "9" * 400 + ".0e5",
)


@st.composite
def yaml_text(draw, whole):
    """YAML of a changed value, damaged, or with a scalar whose constructor raises."""
    text = yaml.safe_dump(draw(changed(whole)), allow_unicode=True)
    if draw(st.booleans()):
        return draw(damaged(text.encode("utf-8", "surrogatepass")))
    words = [word for word in (str(v) for v in (1, 2, 3, "bce", "share", "orl", 0.1)) if word in text] or ["0"]
    return text.replace(draw(st.sampled_from(words)), draw(st.sampled_from(SCALARS)), 1).encode(
        "utf-8", "surrogatepass"
    )


def bomb(depth):
    """Lists of lists by alias: a few hundred bytes that stand for 9 to the power of the depth."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return "\n".join(lines)


def test_aliases_that_stand_for_millions_are_refused_in_a_short_line(fresh):
    file = fresh() / "x.yaml"
    for text in (
        bomb(7),
        f"data: {{source: orl}}\nout: x\n{bomb(7)}",
        f"regions:\n  {bomb(7).replace(chr(10), chr(10) + '  ')}",
    ):
        file.write_text(text)
        for read in (read_config, Regions.read, lambda f: read_rules(f, AUDIT)):
            assert judge(lambda read=read: read(file)) is None


@examples(60)
@given(yaml_text(CONFIG), st.lists(names, max_size=2), st.sampled_from([*CONFIG, "optimizer.lr", "arms.a.loss", ""]))
def test_a_configuration_is_read_or_refused(fresh, text, overrides, key):
    file = fresh() / "c.yaml"
    file.write_bytes(text)
    judge(lambda: read_config(file), lambda config: isinstance(config, TrainConfig) and config.epochs >= 1)
    file.write_text(yaml.safe_dump(CONFIG))
    for word in overrides:
        judge(lambda word=word: read_config(file, [f"{key}={word}"]))
    for scalar in SCALARS[:6]:
        judge(lambda scalar=scalar: read_config(file, [f"seed={scalar}"]))


@examples(60)
@given(yaml_text(REGIONS))
def test_regions_are_read_or_refused(fresh, text):
    file = fresh() / "r.yaml"
    file.write_bytes(text)
    points = np.array([[6, 11], [10, 11], [8, 13], [7, 15], [10, 15]], float)

    def drawn():
        regions = Regions.read(file)
        return regions.masks([*regions.attributes], (20, 18), landmarks=points)

    judge(drawn, lambda masks: all(m is None or (m.shape == (20, 18) and m.dtype == bool) for m in masks))


@examples(40)
@given(yaml_text({"rules": ["minority_error<=0.2", "Smiling.gain>=0.1"]}))
def test_a_file_of_rules_is_read_or_refused(fresh, text):
    file = fresh() / "r.yaml"
    file.write_bytes(text)
    judge(lambda: read_rules(file, AUDIT), lambda rules: rules and all(np.isfinite(rule.bound) for rule in rules))
    judge(lambda: read_yaml(file))


@examples(40)
@given(st.data())
def test_json_of_any_content_is_read_or_refused(fresh, data):
    file = fresh() / "x.json"
    whole = data.draw(changed({"kind": "bincam-x", "schema": 1, "numbers": [1, 2]}))
    text = json.dumps(whole).encode()
    deep = st.sampled_from((b"[" * 100_000, b'{"a":' * 50_000, b"1" * 10_000, b"\xff\xfe", b"", b"NaN", b"-Infinity"))
    file.write_bytes(data.draw(st.one_of(damaged(text), deep)))
    judge(lambda: read_json(file, kind="bincam-x", schema=1), lambda value: value["kind"] == "bincam-x")


@examples(60)
@given(st.data())
def test_a_card_is_read_and_its_model_loaded_or_refused(fresh, model, other_models, data):
    folder = fresh() / "m"
    shutil.copytree(data.draw(st.sampled_from([model, *other_models])), folder)
    file = folder / "card.json"
    whole = json.loads(file.read_text())
    text = json.dumps(data.draw(changed(whole))).encode()
    file.write_bytes(data.draw(st.one_of(st.just(text), damaged(text))))
    judge(lambda: models.read_card(folder), lambda card: len(card.attributes) >= 1 and min(card.std) > 0)
    if data.draw(st.booleans()):
        judge(lambda: models.load(folder)(torch.zeros(1, 3, 64, 96)), lambda z: bool(torch.isfinite(z).all()))


def held_by_itself():
    """Containers that contain themselves."""
    first, second = {}, {}
    first["model"], second["state_dict"] = first, {"net": second}
    return [first, second]


stored = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=3), st.builds(torch.zeros, st.integers(0, 3)), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(("state_dict", "model", "fc.bias")), st.integers(), st.none()), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


@examples(60)
@given(st.data())
def test_weights_are_read_or_refused(fresh, model, data):
    folder = fresh()
    value = data.draw(st.one_of(stored, st.sampled_from(held_by_itself())))
    torch.save(value, folder / "w.pt")
    (folder / "w.pt").write_bytes(data.draw(damaged((folder / "w.pt").read_bytes())))
    shutil.copy(model / "weights.safetensors", folder)
    file = folder / "weights.safetensors"
    file.write_bytes(data.draw(damaged(file.read_bytes())))
    for name in ("w.pt", "weights.safetensors"):
        judge(
            lambda name=name: models.read_weights(folder / name),
            lambda state: state and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()),
        )


@examples(40)
@given(st.data())
def test_files_of_training_counts_are_read_or_refused(fresh, model, data):
    folder, card = fresh(), models.read_card(model)
    text = {
        "c.json": json.dumps(data.draw(changed({"Smiling": [10, 20], "Male": [5, 6]}))),
        "c.csv": "attribute,negatives,positives\nSmiling,10,20\n",
    }
    for name, whole in text.items():
        (folder / name).write_bytes(data.draw(damaged(whole.encode())))
        judge(
            lambda name=name: read_counts([str(folder / name)], card),
            lambda counts: all(min(pair) >= 0 for pair in counts.values()),
        )


@examples(30)
@given(values)
def test_a_card_takes_or_refuses_any_value_of_any_field(value):
    whole = {"attributes": ("Bald",), "architecture": "timm", "name": "resnet10t", "input_size": (64, 64)}
    for field in models.Card.model_fields:
        judge(lambda field=field: models.make_card(**{**whole, field: value}))
