"""An audit of planted pictures, whose model and data are found again, and a plan of its views, for each module."""

from __future__ import annotations

import json

import pytest

from tests.studies.zoom import planted


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """The folder with the audit, its model and its pictures."""
    folder = tmp_path_factory.mktemp("zoom")
    planted.audited(folder)
    return folder


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    file = tmp_path_factory.mktemp("plan") / "plan.yaml"
    file.write_text(json.dumps({"views": [list(view) for view in planted.PLAN]}))
    return file
