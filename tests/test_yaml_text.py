"""YAML of any content is read, or refused for a reason in one line."""

from __future__ import annotations

import pytest
import yaml

from bincam import yaml_text
from bincam.yaml_text import LARGEST, parse_yaml, yaml_problem


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x: 1\na: 9999-99-99", "month must be in 1..12"),
        ("x: 1\na: " + "1" * 5000, "digits"),
        ("x: 1\na: !!timestamp x", "no timestamp"),
        ("x: 1\na: !!int x", "invalid literal"),
        ("x: 1\na: !!int", "no int"),
        ("x: 1\na: !!python/name:os.system", "could not determine a constructor"),
        ("x: 1\na: &a [*a]", "an alias that contains itself"),
        ("x: 1\na: &a {b: *a}", "an alias that contains itself"),
        ("x: 1\n? [1]\n: x", "found unhashable key"),
    ],
)
def test_a_scalar_or_alias_without_a_value_is_told_with_its_line(text, reason):
    with pytest.raises(yaml.YAMLError) as caught:
        parse_yaml(text)
    line, told = yaml_problem(caught.value)
    assert line == 2
    assert reason in told


def aliases(depth: int) -> str:
    """Lists by alias: a few hundred bytes that stand for 9 to the power of the depth."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return "\n".join([*lines, *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth))])


def test_aliases_that_stand_for_many_values_are_refused_and_few_are_read(monkeypatch):
    with pytest.raises(yaml.YAMLError) as caught:
        parse_yaml(aliases(20))
    assert f"more than {LARGEST:,} values" in yaml_problem(caught.value)[1]
    assert len(parse_yaml(aliases(4))["a3"][0][0]) == 9
    assert parse_yaml("a: &a {lr: 1}\nb: {<<: *a, seed: 2}")["b"] == {"lr": 1, "seed": 2}
    monkeypatch.setattr(yaml_text, "LARGEST", 20)
    assert len(parse_yaml(f"[{', '.join(map(str, range(100)))}]")) == 100  # written out, and not by alias


def test_deep_nesting_is_told():
    with pytest.raises(RecursionError) as caught:
        parse_yaml("[" * 5000)
    assert yaml_problem(caught.value) == (None, "nested too deeply")
