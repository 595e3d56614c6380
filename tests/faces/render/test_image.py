import subprocess
import sys
import zlib
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from bincam.errors import InputError
from bincam.faces.counterfactuals.pairs import counterfactual
from bincam.faces.geometry.pose import MEAN
from bincam.faces.labels.parts import SEEN_IN, Part, object_mask
from bincam.faces.labels.sampler import spec as drawn
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec, index
from bincam.faces.render.image import render

# Changing these may change everything.
EVERYWHERE = {"Attractive", "Blurry", "Male", "Young", "Pale_Skin"}
LOCAL = [a for a in ATTRIBUTES if a not in EVERYWHERE]
TAU = 8
# The fraction of the changed pixels that may be outside an attribute's parts when shadows are cast.
SHADOWS = {"Wearing_Earrings": 0.30, "Wearing_Hat": 0.20, "Eyeglasses": 0.20, "Double_Chin": 0.20}


def plain(seed=1, **labels):
    """A young man or woman with no other attributes than those requested."""
    on = {"Young", "No_Beard", "Brown_Hair"} | {a for a, v in labels.items() if v}
    off = {a for a, v in labels.items() if not v}
    return FaceSpec(seed, seed + 1000, tuple(a in on - off for a in ATTRIBUTES))


@cache
def rendered(face, shadows=True):
    """A face without camera noise, rendered once for all the tests that look at it."""
    return render(face, camera=False, shadows=shadows)


def changed(one, two):
    return np.abs(one.image.astype(np.int16) - two.image).max(axis=-1) > TAU


def with_and_without(face, attribute):
    on = face if face[attribute] else counterfactual(face, attribute)
    return on, on.flip(attribute)


@pytest.fixture(scope="module")
def faces():
    return [replace(drawn(seed), seed=seed) for seed in range(40, 46)]


