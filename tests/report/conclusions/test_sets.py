"""The verdict on sets of outputs and the actions on their outputs: on figures by hand, and on planted audits."""

from dataclasses import replace

import pytest

from bincam.audit.pipeline.runner import run
from bincam.audit.summary.summarize import summarise
from bincam.compare.contrast import compare
from bincam.report.conclusions import reading
from bincam.report.conclusions.actions import action
from bincam.report.conclusions.facts import Pair
from bincam.report.conclusions.reading import conclude
from bincam.report.conclusions.sets.facts import SetFacts
from bincam.report.conclusions.sets.verdict import set_verdict
from bincam.report.html.page import build, open_source, render
from bincam.stats.estimate import estimate, undefined
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import audit_settings, reader, write_pictures

pytestmark = NOTES_ALLOWED


def rate(value, low, high, images=300, people=100):
    return estimate(value, low, high, images, people, "wilson, design effect")


NONE = Pair(undefined(""), undefined(""))
GOOD, BAD, RIGHT = rate(0.06, 0.04, 0.09), rate(0.5, 0.4, 0.6), rate(0.9, 0.87, 0.93)


def told(accuracy=RIGHT, errors=NONE, **further):
    facts = SetFacts("hair", 3, ("the model",), (accuracy,), (errors,), **further)
    return {one.rule: one for one in set_verdict(facts)}


def compared(change, accuracy_change, **further):
    accuracy = rate(0.9, 0.87, 0.93), rate(0.6, 0.55, 0.65)
    facts = SetFacts(
        "hair", 3, ("model a", "model b"), accuracy, (Pair(GOOD, GOOD), Pair(BAD, GOOD)),
        change=change, accuracy_change=accuracy_change, **further,
    )  # fmt: skip
    return {one.rule: one for one in set_verdict(facts)}


def test_one_model_is_told_by_accuracy_rarer_outputs_and_the_one_that_is_missed_most():
    found = told(errors=Pair(BAD, GOOD), missed=(("red", BAD, "taken for blond in 9 of 20 images"), ("grey", BAD, "")))
    assert found["answers"].text == (
        "Of hair, the model names the true one of 3 in 90 of 100 cases; it misses the rarer ones in 50 of 100 cases, "
        "and the others in 6 of 100. It serves the rarer ones worse."
    )
    assert found["answers"].tone == "bad"
    assert found["most missed"].text == (
        "Red is missed in 50 of 100 cases, taken for blond in 9 of 20 images; more often than tolerated also grey."
    )
    assert "nothing found" not in found


def test_nothing_is_claimed_where_nothing_is_found_and_of_too_few_people():
    even = told(errors=Pair(GOOD, GOOD))
    assert list(even) == ["answers", "nothing found"]
    assert "worse" not in even["answers"].text
    assert list(told()) == ["answers", "nothing found"]  # no output is rarer than the others
    small = told(accuracy=rate(0.9, 0.5, 1.0, 8, 3))
    assert list(small) == ["too few people"]
    named = told(errors=Pair(GOOD, GOOD), left_out=("red", "grey"))
    assert named["too few people"].text.startswith(
        "Too few images or people are labelled red and grey to say how often"
    )


def test_two_models_are_told_apart_by_whole_intervals_alone():
    harm = compared(Pair(rate(-0.44, -0.5, -0.4), rate(0.0, -0.02, 0.02)), rate(0.3, 0.25, 0.35))
    assert harm["harm"].text == (
        "Of hair, model b names the true one of 3 in 60 of 100 cases instead of 90 and misses the rarer ones in 50 of "
        "100 cases instead of 6, and no gain is shown for it."
    )
    traded = compared(Pair(rate(-0.44, -0.5, -0.4), rate(0.0, -0.02, 0.02)), rate(-0.3, -0.35, -0.25))
    assert ", but misses the rarer ones in 50 of 100 cases instead of 6." in traded["trade-off"].text
    assert list(compared(NONE, rate(-0.3, -0.35, -0.25))) == ["better"]
    touching = Pair(rate(-0.44, -0.9, 0.0), rate(0.0, -0.02, 0.02))
    assert list(compared(touching, rate(0.3, -0.01, 0.6))) == ["no difference"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Audits of sets alone, of about 40 images of each colour: one that takes green for red, and one that is right."""
    folder = tmp_path_factory.mktemp("sets")
    table = write_pictures(folder / "pictures", 180)
    settings = audit_settings(batch_size=32, shard_images=128).replace(attributes=["colour"])
    return {name: run(reader(fault), table, folder / name, settings) for name, fault in (("a", "green"), ("b", None))}


def test_the_page_of_a_planted_set_alone_begins_with_its_verdict_and_actions(planted, tmp_path):
    source = open_source(planted["a"].folder)
    found = conclude(source.arms)
    rules = {one.rule: one.text for one in found.verdict}
    assert list(rules) == ["answers", "most missed", "maps undecided"]
    assert rules["most missed"] == "Green is missed in 100 of 100 cases, taken for red in 38 of 38 images."
    kinds = {one.attribute: one.kind for one in found.actions}
    assert kinds == {"green": "retrain", "red": "retrain", "blue": "fine"}  # half of the others are taken for red
    assert found.actions[0].attribute == "green"
    assert ", taken for red in 38 of 38 images; about " in found.actions[0].advice
    page = build(source, tmp_path / "page.html")
    html = render(page)
    assert '<h3 id="actions-head">What to do, per output</h3>' in html
    assert f'<small>colour</small> <a href="#{page.sets[0].anchor}">green</a>' in html
    twin = conclude(open_source(planted["b"].folder).arms)
    assert [one.rule for one in twin.verdict] == ["answers", "nothing found", "maps undecided"]
    assert {one.kind for one in twin.actions} == {"fine"}


def test_the_contrast_of_planted_sets_takes_the_model_without_the_fault(planted, tmp_path):
    document = compare(planted["a"], planted["b"], tmp_path / "c")
    assert document["sets"]["colour"]["by_output"]["green"]["differences"]["fnr"]["value"] == 1.0
    source = open_source(tmp_path / "c")
    found = conclude(source.arms, source.contrast)
    better = found.verdict[0]
    assert better.rule == "better"
    assert better.text.startswith("Of colour, model b names the true one of 3 in 100 of 100 cases instead of ")
    assert {one.attribute: one.take for one in found.choices} == {"green": "second", "red": "second", "blue": "either"}
    html = render(build(source, tmp_path / "page.html"))
    assert "take b" in html


def test_of_a_large_set_the_page_lists_what_comes_first(planted, monkeypatch):
    monkeypatch.setattr(reading, "MOST_ROWS", 1)
    found = conclude(open_source(planted["a"].folder).arms)
    assert [one.attribute for one in found.rows] == ["green"]
    assert found.unlisted == {"colour": 2}
    assert len(found.to_json()["actions"]) == 3
    assert sum(count for _, count in found.counts) == 3


def test_an_output_without_images_is_too_few_to_say(planted):
    first, *_ = reading.output_facts(open_source(planted["a"].folder).arms[0], "colour")
    nobody = replace(first, errors=Pair(undefined("wilson"), first.errors.majority))
    assert action(nobody, 0.9).kind == "few"
    assert summarise(planted["a"])["sets"]["colour"]["outputs"]["green"]["images"] == 38
