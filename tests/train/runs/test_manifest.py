"""What a run's manifest says of the code and the data that made it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bincam.train import fit
from bincam.train.runs import manifest as run_manifest
from bincam.train.runs.splits import read_splits
from tests.train.conftest import write_spots


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A new repository's folder, in which bincam's code lies to all appearances; nothing is committed."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # set where tests are run by a hook
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "code"
    (folder / "bincam" / "train" / "runs").mkdir(parents=True)
    for name in ("README.md", "bincam/__init__.py", "bincam/train/runs/manifest.py"):
        (folder / name).write_text("")
    git(folder, "init", "--quiet")
    monkeypatch.setattr(run_manifest, "__file__", str(folder / "bincam" / "train" / "runs" / "manifest.py"))
    return folder


def commit(folder: Path, *paths: str) -> str:
    git(folder, "add", *paths)
    git(folder, "commit", "--quiet", "--message", "some")
    return git(folder, "rev-parse", "HEAD")


def test_the_revision_is_the_commit_and_whether_the_code_differs_from_it(code):
    one = commit(code, ".")
    assert len(one) == 40
    assert run_manifest.revision() == {"commit": one, "changed": False}
    (code / "README.md").write_text("no code")
    assert run_manifest.revision() == {"commit": one, "changed": False}
    (code / "bincam" / "__init__.py").write_text("changed = True")
    assert run_manifest.revision() == {"commit": one, "changed": True}
    two = commit(code, ".")
    assert two != one
    assert run_manifest.revision() == {"commit": two, "changed": False}
    (code / "bincam" / "new.py").write_text("")
    assert run_manifest.revision() == {"commit": two, "changed": True}


def test_a_repository_that_the_code_is_no_part_of_has_not_its_revision(code):
    commit(code, "README.md")
    assert run_manifest.revision() is None


def test_without_a_repository_or_without_git_there_is_no_revision(code, monkeypatch):
    commit(code, ".")
    with monkeypatch.context() as without_git:
        without_git.setenv("PATH", str(code))
        assert run_manifest.revision() is None
    assert run_manifest.revision() is not None
    (code / ".git").rename(code / "elsewhere")
    assert run_manifest.revision() is None


CARD = {"kind": "bincam-faces", "schema": 1, "settings": {"seed": 7}}


def test_a_run_tells_of_its_code_and_of_the_card_beside_its_data(config, tmp_path, monkeypatch):
    table = write_spots(tmp_path / "spots", (16, 8, 8))
    (table.parent / "card.json").write_text(json.dumps(CARD))
    known = {"commit": "0" * 40, "changed": True}
    monkeypatch.setattr(run_manifest, "revision", lambda: known)
    result = fit(config(data__source=str(table), epochs=1, test=False))
    said = json.loads((result.folder / "manifest.json").read_text())
    assert said["git"] == known
    assert said["data"]["card"] == CARD
    assert said["data"]["source"] == str(table)


@pytest.fixture
def card_found(config, tmp_path):
    """Which card is found for a table in ``one/`` and its images in ``two/pictures/``, with files put there."""

    def look(files):
        table = write_spots(tmp_path / "two" / "pictures", (16, 8, 8))
        (tmp_path / "one").mkdir()
        source = table.rename(tmp_path / "one" / table.name)
        for folder, text in files.items():
            (tmp_path / folder / "card.json").write_text(text)
        options = {"split": "split", "images": str(table.parent)}
        settings = config(data__source=str(source), data__options=options)
        return run_manifest.data_facts(settings, read_splits(settings.data))["card"]

    return look


@pytest.mark.parametrize("folder", ["one", "two", "two/pictures"])
def test_a_card_is_looked_for_beside_table_and_images(card_found, folder):
    assert card_found({folder: json.dumps(CARD)}) == CARD


@pytest.mark.parametrize("text", ['{"kind": "bincam-model", "attributes": ["above"]}', "no JSON", "null", "[1]"])
def test_a_file_that_is_no_card_of_data_is_passed_over(card_found, text):
    assert card_found({"one": text, "two": json.dumps(CARD)}) == CARD


def test_data_without_a_card(card_found):
    assert card_found({}) is None
