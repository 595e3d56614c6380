"""Cells of outputs of a set: what each names, other poolings of the set, and what large sets lack."""

import warnings

import numpy as np
import pytest

from bincam.audit.folder.parts.cells import read_cells
from bincam.audit.pipeline.runner import run
from bincam.audit.summary.cells.poolings import PooledLogits, set_poolings
from bincam.errors import InputError
from bincam.report import write_report
from bincam.report.sections.cells.sentences import other_pooling, row_of
from bincam.stats.clusters import Clusters
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import (
    COLOURS,
    SETS,
    card,
    chosen_settings,  # noqa: F401  # a fixture
    coloured_pictures,  # noqa: F401  # a fixture
    reader,
)

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def audits(coloured, chosen, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    models = {"honest": reader(), "faulty": reader("green")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: run(model, coloured, folder / name, chosen.replace(grid=True)) for name, model in models.items()}


def output(audit, name):
    return audit.summary["sets"]["colour"]["outputs"][name]["cells"]


def test_cells_of_the_corner_name_the_colour_unless_the_model_takes_it_for_another(audits):
    for name, found in (("honest", 1), ("faulty", 0)):
        row = row_of(output(audits[name], "green"), "recovery")
        assert row["figure"]["value"] == found
        assert row_of(output(audits[name], "blue"), "recovery")["figure"]["value"] == 1
    assert row_of(output(audits["honest"], "green"), "absent_alarm")["null"]["value"] < 1
    assert audits["faulty"].summary["sets"]["colour"]["cells"]["missed"] > 0


def test_the_figures_of_the_set_count_each_image_once(audits):
    entry = audits["honest"].summary["sets"]["colour"]["cells"]
    assert entry["images"] == sum(output(audits["honest"], name)["images"] for name in COLOURS) == 40


def test_stored_winners_are_the_outputs_with_the_highest_score(audits):
    winners = read_cells(audits["honest"], "winners.colour")
    true = audits["honest"].records(["label"])["label"].to_numpy().reshape(-1, 4)[:, :3].argmax(1)
    corner = {"red": (1, 1), "green": (1, 6), "blue": (6, 1)}
    for image, k in enumerate(true):
        assert winners[(image, *corner[COLOURS[k]])] == k


def test_the_poolings_of_the_set_are_compared_by_their_errors(audits):
    poolings = audits["honest"].summary["sets"]["colour"]["cells"]["poolings"]
    assert set(poolings["compared"]) == {"max", "logsumexp", "top_10", "top_25"}
    assert poolings["compared"]["max"]["error"]["images"] == 40
    assert "colour" in other_pooling("colour", poolings, of_set=True)


def test_a_pooling_that_decides_better_is_chosen_on_other_images_and_found_better():
    true = np.arange(90) % 3
    mean = np.eye(3)[np.where(np.arange(90) % 2, true, (true + 1) % 3)][:, :, None]
    logits = np.concatenate([mean, np.eye(3)[true][:, :, None]], 2).astype(np.float32)
    pooled = PooledLogits(COLOURS, ("mean", "max"), logits, logits, np.eye(3, dtype=np.float32)[true])
    found = set_poolings(pooled, COLOURS, true, Clusters.of([""] * 90))
    assert found["best"] == "max"
    assert found["compared"]["max"]["error_gain"]["value"] == 0.5
    assert found["compared"]["max"]["balanced_error_gain"]["low"] > 0
    assert "answered better" in other_pooling("colour", found, of_set=True)
    twin = set_poolings(
        PooledLogits(COLOURS, ("mean", "max"), logits[..., ::-1], logits[..., ::-1], np.eye(3, dtype=np.float32)[true]),
        COLOURS,
        true,
        Clusters.of([""] * 90),
    )
    assert twin["best"] == "mean"
    assert "no other pooling" in other_pooling("colour", twin, of_set=True)


def test_the_page_has_a_card_per_output_with_missed_images(audits, tmp_path):
    page = write_report(audits["faulty"].folder, tmp_path / "report.html").read_text()
    assert 'id="cells-colour-green' in page
    assert "Orange cells name the true output" in page
    assert "Missed, and no cell on the object names it" in page
    assert "colour: " in page


def test_rows_of_large_sets_have_no_grid_and_a_note_says_so(coloured, chosen, tmp_path):
    with pytest.warns(match="no prediction grid of the rows of large sets: colour: predicted and colour: true"):
        audit = run(reader(), coloured, tmp_path / "large", chosen.replace(grid=True, one_of_rows=1))
    records = audit.records(["attribute", "cells.gap", "cells.recovery"])
    large = records["attribute"].astype(str).str.startswith("colour")
    assert records.loc[large, "cells.gap"].isna().all()
    assert records.loc[~large, "cells.gap"].notna().all()
    assert read_cells(audit, "scores").shape[1] == 1
    assert "cells" not in audit.summary["sets"]["colour"]


def test_large_sets_alone_are_refused_in_one_line(coloured, chosen, tmp_path):
    settings = chosen.replace(grid=True, one_of_rows=1, attributes=["colour"])
    with pytest.raises(InputError, match="set 'colour' has more than 1 outputs") as refused:
        run(reader(), coloured, tmp_path / "large", settings)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "large").exists()


def test_a_set_of_one_output_is_refused_before_any_audit():
    with pytest.raises(InputError, match="at least two"):
        card({**SETS, "light": ("Bright",)})
