"""Audits that the tests of summaries share."""

import shutil

import pytest

from bincam.audit import open_audit
from bincam.audit.summary.summarize import summarise
from tests.audit.synthetic import make_audit


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    return open_audit(make_audit(tmp_path_factory.mktemp("audits") / "one", images=400))


@pytest.fixture(scope="module")
def summary(audit):
    return summarise(audit, resamples=200, slice_by=["sex", "age", "Young"])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The same images and attributes with one method and no masks: most of a summary's time is in its measures."""
    return make_audit(tmp_path_factory.mktemp("small") / "one", images=400, methods=("grad_cam",), masks=())


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "copy")
