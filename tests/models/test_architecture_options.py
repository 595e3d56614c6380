"""What a card passes to timm is allowed by name, and loading a folder opens its two files and runs no code of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bincam.errors import InputError
from bincam.models import build, load, save
from bincam.models.architecture_options import ALLOWED, DERIVED, check_options

TINY = {"channels": [8] * 4, "stem_width": 8}
NAMES_A_FILE = (
    "checkpoint_path",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "cache_dir",
    "features_only",
    "scriptable",
)


@pytest.mark.parametrize("name", [*NAMES_A_FILE, *DERIVED, "device", ""])
def test_what_names_a_file_or_a_configuration_is_refused(name):
    assert name not in ALLOWED
    with pytest.raises(InputError, match=f"'resnet18': option {name!r}"):
        check_options("resnet18", {name: 1})


@pytest.mark.parametrize("value", ["/etc/passwd", "a.pt", "hf-hub:x", "..", {"file": "x/y"}, [["a/b"]], b"x", object()])
def test_a_value_that_could_be_a_path_is_refused(value):
    with pytest.raises(InputError, match="expected numbers and names of layers"):
        check_options("resnet18", {"norm_layer": value})


def test_numbers_and_names_of_layers_are_passed_on():
    check_options(
        "x", {"norm_layer": "groupnorm", "depths": (1, 2), "block_args": {"attn_layer": "se"}, "qkv_bias": True}
    )
    model = build("resnet10t", ["a"], input_size=(32, 32), norm_layer="groupnorm1", **TINY)
    assert any(type(module).__name__.startswith("GroupNorm") for module in model.modules())


WATCH = """
import json
import sys
from pathlib import Path

from bincam import models

given, warm = Path(sys.argv[1]), Path(sys.argv[2])
models.load(warm)  # what loading imports is imported
opened = []


def watch(event, arguments):
    if event == "open" and str(given) in str(arguments[0]):
        opened.append(Path(str(arguments[0])).name)
    if event in ("exec", "import", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect"):
        if str(given) in str(arguments) or event not in ("exec", "import"):
            opened.append(event)


sys.addaudithook(watch)
for folder in sorted(given.iterdir()):
    opened.clear()
    try:
        models.load(folder)
        refused = ""
    except models.checkpoint.InputError as error:
        refused = str(error)
    print(json.dumps([folder.name, refused, sorted(set(opened))]))
"""


@pytest.mark.slow
def test_loading_a_folder_opens_no_other_file_and_runs_no_code(tmp_path):
    given, warm, marker = tmp_path / "given", tmp_path / "warm", tmp_path / "marker"
    save(build("resnet10t", ["a"], input_size=(32, 32), **TINY), warm)
    card = json.loads((warm / "card.json").read_text())
    elsewhere = str(given / "plain" / "weights.pt")
    cards = {
        "plain": {},
        "checkpoint": {"options": {**TINY, "checkpoint_path": elsewhere}},
        "configuration": {"options": {**TINY, "pretrained_cfg": {"file": elsewhere}}},
        "layer": {"options": {**TINY, "norm_layer": elsewhere}},
        "local": {"name": f"local-dir:{given / 'plain'}"},
        "factory": {"name": "model:make", "architecture": "factory"},
    }
    for name, changes in cards.items():
        folder = shutil.copytree(warm, given / name)
        (folder / "card.json").write_text(json.dumps(card | changes))
        for code in ("sitecustomize.py", "timm.py", "model.py", "__init__.py"):
            (folder / code).write_text(f"open({str(marker)!r}, 'w').write('ran')\n")
        for other in ("config.json", "pytorch_model.bin", "model.safetensors", "weights.pt"):
            (folder / other).write_text("{}")
    words = [sys.executable, "-c", WATCH, given, warm]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    found = {name: (refused, opened) for name, refused, opened in map(json.loads, done.stdout.splitlines())}
    assert found.pop("plain") == ("", ["card.json", "weights.safetensors"])
    assert len(found) == 5
    for refused, opened in found.values():
        assert refused
        assert opened == ["card.json"]
    assert not marker.exists()


def test_nan_in_weights_is_told_when_they_are_loaded(tmp_path):
    model = build("resnet10t", ["a"], input_size=(32, 32), **TINY)
    model.network.head.bias.data[0] = float("nan")
    save(model, tmp_path)
    with pytest.warns(UserWarning, match=r"1 tensor with NaN \(first: head.bias\)"):
        load(tmp_path)
    model.network.head.bias.data[0] = float("inf")  # may be meant, and shows in the logits
    save(model, tmp_path)
    load(tmp_path)
