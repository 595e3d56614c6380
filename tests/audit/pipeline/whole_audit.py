"""An audit of all pictures of the test, from beginning to end, with which others are compared."""

import pytest

from bincam.audit import Audit
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.data import AttributeTable
from tests.audit.planted import reader, regions


# The function has a name of its own, because a test's argument would otherwise redefine its import.
@pytest.fixture(scope="module", name="done")
def whole_audit(pictures: AttributeTable, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    chosen = Settings(regions=regions(), batch_size=4, shard_images=8, gate_images=0)
    return run(reader(0), pictures, tmp_path_factory.mktemp("audits") / "whole", chosen)
