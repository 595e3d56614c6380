import numpy as np
import pytest

from bincam.errors import InputError
from bincam.faces.geometry import identity
from bincam.faces.geometry.head import ASSETS, attach, load, normals
from bincam.faces.geometry.skull import MIDDLE, radius, skull
from bincam.faces.labels.sampler import spec
from bincam.generated.random_streams import stream


def test_asset_is_small_and_licensed():
    assert (ASSETS / "head.npz").stat().st_size < 1_000_000
    assert "CC0 1.0 Universal" in (ASSETS / "HEAD_LICENSE.md").read_text()


def test_every_target_an_attribute_names_exists():
    head = load()
    for yes, no in identity.POLES.values():
        head.weights(yes)
        head.weights(no)
    head.weights(identity.person_weights(spec(1)))
    with pytest.raises(InputError, match="nose-hump-incr"):
        head.weights({"nose-hump-inc": 1.0})


def test_no_weights_give_the_shared_head_and_targets_add_up():
    head = load()
    none = head.weights({})
    assert (head.morph(none) == head.points).all()
    a, b = head.weights({"nose-hump-incr": 0.5}), head.weights({"chin-width-incr": 0.7})
    both = head.morph(a + b) - head.points
    np.testing.assert_allclose(both, head.morph(a) - head.points + head.morph(b) - head.points, atol=1e-5)
    assert np.abs(both).max() > 0.01


def test_normals_are_unit_and_point_out_of_a_tetrahedron():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    n = normals(points, triangles)
    np.testing.assert_allclose(np.linalg.norm(n, axis=1), 1, atol=1e-6)
    assert ((points - points.mean(axis=0)) * n).sum(axis=1).min() > 0


def test_attach_interpolates():
    values = np.eye(3, dtype=np.float32)
    got = attach(
        values, np.array([[2, 1, 0]], np.int32), np.array([0], np.int32), np.array([[0.5, 0.3, 0.2]], np.float32)
    )
    np.testing.assert_allclose(got, [[0.2, 0.3, 0.5]], atol=1e-6)


def test_follicles_grow_where_they_should():
    f = load().follicles
    assert f["brow"].place[:, 1].min() > 7.2
    assert f["beard"].place[:, 1].max() < 7.5
    assert len(f["scalp"].place) == len(f["scalp"].triangle)
    for kind in f.values():
        np.testing.assert_allclose(kind.weights.sum(axis=1), 1, atol=1e-5)


def test_the_skull_is_near_the_mesh():
    head = load()
    grid = skull(head.points)
    for v in np.flatnonzero((head.points[:, 1] > 7.7) & (head.points[:, 2] > -0.2))[::37]:
        d = head.points[v] - MIDDLE
        r = np.linalg.norm(d)
        assert abs(radius(grid, *(d / r)) - r) < 0.12


def test_an_attribute_moves_only_its_window():
    face = spec(5)
    head = load()
    for attribute, window in identity.windows().items():
        on, off = (identity.shape(head, f) for f in (face, face.flip(attribute)))
        moved = np.abs(on - off).max(axis=1) > 1e-3
        if attribute in identity.GROWN:
            assert not moved[np.abs(head.points[:, 1] - identity.GROWN[attribute][0][1]) > 0.75].any()
        else:
            assert not (moved & (window == 0)).any()


def test_streams_differ_by_key_and_name_and_repeat():
    draws = [stream(k, n).random() for k, n in ((1, "hair"), (1, "hat"), (2, "hair"), (1 << 40, "hair"))]
    assert len(set(draws)) == 4
    assert stream(1, "hair").random() == draws[0]
