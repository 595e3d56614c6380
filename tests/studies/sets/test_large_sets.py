"""Sets with more outputs than an audit keeps rows of: label sets are made of the stored scores, and are the same."""

from __future__ import annotations

import json
import warnings

import pandas as pd
import pytest

from bincam.audit import run
from bincam.errors import BincamWarning
from bincam.studies.sets.settings import SetsSettings
from bincam.studies.sets.study import run_sets
from tests.audit.planted_sets import audit_settings, weak_reader, write_pictures

ASKED = SetsSettings(sizes=(1, 1.5), alpha=0.3)


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    """The same audit with a row for each output, and with two rows for all."""
    folder = tmp_path_factory.mktemp("rows")
    table = write_pictures(folder / "pictures", 90)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)
        return {
            rows: run(weak_reader(), table, folder / str(rows), audit_settings().replace(one_of_rows=rows))
            for rows in (20, 2)
        }


def test_the_figures_do_not_depend_on_the_rows(audits, tmp_path):
    assert audits[2].manifest.large_sets == ("colour",)
    small, large = (run_sets(audits[rows], ASKED, out=tmp_path / str(rows)) for rows in (20, 2))
    figures = [{key: value for key, value in study.summary.items() if key != "seal"} for study in (small, large)]
    assert json.dumps(figures[1]) == json.dumps(figures[0])
    assert large.summary["subjects"]["colour"]["rules"]["lac"]["coverage"]["images"] > 20
    for file in sorted((small.folder / "per_image").iterdir()):
        pd.testing.assert_frame_equal(pd.read_parquet(large.folder / "per_image" / file.name), pd.read_parquet(file))


def test_rows_of_a_large_set_are_no_attributes(audits, tmp_path):
    summary = run_sets(audits[2], ASKED, out=tmp_path / "half").summary
    assert summary["attributes"]["answers"] == ["Bright"]  # and neither of the rows of the set
    assert list(summary["subjects"]) == ["colour", "Bright"]
