"""The experiment on counterfactual truth: planted models are scored, finished ones are kept, and tables quote files."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from bincam.files import write_json
from experiments.scenes.over_seeds import OPEN, number
from experiments.truth.counterfactual import run, tables, training
from tests.studies.counterfactual.conftest import planted, write

METHODS = ("grad_cam", "grad_cam_pp", "occlusion", "brightness")
PARTS = {"maps": METHODS, "rise": ("grad_cam", "rise")}


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tables, "ROWS", (*METHODS, "rise"))
    (tmp_path / "pairs").mkdir()
    table = write(tmp_path / "pairs")
    for seed, part in ((0, "maps"), (1, "maps"), (1, "rise")):
        name = run.name(seed, "balanced", part)
        truth = run.scored(planted(), table, tmp_path / name, PARTS[part], 5, ["Red"])
        content = {"kind": run.KIND, "schema": run.SCHEMA, "seed": seed, "arm": "balanced", "truth": truth}
        write_json(tmp_path / "jobs" / f"{name}.json", content)
    return tmp_path / "jobs"


def test_tables_say_what_the_files_say_and_what_is_not_run(jobs: Path) -> None:
    found = tables.collected(jobs)
    assert [len(found[arm]) for arm in run.ARMS] == [0, 2]
    text = tables.document(found)
    planted_row, unitless, occlusion, _, rise = (
        next(line for line in text.splitlines() if line.startswith(f"| `{name}`") and OPEN not in line)
        for name in (*METHODS, "rise")
    )
    assert planted_row.startswith("| `grad_cam` | 1.00 | 1.00")
    assert unitless.startswith("| `grad_cam_pp` | – | – | –")
    scores = found["balanced"][0]["truth"]["methods"]["occlusion"]["all"]["figures"]
    assert f"| {number(scores['auroc']['value'])} |" in occlusion
    further = run.finished(jobs, 1, "balanced", "rise")
    assert further is not None
    of_rise = further["truth"]["methods"]["rise"]["all"]["figures"]["auroc"]["value"]  # of one seed alone
    assert f"| {number(of_rise)} |" in rise
    assert OPEN in text.split("## Balanced")[0]
    assert "| Red | 24 |" in text


def test_only_finished_models_are_taken(jobs: Path) -> None:
    found = run.finished(jobs, 0, "balanced", "maps")
    assert found is not None
    assert run.finished(jobs, 0, "balanced", "rise") is run.finished(jobs, 0, "unbalanced", "maps") is None
    assert tuple(found["truth"]["methods"]["grad_cam"]["attributes"]["Red"]["figures"]) == run.PER_ATTRIBUTE


def test_the_edited_attributes_are_trained_on() -> None:
    text = (training.HERE / "pair.yaml").read_text()
    assert all(f"    - {name}\n" in text for name in run.ATTRIBUTES)
    assert run.PAIRS_SEED != training.FACES_SEED


def test_examples_of_the_tables() -> None:
    assert all(doctest.testmod(module).failed == 0 for module in (run, tables))
