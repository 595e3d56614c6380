import json
import shutil
from dataclasses import replace

import pytest

import bincam.models
from bincam.audit.pipeline.runner import run
from bincam.models import AttributeClassifier
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import Eye
from tests.audit.planted_sets import audit_settings, card, reader, write_pictures
from tests.audit.synthetic import ATTRIBUTES, make_audit
from tests.cli.conftest import tiny


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    root = tmp_path_factory.mktemp("audits")
    return [
        make_audit(root / name, images=120, seed=n, prior=p) for n, (name, p) in enumerate({"a": 0.8, "b": 0.1}.items())
    ]


def test_a_contrast_is_told_and_written(command, audits, tmp_path):
    outcome = command("compare", *audits, "--out", tmp_path / "out", "--published", "--resamples", 100)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("Main findings:")  # these audits have no summary, so no verdict
    assert not any(f"{name}. " in outcome.out for name in ATTRIBUTES)
    assert "Figures of the paper: " in outcome.out
    assert "no threshold tuned on validation is known" in outcome.err
    assert (tmp_path / "out" / "maps" / "difference.safetensors").is_file()


@pytest.mark.slow  # two summaries and two contrasts
def test_long_prints_the_paragraphs_and_audits_with_summaries_a_verdict(command, audits, tmp_path):
    outcome = command("compare", *audits, "--out", tmp_path / "out", "--long")
    assert all(f"{name}. " in outcome.out for name in ATTRIBUTES)
    for folder in audits:
        shutil.copytree(folder, tmp_path / folder.name)
        assert command("summarise", tmp_path / folder.name).code == 0
    told = command("compare", *(tmp_path / folder.name for folder in audits), "--out", tmp_path / "told").out
    assert told.startswith("In plain words:\n- ")
    assert "Do not rely on the maps yet" in told


def test_json_is_what_the_file_holds(command, audits, tmp_path):
    outcome = command(
        "compare", *audits, "--out", tmp_path / "out", "--moved", "Bald=-1.5", "--resamples", 100, "--json"
    )
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out) == json.loads((tmp_path / "out" / "contrast.json").read_text())
    assert json.loads(outcome.out)["moved"]["thresholds"] == {"Bald": -1.5}


def test_thresholds_of_a_model_are_taken_for_audited_attributes(command, audits, tmp_path):
    bincam.models.save(tiny(["Bald", "Chubby"]), tmp_path / "model")
    card = tmp_path / "model" / "card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"tuned_thresholds": {"Bald": -1.0, "Chubby": 2.0}}))
    outcome = command(
        "compare", *audits, "--out", tmp_path / "out", "--moved", tmp_path / "model", "--resamples", 100, "--json"
    )
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["moved"]["thresholds"] == {"Bald": -1.0}


def test_mistakes_are_told_in_one_line(command, audits, tmp_path):
    other = make_audit(tmp_path / "other", images=100)
    out = ("--out", tmp_path / "out")
    assert "not the same images: 20 only in" in command("compare", audits[0], other, *out).mistake
    assert "no such folder" in command("compare", audits[0], tmp_path / "none", *out).mistake
    assert "did you mean 'Bald'" in command("compare", *audits, *out, "--moved", "Balt=1").mistake
    assert "expected a model folder, or NAME=LOGIT" in command("compare", *audits, *out, "--moved", "Bald").mistake
    assert "expected a finite number" in command("compare", *audits, *out, "--moved", "Bald=x").mistake
    assert (
        "'Bald' is given twice" in command("compare", *audits, *out, "--moved", "Bald=1", "--moved", "Bald=2").mistake
    )
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in command("compare", *audits, "--out", tmp_path / "file").mistake
    assert not (tmp_path / "out").exists()


@NOTES_ALLOWED
def test_sets_that_are_not_compared_are_named_with_the_reason(command, tmp_path):
    table, settings = write_pictures(tmp_path / "pictures"), audit_settings(batch_size=20, shard_images=40)
    settings = settings.replace(attributes=["colour"])
    run(reader("green"), table, tmp_path / "first", settings)
    weight = [[400.0 * (k == channel) for channel in range(3)] for k in range(3)]
    single = AttributeClassifier(Eye([*weight, [400.0] * 3], [-8, -8, -80, -12]), card({})).eval()
    run(single, replace(table, one_of={}), tmp_path / "second", settings.replace(attributes=None))
    outcome = command("compare", tmp_path / "first", tmp_path / "second", "--out", tmp_path / "out", "--long")
    assert outcome.code == 0, outcome.err
    reason = "model second states its outputs as yes-or-no attributes"
    assert f"note: set 'colour' of model first is not compared: {reason}" in outcome.err
    assert "note: 3 outputs that both models have but state differently" in outcome.err
    assert "only in the second audit: Bright" in outcome.err
    assert "no threshold tuned" not in outcome.err  # there is no attribute that would have one
    assert "red. The miss rate is 0" in outcome.out
    assert "answers on sets differ between the models: 1 of 3 tests significant" in outcome.out
    assert "0 of 0" not in outcome.out
