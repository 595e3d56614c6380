import pytest

from bincam.audit.folder import reader
from bincam.report.html.page import open_source
from bincam.report.sections.sampled_metrics import MEASURES, sample_table
from tests.audit.synthetic import reseal


@pytest.fixture(scope="module")
def arms(audit_folder):
    return open_source(audit_folder).arms


def test_means_of_the_methods_come_first_then_every_attribute(arms):
    names = list(arms[0].audit.attributes)
    table = sample_table(arms, names)
    assert table.title.endswith("on 4 images")
    assert table.heads == ["Attribute", "Method", *MEASURES.values()]
    assert [row[0].text for row in table.rows] == ["mean of 6", *names]
    assert [cell.text for cell in table.rows[0][2:]] == ["0.30"] * 5  # of .1 to .5; the first is undefined
    assert [cell.text for cell in table.rows[1][2:]] == ["–"] * 5
    assert [cell.note for cell in table.rows[1][2:]] == ["undefined"] * 5
    assert table.rows[2][2].text == "0.10"
    assert table.rows[2][2].small


def test_two_models_stand_below_each_other(contrast_folder):
    arms = open_source(contrast_folder).arms
    names = list(arms[0].audit.attributes)
    table = sample_table(arms, names)
    assert [row[1].text for row in table.rows[:4]] == ["a", "b"] * 2
    assert len(table.rows) == 2 + 2 * len(names)


def test_without_a_sample_there_is_no_table(bare):
    (bare / reader.SAMPLE).unlink()
    reseal(bare)
    arms = open_source(bare).arms
    assert sample_table(arms, list(arms[0].audit.attributes)) is None
