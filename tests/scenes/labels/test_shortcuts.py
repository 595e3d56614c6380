import numpy as np
import pytest
from scipy import stats

from bincam.errors import InputError
from bincam.scenes import SHAPES, draw
from bincam.scenes.labels.shortcuts import Shortcut, parse_shortcuts
from tests.scenes.conftest import SMALL

STAR = SHAPES.index("star")


def test_in_the_order_of_the_cues():
    found = parse_shortcuts({"mark: star": 0.9, "colour:heart": 1})
    assert found == (Shortcut("colour", "heart", 1.0), Shortcut("mark", "star", 0.9))


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"star": 0.9}, "expected CUE:SHAPE=STRENGTH"),
        ({"sound:star": 0.9}, "unknown cue 'sound'"),
        ({"mark:stat": 0.9}, "unknown shape 'stat'; did you mean 'star'"),
        ({"mark:star": 1.01}, "between 0 and 1"),
        ({"mark:star": float("nan")}, "between 0 and 1"),
        ({"mark:star": 0.5, "mark:heart": 0.5}, "goes with star already"),
    ],
)
def test_refusals(stated, words):
    with pytest.raises(InputError, match=words):
        parse_shortcuts(stated)


@pytest.mark.parametrize("strength", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("rule", ["one", "all"])
def test_a_cue_agrees_with_its_class_in_the_share_that_was_planted(rule, strength):
    drawn = draw(500, seed=2, rule=rule, shortcut={"mark:star": strength, "colour:star": strength}, **SMALL)
    of_class = drawn.present[:, STAR] if rule == "all" else drawn.labels == STAR
    assert of_class.sum() > 20
    for cue in ("mark", "colour"):
        for group, chance in ((of_class, strength), (~of_class, 1 - strength)):
            assert stats.binomtest(int(drawn.cues[cue][group].sum()), int(group.sum()), chance).pvalue > 1e-3
    assert np.array_equal(drawn.masks("mark").any(axis=(1, 2)), drawn.cues["mark"])
    assert strength == 1.0 or not np.array_equal(drawn.cues["mark"], drawn.cues["colour"])  # drawn independently


def reddest(drawn):
    """For each scene, how red each object is: the mean of red less the greater of green and blue."""
    images = drawn.images.astype(float)
    red = images[..., 0] - np.maximum(images[..., 1], images[..., 2])
    return [
        {SHAPES[column]: red[row][drawn.parts[row] == column + 1].mean() for column in np.flatnonzero(shown)}
        for row, shown in enumerate(drawn.present)
    ]


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_the_planted_colour_is_on_the_class_or_on_another_object_and_nowhere_else(strength):
    drawn = draw(80, seed=4, rule="all", shortcut={"colour:star": strength})
    for row, red in enumerate(reddest(drawn)):
        cued = [name for name, value in red.items() if value > 110]
        assert len(cued) == drawn.cues["colour"][row]
        assert ("star" in cued) == (strength == 1 and drawn.present[row, STAR])
        ground = drawn.images[row][drawn.parts[row] == 0].astype(float).mean(axis=0)
        assert ground[0] - ground[1:].max() < 60


def test_a_colour_changes_no_place_and_no_label():
    weak, strong = (draw(12, seed=1, shortcut={"colour:star": strength}) for strength in (0.0, 1.0))
    without = draw(12, seed=1)
    for other in (strong, without):
        assert np.array_equal(weak.parts, other.parts)
        assert np.array_equal(weak.labels, other.labels)


def test_at_one_half_a_red_star_does_not_give_the_label_away():
    drawn = draw(500, seed=9, shortcut={"colour:star": 0.5}, **SMALL)
    shown, label = drawn.present[:, STAR], drawn.labels == STAR
    red = drawn.cues["colour"]  # where a star is shown, it is the star that is red
    assert red[shown & ~label].sum() > 20
    for group in (shown & label, shown & ~label, ~shown):
        assert stats.binomtest(int(red[group].sum()), int(group.sum()), 0.5).pvalue > 1e-3
    strong = draw(60, seed=4, shortcut={"colour:star": 0.0})
    for row, found in enumerate(reddest(strong)):
        if strong.present[row, STAR] and strong.cues["colour"][row]:
            assert found["star"] > 110
