"""``bincam sets``, and what uses its study: the gate and the sets of a photograph."""

import json
import shutil

import numpy as np
import pytest
import torch

import bincam
from bincam.inference import predict, view_plan
from bincam.models import open_image
from bincam.provenance import model_digest
from tests.cli.conftest import tiny
from tests.folders import restate_summary
from tests.studies.sets.made import drawn_heads, drawn_set, write_made

NAMES = ("Smiling", "Eyeglasses", "Bald")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An audit that states the model of ``model_folder``, with made scores."""
    folder = tmp_path_factory.mktemp("made") / "audit"
    digest = model_digest(tiny(list(NAMES)))
    return write_made(folder, names=NAMES, digest=digest, thresholds={"Bald": 0.25},
                      **drawn_heads(1500, [0.5, 0.3, 0.1])).folder  # fmt: skip


@pytest.fixture(scope="module")
def study(made):
    from bincam.audit import open_audit
    from bincam.studies.sets.study import run_sets

    return run_sets(open_audit(made)).folder


def test_the_table_and_the_json(command, made, study):
    shown = command("sets", made, "--resume")
    assert shown.code == 0, shown.err
    assert "judged on 750 images of 750 people" in shown.out
    assert "class_conditional" in shown.out
    assert "All 3 attributes at once" in shown.out
    document = json.loads(command("sets", made, "--resume", "--json").out)
    assert document["subjects"]["Bald"]["rules"]["lac"]["coverage"]["images"] == 750
    assert str(study) in shown.out


def test_a_folder_calibrates(command, made, tmp_path):
    from bincam.audit import open_audit

    digest = open_audit(made).manifest.model.digest
    other = write_made(tmp_path / "validation", names=NAMES, digest=digest, split="validation", start=5000,
                       **drawn_heads(400, [0.5, 0.3, 0.1], seed=5))  # fmt: skip
    outcome = command("sets", made, "--calibrate", other.folder, "--k", "1.5", "--method", "average_k",
                      "--out", tmp_path / "sets", "--json")  # fmt: skip
    summary = json.loads(outcome.out)
    assert summary["judged"]["images"] == 1500
    assert summary["primary"] == "average_k=1.5"
    assert (tmp_path / "sets" / "per_image" / "average_k=1.5.parquet").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--calibrate", "nowhere"], "no such folder, and no share of the people"),
        (["--calibrate", "1.5"], "expected a share of the people above 0 and below 1"),
        (["--calibrate", "nan"], "expected a share of the people above 0 and below 1"),
        (["--k", "0.5"], "a mean size of 0.5; expected at least 1"),
        (["--k", "4"], "a mean size of 4, but an image can have 3 labels at most"),
        (["--k", "nan"], "expected a finite number"),
        (["--k", "1,,2"], "expected a finite number"),
        (["--k", "1.5,1.5"], "given twice"),
        (["--alpha", "0"], "alpha = 0"),
        (["--alpha", "1"], "alpha = 1"),
        (["--alpha", "nan"], "alpha = nan"),
        (["--alpha", "0.00001", "--method", "lac"], "images to calibrate on; a coverage of 0.99999 needs"),
        (["--method", "lca"], "unknown method 'lca'; did you mean 'lac'"),
        (["--method", "aps"], "no method of sets suits this audit"),
        (["--raps", "0.01"], "expected PENALTY,FREE"),
        (["--raps", "0.01,²"], "expected PENALTY,FREE"),
        (["--raps", "0.01," + "9" * 5000], "expected PENALTY,FREE"),
        (["--ties", "all"], "expected whole or random"),
    ],
)
def test_a_mistake_is_told_in_a_line(command, made, tmp_path, words, message):
    outcome = command("sets", made, "--out", tmp_path / "sets", *words)
    *_, line = outcome.err.splitlines()  # a bar may precede it
    assert outcome.code == 2
    assert line.startswith("bincam: ")
    assert message in line
    assert outcome.out == ""


def test_a_calibration_of_other_classes_is_told_in_a_line(command, tmp_path):
    one = write_made(tmp_path / "one", outputs=("cat", "dog"), **drawn_set(60, [0.5, 0.5]))
    other = write_made(tmp_path / "other", outputs=("cat", "fox"), split="validation", start=90,
                       **drawn_set(60, [0.5, 0.5], seed=3))  # fmt: skip
    assert "lacks 'dog' of 'pet'" in command("sets", one.folder, "--calibrate", other.folder).mistake


def test_the_gate_rules_on_the_study(command, made, study):
    from bincam.audit import open_audit
    from bincam.audit.folder.writer import AuditWriter
    from bincam.audit.summary.summarize import summarise

    opened = open_audit(made)
    AuditWriter(made, opened.manifest).write_summary(summarise(opened, resamples=50))
    rule = "Bald.minority_coverage>=0.8"
    closed = command("gate", made, "--rule", rule)
    assert closed.code == 1
    assert "**fail**" in closed.out
    fair = command("gate", made, "--rule", "Bald.minority_coverage@class_conditional>=0.8")
    assert fair.code == 0, fair.out
    study.rename(study.with_name("elsewhere"))
    try:
        without = command("gate", made, "--rule", rule, "--json")
    finally:
        study.with_name("elsewhere").rename(study)
    assert without.code == 1
    (check,) = json.loads(without.out)["checks"]
    assert check["verdict"] == "insufficient"
    assert "'bincam sets AUDIT --calibrate half' makes one" in check["reason"]


def test_explain_prints_the_set_of_a_photograph(command, made, study, model_folder, pictures, tmp_path):
    said = command("explain", pictures, "--model", model_folder, "--sets", made, "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    threshold = json.loads((study / "summary.json").read_text())["subjects"]["Bald"]["rules"]["lac"]["fitted"]
    model = bincam.load(model_folder)
    explainer = bincam.Explainer(model, list(NAMES))
    files = sorted(pictures.iterdir())
    with torch.no_grad():
        z = model(torch.stack([explainer.preprocess(open_image(file)) for file in files])).numpy()[:, 2] - 0.25
    for image, margin in zip(document["images"], z, strict=True):
        assert image["sets"]["rule"] == "lac"
        p = {"no": 1 / (1 + np.exp(margin)), "yes": 1 / (1 + np.exp(-margin))}
        assert image["sets"]["labels"]["Bald"] == [a for a in p if p[a] >= threshold["thresholds"][0]]
    printed = command("explain", files[0], "--model", model_folder, "--sets", study, "--sets-by", "per_attribute",
                      "--out", tmp_path / "out")  # fmt: skip
    assert "sets by per_attribute: attributes: " in printed.out


def test_explain_refuses_sets_of_another_model(command, study, model_folder, pictures, tmp_path):
    about = ("explain", pictures, "--model", model_folder, "--json", "--sets")
    assert "no sets by 'lca'; did you mean 'lac'" in command(*about, study, "--sets-by", "lca").mistake
    assert "no sets study" in command(*about, tmp_path).mistake
    assert "name the study with --sets" in command(*about[:-1], "--sets-by", "lac").mistake
    other = write_made(tmp_path / "other", names=NAMES, **drawn_heads(80, [0.5, 0.3, 0.2]))
    assert command("sets", other.folder).code == 0
    assert "sets of another model (card or weights differ)" in command(*about, other.folder).mistake


def test_sets_of_views_are_of_the_mean_over_them_alone(command, study, model_folder, pictures, tmp_path):
    photo = sorted(pictures.iterdir())[0]
    about = ("explain", photo, "--model", model_folder, "--json", "--sets")
    input_size = bincam.load(model_folder).card.input_size
    size = min(input_size)
    own_crop = "sets of the scores of the model's own crop, not of the mean over 2 views; leave out --views"
    assert own_crop in command(*about, study, "--views", "2").mistake
    of_views = shutil.copytree(study, tmp_path / "of_views")
    summary = json.loads((of_views / "summary.json").read_text())
    views = [[size, 1, 1], [2 * size, 0, 2]]
    restate_summary(of_views, "sets", views=views)
    refused = command(*about, of_views).mistake
    asked = f"--views {size}:1:1,{2 * size}:0:2"
    assert refused.strip().endswith(f"not of the model's own crop; state {asked}")
    said = command(*about, of_views, *asked.split())
    assert said.code == 0, said.err
    (image,) = json.loads(said.out)["images"]
    threshold = summary["subjects"]["Bald"]["rules"]["lac"]["fitted"]["thresholds"][0]
    seen = predict(bincam.load(model_folder), [photo], view_plan([tuple(view) for view in views], input_size))
    margin = float(seen.logits[0, :, 2].mean()) - 0.25
    p = {"no": 1 / (1 + np.exp(margin)), "yes": 1 / (1 + np.exp(-margin))}
    assert image["sets"]["labels"]["Bald"] == [answer for answer in p if p[answer] >= threshold]
