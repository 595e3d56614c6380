"""What Python callers pass: settings, rules, plans of views, names."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bincam.audit import Settings
from bincam.audit.gate.rules import parse_rule
from bincam.inference import view_plan
from tests.properties.judging import examples, judge
from tests.properties.strategies import names, numbers_as_text, values

AUDIT = SimpleNamespace(attributes=("Smiling", "Age<30", "c=d", "[/]"), methods=("grad_cam",), masks=())


@examples(30)
@given(values)
def test_settings_take_or_refuse_any_value_of_any_field(value):
    for field in Settings.__dataclass_fields__:
        judge(lambda field=field: Settings(**{field: value}), lambda made: made.replace() == made)


@examples(80)
@given(
    st.one_of(names, st.sampled_from(AUDIT.attributes)),
    names,
    st.sampled_from(("<=", "<", ">=", ">", "=", "")),
    numbers_as_text,
)
def test_a_rule_is_parsed_or_refused(attribute, measure, sign, bound):
    for left in (
        f"{attribute}.gain",
        f"{attribute}.fnr",
        measure,
        f"gain@{measure}",
        f"{attribute}.sensitivity@specificity={bound}",
    ):
        judge(lambda left=left: parse_rule(f"{left}{sign}{bound}", AUDIT), lambda rule: np.isfinite(rule.bound))


@examples(80)
@given(
    st.one_of(values, st.lists(st.tuples(st.integers(-2, 70000), st.integers(-1, 3), st.integers(-1, 3)), max_size=3)),
    st.one_of(st.just((64, 64)), values),
)
def test_a_plan_of_views_is_made_or_refused(plan, size):
    judge(lambda: view_plan(plan, size), lambda made: len(made) >= 1 and min(made.sizes) >= 1)
