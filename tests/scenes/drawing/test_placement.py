import numpy as np
import pytest

from bincam.scenes.drawing.placement import PLACES, VISIBLE, arrange
from bincam.scenes.drawing.raster import SAMPLES, mark_box
from bincam.scenes.drawing.shapes import SHAPES, reach

SIZE = 64


def arranged(seed, places="any", side=12.0, mark=(0, 0, 0, 0), attempts=100, count=5):
    rng = np.random.default_rng(seed)
    shapes = rng.permutation(len(SHAPES))[:count]
    objects, samples = np.zeros((count, 5)), np.zeros((count, 2), np.int64)
    owner = np.zeros((SAMPLES * SIZE, SAMPLES * SIZE), np.int8)
    place, box = PLACES.index(places), np.array(mark, np.int64)
    tried = arrange(rng, shapes, np.full(count, side), SIZE, place, box, attempts, objects, owner, samples)
    return tried, objects, samples, owner


@pytest.mark.parametrize("seed", range(20))
def test_objects_are_in_the_image_and_seen(seed):
    tried, objects, samples, owner = arranged(seed)
    assert tried
    assert (samples[:, 0] >= VISIBLE * samples[:, 1]).all()
    assert [int((owner == k + 1).sum()) for k in range(5)] == samples[:, 0].tolist()
    for shape, x, y, side, turn in objects:
        left, up, right, down = reach(int(shape), side, turn)
        assert x - left >= 0
        assert y - up >= 0
        assert x + right <= SIZE
        assert y + down <= SIZE
    assert samples[:, 1] / SAMPLES**2 == pytest.approx(12**2, rel=0.02)  # nothing is cut off


@pytest.mark.parametrize(
    ("places", "holds"),
    [
        ("corner", lambda x, y: max(x, y) <= 0.5),
        ("centre", lambda x, y: max(abs(x - 0.5), abs(y - 0.5)) <= 0.25),
        ("edges", lambda x, y: max(abs(x - 0.5), abs(y - 0.5)) >= 0.25),
    ],
)
def test_centres_are_where_they_were_planted_and_elsewhere_without(places, holds):
    for seed in range(10):
        _, objects, *_ = arranged(seed, places, side=9.0)
        assert all(holds(x, y) for x, y in objects[:, 1:3] / SIZE)
    free = np.concatenate([arranged(seed, side=9.0)[1][:, 1:3] for seed in range(10)]) / SIZE
    assert not all(holds(x, y) for x, y in free)


def test_objects_keep_clear_of_the_mark():
    x0, y0, x1, y1 = (SAMPLES * end for end in mark_box(SIZE))
    touched = 0
    for seed in range(20):
        _, _, _, owner = arranged(seed, mark=mark_box(SIZE))
        assert not owner[y0:y1, x0:x1].any()
        touched += arranged(seed)[3][y0:y1, x0:x1].any()
    assert touched > 0


def test_what_cannot_be_placed_is_told():
    assert arranged(0, side=40.0)[0] == 0
    assert arranged(0, side=100.0, count=1)[0] == 0
