"""Rules: how they are read, what they find, and what is written for others."""

import re
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from bincam.audit import open_audit
from bincam.audit.gate.judgements import judge, passed
from bincam.audit.gate.output.text import junit, markdown
from bincam.audit.gate.rules import parse_rule, read_rules
from bincam.errors import InputError
from tests.audit.synthetic import make_audit


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    return open_audit(make_audit(tmp_path_factory.mktemp("audits") / "one", images=30))


def figure(value, low, high, images=100, identities=None, status="ok"):
    fields = {"value": value, "low": low, "high": high, "images": images, "identities": identities}
    return {**fields, "status": status, "method": ""}


def summary(**rates):
    gain = {"all": figure(0.5, 0.4, 0.6), "predicted:majority": figure(0.2, 0.1, 0.3)}
    entry = {"rates": rates, "measures": {"grad_cam.gain": gain, "midpoint.bias_share": gain}}
    gates = {"grad_cam": {"verdict": "pass", "passed": True}}
    return {"methods": ["grad_cam"], "attributes": {"Smiling": entry}, "overall": entry, "gates": gates}


@pytest.mark.parametrize(
    ("text", "attribute", "measure", "group", "sign", "bound"),
    [
        ("minority_error<=0.2", None, "minority_error", "all", "<=", 0.2),
        ("Smiling.gain>=0.3", "Smiling", "gain", "all", ">=", 0.3),
        ("gain@predicted:majority > 1e-1", None, "gain", "predicted:majority", ">", 0.1),
        (" Bald.bias_share@outcome:TN < 0.5 ", "Bald", "bias_share", "outcome:TN", "<", 0.5),
        ("hirescam@pre_activation.gain>=0", None, "hirescam@pre_activation.gain", "all", ">=", 0),
        ("Bald.hirescam@pre_activation.empty@true:majority<=.1", "Bald", "hirescam@pre_activation.empty",
         "true:majority", "<=", 0.1),
        ("zero.bias_share<=0.9", None, "zero.bias_share", "all", "<=", 0.9),
        ("overall.minority_error<=0.2", "overall", "minority_error", "all", "<=", 0.2),
        ("lift>=-1", None, "lift", "all", ">=", -1),
    ],
)  # fmt: skip
def test_rules_are_read(audit, text, attribute, measure, group, sign, bound):
    rule = parse_rule(text, audit)
    assert (rule.attribute, rule.measure, rule.group, rule.sign, rule.bound) == (attribute, measure, group, sign, bound)
    assert rule.text == text.strip()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minority_eror<=0.2", "unknown measure 'minority_eror'; did you mean 'minority_error'"),
        ("Smilling.gain>=0.3", "unknown attribute 'Smilling'; did you mean 'Smiling'"),
        ("gain@predicted:majorty>=0.3", "unknown group 'predicted:majorty'; did you mean 'predicted:majority'"),
        ("minority_error@all<=0.2", "takes no group, got @all"),
        ("overall.auroc>=0.5", "auroc has no mean over attributes"),
        ("gain", "is no rule"),
        ("gain==0.3", "is no rule"),
        ("0.1<=gain<=0.3", "is no rule"),
        ("Smiling.gain<=0.3<=1", "is no rule"),
        ("a=b<=0.3", "unknown measure 'a=b'"),
        ("gain>=much", "the bound 'much' is no number"),
        ("gain>=nan", "is no number"),
        ("gain>=inf", "is no number"),
        ("", "is no rule"),
    ],
)
def test_wrong_rules_are_refused_with_the_nearest_name(audit, text, message):
    with pytest.raises(InputError, match="--rule") as refused:
        parse_rule(text, audit)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("found", "verdict", "reason"),
    [
        (figure(0.1, 0.05, 0.2), "pass", ""),
        (figure(0.1, 0.05, 0.21), "insufficient", "contains 0.2"),
        (figure(0.3, 0.19, 0.4), "insufficient", "contains 0.2"),
        (figure(0.3, 0.21, 0.4), "fail", "breaks <= 0.2"),
        (figure(0.0, 0.0, 0.1, images=12, identities=3, status="small"), "insufficient", "12 images of 3 people"),
        (figure(0.9, 0.8, 1.0, images=12, status="small"), "insufficient", "too few: 12 images"),
        (figure(0.1, None, None), "insufficient", "no interval"),
        (figure(0.1, None, None, status="small"), "insufficient", "no interval from 100 images"),
        (figure(0.0, 0.0, 0.0), "insufficient", "the interval is a point"),
        (figure(0.3, 0.3, 0.3), "insufficient", "the interval is a point"),
        (figure(None, None, None, images=0, status="undefined"), "insufficient", "no image to measure it on"),
        (figure(None, None, None, status="undefined"), "error", "undefined on all of"),
    ],
)
def test_a_rule_passes_or_fails_by_its_whole_interval(audit, found, verdict, reason):
    [one] = judge(summary(minority_error=found), [parse_rule("minority_error<=0.2", audit)])
    assert one.verdict == verdict
    assert reason in one.reason
    assert one.to_json()["value"] == found["value"]


