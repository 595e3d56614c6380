"""A disk that fills, whatever was being written: one line, no half file, and the same bytes once there is room."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from tests.full_disk import full_disk
from tests.report.conftest import finished_audit
from tests.studies.zoom import planted
from tests.train.conftest import spots, values

__all__ = ["spots"]
FACTORY = ("--factory", "tests.studies.zoom.planted:network")


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits")
    few = {"images": 24, "attributes": ("Smiling", "Bald", "Young"), "prevalence": (0.5, 0.3, 0.6)}
    return [finished_audit(folder / name, seed=seed, **few) for seed, name in enumerate("ab")]


COMMANDS = {
    "compare": ["compare", "a", "b", "--out", "new"],
    "gate": ["gate", "a", "--rule", "error<=0.5", "--rule", "gain>=0.1", "--junit", "new/junit.xml"],
    "summarise": ["summarise", "a"],
    "report": ["report", "a", "--out", "new/report.html"],
    "sheet": ["scenes", "sheet", "--out", "new/sheet.png", "--count", "2"],
    "describe": ["data", "describe", "table.csv", "--save", "--out", "new"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_a_line_and_leaves_no_half_file(command, audits, tmp_path, name):
    for audit in audits:
        shutil.copytree(audit, tmp_path / audit.name)
    (tmp_path / "table.csv").write_text("image," + ",".join(f"a{i}" for i in range(90)) + "\n" + "x.png" + ",1" * 90)
    words = [
        str(tmp_path / word) if word in ("a", "b", "new", "table.csv") or "/" in word else word
        for word in COMMANDS[name]
    ]
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with full_disk(200):
        outcome = command(*words)
    assert outcome.code == 2, outcome
    *_, last = outcome.err.splitlines()
    assert last.startswith("bincam: ")
    assert "File too large" in last, last
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert {file: after.get(file) for file in before} == before
    assert all(file.stat().st_size <= 200 and not file.name.startswith(".") for file in after.keys() - before.keys())


def content(folder):
    """The bytes of every file of a folder by its path, those that are being written too."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refused(outcome):
    """Whether a command told of a full disk as it has to: on one line, the last, with exit code 2."""
    *_, last = outcome.err.splitlines()
    return outcome.code == 2 and last.startswith("bincam: ") and "File too large" in last and len(last) < 400


@pytest.fixture(scope="module")
def planted_audit(tmp_path_factory):
    """The planted model's audit, a plan of views, and the settings of a small training."""
    folder = tmp_path_factory.mktemp("planted")
    planted.audited(folder, count=12)
    (folder / "plan.yaml").write_text(json.dumps([list(view) for view in planted.PLAN]))
    return folder


def zoom(folder, out):
    own = ["--model", folder / "model", *FACTORY, "--data", folder / "pictures", "--out", out]
    return ["zoom", *own, "--plan", folder / "plan.yaml"]


def audit(folder, out):
    own = ["--model", folder / "model", *FACTORY, "--data", folder / "pictures", "--out", out]
    return ["audit", *own, "--gate-images", "0", "--sample", "2", "--grid", "--workers", "0"]


LONG = {
    "audit": audit,
    "zoom": zoom,
    "test-time": lambda folder, out: [*zoom(folder, out), "--test-time", "flip"],
    "sets": lambda folder, out: ["sets", folder / "audit", "--out", out],
}
"""Commands that can be resumed, by what the words are with a folder of inputs and one of outputs."""


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_study_that_a_full_disk_ended_is_resumed_to_the_same_bytes(command, planted_audit, tmp_path, name):
    words = LONG[name]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert command(*words(planted_audit, whole)).code == 0
    expected = content(whole)
    sizes = sorted({len(data) for data in expected.values()})
    for limit in (size - 1 for size in (sizes[0], sizes[len(sizes) // 2], sizes[-1])):  # at once, on the way, late
        with full_disk(limit):
            outcome = command(*words(planted_audit, out))
        assert refused(outcome), outcome
        there = content(out) if out.exists() else {}
        assert not [file for file in there if "/." in f"/{file}"], there.keys()
        assert {file: data for file, data in there.items() if file in expected and data != expected[file]} == {}
        resumed = command(*words(planted_audit, out), "--resume")
        assert resumed.code == 0, resumed.err
        assert content(out) == expected
        shutil.rmtree(out)


@pytest.mark.slow
def test_a_training_that_a_full_disk_ended_is_resumed_to_the_same_weights(command, spots, tmp_path):
    def train(name, *words):
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(values(spots, tmp_path / name, epochs=2, tensorboard=False)))
        return command("train", file, *words)

    assert train("whole").code == 0
    sizes = sorted({len(data) for data in content(tmp_path / "whole").values()})
    for number, limit in enumerate((sizes[0] - 1, sizes[len(sizes) // 2] - 1, sizes[-1] - 1)):
        with full_disk(limit):
            outcome = train(f"run{number}")
        assert outcome.code == 2, outcome
        last = outcome.err.splitlines()[-1]
        assert last.startswith("bincam: "), outcome.err
        assert "File too large" in last or "cannot be written" in last, last
        resumed = train(f"run{number}", "--resume")
        assert resumed.code == 0, resumed.err
        done = content(tmp_path / f"run{number}")
        for file in ("weights.safetensors", "card.json"):
            assert done[file] == content(tmp_path / "whole")[file]
