import numpy as np
import pytest
import torch

import bincam
from bincam import example
from bincam.resample import project


def test_scenes_have_what_they_should():
    random = np.random.default_rng(0)
    for present in example.SHOWN:
        picture, masks = example.scene(present, random)
        assert picture.shape == (*example.SIZE, 3)
        assert tuple(masks.any((1, 2))) == present
        assert masks.sum(0).max(initial=0) <= 1


@pytest.mark.slow
def test_training_finds_the_shapes_where_they_are():
    state = torch.get_rng_state()
    trained = example.train()
    assert torch.equal(torch.get_rng_state(), state)
    random = np.random.default_rng(7)
    scenes = [example.scene((True, True, True), random) for _ in range(60)]
    ex = bincam.Explainer(trained.model)
    images = torch.stack([torch.from_numpy(picture).permute(2, 0, 1).float() / 255 for picture, _ in scenes])
    e = ex((images - 0.5) / 0.25, "positive")
    detected = (e.logits[:, :2] >= 0).float().mean(0)
    assert detected.min() > 0.8
    masks = np.stack([masks for _, masks in scenes])  # (B, A, H, W)
    support = e.maps.relu().numpy()  # (B, A, h, w)
    inside = (support * project(masks, support.shape[-2:])).sum((-2, -1))
    whole = (support * project(np.ones(example.SIZE), support.shape[-2:])).sum((-2, -1))
    share = masks.mean((-2, -1))
    lift = (inside / whole / share).mean(0)
    assert lift.min() > 2, lift
