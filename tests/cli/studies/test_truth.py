"""``bincam truth`` on pairs that ``bincam faces pairs`` made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from bincam.faces.counterfactuals.writer import write_pairs

    folder = tmp_path_factory.mktemp("pairs") / "faces"
    write_pairs(folder, ["Eyeglasses", "Smiling"], 2, size=(64, 80))
    return folder / "pairs.csv"


def test_figures_are_printed_and_stored(command: Any, model_folder: Path, pairs: Path, tmp_path: Path) -> None:
    words = ("truth", "--model", model_folder, "--pairs", pairs, "--out", tmp_path / "truth", "--least", "1e-6")
    outcome = command(*words)
    assert outcome.code == 0, outcome.err
    assert "4 pairs of 2 people, 2 attributes" in outcome.out
    for text in ("grad_cam", "occlusion", "brightness", "Held inside the mask", "Eyeglasses", "Smiling", "†"):
        assert text in outcome.out
    assert f"All figures: {tmp_path / 'truth' / 'summary.json'}" in outcome.out
    again = command(*words, "--resume", "--json")
    summary = json.loads(again.out)
    assert summary == json.loads((tmp_path / "truth" / "summary.json").read_text())
    assert summary["methods"]["grad_cam"]["all"]["figures"]["held"]["value"] == pytest.approx(1, abs=1e-2)
    assert again.err == ""


def test_attributes_are_chosen(command: Any, model_folder: Path, pairs: Path, tmp_path: Path) -> None:
    chosen = ("--attributes", "Smiling", "--methods", "grad_cam", "--json")
    outcome = command("truth", "--model", model_folder, "--pairs", pairs, "--out", tmp_path / "truth", *chosen)
    assert json.loads(outcome.out)["attributes"] == ["Smiling"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--methods", "grad_cam,grad_cam"), "grad_cam"),
        (("--methods", "rise"), "name a CAM method as well"),
        (("--methods", "gradcam"), "unknown method 'gradcam'"),
        (("--attributes", "Smilin"), "Smiling"),
        (("--least", "0"), "least=0"),
        (("--masks", "0"), "masks=0"),
        (("--pairs", "nowhere.csv"), "nowhere.csv: no such file"),
        (("--model", "./nowhere"), "no such folder"),
    ],
)
def test_mistakes_are_one_line(
    command: Any, model_folder: Path, pairs: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    given = {"--model": model_folder, "--pairs": pairs, "--out": tmp_path / "truth", words[0]: words[1]}
    outcome = command("truth", *(word for option in given.items() for word in option))
    assert message in outcome.mistake
    assert not (tmp_path / "truth").exists()
