"""An audit of a model of four channels, on images of 12 bits whose range is stated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import bincam.models
from bincam import audit
from bincam.data import load
from bincam.errors import InputError
from bincam.report.figures.pictured.examples import Photographs


@pytest.mark.filterwarnings("ignore::bincam.errors.BincamWarning")  # of an audit without references and regions
def test_images_of_four_channels_and_a_stated_range_are_audited_and_read_again(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 4096, (8, 32, 32, 4)).astype(np.uint16)
    for number, image in enumerate(images):
        np.save(tmp_path / f"{number}.npy", image)
    lines = [f"{number}.npy,{number % 2},{number // 2 % 2}" for number in range(len(images))]
    (tmp_path / "t.csv").write_text("\n".join(["image,Bald,Big", *lines]))
    torch.manual_seed(0)
    size = {"input_size": (32, 32), "channels": [8, 8, 8, 8], "stem_width": 8}
    four = {"mean": (0.2, 0.4, 0.6, 0.8), "std": (0.1, 0.2, 0.3, 0.4), "in_chans": 4}
    model = bincam.models.build("resnet10t", ["Bald", "Big"], **four, **size)
    table = load(tmp_path / "t.csv", range="0-4095")
    made = audit.run(model, table, tmp_path / "audit", audit.Settings(split=None, methods=("grad_cam",)), source="tiny")
    scaled = torch.tensor(images / 4095, dtype=torch.float32).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(four[name]).view(4, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = model.eval()((scaled - mean) / std)
    logits = made.records()["logit"].to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
    again = made.manifest.data.read_table()
    assert (again.value_range, again.digest()) == ((0, 4095), table.digest())
    photographs = Photographs(made)
    assert photographs.note == "of the 4 channels, pictures show the first three as red, green and blue"
    shown = np.rint(images[3, ..., :3] / 4095 * 255)
    assert np.abs(photographs.get(3) - shown).max() <= 1
    with pytest.raises(InputError, match="state those of black and white"):
        audit.run(
            model,
            load(tmp_path / "t.csv"),
            tmp_path / "other",
            audit.Settings(split=None, methods=("grad_cam",)),
            source="tiny",
        )
