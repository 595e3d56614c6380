"""The whole way, on a small scale."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from bincam import progress
from bincam.audit import open_audit
from bincam.cli import demo
from bincam.errors import InputError
from bincam.train.configuration.config import make_config

NAMES = ("Smiling", "Male", "Wearing_Lipstick", "High_Cheekbones")
SMALL = replace(
    demo.PRESETS["faces"],
    train={
        **demo.PRESETS["faces"].train,
        "data": {**demo.PRESETS["faces"].train["data"], "size": 64, "attributes": NAMES},
        "epochs": 1,
    },
    count=240,
    size=(64, 78),
    influence_images=4,
)


@pytest.mark.parametrize("preset", demo.PRESETS.values(), ids=demo.PRESETS)
@pytest.mark.parametrize("native", [True, False])
def test_presets_train_in_a_precision_that_is_fast_on_every_cpu(preset, native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native}, raising=False)
    values = preset.train | {"data": preset.train["data"] | {"source": "faces"}, "out": "models", "device": "cpu"}
    asked = preset.train.get("precision", "fp32")
    assert make_config(values, source="demo").precision == ("bf16" if native and asked == "auto" else "fp32")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bincam.errors.BincamWarning")  # notes of the audits
def test_the_demo_goes_all_the_way_and_what_is_done_is_not_made_again(tmp_path, monkeypatch, capsys, command):
    monkeypatch.setitem(demo.PRESETS, "faces", SMALL)
    out = tmp_path / "demo"
    demo.demo(out, as_json=True)
    said = json.loads(capsys.readouterr().out)
    page = out / "report.html"
    assert said["report"] == str(page)
    assert 1 <= len(said["findings"]) <= 5
    assert all(name in page.read_text() for name in NAMES)
    audit = open_audit(out / "audits" / "balanced")
    assert audit.attributes == NAMES
    assert audit.masks == ("object", "influence")
    assert audit.records(["grad_cam.influence_energy"]).notna().to_numpy().any()
    made = [file for part in ("faces", "models", "audits") for file in (out / part).rglob("*") if file.is_file()]
    kept = {file: file.stat().st_mtime_ns for file in made if file.suffix in {".jpg", ".safetensors", ".parquet"}}
    demo.demo(out, as_json=True)
    assert json.loads(capsys.readouterr().out) == said
    photo = next((out / "faces" / "img_align_celeba").glob("*.jpg"))
    words = ["--data", out / "faces", "--attributes", "Smiling", "--out", tmp_path / "photo"]
    assert command("explain", photo, "--model", out / "models" / "balanced", *words).code == 0
    assert (tmp_path / "photo" / f"{photo.stem}.png").is_file()
    assert {file: file.stat().st_mtime_ns for file in kept} == kept


def test_the_quick_demo_is_of_faces_and_has_a_folder_of_its_own(command, tmp_path, monkeypatch):
    assert "--quick is of generated faces, not of --data orl" in command("demo", "--quick", "--data", "orl").mistake
    asked = []
    monkeypatch.setattr(demo, "carry_out", lambda *values: (asked.append(values), (tmp_path, []))[1])
    assert command("demo", "--quick").code == 0
    assert command("demo").code == 0
    assert [values[0] for values in asked] == [demo.QUICK_OUT, demo.OUT]
    assert [values[-1] for values in asked] == [demo.QUICK, demo.PRESETS["faces"]]
    values = demo.QUICK.train | {"data": demo.QUICK.train["data"] | {"source": "faces"}, "out": "models"}
    assert {*demo.INFLUENCE} <= {*make_config(values, source="demo").data.attributes}


def test_a_step_says_what_is_left_of_all(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with demo._Steps((84, 199, 14)) as steps:
        for number, clock[0] in enumerate((0.0, 168.0, 168.1), start=1):
            steps.begin(f"{number}/3 Something")
            if number == 1:
                progress.whole(0.0)  # carried out; training had been done before
    said = capsys.readouterr().err.splitlines()
    assert said[1].strip() == "about 5 min in all on two cores that are not busy"
    assert said[3].strip() == "about 7 min left"  # twice as slow as expected
    assert said[5].strip() == "about 28 s left"


def test_another_demos_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a demo's"):
        demo.demo(tmp_path)
    demo._claim(tmp_path / "new", {"data": "faces", "seed": 0})
    demo._claim(tmp_path / "new", {"data": "faces", "seed": 0})
    with pytest.raises(InputError, match="seed 0, not 1"):
        demo.demo(tmp_path / "new", seed=1)
