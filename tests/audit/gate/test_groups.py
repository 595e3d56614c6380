"""Rules on groups of people: names of any kind, what is said of wrong ones, and gaps of too few people."""

from types import SimpleNamespace

import pytest

from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.errors import InputError
from bincam.stats.estimate import estimate, undefined
from bincam.stats.intervals import wilson


def figure(value, images=200, people=80):
    return estimate(value, *wilson(value, images), images, people, "wilson").to_json()


def entries(attribute, column, rates, gap=None, few=(), measure="minority_error"):
    """The slices of one attribute by one column."""
    about = {"attribute": attribute, "measure": measure, "column": column}
    compared = {"worst": None, "best": None, "gap": None, "ratio": None, "largest_gap": gap, "few": list(few)}
    return [
        *({**about, "value": value, "estimate": rate} for value, rate in rates.items()),
        {**about, **compared, "between": None},
    ]


def audit(*parts, attributes=("Bald", "Smiling", "Male"), left_out=()):
    summary = {
        "methods": ["grad_cam"],
        "attributes": {name: {"rates": {}, "measures": {}} for name in attributes},
        "overall": {},
        "slices": [entry for part in parts for entry in part],
        "slices_left_out": list(left_out),
    }
    return SimpleNamespace(attributes=attributes, methods=("grad_cam",), masks=(), summary=summary)


SEXES = {"positive": figure(0.1), "negative": figure(0.3)}
GAP = estimate(0.2, 0.12, 0.28, 400, 160, "variance recovery, absolute").to_json()


def simple(**more):
    return audit(*(entries(name, "Male", SEXES, GAP, **more) for name in ("Bald", "Smiling")))


def judged(opened, text):
    return judge(opened.summary, [parse_rule(text, opened)])


def test_a_rate_within_a_group_is_judged_by_its_own_interval():
    one, other = judged(simple(), "minority_error@Male:negative<=0.2")
    assert (one.attribute, other.attribute) == ("Bald", "Smiling")  # Male is not divided by itself
    assert (one.verdict, one.estimate.value, one.estimate.images) == ("fail", 0.3, 200)
    assert one.to_json()["group"] == "Male:negative"
    [one] = judged(simple(), "Bald.minority_error@Male:positive<=0.2")
    assert one.verdict == "pass"


@pytest.mark.parametrize(
    ("bound", "verdict"), [("<=0.1", "fail"), ("<=0.2", "insufficient"), ("<=0.3", "pass"), (">=0.1", "pass")]
)
def test_a_gap_is_judged_by_its_interval(bound, verdict):
    [one] = judged(simple(), f"Bald.gap(minority_error, Male){bound}")
    assert (one.verdict, one.rule.measure, one.rule.group) == (verdict, "gap(minority_error)", "Male")


def test_a_gap_with_a_group_of_too_few_people_may_fail_but_not_pass():
    few = [{"value": "other", "images": 4, "identities": 2}]
    for bound, verdict in (("<=0.1", "fail"), ("<=0.3", "insufficient"), (">=0.1", "pass"), (">=0.3", "insufficient")):
        [one] = judged(simple(few=few), f"Bald.gap(minority_error, Male){bound}")
        assert one.verdict == verdict
    assert one.reason == "too few in other: 4 images of 2 people; at least 20 of 5 people are needed"
    none = audit(entries("Bald", "Male", {}, undefined("").to_json(), few))
    [one] = judged(none, "gap(minority_error, Male)<=0.1")
    assert one.verdict == "insufficient"
    assert one.reason.startswith("fewer than two groups to compare: too few in other: 4 images of 2 people")


def test_a_group_of_too_few_people_is_insufficient():
    small = audit(entries("Bald", "Male", {"negative": figure(0.0, images=300, people=3)}, GAP))
    [one] = judged(small, "minority_error@Male:negative<=0.9")
    assert (one.verdict, "300 images of 3 people" in one.reason) == ("insufficient", True)