def test_equal_specs_give_equal_bytes_in_any_order_and_process():
    specs = [plain(5), plain(6, Wearing_Hat=True, Eyeglasses=True), plain(7, Wavy_Hair=True)]
    first = [render(s) for s in specs]
    again = [render(s) for s in reversed(specs)][::-1]
    for a, b in zip(first, again, strict=True):
        assert (a.image == b.image).all()
        assert (a.parts == b.parts).all()
        assert (a.landmarks == b.landmarks).all()
        assert a.jpeg_quality == b.jpeg_quality
    code = (
        "import zlib; from tests.faces.render.test_image import plain; from bincam.faces.render.image import render;"
        "print(zlib.crc32(render(plain(7, Wavy_Hair=True)).image.tobytes()))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == zlib.crc32(first[2].image.tobytes())


def test_shapes_types_and_ranges():
    r = render(plain(3), (89, 109))
    assert r.image.shape == (109, 89, 3)
    assert r.image.dtype == np.uint8
    assert r.parts.shape == (109, 89)
    assert set(np.unique(r.parts)) <= {int(p) for p in Part}
    assert r.visible.shape == (40,)
    assert r.landmarks.shape == (5, 2)
    x, y, w, h = r.bbox
    assert 0 <= x < x + w <= 89
    assert 0 <= y < y + h <= 109
    assert 50 <= r.jpeg_quality <= 100


def test_faces_are_aligned_as_in_celeba():
    """The mean over faces is within 3.5 pixels of CelebA's (these noses are higher), and every face near it."""
    landmarks = np.stack([render(drawn(seed)).landmarks for seed in range(30)])
    assert np.abs(landmarks.mean(axis=0) - MEAN).max() < 3.5
    assert np.abs(landmarks - MEAN).max() < 16
    assert (landmarks[:, 0, 0] < landmarks[:, 1, 0]).all()  # left is left in the image
    assert (landmarks[:, 3, 0] < landmarks[:, 4, 0]).all()


def test_landmarks_are_on_the_parts_they_name():
    r = render(plain(11))
    at = {name: r.parts[int(y), int(x)] for name, (x, y) in zip(("l", "r", "n", "ml", "mr"), r.landmarks, strict=True)}
    assert {at["l"], at["r"]} <= {Part.EYE, Part.EYELID}
    assert at["n"] == Part.NOSE
    assert {at["ml"], at["mr"]} <= {Part.LIPS, Part.CHEEK, Part.UPPER_LIP, Part.MOUTH, Part.CHIN, Part.JAW, Part.FACE}


def test_another_size_is_the_same_picture():
    small, large = render(plain(4), (89, 109), camera=False), render(plain(4), (178, 218), camera=False)
    reduced = cv2.resize(large.image, (89, 109), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(float) - small.image).mean() < 5
    np.testing.assert_allclose(small.landmarks * 2, large.landmarks, atol=0.05)


@pytest.mark.parametrize("size", [(20, 20), (178, 40), (4000, 4000)])
def test_sizes_that_cannot_be_are_refused(size):
    with pytest.raises(InputError, match="expected a size of 44x54"):
        render(plain(1), size)


def test_camera_adds_noise_and_changes_nothing_else():
    with_noise, without = render(plain(9)), render(plain(9), camera=False)
    difference = with_noise.image.astype(float) - without.image
    assert 0.2 < difference.std() < 8
    assert abs(difference.mean()) < 1
    assert (with_noise.parts == without.parts).all()


@pytest.mark.parametrize("attribute", [a for a in ATTRIBUTES if a != "Attractive"])
def test_every_attribute_is_drawn(attribute, faces):
    """On most faces that can have it, flipping it changes at least a patch of a few pixels."""
    sizes = []
    for face in faces[:3]:
        on, off = with_and_without(face, attribute)
        one, zero = rendered(on), rendered(off)
        if one.visible[index(attribute)]:
            sizes.append(changed(one, zero).sum())
    assert not sizes or np.median(sizes) > 25


def test_attractive_has_no_pixels():
    face = drawn(3)
    assert (render(face).image == render(face.flip("Attractive")).image).all()


@pytest.mark.slow
@pytest.mark.parametrize("attribute", LOCAL)
def test_an_attribute_changes_only_its_parts_and_their_shadows(attribute, faces):
    """Without cast shadows 95 % of the changed pixels are in the attribute's parts, dilated by 5 of 178 pixels.

    With shadows at most a bounded fraction is elsewhere.
    """
    inside = total = beyond = lit_total = 0
    for k, face in enumerate(faces):
        on, off = with_and_without(
            replace(face, labels=face.flip("Blurry").labels) if face["Blurry"] else face, attribute
        )
        one, zero = rendered(on, shadows=False), rendered(off, shadows=False)
        parts = object_mask(one.parts, attribute) | object_mask(zero.parts, attribute)
        if attribute == "Wearing_Hat":  # a hat presses the hair under it
            parts |= object_mask(one.parts, "Black_Hair") | object_mask(zero.parts, "Black_Hair")
        near = cv2.dilate(parts.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
        difference = changed(one, zero)
        inside += (difference & near).sum()
        total += difference.sum()
        if k < 3:
            lit = changed(rendered(on), rendered(off))
            beyond += (lit & ~near).sum()
            lit_total += lit.sum()
    assert inside >= 0.95 * total
    assert beyond <= SHADOWS.get(attribute, 0.13) * lit_total


@pytest.mark.parametrize("attribute", LOCAL)
def test_background_and_pose_do_not_change(attribute, faces):
    """Where both images show background they are identical, and the eyes do not move."""
    face = faces[0].flip("Blurry") if faces[0]["Blurry"] else faces[0]
    on, off = with_and_without(face, attribute)
    one, zero = rendered(on), rendered(off)
    both = (one.parts == Part.BACKGROUND) & (zero.parts == Part.BACKGROUND)
    clear = cv2.erode(both.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert clear.sum() > 1000
    differ = (one.image[clear] != zero.image[clear]).any(axis=-1)
    # a single strand may cover a quarter of a pixel that is background otherwise
    assert differ.mean() <= (0.005 if Part.HAIR in SEEN_IN[attribute] or attribute == "Wearing_Hat" else 0)
    if attribute not in ("Narrow_Eyes",):
        assert np.abs(one.landmarks[:2] - zero.landmarks[:2]).max() < 0.7


def test_labels_need_pixels():
    long_hair = [render(plain(seed, Wearing_Earrings=True)) for seed in range(12)]
    for r in long_hair:
        count = (r.parts == Part.EARRING).sum()
        assert r.visible[index("Wearing_Earrings")] == (count >= 12)
    bald = render(plain(2, Bald=True, Brown_Hair=False, Male=True))
    assert bald.visible[index("Bald")]
    assert not bald.visible[index("Black_Hair")]
    assert not bald.visible[index("Bangs")]
    assert not (bald.parts == Part.HAIR).any()


def test_things_worn_are_where_they_belong():
    r = render(plain(8, Wearing_Hat=True, Eyeglasses=True, Wearing_Necklace=True, Male=True))
    rows = {p: np.nonzero(r.parts == p)[0] for p in (Part.HAT, Part.GLASSES, Part.NECKLACE)}
    eyes, chin = r.landmarks[:2, 1].mean(), r.landmarks[3:, 1].mean() + 15
    assert len(rows[Part.HAT])
    assert rows[Part.HAT].mean() < eyes - 20
    assert abs(rows[Part.GLASSES].mean() - eyes) < 12
    assert rows[Part.NECKLACE].min() > chin


def test_sunglasses_and_clear_ones_say_what_they_show():
    seen = [set(np.unique(render(plain(seed, Eyeglasses=True)).parts)) for seed in range(14)]
    assert any(Part.LENS in s for s in seen)
    assert all(Part.GLASSES in s for s in seen)
