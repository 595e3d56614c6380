"""Small audits with whole summaries, and a real browser where there is one."""

import os
import shutil

import numpy as np
import pytest

from bincam.audit import shards, store
from tests.audit.synthetic import make_audit

BROWSER_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def estimate(values):
    known = values[np.isfinite(values)]
    if not known.size:
        return {"value": None, "low": None, "high": None, "images": 0, "identities": None, "status": "undefined"}
    mean, half = float(known.mean()), 1.96 * float(known.std()) / np.sqrt(known.size)
    status = "small" if known.size < 10 else "ok"
    return {"value": mean, "low": mean - half, "high": mean + half, "images": int(known.size),
            "identities": int(known.size) // 2 + 1, "status": status}  # fmt: skip


def summarise(audit):
    """What the report reads of a summary, by the plainest means."""
    entries = {}
    for name, part in audit.records().groupby("attribute", observed=True):
        minority, label, side = audit.minority(name), part["label"].to_numpy(), part["side"].to_numpy()
        outcome = part["outcome"].astype(str).to_numpy()
        wrong = np.where(np.isin(outcome, ["FP", "FN"]), 1.0, np.where(outcome == "", np.nan, 0.0))
        rarer = (label == 1) == (minority > 0)
        known = np.isfinite(label)
        measures = {}
        for column in ("midpoint.bias_share", "grad_cam.gain", "grad_cam.empty"):
            values = part[column].to_numpy(dtype=float)
            measures[column] = {
                "predicted:minority": estimate(values[side == minority]),
                "predicted:majority": estimate(values[side == -minority]),
            }
        entries[name] = {
            "counts": {"unknown": int((~known).sum()), "nan_logit": int(part["logit"].isna().sum())},
            "rates": {
                "minority_error": estimate(wrong[known & rarer]),
                "majority_error": estimate(wrong[known & ~rarer]),
            },
            "measures": measures,
        }
    return {"level": 0.95, "attributes": entries}


def finished_audit(folder, **options):
    make_audit(folder, methods=("grad_cam",), masks=(), finished=False, **options)
    shards.write_summary(folder, summarise(store.open_audit(folder, unfinished=True)))
    return folder


@pytest.fixture(scope="session")
def audit_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    return finished_audit(folder / "audit", images=150, pictures=folder / "faces")


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven; where it is missing the test is skipped, except in CI."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        reason = "no chromium on the PATH, or no playwright to drive it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=BROWSER_FLAGS)
        yield started
        started.close()
