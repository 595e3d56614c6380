"""The page of a long audit is that of all of its images; what is of a sample is said."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.folder.parts import sampled
from bincam.audit.summary.summarize import summarise
from bincam.compare.contrast import compare
from bincam.errors import InputError
from bincam.report.html.page import build, open_source, render
from bincam.report.reading import audited_model
from bincam.report.reading.long_records import LongRecords
from bincam.stats.clusters import Clusters
from tests.audit.synthetic import make_audit, reseal

ATTRIBUTES = ("Smiling", "Bald", "Young")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two audits of the same images with their summaries, and their contrast."""
    root = tmp_path_factory.mktemp("long")
    for n, name in enumerate("ab"):
        folder = make_audit(root / name, images=300, attributes=ATTRIBUTES, prevalence=(0.5, 0.12, 0.8), seed=n,
                            prior=(0.8, 0.1)[n], shard_images=(128, 90)[n])  # fmt: skip
        summary = summarise(open_audit(folder), resamples=50)
        file = folder / reader.SUMMARY
        file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **summary}), "utf-8")
        reseal(folder)
    compare(*(open_audit(root / name) for name in "ab"), root / "contrast", moved={"Bald": -1.0, "Young": 0.7})
    return root


def page(folder, out):
    return render(build(open_source(folder), out / "report.html"))


@pytest.mark.parametrize("budget", [1, 1 << 20])  # bytes: one attribute at a time, and all
@pytest.mark.parametrize("name", ["a", "contrast"])
def test_the_page_of_a_long_audit_is_that_of_all_images(folders, tmp_path, monkeypatch, name, budget):
    whole = page(folders / name, tmp_path)
    monkeypatch.setattr(sampled, "MOST", 50)

    def records(audit, order):
        return LongRecords(audit, order, answers_budget=budget, measure_budget=budget)

    monkeypatch.setattr(audited_model, "LongRecords", records)
    assert open_source(folders / name).arms[0].long is not None
    assert page(folders / name, tmp_path) == whole


def test_records_of_a_long_audit_are_those_that_are_read_at_once(folders, monkeypatch):
    short = open_source(folders / "a").arms[0]
    scans = []
    parts = reader.Audit.record_parts
    monkeypatch.setattr(
        reader.Audit, "record_parts", lambda self, columns: scans.append(columns) or parts(self, columns)
    )
    long = LongRecords(short.audit, ATTRIBUTES, answers_budget=2 * 5 * 299, measure_budget=1)
    names = ("label", "logit", "threshold", "outcome", audited_model.BIAS_SHARE)
    for attribute in ATTRIBUTES:
        for name in names:
            np.testing.assert_array_equal(long.column(attribute, name), short.column(attribute, name))
    assert sum("logit" in columns for columns in scans) == 1 + 2  # the short arm's, and two blocks
    assert sum(audited_model.BIAS_SHARE in columns for columns in scans) == 1 + 3
    assert long.rows.tolist() == short.rows.tolist()


def test_single_images_and_people_are_found_in_a_long_audit(folders, monkeypatch):
    short = open_source(folders / "a").arms[0]
    rows = [0, 131, 298]
    maps = [short.map_of(row, "Bald") for row in rows]
    sides = [short.side(row, "Young") for row in rows]
    assert isinstance(short.clusters, Clusters)
    monkeypatch.setattr(sampled, "MOST", 50)
    long = open_source(folders / "a").arms[0]
    assert all(np.array_equal(long.map_of(row, "Bald"), one) for row, one in zip(rows, maps, strict=True))
    assert [long.side(row, "Young") for row in rows] == sides
    assert long.clusters.codes.tolist() == short.clusters.codes.tolist()
    assert (long.map_of(299, "Bald"), long.position(299), long.side(299, "Bald")) == (None, None, 0.0)  # was not read
    assert set(long.sample_rows.tolist()) < set(long.rows.tolist())


def test_attributes_are_read_in_the_order_of_the_page_and_those_of_one_model_alone_at_last(folders, monkeypatch):
    monkeypatch.setattr(sampled, "MOST", 50)
    first, second = open_source(folders / "contrast").arms
    assert list(first.long.order) == list(second.long.order) == audited_model.common([first, second])
    other = SimpleNamespace(manifest=SimpleNamespace(train_counts={"Young": (2, 8), "Smiling": (5, 5)}))
    assert replace(second, classes=other).long.order == ("Young", "Smiling", "Bald")


def test_thresholds_that_differ_between_images_are_refused(tmp_path):
    folder = make_audit(tmp_path / "one", images=60, attributes=ATTRIBUTES[:2], prevalence=(0.5, 0.3), shard_images=32)
    file = folder / "records" / "part-00001.parquet"
    table = pq.read_table(file)
    at = table.schema.get_field_index("threshold")
    moved = table["threshold"].to_numpy().copy()
    moved[6] = 1.0
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(moved)), file)
    records = LongRecords(reseal(folder), ATTRIBUTES[:2])
    with pytest.raises(InputError, match="decided at different thresholds"):
        records.column("Bald", "label")
