"""Audits with boxes: of a model whose evidence is on the object, and of its twin that looks elsewhere."""

import pytest

from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.data import write_box_table
from tests.audit.planted import reader, write_pictures

BOX = (4, 4, 12, 12)


@pytest.fixture(scope="session")
def boxed(tmp_path_factory):
    """48 pictures with a file of the object's boxes beside them."""
    root = tmp_path_factory.mktemp("boxed")
    table = write_pictures(root)
    rows = [(name, "Object", *BOX) for name, label in zip(table.ids, table.labels, strict=True) if label[0] == 1]
    write_box_table(root / "boxes.parquet", rows)
    return table


@pytest.fixture(scope="session")
def chosen():
    return Settings(batch_size=4, shard_images=8, gate_images=0, boxes=True, boxes_sample=0)


@pytest.fixture(scope="session")
def on_object(boxed, chosen, tmp_path_factory):
    """The model that reads the object's red."""
    return run(reader(0), boxed, tmp_path_factory.mktemp("boxes") / "on", chosen)


@pytest.fixture(scope="session")
def elsewhere(boxed, chosen, tmp_path_factory):
    """Its twin, which reads the companion's green and is right as often."""
    return run(reader(1), boxed, tmp_path_factory.mktemp("boxes") / "off", chosen)
