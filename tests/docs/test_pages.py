"""The pages: their code runs or at least compiles and names what exists, and the reference has every public name."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import bincam
from bincam.errors import InputError
from tests.test_rooms import MODULES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
ROOMS = (
    "audit",
    "cam",
    "compare",
    "data",
    "engines",
    "faces",
    "inference",
    "models",
    "report",
    "scenes",
    "storage",
    "train",
)
REUSED = ("metrics", "postprocessing", "stats")
"""Rooms whose modules are listed instead of their names."""


def blocks(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return [
        code
        for code in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
        if "--8<--" not in code
    ]


WITH_CODE = [page for page in PAGES if blocks(page)]


def identifier(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_CODE, ids=identifier)
def test_code_compiles_and_its_imports_exist(page):
    for code in blocks(page):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bincam"):
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(module, alias.name) or f"{node.module}.{alias.name}" in MODULES, (
                        f"{identifier(page)}: {node.module} has no {alias.name}"
                    )
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)


@pytest.mark.parametrize("page", WITH_CODE, ids=identifier)
def test_dotted_names_of_the_public_rooms_exist(page):
    for code in blocks(page):
        imported = {"bincam": bincam} | {
            alias.asname or alias.name: importlib.import_module(f"bincam.{alias.name}")
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.ImportFrom) and node.module == "bincam"
            for alias in node.names
            if alias.name in ROOMS
        }
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
                assert hasattr(imported[node.value.id], node.attr), f"{identifier(page)}: {node.value.id}.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=identifier)
def test_dotted_names_in_prose_exist(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    for dotted in re.findall(r"`(bincam(?:\.\w+)+)[`(]", text):
        parts = dotted.split(".")
        depth = max(n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in MODULES)
        value = importlib.import_module(".".join(parts[:depth]))
        for name in parts[depth:]:
            value = getattr(value, name, None)
        assert value is not None, f"{identifier(page)}: {dotted} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=identifier)
def test_paths_in_prose_exist(page):
    for path in re.findall(r"`((?:bincam|docs|tests|experiments)/[\w/.-]+)`", page.read_text("utf-8")):
        assert (ROOT / path).exists(), f"{identifier(page)}: {path} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=identifier)
def test_code_in_tables_has_no_escaped_bar(page):
    """Some renderers show its backslash."""
    assert not re.findall(r"^\|.*`[^`|]*\\\|[^`]*`", page.read_text("utf-8"), re.M)


@pytest.mark.parametrize("room", ROOMS)
def test_reference_has_every_public_name(room):
    page = (DOCS / "api" / f"{room}.md").read_text("utf-8")
    listed = re.findall(r"^::: (.+)$", page, re.M)
    public = importlib.import_module(f"bincam.{room}").__all__
    # Where a module bears the name of its function, the page names the function in it.
    clashing = {name for name in public if f"bincam.{room}.{name}" in MODULES}
    expected = [f"bincam.{room}.{name}" + (f".{name}" if name in clashing else "") for name in public]
    assert sorted(listed) == sorted(expected)


@pytest.mark.parametrize("room", REUSED)
def test_reference_has_every_module(room):
    page = (DOCS / "api" / f"{room}.md").read_text("utf-8")
    modules = [
        name for name, file in MODULES.items() if name.startswith(f"bincam.{room}.") and file.name != "__init__.py"
    ]
    assert sorted(re.findall(r"^::: (.+)$", page, re.M)) == sorted(modules)


def run_page(name: str) -> dict:
    """The names that a page's blocks define, run one after another."""
    values: dict = {"__name__": "page"}
    for code in blocks(DOCS / "extend" / f"{name}.md"):
        exec(compile(code, name, "exec", dont_inherit=True), values)
    return values


