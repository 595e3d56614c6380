"""The study of sets in a terminal."""

import pytest

from bincam.studies.sets.study import run_sets
from bincam.studies.sets.table import sets_table
from tests.studies.sets.made import drawn_heads, drawn_set, write_made


@pytest.mark.parametrize(("share", "told"), [(0.02, True), (0.3, False)])
def test_what_marks_a_figure_of_few_images_is_explained_wherever_one_is_marked(tmp_path, share, told):
    drawn = drawn_set(400, [0.4, 0.6 - share, share])
    audit = write_made(tmp_path / "few", outputs=("cat", "dog", "fox"), **drawn)
    text = sets_table(run_sets(audit).summary)
    assert ("%†" in text) is told
    assert ("† of too few images" in text) is told


def test_a_rare_attribute_is_marked_in_its_recall_too(tmp_path):
    audit = write_made(tmp_path / "rare", names=("Bald", "Even"), **drawn_heads(400, [0.02, 0.5]))
    text = sets_table(run_sets(audit).summary)
    attributes, notes = text.partition("at once")[2].split("\n- ", 1)
    assert "%†" in attributes
    assert "† of too few images or people to rely on" in notes


def test_of_many_classes_that_cannot_be_calibrated_the_first_are_named(tmp_path):
    names = tuple(f"c{number}" for number in range(30))
    audit = write_made(tmp_path / "many", outputs=names, **drawn_set(300, [1 / 30] * 30, signal=4.0))
    summary = run_sets(audit).summary
    kept = summary["subjects"]["pet"]["rules"]["class_conditional"]["fitted"]["always_kept"]
    assert len(kept) > 20
    assert f"{', '.join(kept[:12])} and {len(kept) - 12} more, kept in every set" in sets_table(summary)