@pytest.mark.parametrize(
    ("sign", "verdict"), [("<=", "pass"), ("<", "insufficient"), (">=", "insufficient"), (">", "fail")]
)
def test_an_interval_that_ends_at_the_bound(audit, sign, verdict):
    [one] = judge(summary(minority_error=figure(0.15, 0.1, 0.2)), [parse_rule(f"minority_error{sign}0.2", audit)])
    assert one.verdict == verdict


def test_columns_are_judged_in_their_group_and_bare_names_by_the_primary_method(audit):
    rules = [parse_rule(text, audit) for text in ("gain>=0.3", "gain@predicted:majority>=0.3", "bias_share<=0.9")]
    assert [one.verdict for one in judge(summary(), rules)] == ["pass", "insufficient", "pass"]
    with pytest.raises(InputError, match="make the summary again"):
        judge(summary(), [parse_rule("lift>=1", audit)])


def test_a_gate_opens_only_on_evidence(audit):
    def gate(*texts, **rates):
        return judge(summary(**rates), [parse_rule(text, audit) for text in texts])

    sure = gate("gain>=0.3")
    unsure = gate("gain>=0.3", "gain>=0.5")
    broken = gate("minority_error<=0.2", minority_error=figure(None, None, None, status="undefined"))
    assert passed(sure)
    assert not passed(unsure)
    assert passed(unsure, allow_insufficient=True)
    assert not passed(broken, allow_insufficient=True)
    assert not passed(gate("gain>=0.9"), allow_insufficient=True)


