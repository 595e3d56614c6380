"""Pictures with masks, and audits of them with a prediction grid, made once."""

import warnings

import pytest

from bincam.audit.pipeline.runner import run
from tests.audit.planted import reader
from tests.audit.planted_cells import cell_settings, write_pictures


@pytest.fixture(scope="session")
def masked(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="session")
def root(masked):
    return masked.root.parent if (masked.root.parent / "objects").is_dir() else masked.root


def audited(colour, table, root, out, **changes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(reader(colour), table, out, cell_settings(root, **changes))


@pytest.fixture(scope="session")
def honest(masked, root, tmp_path_factory):
    return audited(0, masked, root, tmp_path_factory.mktemp("cells") / "honest", sample=12)


@pytest.fixture(scope="session")
def twin(masked, root, tmp_path_factory):
    return audited(1, masked, root, tmp_path_factory.mktemp("cells") / "twin", sample=12)


@pytest.fixture(scope="session")
def done(masked, root, tmp_path_factory):
    """The same audit without a grid."""
    return audited(0, masked, root, tmp_path_factory.mktemp("plain") / "done", grid=False, sample=12)