@pytest.mark.parametrize(
    "column", ["age, years", "a<=b", "a@b", "under: 30", 'the "old"', "it's", "x)", "Größe", "a=1"]
)
@pytest.mark.parametrize("value", ["30, 40", ">60", "<5", "x@y", "9:30", "'", '"q"', "a b", "1<2!x"])
def test_columns_and_groups_have_names_of_any_kind(column, value):
    opened = audit(entries("Bald", f"group.{column}", {value: figure(0.1), "z": figure(0.1)}, GAP))
    for name in (column, f"group.{column}"):
        rule = parse_rule(f"minority_error@{name}:{value}<=0.2", opened)
        assert (rule.groups.column, rule.groups.value, rule.bound) == (f"group.{column}", value, 0.2)
        rule = parse_rule(f"Bald.gap(minority_error, {name}) <= 0.1", opened)
        assert (rule.groups.column, rule.groups.value, rule.attribute) == (f"group.{column}", "", "Bald")
    assert [one.verdict for one in judged(opened, f"minority_error@{column}:{value}<=0.2")] == ["pass"]


def test_a_name_that_ends_in_a_sign_is_written_in_quotes():
    opened = audit(entries("Bald", "group.age", {"x>": figure(0.1)}, GAP))
    with pytest.raises(InputError, match="is no rule"):
        parse_rule("minority_error@age:x><=0.2", opened)
    for quoted in ('minority_error@age:"x>"<=0.2', "minority_error@age:'x>'<=0.2"):
        assert parse_rule(quoted, opened).groups.value == "x>"


def test_a_name_that_can_be_read_in_two_ways_is_refused_with_a_way_out():
    opened = audit(entries("Bald", "a", {"b:c": figure(0.1)}, GAP), entries("Bald", "a:b", {"c": figure(0.3)}, GAP))
    with pytest.raises(InputError, match="may be group 'b:c' of 'a' and group 'c' of 'a:b'") as refused:
        parse_rule("minority_error@a:b:c<=0.2", opened)
    advice = str(refused.value).rpartition("as in ")[2]
    assert parse_rule(f"{advice}<=0.2", opened).groups.column == "a"
    assert parse_rule('minority_error@"a:b":c<=0.2', opened).groups.column == "a:b"
    # A column of the data called like an attribute is told from it by its prefix.
    both = audit(
        entries("Bald", "Male", {"x": figure(0.1)}, GAP), entries("Bald", "group.Male", {"x": figure(0.3)}, GAP)
    )
    assert parse_rule("minority_error@Male:x<=0.2", both).groups.column == "Male"
    assert parse_rule("minority_error@group.Male:x<=0.2", both).groups.column == "group.Male"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minority_error@Mael:negative<=0.2", "no group 'Mael:negative'; did you mean 'Male:negative'"),
        ("minority_error@zzz<=0.2", "the audit has 'Male:positive', 'Male:negative' (if it is a column"),
        ("gap(minority_error, Mael)<=0.1", "no groups of 'Mael'; did you mean 'Male'"),
        ("gap(minority_error, sex*age)<=0.1", "add it with 'bincam summarise AUDIT --slice-by 'Male,sex*age''"),
        ("gap(minority_error, a, b)<=0.1", """--slice-by 'Male,"a, b"'"""),
        ("gap(minority_error)<=0.1", "expected gap(MEASURE, COLUMN)"),
        ("gap(minority_error, Male<=0.1", "expected gap(MEASURE, COLUMN)"),
        ("gap(gain, Male)<=0.1", "gap is of an error rate, and 'gain' is none"),
        ("gap(Bald.fnr, Male)<=0.1", "write Bald.gap(fnr, Male)"),
        ("overall.gap(minority_error, Male)<=0.1", "groups have no mean over attributes"),
        ("Male.gap(minority_error, Male)<=0.1", "an attribute is not divided by itself"),
        ("Bald.fnr@Male:negative<=0.1", "has no Bald.fnr by Male; by groups it has minority_error"),
        ("minority_error@all<=0.2", "takes no group, got @all"),
    ],
)
def test_wrong_rules_on_groups_are_refused_and_say_what_there_is(text, message):
    with pytest.raises(InputError) as refused:
        judged(simple(), text)
    assert message in str(refused.value)


def test_an_audit_without_groups_says_how_to_add_them():
    left_out = [{"column": "Male", "reason": "Male has only the value 'negative', so there is nothing to compare"}]
    with pytest.raises(InputError, match=r"the audit has no groups.*--slice-by COLUMN.*only the value 'negative'"):
        parse_rule("minority_error@Male:negative<=0.2", audit(left_out=left_out))
    former = simple()
    for entry in former.summary["slices"]:
        entry.pop("largest_gap", None)
    with pytest.raises(InputError, match="earlier version"):
        judged(former, "gap(minority_error, Male)<=0.1")
