import os
from dataclasses import fields

import pytest

from bincam.audit.settings import Settings
from bincam.cli.reading.execution_options import ExecutionOptions
from bincam.errors import InputError


def test_every_option_is_one_of_the_settings_and_has_their_default():
    values = ExecutionOptions().values()
    assert list(values) == [field.name for field in fields(ExecutionOptions)]
    told = {name: value for name, value in values.items() if name != "workers"}  # which the command chooses by device
    assert Settings(**values).workers == 1
    assert told == {name: getattr(Settings(), name) for name in told}


@pytest.mark.parametrize(
    ("device", "cores", "workers"),
    [("cpu", 6, 1), ("cpu:0", 6, 1), ("cuda", 6, 6), ("cuda:1", 6, 6), ("cuda", 64, 8), ("cuda", None, 1)],
)
def test_workers_suit_the_device_unless_they_are_stated(device, cores, workers, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert ExecutionOptions(device=device).values()["workers"] == workers
    assert ExecutionOptions(device=device, workers=0).values()["workers"] == 0


@pytest.mark.parametrize("stated", [{"on_error": "stop"}, {"precision": "fp16"}])
def test_others_than_those_known_are_refused(stated):
    said = "--on-error is raise or skip, --precision fp32 or bf16; got (stop and fp32|raise and fp16)"
    with pytest.raises(InputError, match=said):
        ExecutionOptions(**stated).values()
