import numpy as np
import pytest
from scipy import stats

from bincam.errors import InputError
from bincam.scenes import SHAPES, draw
from bincam.scenes.sampler import scene
from bincam.scenes.settings import scene_settings
from tests.scenes.conftest import SMALL


def test_scenes_depend_on_settings_seed_and_number_alone():
    drawn, again, later = draw(6, seed=3), draw(6, seed=3), draw(3, seed=3, start=3)
    for name in ("images", "parts", "boxes", "present", "labels"):
        assert np.array_equal(getattr(drawn, name), getattr(again, name))
        assert np.array_equal(getattr(drawn, name)[3:], getattr(later, name))
    assert not np.array_equal(drawn.images, draw(6, seed=4).images)
    assert len({image.tobytes() for image in drawn.images}) == 6


def test_the_rule_changes_nothing_but_the_label():
    one, everything, largest = (draw(20, seed=3, rule=rule) for rule in ("one", "all", "largest"))
    assert np.array_equal(one.images, everything.images)
    assert np.array_equal(one.images, largest.images)
    assert np.array_equal(everything.labels, everything.present)
    assert one.present[range(20), one.labels].all()
    pixels = np.stack([(largest.parts == column + 1).sum(axis=(1, 2)) for column in range(10)], axis=1)
    most = pixels.max(axis=1)
    assert (pixels[range(20), largest.labels] >= 0.97 * most).all()  # by samples, of which a pixel has 16
    assert (pixels.argmax(axis=1) == largest.labels).mean() > 0.8


def test_masks_boxes_and_presence_agree():
    drawn = draw(20, seed=8)
    for column, name in enumerate(SHAPES):
        masks = drawn.masks(name)
        assert np.array_equal(masks.any(axis=(1, 2)), drawn.present[:, column])
        for row in np.flatnonzero(drawn.present[:, column]):
            ys, xs = np.nonzero(masks[row])
            assert drawn.boxes[row, column].tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert not drawn.boxes[:, :10][~drawn.present].any()
    assert not drawn.masks("mark").any()
    with pytest.raises(InputError, match="unknown shape 'sttar'"):
        drawn.masks("sttar")


def test_numbers_shapes_and_labels_are_as_frequent_as_stated():
    drawn = draw(800, seed=6, prevalence={"heart": 0.1}, **SMALL)
    counts = drawn.present.sum(axis=1)
    assert stats.chisquare(np.bincount(counts, minlength=6)[3:]).pvalue > 1e-3
    assert stats.binomtest(int(drawn.present[:, SHAPES.index("heart")].sum()), 800, 0.1).pvalue > 1e-3
    nth = (np.cumsum(drawn.present, axis=1)[range(800), drawn.labels] - 1) / counts
    for count in (3, 4, 5):
        position = np.rint(nth[counts == count] * count).astype(int)
        assert stats.chisquare(np.bincount(position, minlength=count)).pvalue > 1e-3


def test_the_size_of_an_object_does_not_give_its_shape_away():
    drawn = draw(300, seed=6, rule="largest")
    shown, won = drawn.present.sum(axis=0), np.bincount(drawn.labels, minlength=10)
    expected = (drawn.present / drawn.present.sum(axis=1, keepdims=True)).sum(axis=0)
    assert (won <= shown).all()
    assert stats.chisquare(won, expected).pvalue > 1e-3


def test_objects_have_the_scale_and_their_masks_its_area():
    settings = scene_settings(size=128, scale=(0.15, 0.25))
    for number in range(10):
        one = scene(settings, 0, number)
        assert (one.objects[:, 3] >= 0.15 * 128).all()
        assert (one.objects[:, 3] <= 0.25 * 128).all()
        assert one.samples[:, 1] / 16 == pytest.approx(one.objects[:, 3] ** 2, rel=0.02)
        assert (one.samples[:, 0] >= 0.85 * one.samples[:, 1]).all()


@pytest.mark.parametrize(("places", "inside", "outside"), [("corner", (0, 0), (2, 2)), ("centre", (1, 1), (0, 0))])
def test_planted_places(places, inside, outside):
    parts = draw(30, seed=1, places=places).parts > 0
    share = parts.reshape(30, 3, 32, 3, 32).mean(axis=(0, 2, 4))
    assert share[inside] > 0.2
    assert share[outside] < 0.03
    everywhere = draw(60, seed=1, scale=(0.12, 0.17)).parts > 0
    means = everywhere.reshape(60, 3, 32, 3, 32).mean(axis=(0, 2, 4))
    assert means.min() > 0.03


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "a count of at least 1, got 0"),
        ({"seed": -1}, "a seed of 0 to 4294967295, got -1"),
        ({"seed": 2**32}, "a seed of 0"),
        ({"start": -1}, "numbered 0 to"),
        ({"rule": "two"}, "unknown rule 'two'"),
        ({"places": "corners"}, "did you mean 'corner'"),
        ({"size": 20}, "a size of 32 to 1024 pixels, got 20"),
        ({"size": 32}, "below 6 the shapes look alike: raise the size or the least scale"),
        ({"scale": (0.3, 0.2)}, "scale 0.3-0.2: expected the least and the greatest"),
        ({"scale": float("nan")}, "scale nan-nan"),
        ({"scale": 0.4}, "five objects with a side of 0.4 of the image's cannot be placed"),
        ({"scale": 3.0}, "cannot be placed"),
        ({"scale": 0.25, "places": "corner"}, "places: corner.*default 0.12-0.17"),
        ({"prevalence": {"star": 0.0}, "shortcut": {"mark:star": 0.9}}, "star, which is never in a scene"),
        ({"prevalence": {"star": 1.0}, "rule": "all", "shortcut": {"mark:star": 0.9}}, "always in a scene"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(InputError, match=words):
        draw(**{"count": 1, **options})


def test_the_default_scales_can_be_placed_with_a_mark_too():
    for places in ("any", "edges", "centre", "corner"):
        assert len(draw(2, places=places, shortcut={"mark:star": 0.5})) == 2