def test_yaml_rules_are_read_and_wrong_files_refused(audit, tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  - minority_error<=0.2\n  - 'Smiling.gain@predicted:majority>=0.3'\n")
    assert [rule.measure for rule in read_rules(file, audit)] == ["minority_error", "gain"]
    for content, message in (
        ("rules: [gain>=x]", "rule 1: 'gain>=x'"),
        ("[gain>=0.1]", "expected 'rules:'"),
        ("rules: []", "expected 'rules:'"),
        ("rules: [1]", "expected 'rules:'"),
        ("rule: [gain>=0.1]", "expected 'rules:'"),
        ("rules: [gain>=0.1]\nlevel: 1", "nothing else"),
        ("rules: [", "not YAML"),
    ):
        file.write_text(content)
        with pytest.raises(InputError, match=r"rules\.yaml") as refused:
            read_rules(file, audit)
        assert message in str(refused.value)
    with pytest.raises(InputError, match="no such file"):
        read_rules(tmp_path / "none.yaml", audit)


@pytest.mark.parametrize("allowed", [True, False])
def test_junit_counts_what_a_server_counts(audit, allowed):
    figures = {
        "error": figure(0.1, 0.0, 0.15),
        "fnr": figure(0.9, 0.8, 1.0),
        "fpr": figure(0.2, 0.1, 0.3),
        "auroc": figure(None, None, None, status="undefined"),
    }
    judged = judge(summary(**figures), [parse_rule(f"{name}<=0.2", audit) for name in figures])
    suite = ET.fromstring(junit(judged, 'audits/"a" & <b>', allow_insufficient=allowed)).find("testsuite")
    assert suite.get("name") == 'audits/"a" & <b>'
    assert (suite.get("tests"), suite.get("errors")) == ("4", "1")
    assert suite.get("failures") == ("1" if allowed else "2")
    assert len(suite.findall("testcase/failure")) == int(suite.get("failures"))
    assert len(suite.findall("testcase/skipped")) == int(suite.get("skipped")) == int(allowed)
    assert len(suite.findall("testcase/error")) == 1
    assert [case.get("name") for case in suite] == [f"{name}<=0.2" for name in figures]


def test_markdown_puts_what_did_not_pass_first(audit):
    rules = [parse_rule(text, audit) for text in ("gain>=0.3", "gain>=0.9", "gain>=0.5")]
    text = markdown(judge(summary(), rules), "a|b", open_=False)
    lines = text.splitlines()
    assert lines[0] == "# Gate closed: a\\|b"
    assert lines[2] == "3 checks: 1 pass, 1 fail, 1 insufficient evidence."
    assert [line.split(" | ")[1] for line in lines[6:]] == ["`gain>=0.9`", "`gain>=0.5`", "`gain>=0.3`"]
    assert "[0.40, 0.60]" in lines[6]


def test_a_rate_of_both_classes_names_the_one_with_few_images_and_how_many_are_needed(audit):
    few, many = figure(0.1, 0.0, 0.4, images=7, identities=3, status="small"), figure(0.1, 0.05, 0.2, 113, 40)
    auroc = figure(0.9, 0.8, 0.95, images=120, identities=43, status="small")
    for rates, which in (({"fnr": few, "fpr": many}, "positive"), ({"fnr": many, "fpr": few}, "negative")):
        [one] = judge(summary(auroc=auroc, **rates), [parse_rule("auroc>=0.5", audit)])
        expected = f"too few {which} images of 'Smiling': 7 images of 3 people; at least 20 of 5 people are needed"
        assert (one.verdict, one.reason) == ("insufficient", expected)
    few_people = figure(0.1, 0.0, 0.4, images=80, identities=3, status="small")
    [one] = judge(
        summary(auroc=auroc, fnr=few_people, fpr=figure(0.1, 0.0, 0.2, 40, 30)), [parse_rule("auroc>=0.5", audit)]
    )
    assert "positive images of 'Smiling': 80 images of 3 people" in one.reason
    # Its twin: enough of both, but no interval.
    [one] = judge(
        summary(auroc=figure(1.0, None, None, 226, 80, status="small"), fnr=many, fpr=many),
        [parse_rule("auroc>=0.5", audit)],
    )
    assert one.reason.startswith("no interval from 226 images")


ODD: tuple[str, ...] = (
    "<b>x</b>",
    "[x](http://a.b)",
    "![x](y)",
    "`",
    "``a`",
    "a|b",
    "a\nb",
    "a\x00b",
    "\x1b[31m",
    "\ufffe",
    "\udcff",
    "&lt;",
    "]]>",
)


@pytest.mark.parametrize("name", ODD)
def test_junit_and_markdown_hold_any_name(audit, name):
    rule = replace(parse_rule("error<=0.2", audit), text=f"{name}.error<=0.2", attribute=name)
    [one] = judge(summary(error=figure(0.9, 0.8, 1.0)), [parse_rule("error<=0.2", audit)])
    judged = [replace(one, rule=rule, attribute=name, reason=f"because of {name}")]
    xml = junit(judged, name).encode("utf-8")
    case = ET.fromstring(xml).find("testsuite/testcase")
    assert case.get("name").endswith("error<=0.2")
    text = markdown(judged, name, open_=False)
    assert len(text.splitlines()) == 7
    row = text.splitlines()[6]
    assert len(re.findall(r"(?<!\\)\|", row)) == 9  # the eight cells of the head
    outside = re.sub(r"(`+).*?(?<!`)\1(?!`)", "", row).replace("[0.80, 1.00]", "")  # what is no code
    assert not re.search(r"<[A-Za-z/!?]", outside)
    assert not re.search(r"(?<!\\)[\[`]", outside)


@pytest.mark.parametrize("name", ["<b>n&o</b>", "k=3", "a<=b", "under <3, over >60!", "x.y@z"])
def test_a_rule_names_an_output_whatever_its_name(name):
    named = SimpleNamespace(attributes=(name, "Bald"), methods=("grad_cam",), masks=())
    rule = parse_rule(f"{name}.fnr <= 0.25", named)
    assert (rule.attribute, rule.measure, rule.sign, rule.bound) == (name, "fnr", "<=", 0.25)


@pytest.mark.parametrize("name", ["Age<30", "c=d", "x>=1", "a<b.gain", "so!far"])
def test_names_with_signs_are_read_as_attribute_and_as_column(name):
    audit = SimpleNamespace(attributes=("Smiling", name), methods=("grad_cam",), masks=())
    for text, measure, group in (
        ("minority_error<=0.2", "minority_error", "all"),
        ("gain@predicted:majority >= .1", "gain", "predicted:majority"),
    ):
        rule = parse_rule(f"{name}.{text}", audit)
        assert (rule.attribute, rule.measure, rule.group) == (name, measure, group)
    for column in (name, f"{name}*sex"):
        rule = parse_rule(f"Smiling.equalised_odds_difference@{column}<=0.1", audit)
        assert (rule.attribute, rule.group, rule.sign, rule.bound) == ("Smiling", column, "<=", 0.1)
    with pytest.raises(InputError, match="is no rule"):
        parse_rule(f"{name}<=0.1" if "<" in name else "Smiling<gain<=0.1", audit)
