from __future__ import annotations

import numpy as np
import pytest

from bincam.report.figures.audited import dataset
from tests.data.conftest import make_table


def test_prevalence_shows_every_attribute_and_split_in_percent():
    table = make_table(30)
    axes = dataset.prevalence(table.describe()).axes[0]
    assert sorted(t.get_text() for t in axes.get_yticklabels()) == sorted(table.names)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["train (10)", "validation (10)", "test (10)"]
    widths = sorted(bar.get_width() for bar in axes.patches)
    np.testing.assert_allclose(widths, np.sort(100 * table.labels.mean(axis=0)))


def test_correlation_has_zero_in_the_middle_of_its_colours():
    table = make_table(30)
    mesh = dataset.correlation(table.describe()).axes[0].collections[0]
    assert mesh.get_clim() == (-1, 1)
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(3, 3), table.describe().phi)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_what_is_undefined_is_drawn_as_undefined(tmp_path):
    table = make_table(4)
    constant = table.take(np.flatnonzero(table.labels[:, 0] == table.labels[0, 0]))
    figure = dataset.correlation(constant.describe())
    assert np.ma.getmaskarray(figure.axes[0].collections[0].get_array()).any()
    assert dataset.save(figure, tmp_path / "c.png").stat().st_size > 1000


def test_a_face_without_a_region_says_so():
    face = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[:10] = True
    figure = dataset.regions([face], [[mask, None]], ["nose", "hat"], "title")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["nose", "hat\n(none)"]
    tinted = figure.axes[0].images[0].get_array()
    assert (tinted[0, 0] != tinted[19, 0]).any()
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), face)
