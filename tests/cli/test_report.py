import json
import os
import shutil

import pytest
from huggingface_hub import ModelCard

from tests.report.conftest import bare_audit


@pytest.fixture(scope="module")
def _audit(tmp_path_factory):
    return bare_audit(tmp_path_factory.mktemp("audits") / "one", images=40)


@pytest.fixture
def source(_audit, tmp_path):
    return shutil.copytree(_audit, tmp_path / "audit")


def test_report_writes_one_page(command, source, tmp_path):
    done = command("report", source, "--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    conclusions = told.pop("conclusions")
    assert {one["attribute"] for one in conclusions["actions"]} == {"Smiling", "Bald", "Young"}
    assert conclusions["tolerated"] == 0.2
    assert conclusions["verdict"][-1]["rule"] == "maps undecided"
    page = source / "report.html"
    assert told == {"html": str(page), "bytes": page.stat().st_size, "pdf": None, "card": None}
    assert "3/3" in done.err
    strict = json.loads(command("report", source, "--json", "--tolerate", 0.01).out)["conclusions"]
    assert strict["tolerated"] == 0.01
    assert not any(one["kind"] == "fine" for one in strict["actions"])
    done = command("report", source, "--out", tmp_path / "pages" / "r.html", "--hide-faces")
    assert done.code == 0, done
    assert done.out.startswith(str(tmp_path / "pages" / "r.html"))


def test_mistakes_are_told_in_a_line(command, source, tmp_path):
    assert "no such folder" in command("report", tmp_path / "none").mistake
    assert "--tolerate 2: expected a share" in command("report", source, "--tolerate", 2).mistake
    assert "name the HTML file" in command("report", source, "--out", tmp_path).mistake
    (tmp_path / "file").write_text("")
    assert "not a folder" in command("report", source, "--assets", tmp_path / "file").mistake
    (tmp_path / "empty").mkdir()
    assert "it is no audit" in command("report", tmp_path / "empty").mistake


def test_a_pdf_without_a_browser_is_refused_before_the_work(command, source, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert "is on the PATH" in command("report", source, "--pdf", tmp_path / "r.pdf").mistake
    assert not (source / "report.html").exists()


def test_a_model_card_is_written_beside_the_page(command, source, tmp_path):
    outcome = command("report", source, "--out", tmp_path / "page.html", "--card", tmp_path / "card.md", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["card"] == str(tmp_path / "card.md")
    assert ModelCard.load(tmp_path / "card.md").data.eval_results
    for wrong in (tmp_path / "card.html", "", tmp_path):
        assert "expected a Markdown file" in command("report", source, "--card", wrong).mistake
