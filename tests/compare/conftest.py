"""Two synthetic audits of the same images, and their contrast."""

import shutil

import pytest

from bincam.audit import open_audit
from bincam.compare.contrast import compare
from tests.audit.synthetic import make_audit
from tests.compare.two_audits import MOVED


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("audits")
    return [
        make_audit(root / name, images=400, seed=n, prior=p) for n, (name, p) in enumerate({"a": 0.8, "b": 0.1}.items())
    ]


@pytest.fixture(scope="session")
def audits(folders):
    return [open_audit(folder) for folder in folders]


@pytest.fixture(scope="session")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("contrast") / "out"


@pytest.fixture(scope="session")
def contrast(audits, out):
    return compare(*audits, out, moved=MOVED, published=True, resamples=200)


@pytest.fixture
def other(folders, tmp_path):
    return shutil.copytree(folders[1], tmp_path / "other")
