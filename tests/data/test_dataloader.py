from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import threadpoolctl
import torch
from PIL import Image

from bincam.data import Augmentation, FaceDataset, Regions, celeba, crop, loader
from bincam.data.dataloader import ShardSampler
from bincam.data.images import decode
from bincam.errors import InputError


@pytest.fixture
def read(folder):
    return celeba(folder)


def test_images_are_the_crop_normalised(read):
    batch = next(iter(loader(read, size=64, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2), batch_size=3)))
    cropped = crop.warp(decode(read.path(2)), crop.face_matrix(read.landmarks[2], 64), (64, 64))
    expected = (
        torch.from_numpy(cropped).permute(2, 0, 1) / 255 - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    ) / torch.tensor([0.5, 0.25, 2]).view(3, 1, 1)
    torch.testing.assert_close(batch.images[2], expected)
    assert batch.images.is_contiguous()
    np.testing.assert_array_equal(batch.labels, read.labels[:3])
    np.testing.assert_allclose(
        batch.landmarks[2], crop.move(crop.face_matrix(read.landmarks[2], 64), read.landmarks[2]), atol=1e-3
    )
    assert batch.boxes.shape == (3, 4)


def test_uint8_is_the_crop_itself_and_grey_is_pillows(read):
    batch = next(iter(loader(read, size=(50, 70), fit="crop", output="uint8", batch_size=2)))
    assert batch.images.dtype == torch.uint8
    assert batch.images.shape == (2, 3, 50, 70)
    grey = next(iter(loader(read, size=(50, 70), fit="crop", output="uint8", batch_size=2, mean=(0.5,), std=(0.5,))))
    pillow = Image.fromarray(batch.images[0].permute(1, 2, 0).numpy()).convert("L")
    np.testing.assert_array_equal(grey.images[0, 0], np.asarray(pillow))


def test_a_card_says_size_mean_std_and_fit(read):
    card = SimpleNamespace(input_size=(40, 30), mean=(0, 0, 0), std=(1, 1, 1), fit="stretch")
    batch = next(iter(loader(read, card=card)))
    assert batch.images.shape == (12, 3, 40, 30)
    expected = crop.warp(decode(read.path(0)), crop.fit_matrix("stretch", (218, 178), (40, 30)), (40, 30))
    np.testing.assert_allclose(batch.images[0].permute(1, 2, 0).numpy() * 255, expected, atol=1e-3)
    assert next(iter(loader(read, card=card, size=20, fit="crop"))).images.shape == (12, 3, 20, 20)


def test_what_else_is_asked_for_is_made_by_the_workers_and_stacked(read):
    def also(image):
        return {"row": np.array(image.row), "corner": image.view.image[0, 0], "shift": image.matrix[:, 2]}

    for workers in (0, 1):
        batch = next(iter(loader(read, size=32, batch_size=3, workers=workers, also=also)))
        assert batch.also["row"].tolist() == [0, 1, 2]
        np.testing.assert_allclose(batch.also["shift"][2], crop.face_matrix(read.landmarks[2], 32)[:, 2])
        assert batch.to("cpu").also["corner"].shape == (3, 3)


def everything(batches, epoch=0):
    batches.set_epoch(epoch)
    got = list(batches)
    return torch.cat([b.images for b in got]), torch.cat([b.rows for b in got])


def test_any_number_of_workers_gives_the_same_batches(read):
    options = {"size": 32, "batch_size": 5, "shuffle": True, "seed": 3, "augmentation": Augmentation()}
    reference = loader(read, **options)
    for workers in (1, 2):
        other = loader(read, workers=workers, **options)
        for epoch in (0, 1):  # the second epoch reaches workers that are already running
            for a, b in zip(everything(reference, epoch), everything(other, epoch), strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=0)
    first, second = everything(reference, 0), everything(reference, 1)
    assert (first[1] != second[1]).any()
    assert sorted(first[1].tolist()) == list(range(12))
    assert loader(read, **options | {"seed": 4}).sampler is not None
    assert (everything(loader(read, **options | {"seed": 4}))[1] != first[1]).any()


@pytest.mark.timeout(60)
def test_workers_answer_also_after_opencv_has_used_its_threads_here(read):
    """A forked copy of opencv's thread pool has no threads; touching it would wait for ever."""
    cv2.setNumThreads(2)
    try:
        list(loader(read, size=512, batch_size=4))
        reference = list(loader(read, size=512, batch_size=4, workers=0))
        got = list(loader(read, size=512, batch_size=4, workers=1))
        assert cv2.getNumThreads() == 2, "the caller's setting is given back"
    finally:
        cv2.setNumThreads(-1)
    for a, b in zip(reference, got, strict=True):
        torch.testing.assert_close(a.images, b.images, rtol=0, atol=0)


def blas_threads(_):
    pools = threadpoolctl.threadpool_info()
    return {"blas": np.array([pool["num_threads"] for pool in pools if pool["user_api"] == "blas"])}


