"""Settings: checked when they are made, in one line, and not changed afterwards."""

import dataclasses
import pickle
from pathlib import Path

import pytest
import torch

from bincam.audit import Settings
from bincam.data import Regions
from bincam.errors import InputError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_sise": 8}, "unknown setting 'batch_sise'; did you mean 'batch_size'"),
        ({"batch_size": 0}, "batch_size=0: at least one image"),
        ({"sample": -1}, "sample=-1 is negative; 0 is none"),
        ({"side": "both"}, "unknown side 'both'"),
        ({"precision": "fp8"}, "precision: got 'fp8', expected 'fp32' or 'bf16'"),
        ({"methods": "cam"}, "methods: got 'cam', expected a list or tuple of names, not a single string"),
        ({"regions": "automatic"}, "regions: got 'automatic', expected an instance of Regions or 'auto'"),
        ({"device": "meta"}, "device='meta': its tensors have no values to measure"),
        ({"limit": "many"}, "limit: got 'many', expected a valid integer"),
    ],
)
def test_mistakes_are_input_errors_in_a_line(values, message):
    with pytest.raises(InputError) as raised:
        Settings(**values)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    with pytest.raises(InputError):
        Settings().replace(**values)


def test_settings_keep_what_they_are_given():
    regions = Regions.face()
    settings = Settings(regions=regions, methods=["cam"], object_masks="masks", device=torch.device("cuda:1"))
    assert settings.regions is regions
    assert settings.methods == ["cam"]
    assert settings.object_masks == Path("masks")
    assert settings.influence_masks == "auto"
    assert settings.device == "cuda:1"
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_are_replaced_and_not_changed():
    settings = Settings(limit=3)
    changed = settings.replace(side="true")
    assert (changed.limit, changed.side, settings.side) == (3, "true", "predicted")
    assert dataclasses.replace(settings, side="true") == changed
    with pytest.raises(AttributeError, match="cannot assign to field 'limit'"):
        settings.limit = 4
    assert settings.limit == 3
