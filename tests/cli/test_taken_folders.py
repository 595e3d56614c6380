"""Two processes and one folder: what writes several files takes it, and what a killed one left is removed."""

from __future__ import annotations

import json

import pytest

from tests.folders import taken_elsewhere
from tests.studies.zoom import planted

FACTORY = ("--factory", "tests.studies.zoom.planted:network")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An audit with photographs and a zoom study, in which two images are right at no view."""
    from bincam.data.readers.faces.celeba_writer import write_attributes

    folder = tmp_path_factory.mktemp("made")
    table = planted.pictures(folder / "pictures", count=12)
    labels = table.labels.copy()
    labels[[1, 4], 0] = 1  # there is no red square
    write_attributes(folder / "pictures" / "list_attr_celeba.txt", table.ids, table.names, labels)
    planted.audited(folder / "audited", count=12)
    (folder / "plan.yaml").write_text(json.dumps([list(view) for view in planted.PLAN]))
    return folder


def words_of(folder, out):
    model = ["--model", folder / "audited" / "model", *FACTORY]
    audit, data = folder / "audited" / "audit", ["--data", folder / "pictures"]
    image = folder / "pictures" / "img_align_celeba" / "0000.png"
    zoom = ["zoom", *model, *data, "--plan", folder / "plan.yaml"]
    return {
        "explain": ["explain", image, *model, "--out", out],
        "boxes": ["boxes", audit, "--coco", out],
        "hard": [*zoom, "--out", folder / "zoom", "--resume", "--hard", out],
        "sets": ["sets", audit, "--method", "average_k", "--out", out],
        "zoom": [*zoom, "--out", out],
        "scenes": ["scenes", "make", "--out", out, "--count", "2", "--size", "40", "--workers", "1"],
        "compare": ["compare", audit, audit, "--out", out],
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explain", "boxes", "hard", "sets", "zoom", "scenes", "compare"])
def test_a_folder_that_another_process_writes_is_refused_and_left_as_it_is(command, made, tmp_path, name):
    out = tmp_path / "out"
    words = words_of(made, out)[name]
    with taken_elsewhere(out):
        refused = command(*words)
        assert refused.code == 2, refused
        assert "another process is writing this folder" in refused.err.splitlines()[-1]
        assert list(out.iterdir()) == []


@pytest.mark.slow
def test_what_a_killed_command_left_is_removed_and_the_users_own_files_are_not(command, made, tmp_path):
    for name, left in (("explain", ".explanations-ab12cd34.json"), ("boxes", ".coco-ab12cd34.json")):
        out = tmp_path / name
        out.mkdir()
        (out / left).touch()
        (out / ".own-notes.txt").touch()
        assert command(*words_of(made, out)[name]).code == 0
        assert [file.name for file in out.iterdir() if file.name.startswith(".")] == [".own-notes.txt"]


def test_a_model_is_not_saved_into_a_folder_that_another_process_writes(tmp_path):
    from bincam import models
    from bincam.errors import InputError
    from tests.cli.conftest import tiny

    with taken_elsewhere(tmp_path / "model"), pytest.raises(InputError, match="another process is writing"):
        models.save(tiny(["Bald"]), tmp_path / "model")
    (tmp_path / "model" / ".weights-ab12cd34.safetensors").touch()
    models.save(tiny(["Bald"]), tmp_path / "model")
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["card.json", "weights.safetensors"]
