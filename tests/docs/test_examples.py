"""Every script of ``docs/examples`` runs from top to bottom, and shows what its text says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("default::bincam.errors.BincamWarning")  # an audit's notes are warnings
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def run(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def test_every_script_is_tested_and_has_a_page():
    names = sorted(file.stem for file in EXAMPLES.glob("*.py"))
    assert names == ["audit_and_compare", "one_photo", "your_own"]
    for name in names:
        script = (EXAMPLES / f"{name}.py").read_text("utf-8")
        page = (EXAMPLES / f"{name}.md").read_text("utf-8")
        assert f'--8<-- "docs/examples/{name}.py"' in page
        assert script.startswith("# %% [markdown]\n# # ")
        title = script.splitlines()[1].removeprefix("# # ")
        assert page.startswith(f"# {title}\n")


@pytest.mark.slow
def test_one_photo(tmp_path, monkeypatch):
    values = run("one_photo", tmp_path, monkeypatch)
    explanation = values["explanation"]
    assert explanation.maps.shape == (1, 3, 6, 8)
    assert explanation.complete
    assert explanation.identity_gap.abs().max() < 1e-4
    assert values["ledger"].gap.abs().max() < 1e-4
    assert values["gain"].isnan().tolist() == [True, False, False]  # there is no disc
    assert (tmp_path / "reports/examples/one-photo.png").stat().st_size > 10_000


@pytest.mark.slow
def test_audit_and_compare(tmp_path, monkeypatch):
    values = run("audit_and_compare", tmp_path, monkeypatch)
    assert values["unbalanced"].attributes == values["balanced"].attributes == ("Smiling", "Eyeglasses", "Male")
    assert set(values["contrast"]["sentences"]) == {"Smiling", "Eyeglasses", "Male"}
    assert "<html" in (tmp_path / "reports/examples/audit-and-compare/report.html").read_text("utf-8")[:200]


@pytest.mark.slow
def test_your_own(tmp_path, monkeypatch):
    values = run("your_own", tmp_path, monkeypatch)
    records = values["records"]
    assert len(records) == 2 * 80
    positive = records[(records["attribute"] == "disc") & records["outcome"].isin(["TP", "FN"])]
    assert positive["grad_cam.gain"].notna().any()
