"""``bincam audit`` as a user runs it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bincam.audit import open_audit
from bincam.data import AttributeTable, write_celeba

ROOT = Path(__file__).parents[2]
NAMES = ("Smiling", "Eyeglasses", "Young")  # the model's third is Bald


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    random = np.random.default_rng(0)
    count = 18
    table = AttributeTable(
        names=NAMES,
        labels=random.integers(0, 2, (count, len(NAMES))).astype(np.float32),
        ids=tuple(f"{row}.png" for row in range(count)),
        root=Path(),
        splits=np.array(["validation", "test", "test"] * 6),
        landmarks=np.array([[30, 40], [55, 40], [42, 55], [33, 70], [52, 70]], np.float32)[None].repeat(count, 0),
    )
    root = tmp_path_factory.mktemp("data") / "faces"
    write_celeba(table, random.integers(0, 256, (count, 110, 90, 3)).astype(np.uint8), root)
    return root


@pytest.fixture
def audit(command, model_folder, data, tmp_path):
    def run(*words, out=tmp_path / "out"):
        fixed = ["--model", model_folder, "--data", data, "--out", out, "--batch-size", "4", "--workers", "0"]
        return command("audit", *fixed, "--gate-images", "0", *words)

    return run


def test_an_audit_is_written_and_told(audit, tmp_path):
    said = audit()
    assert said.code == 0
    assert said.out.startswith("12 images, 2 attributes, grad_cam: ")
    assert "no labels of them: Bald" in said.err
    assert "no output for them: Young" in said.err
    assert "regions: face regions" in said.err
    done = open_audit(tmp_path / "out")
    assert done.attributes == ("Smiling", "Eyeglasses")
    assert len(done.records()) == 24


def test_stated_rates_are_checked_before_the_pass_and_kept(audit, tmp_path):
    assert "expected a number between 0 and 1" in audit("--specificity", "1").mistake
    assert "'Young' is not audited" in audit("--prevalence", "Young=0.1").mistake
    assert "cannot slice by 'sex'" in audit("--slice-by", "Smiling*sex").mistake
    assert not (tmp_path / "out").exists()
    words = ["--specificity", "0.8", "--sensitivity", "", "--prevalence", "0.1", "--slice-by", "Smiling*Eyeglasses"]
    assert audit(*words).code == 0
    done = open_audit(tmp_path / "out")
    assert (done.manifest.specificity, done.manifest.sensitivity) == ((0.8,), ())
    assert done.manifest.prevalence == {"Smiling": (0.1,), "Eyeglasses": (0.1,)}
    entries = done.summary["attributes"]["Smiling"]["stated"]
    assert [entry["stated"] for entry in entries] == [0.8, "audited", "audited", 0.1, 0.1]
    assert done.summary["slices"] == []  # an intersection of the only two attributes divides neither


def test_notes_are_lines_of_stderr_each_told_once(audit):
    lines = audit().err.splitlines()
    notes = [line for line in lines if "no labels of them: Bald" in line or "regions: face regions" in line]
    assert notes == [
        "bincam: not audited, because the data has no labels of them: Bald",
        next(line for line in lines if line.startswith("bincam: regions: face regions")),
    ]
    assert not [line for line in lines if "BincamWarning" in line]


def test_json_goes_to_stdout_alone(audit, tmp_path):
    said = audit("--json", "--attributes", "Smiling")
    assert json.loads(said.out) == json.loads((tmp_path / "out" / "summary.json").read_text())


def test_wrong_labels_are_stated_once_and_listed(audit, tmp_path):
    said = audit("--label-noise", "Smiling=0.1:0.05", "--label-noise", "Eyeglasses=0.02", "--regions", "none")
    assert said.code == 0, said.err
    done = open_audit(tmp_path / "out")
    assert done.manifest.label_noise == {"Smiling": (0.1, 0.05), "Eyeglasses": (0.02, 0.02)}
    entry = done.summary["attributes"]["Smiling"]
    assert entry["label_noise"]["positives"] == 0.1
    assert "fnr_noise_corrected" in entry["rates"]
    rows = list(csv.DictReader((tmp_path / "out" / "relabel.csv").read_text(encoding="utf-8").splitlines()))
    wrong = {name: entry["counts"]["FP"] + entry["counts"]["FN"] for name, entry in done.summary["attributes"].items()}
    assert {name: sum(row["attribute"] == name for row in rows) for name in wrong} == wrong


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("Smiling", "expected NAME=SHARE"),
        ("Smiling=many", "expected a finite number"),
        ("Smiling=0.1:0.1:0.1", "expected NAME=SHARE"),
        ("Smiling=0.6", "say nothing about the truth"),
        ("Smilling=0.1", "did you mean 'Smiling'"),
    ],
)
def test_impossible_label_noise_is_refused_in_a_line(audit, tmp_path, typed, message):
    said = audit("--label-noise", typed)
    assert said.code == 2
    assert message in said.err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_what_is_chosen_is_done(audit, tmp_path):
    said = audit(
        *("--method", "hirescam,cam", "--side", "positive", "--regions", "none", "--split", "all", "--limit", "6"),
        *("--threshold-prob", "Smiling=0.9", "--reference-split", "none", "--sample", "2"),
    )
    assert said.code == 0, said.err
    done = open_audit(tmp_path / "out")
    assert done.methods == ("hirescam", "cam")
    assert done.manifest.thresholds["Smiling"] == pytest.approx(np.log(9))
    assert done.manifest.data.images == 6
    assert done.manifest.regions is None
    assert done.manifest.references == {}
    records = done.records()
    assert (records["side"] == 1).all()
    assert records["hirescam.energy"].isna().all()
    assert (
        json.loads((tmp_path / "out" / "sample.json").read_text())["methods"]["cam"]["road"]["Smiling"]["images"] == 2
    )


def test_a_finished_audit_is_not_overwritten_and_resumes_to_itself(audit):
    assert audit().code == 0
    assert "already contains an audit; resume it with --resume" in audit().mistake
    assert audit("--resume").code == 0
    assert "begun with different side" in audit("--resume", "--side", "negative").err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--attributes", "Smilling"], "'Smilling' cannot be audited"),
        (["--method", "grad_camm"], "did you mean 'grad_cam'"),
        (["--method", "eigen_cam"], "eigen_cam"),
        (["--side", "both"], "unknown side 'both'"),
        (["--split", "train"], "no images in split 'train'"),
        (["--groups", "sex"], "no group column 'sex'"),
        (["--slice-by", "Smilin"], "cannot slice by 'Smilin'; did you mean 'Smiling'"),
        (["--regions", "nowhere.yaml"], "nowhere.yaml"),
        (["--object-masks", "nowhere"], "nowhere: no such folder"),
        (["--threshold-logit", "Smile=1"], "did you mean 'Smiling'"),
        (["--precision", "fp8"], "fp32 or bf16"),
    ],
)
def test_mistakes_are_told_in_a_line(audit, tmp_path, words, told):
    said = audit(*words)
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_unreadable_images_are_counted_where_that_is_asked_for(audit, data, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(data, broken)
    (broken / "img_align_celeba" / "4.png").write_bytes(b"no image")
    assert "4.png: not an image" in audit("--data", broken).err
    said = audit("--data", broken, "--on-error", "skip", "--resume")
    assert said.out.startswith("11 images")
    assert "could not be read and were left out: 1; first: " in said.err


@pytest.mark.slow
def test_interrupted_it_says_how_to_go_on(model_folder, data, tmp_path):
    out = tmp_path / "out"
    words = ["audit", "--model", model_folder, "--data", data, "--out", out, "--batch-size", "1", "--workers", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    slow = ["--method", "score_cam", "--sample", "12"]  # enough of it to be caught
    command = [sys.executable, "-m", "bincam", *map(str, words), *slow]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        until = time.monotonic() + 60
        while not (out / "manifest.json").exists() and time.monotonic() < until:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "interrupted; the same command with --resume resumes" in err
    assert "Traceback" not in err
