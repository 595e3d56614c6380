"""Pictures and audits that the tests of this room share."""

import hashlib

import pytest

from bincam.audit.settings import Settings
from tests.audit.planted import regions, write_pictures

NOTES_ALLOWED = pytest.mark.filterwarnings("ignore::bincam.errors.BincamWarning")
"""For modules that run audits, whose notes are warnings."""


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """48 pictures: 16 for validation, 32 for the test."""
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def settings():
    return Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0)


def digests(folder):
    """SHA-256 of every file."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
