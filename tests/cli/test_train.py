"""``bincam train`` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import bincam
from bincam.errors import BincamWarning
from tests.train.conftest import spots, values
from tests.train.test_sets import OPTIONS, write_colours

__all__ = ["spots"]


@pytest.fixture
def file(spots, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(values(spots, tmp_path / "run", epochs=1)))
    return path


def test_train(command, file, tmp_path):
    done = command("train", file, "--set", "epochs=2", "--set", "optimizer.lr=1e-3")
    assert done.code == 0, done
    assert "best epoch" in done.out
    assert "test, tuned thresholds: minority error" in done.out
    assert done.err.count("epoch ") == 2
    assert "images/s" in done.err
    assert "balanced error" in done.err
    stored = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (stored["epochs"], stored["optimizer"]["lr"]) == (2, 1e-3)
    assert bincam.load(tmp_path / "run").card.attributes == ("above", "below")

    assert "contains a run; resume it with --resume" in command("train", file).mistake
    with pytest.warns(BincamWarning, match="run of 2 epochs, and now epochs is 3: a cosine's learning rates"):
        again = command("train", file, "--resume", "--set", "epochs=3", "--set", "optimizer.lr=1e-3", "--json")
    assert json.loads(again.out)["epochs"] == 3


def test_pair(command, file, tmp_path):
    done = command("train", file, "--pair", "--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert told["identical"] == {"initial_weights": True, "order": True, "pixels": True}
    assert set(told["arms"]) == {"unbalanced", "balanced"}
    assert set(told["arms"]["balanced"]["test"]) == {"zero", "tuned"}
    shown = command("train", file, "--pair", "--resume")
    assert "initial weights the same, order the same, pixels the same" in shown.out
    assert (tmp_path / "run" / "pair.json").is_file()


@pytest.mark.filterwarnings("ignore:.*their labels of the set are unknown")
def test_sets_are_shown(command, tmp_path):
    table = write_colours(tmp_path / "colours")
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(values(table, tmp_path / "run", epochs=1, data__options=OPTIONS)))
    done = command("train", path, "--set", "set_loss.options.label_smoothing=0.1", "--set", "set_weights.side=0.5")
    assert done.code == 0, done
    assert "colour: accuracy" in done.err
    for split in ("validation", "test", "test, offsets"):
        assert f"  {split}, side: accuracy " in done.out
    stored = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert stored["set_loss"] == {"name": "cross_entropy", "options": {"label_smoothing": 0.1}}
    assert stored["set_weights"] == {"side": 0.5}
    resumed = command("train", path, "--set", "set_loss.options.label_smoothing=0.1", "--set", "set_weights.side=0.5",
                      "--resume", "--json")  # fmt: skip
    assert set(json.loads(resumed.out)["sets"]) == {"validation", "test", "test, offsets"}


def test_a_pair_that_is_not_alike_fails(command, file, monkeypatch):
    from bincam.train import pair

    prove = pair.prove

    def different(config, arms):
        proof = prove(config, arms)
        return {**proof, "identical": {**proof["identical"], "order": False}}

    monkeypatch.setattr(pair, "prove", different)
    done = command("train", file, "--pair")
    assert done.code == 1
    assert "order NOT the same" in done.out


def test_ctrl_c(command, file, monkeypatch):
    from bincam.train.steps.optimizer_step import Stepper

    step = Stepper.step

    def interrupted(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Stepper, "step", interrupted)
    done = command("train", file)
    assert done.code == 130
    assert done.err.splitlines()[-1].startswith("bincam: interrupted; run the same command with --resume")
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "optimzer.lr=1"], "unknown key; did you mean 'optimizer'"),
        (["--set", "epochs"], "expected key=value"),
        (["--set", "data.source=nowhere"], "nowhere: no such folder or file"),
        (["--set", "loss=moonbce"], "did you mean"),
        (["--set", "loss.options.gama=1"], "gama"),
    ],
)
def test_mistakes_are_one_line(command, file, words, message):
    assert message in command("train", file, *words).mistake


@pytest.mark.slow
def test_a_warning_is_a_line_told_once(file):
    """Of one class, in validation: every arm of a pair reads the splits."""
    table = Path(yaml.safe_load(file.read_text())["data"]["source"])
    rows = table.read_text().splitlines()
    rows = [row[:-1] + "0" if ",validation," in row else row for row in rows]
    changed = table.with_name("changed.csv")
    changed.write_text("\n".join(rows) + "\n")
    words = ["train", str(file), "--pair", "--set", f"data.source={changed}", "--set", "epochs=1"]
    done = subprocess.run([sys.executable, "-m", "bincam", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
    assert told == [
        f"bincam: warning: {changed}: split 'validation': 'below' has no positives among 45 images; its metrics are "
        "undefined there and left out of means"
    ]
