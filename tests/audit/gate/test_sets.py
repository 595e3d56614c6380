"""Rules of sets: what they are applied to, what they ask of few images, and advice that works."""

import re
import shlex

import numpy as np
import pytest

from bincam.audit import open_audit
from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.audit.pipeline.runner import run
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import (
    COLOURS,
    chosen_settings,  # noqa: F401  # a fixture
    coloured_pictures,  # noqa: F401  # a fixture
    weak_reader,
)
from tests.cli.conftest import typed_command  # noqa: F401  # a fixture

pytestmark = NOTES_ALLOWED
ROWS = ("colour: predicted", "colour: true")


@pytest.fixture(scope="module")
def audits(coloured, chosen, tmp_path_factory):
    """A set with rows for its outputs, with two rows, and with two rows alone; of blue there are few images."""
    folder = tmp_path_factory.mktemp("audits")
    blue = np.flatnonzero((coloured.labels[:, 2] == 1) & (coloured.splits == "test"))
    few = coloured.take(np.setdiff1d(np.arange(60), blue[4:]))
    changes = {"small": {}, "large": {"one_of_rows": 2}, "alone": {"one_of_rows": 2, "attributes": ["colour"]}}
    return {name: run(weak_reader(), few, folder / name, chosen.replace(**more)) for name, more in changes.items()}


def judged(audit, text):
    return {one.attribute: one for one in judge(audit.summary, [parse_rule(text, audit)], allow_untested=True)}


def test_a_measure_of_maps_without_a_name_is_also_of_the_rows_of_a_large_set(audits):
    assert set(judged(audits["small"], "empty<=0.9")) == {"Bright", *COLOURS}
    assert set(judged(audits["large"], "empty<=0.9")) == {"Bright", *ROWS}
    alone = judged(audits["alone"], "empty@predicted:positive<=0.9")
    assert set(alone) == set(ROWS)
    records = audits["alone"].records(["attribute", "outcome", "grad_cam.empty"])
    taken = records[(records["attribute"] == ROWS[1]) & records["outcome"].isin(["TP", "FP"])]
    assert alone[ROWS[1]].estimate.images == len(taken)
    assert alone[ROWS[1]].estimate.value == pytest.approx(taken["grad_cam.empty"].mean())


@pytest.mark.parametrize(
    ("audit", "rule", "message"),
    [
        ("large", "colour: predicted.fnr<=0.1", r"for the set, colour\.accuracy, or for an output, red\.fnr"),
        ("large", "colour: true.sensitivity@specificity=0.9>=0.1", "has measures of its map alone"),
        ("large", "colour: true.empty@true:minority<=0.1", "write @true:positive or :negative"),
        ("alone", "overall.empty<=0.1", "none was audited; write the rule for a set, colour"),
        ("small", "red.equalised_odds_difference@colour<=0.1", "a set is not divided by itself"),
        ("small", "red.equalised_odds_difference@green<=0.1", "a set is not divided by itself"),
        ("alone", "empty@true:minority<=0.1", "no yes-or-no attribute was audited"),
        ("alone", "ppv>=0.1", "nothing that was audited has ppv; sets have accuracy"),
        ("alone", "demographic_parity_difference@half<=0.1", "nothing that was audited is divided by 'half'"),
    ],
)  # fmt: skip
def test_what_no_summary_can_answer_is_refused_without_the_advice_to_make_another(audits, audit, rule, message):
    with pytest.raises(InputError, match=message) as refused:
        judged(audits[audit], rule)
    assert "summarise" not in str(refused.value)


@pytest.mark.parametrize("name", ["small", "large"])
def test_what_a_set_lacks_in_one_output_is_told_of_this_output(audits, name):
    audit = audits[name]
    people = audit.summary["sets"]["colour"]["outputs"]["blue"]["rates"]["fnr"]["identities"]
    fewest = f"too few images of 3 of 3 outputs, fewest of 'blue': 4 images of {people} people; at least 20 of 5 people"
    for measure in ("macro_auroc", "balanced_accuracy"):
        one = judged(audit, f"{measure}>=0.1")["colour"]
        assert (one.verdict, one.reason) == ("insufficient", f"{fewest} are needed")
    rare = judged(audit, "colour.minority_error<=0.9")["colour"]
    assert "of 2 of 2 outputs, fewest of 'blue': 4 images" in rare.reason
    assert rare.estimate.images > 4
    one = judged(audit, "blue.auroc>=0.1")["blue"]
    assert one.reason.startswith("too few images of 'blue': 4 images of ")


def test_the_advice_to_divide_by_a_further_column_keeps_the_others_and_works(coloured, chosen, tmp_path, command):
    run(weak_reader(), coloured, tmp_path / "a", chosen.replace(one_of_rows=2))
    for rule, also in (("colour", "half"), ("half*colour", "colour")):
        words = (
            "gate",
            tmp_path / "a",
            "--rule",
            f"Bright.equalised_odds_difference@{rule}<=1",
            "--allow-insufficient",
        )
        advice = shlex.split(re.search("'(bincam summarise AUDIT .*)'", command(*words).mistake)[1].replace("\\'", "'"))
        assert also in advice[-1].split(",")
        assert command(*[str(tmp_path / "a") if word == "AUDIT" else word for word in advice[1:]]).code == 0
        assert command(*words).code in (0, 1)
        assert {rule, also} <= {e["column"].replace("group.", "") for e in open_audit(tmp_path / "a").summary["slices"]}
