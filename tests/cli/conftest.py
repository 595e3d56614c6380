"""Running commands as a user does: real exit codes, both streams."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

import bincam.models
from bincam.cli import main


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def mistake(self) -> str:
        """The one line that a user's mistake is told in."""
        assert self.code == 2, self
        assert self.err.startswith("bincam: ")
        assert self.err.count("\n") == 1, self.err
        return self.err


@pytest.fixture(name="command")
def typed_command(capsys, monkeypatch):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["bincam", *map(str, words)])
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        captured = capsys.readouterr()
        return Outcome(leaving.value.code or 0, captured.out, captured.err)

    return run


def tiny(names):
    torch.manual_seed(0)
    return bincam.models.build(
        "resnet10t", names, input_size=(64, 96), mean=(0.5,) * 3, std=(0.25,) * 3, channels=[8, 8, 8, 8], stem_width=8
    )


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    bincam.models.save(tiny(["Smiling", "Eyeglasses", "Bald"]), folder)
    return folder


@pytest.fixture
def pictures(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, size in enumerate([(64, 96), (120, 80), (33, 200)]):
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder
