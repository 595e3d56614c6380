"""One audit and one zoom study that tests read and do not change."""

from __future__ import annotations

import pytest

from bincam.studies.zoom import Subject, run_zoom
from tests.studies.zoom import planted


@pytest.fixture(scope="session")
def audited(tmp_path_factory):
    """An audit, its model and its data."""
    return planted.audited(tmp_path_factory.mktemp("zoom"))


@pytest.fixture(scope="session")
def study(audited, tmp_path_factory):
    return run_zoom(Subject.of_audit(*audited), planted.plan(), tmp_path_factory.mktemp("study") / "zoom")