def test_workers_leave_the_cores_to_the_model(read):
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        (batch, *_) = loader(read, size=8, batch_size=4, workers=1, also=blas_threads)
        assert batch.also["blas"].shape[1] > 0
        assert (batch.also["blas"] == 1).all()


@pytest.mark.parametrize("count", [12, 13, 7])
@pytest.mark.parametrize("world", [1, 2, 5])
@pytest.mark.parametrize("even", [False, True])
def test_shards_are_disjoint(count, world, even):
    shards = [[k.row for k in ShardSampler(count, shuffle=True, rank=r, world=world, even=even)] for r in range(world)]
    rows = [row for shard in shards for row in shard]
    assert len(rows) == len(set(rows)) == (count // world * world if even else count)
    if even:
        assert len({len(shard) for shard in shards}) == 1
    assert [len(ShardSampler(count, rank=r, world=world, even=even)) for r in range(world)] == [len(s) for s in shards]


def test_a_broken_image_is_named_or_skipped_and_counted(read):
    read.path(4).write_bytes(b"")
    read.path(7).unlink()
    with pytest.raises(InputError, match=r"000005\.jpg: empty file"):
        list(loader(read, size=16, batch_size=4))
    with pytest.raises(InputError, match=r"000005\.jpg: empty file \(0 bytes\)$") as caught:
        list(loader(read, size=16, batch_size=4, workers=1))
    assert "\n" not in str(caught.value)  # nor the worker's traceback
    batches = loader(read, size=16, batch_size=4, on_error="skip")
    for _ in range(2):  # counted anew every epoch
        rows = torch.cat([b.rows for b in batches]).tolist()
        assert rows == [0, 1, 2, 3, 5, 6, 8, 9, 10, 11]
        assert [(s.row, "000005.jpg" in s.reason) for s in batches.skipped] == [(4, True), (7, False)]
    alone = loader(read.take([4, 7]), size=16, on_error="skip")
    assert list(alone) == []
    assert len(alone.skipped) == 2


def test_an_unknown_landmark_is_an_error_of_its_image(read):
    points = read.landmarks.copy()
    points[1] = np.nan
    unknown = replace(read, landmarks=points)
    with pytest.raises(InputError, match=r"000002\.jpg: a face crop needs five known landmarks"):
        list(loader(unknown, size=16))
    batches = loader(unknown, size=16, on_error="skip")
    assert len(next(iter(batches))) == 11


def test_drawn_regions_follow_the_view_and_stored_masks_the_crop(read, tmp_path):
    names = ("Bald", "Smiling", "Male")
    batch = next(iter(loader(read, size=32, regions=Regions.published(), augmentation=Augmentation())))
    for i, name in enumerate(names):
        np.testing.assert_array_equal(batch.masks[0, i], Regions.published().mask(name, (32, 32)))
    assert batch.known.all()
    batch = next(iter(loader(read, size=32, regions=Regions.face(), augmentation=Augmentation())))
    mine = Regions.face().mask("Smiling", (32, 32), landmarks=batch.landmarks[3].numpy())
    np.testing.assert_array_equal(batch.masks[3, 1], mine)

    (tmp_path / "Bald").mkdir()
    stored = np.zeros((218, 178), np.uint8)
    stored[100:150, 60:120] = 1
    Image.fromarray(stored).save(tmp_path / "Bald" / "000001.png")
    batch = next(iter(loader(read, size=64, regions=Regions.stored(tmp_path))))
    assert batch.known.tolist() == [[True, False, False]] + [[False] * 3] * 11
    cropped = crop.warp(stored, crop.face_matrix(read.landmarks[0], 64), (64, 64), mask=True)
    np.testing.assert_array_equal(batch.masks[0, 0], cropped > 0)
    assert not batch.masks[1:].any()


def test_batches_move_between_devices(read):
    batch = next(iter(loader(read, size=16))).to("cpu")
    assert batch.images.device.type == "cpu"
    assert batch.masks is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "at least 1"),
        ({"size": (10, 20), "fit": "face"}, "a face crop is square"),
        ({"fit": "squash"}, "fit='squash'"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"output": "float16"}, "output='float16'"),
        ({"std": (0, 1, 1)}, "std > 0"),
        ({"mean": (0.5,)}, "a number per channel each"),
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"rank": 2, "world": 2}, "expected 0 to 1"),
        ({"world": 13}, "each needs at least one"),
    ],
)
def test_refusals(read, options, message):
    with pytest.raises(InputError, match=message):
        loader(read, **options)


def test_a_face_crop_needs_landmarks(read):
    bare = replace(read, landmarks=None)
    with pytest.raises(InputError, match="a face crop needs landmarks"):
        FaceDataset(bare, fit="face")
    assert FaceDataset(bare).fit == "crop"
    assert FaceDataset(read, size=(10, 20)).fit == "crop"
    assert FaceDataset(bare)[0].view.landmarks is None