def test_metric_of_the_guide():
    entropy = run_page("metric")["entropy"]
    even, single, none = torch.ones(4, 4), torch.zeros(4, 4), -torch.ones(4, 4)
    single[1, 2] = 3
    values = entropy(torch.stack([even, single, none, even * torch.nan])[None])
    torch.testing.assert_close(values[0], torch.tensor([1.0, 0.0, torch.nan, torch.nan]), equal_nan=True)
    assert entropy(torch.tensor([[[[2.0, 2.0], [0.0, 0.0]]]])).item() == pytest.approx(0.5)
    assert entropy(torch.ones(1, 1, 1, 1)).isnan().all()


def test_method_of_the_guide(monkeypatch, tiny, images):
    from bincam.cam import METHODS, Explainer
    from tests.conftest import ATTRIBUTES

    values = run_page("method")
    monkeypatch.setitem(METHODS, "side_cam", values["Method"]("side_cam", values["side_cam"], signed=False))
    pooled = Explainer(tiny, ATTRIBUTES, method="side_cam")(images)
    below = Explainer(tiny, ATTRIBUTES, method="side_cam", layer="conv2")(images, side="positive")
    assert pooled.maps.shape == below.maps.shape == (3, 4, 6, 8)
    assert (pooled.maps >= 0).all()  # of rectified features
    assert not pooled.complete
    features, side = torch.randn(2, 5, 3, 4), torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    constant = torch.randn(1, 2, 5, 1, 1)
    torch.testing.assert_close(
        values["side_cam"](features, constant, side),
        values["side_cam"](features, constant.expand(2, 2, 5, 3, 4), side),
    )


def test_loss_of_the_guide():
    import numpy as np

    values = run_page("loss")
    counts = values["ClassCounts"](("Bald",), np.array([90]), np.array([10]))
    loss = values["Poly"](counts, epsilon=2.0)
    logits = torch.tensor([[3.0], [3.0]]).double()
    p = logits[0, 0].sigmoid()
    terms = loss.terms(logits, torch.tensor([[1.0], [0.0]]))
    torch.testing.assert_close(terms[:, 0], torch.stack([-p.log() + 2 * (1 - p), -(1 - p).log() + 2 * p]))
    eta = torch.tensor([[0.1], [0.5], [0.9]]).double()
    torch.testing.assert_close(loss.inverse_link(loss.link(eta)), eta)
    with pytest.raises(InputError, match="epsilon"):
        values["Poly"](counts, epsilon=-2.0)


def test_reader_of_the_guide(tmp_path):
    read = run_page("reader")["json_lines"]
    file = tmp_path / "labels.jsonl"
    rows = [{"image": "a.png", "fold": "train", "Bald": True}, {"image": "b.png", "fold": "test", "Bald": None}]
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    table = read(file, split="fold")
    assert (table.names, table.ids, table.splits.tolist()) == (("Bald",), ("a.png", "b.png"), ["train", "test"])
    assert table.labels[0, 0] == 1
    assert table.labels[1, 0] != table.labels[1, 0]
    file.write_text(json.dumps(rows[0] | {"Bald": "yes"}), "utf-8")
    with pytest.raises(InputError, match=r"labels\.jsonl:1: 'Bald' is 'yes'"):
        read(file, split="fold")


def test_citation_states_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == bincam.__version__
    assert citation["authors"] == [{"name": "the bincam developers"}]
    assert {"cff-version", "message", "title"} <= set(citation)


@pytest.mark.slow
def test_pages_build_without_warnings(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["--config-file", str(DOCS / "site" / "mkdocs.yml"), "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "api" / "cam.html").read_text("utf-8")
    assert 'id="bincam.cam.Explainer"' in page
    for room in ROOMS:  # no module is shown in the place of the function whose name it bears
        assert "doc-symbol-module" not in (tmp_path / "site" / "api" / f"{room}.html").read_text("utf-8")
    for file in (tmp_path / "site").rglob("*.html"):
        linked = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', file.read_text("utf-8"))
        assert linked == [], f"{file.name} loads {linked}"
