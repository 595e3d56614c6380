"""Small audits with whole summaries, and a real browser where there is one."""

import json
import os
import shutil

import pytest

from bincam.audit.folder import reader
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from bincam.compare.contrast import compare
from bincam.files import write_json
from bincam.report import write_report
from tests.audit.synthetic import make_audit

BROWSER_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def finished_audit(folder, masks=(), manifest=None, **options):
    make_audit(folder, methods=("grad_cam",), masks=masks, finished=False, **options)
    if manifest:
        stored = json.loads((folder / reader.MANIFEST).read_text(encoding="utf-8"))
        write_json(folder / reader.MANIFEST, stored | manifest)
    audit = reader.open_audit(folder, unfinished=True)
    summary = summarise(audit, resamples=100)
    *_, last = summary["attributes"].values()
    last["rates"]["auroc"] |= {"value": None, "low": None, "high": None, "status": "undefined"}
    write_further(folder, list(summary["attributes"]))
    AuditWriter(folder, audit.manifest).write_summary(summary)
    return folder


def write_further(folder, names):
    """What an audit keeps beside its records: overlap, sampled measures and what was not measured."""
    count = len(names)
    overlap = [[1.0 if i == j else 0.8 if abs(i - j) == 1 else 0.1 for j in range(count)] for i in range(count)]
    phi = [[1.0 if i == j else -0.2 for j in range(count)] for i in range(count)]
    overlap[0][2] = overlap[2][0] = phi[0][1] = phi[1][0] = None
    matrices = {"overlap": overlap, "expected": [[0.5] * count] * count, "phi": phi, "images": [[90] * count] * count}
    write_json(
        folder / reader.LEAKAGE,
        {
            "kind": reader.LEAKAGE_KIND,
            "schema": 1,
            "method": "grad_cam",
            "attributes": names,
            "agreement": 0.3,
            **matrices,
        },
    )  # fmt: skip
    cells = {name: {"mean": place / 10, "images": 4, "values": [place / 10] * 4} for place, name in enumerate(names)}
    cells[names[0]] = {"mean": None, "images": 0, "values": [None] * 4}
    measures = ("deletion", "random_deletion", "insertion", "random_insertion", "road")
    write_json(
        folder / reader.SAMPLE,
        {
            "kind": reader.SAMPLE_KIND, "schema": 1, "images": [0, 1, 2, 3], "steps": 5, "gates": {},
            "methods": {"grad_cam": dict.fromkeys(measures, cells)},
        },
    )  # fmt: skip
    write_json(
        folder / reader.UNMEASURED,
        {
            "kind": reader.UNMEASURED_KIND, "schema": 1, "skipped": 1, "nan_logits": {names[0]: 1},
            "outside_the_crop": {"region": {}, "object": {names[1]: 3}}, "with_a_mask": {"object": {names[1]: 20}},
            "notes": ["no region, so no energy: Chubby"],
        },
    )  # fmt: skip


@pytest.fixture(scope="session")
def audit_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    return finished_audit(folder / "audit", images=150, pictures=folder / "faces")


def bare_audit(folder, images=60):
    """A finished audit of three attributes, without photographs."""
    return finished_audit(folder, images=images, attributes=("Smiling", "Bald", "Young"), prevalence=(0.5, 0.3, 0.6))


@pytest.fixture(scope="session")
def _bare(tmp_path_factory):
    return bare_audit(tmp_path_factory.mktemp("bare") / "audit")


@pytest.fixture
def bare(_bare, tmp_path):
    """A finished audit of three attributes, without photographs; a copy that a test may change."""
    return shutil.copytree(_bare, tmp_path / "bare")


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven; where it is missing the test is skipped, except in CI."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        reason = "no chromium on the PATH, or no playwright to drive it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def contrast_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contrast")
    arms = [
        finished_audit(
            folder / name,
            masks=("object", "influence"),
            images=150,
            pictures=None if seed else folder / "faces",
            prior=prior,
            seed=seed,
        )
        for seed, (name, prior) in enumerate((("a", 0.9), ("b", 0.1)))
    ]
    first, second = map(reader.open_audit, arms)
    moved = dict.fromkeys(first.attributes, -0.5)
    compare(first, second, folder / "contrast", moved=moved, moved_from="validation", published=True, resamples=100)
    return folder / "contrast"


@pytest.fixture(scope="session")
def written(audit_folder, contrast_folder, tmp_path_factory):
    """The report of an audit and of a contrast."""
    sources = {"audit": audit_folder, "contrast": contrast_folder}
    return {
        kind: write_report(source, tmp_path_factory.mktemp(kind) / "report.html") for kind, source in sources.items()
    }
