"""``bincam zoom --test-time``, ``bincam explain --views`` and ``bincam audit --views`` as a user runs them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from bincam.audit import open_audit
from bincam.report.html.page import build, open_source
from bincam.studies.at_test_time import methods
from tests.studies.zoom import planted
from tests.studies.zoom.planted import FACTORY


def test_methods_are_compared_told_and_shown(command, audited, plan, monkeypatch, tmp_path):
    monkeypatch.setattr(methods, "ADAPTATION_VIEWS", 2)
    words = ("zoom", audited / "audit", *FACTORY, "--plan", plan)
    done = command(*words, "--test-time", "flip,zoom-memo", "--test-limit", "20")
    assert done.code == 0, done.err
    assert done.out.startswith("at test time, 20 images:")
    assert "flip: Mean over crop and mirror image, 2 forward passes per image" in done.out
    assert "Object, Zoom-MEMO: " in done.out
    again = command(*words, "--test-time", "flip,zoom-memo", "--test-limit", "20", "--resume", "--json")
    compared = json.loads(again.out)["test_time"]
    assert compared["images"] == 20
    assert "forward passes" not in again.err
    zoom = build(open_source(audited / "audit"), tmp_path / "report.html").zoom
    assert zoom is not None
    (table,) = [one for one in zoom.tables if one.title == "At test time"]
    assert [row[1].text for row in table.rows] == ["flip", "zoom-memo"]
    assert any("Lowering entropy" in text for text in zoom.lead)
    assert "resume it with --resume" in command(*words, "--test-time", "flip").mistake
    assert "begun with different methods" in command(*words, "--test-time", "flip", "--resume").mistake


def test_mistakes_at_test_time_are_told_in_a_line(command, audited):
    words = ("zoom", audited / "audit", *FACTORY)
    assert "unknown method at test time 'memmo'" in command(*words, "--test-time", "memmo").mistake
    assert "--test-limit 3 is of --test-time" in command(*words, "--test-limit", "3").mistake
    assert "leave out the method 'views'" in command(*words, "--plan", "paper", "--test-time", "views,flip").mistake


def test_an_explanation_of_views_is_drawn_and_written(command, model_folder, pictures, tmp_path):
    words = ("explain", pictures, "--model", model_folder, "--attributes", "Bald")
    done = command(*words, "--views", "5", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert "5 views, so 5 forward passes per image" in done.err
    said = json.loads(done.out)
    assert (len(said["views"]), said["anatomy"]["kind"], said["complete"]) == (5, "conditional", True)
    for image in said["images"]:
        (entry,) = image["attributes"]
        assert abs(entry["identity_gap"]) < 1e-4
        total = np.sum(entry["map"]) * (1 if entry["explained"] == "positive" else -1)
        assert entry["logit"] == pytest.approx(entry["bias"] + entry["beyond"] + total, abs=1e-3)
        with Image.open(image["figure"]) as figure:
            assert min(figure.size) > 200
    alone = json.loads(command(*words, "--views", "5", "--json", "--batch-size", "1").out)
    maps = [[image["attributes"][0]["map"] for image in one["images"]] for one in (said, alone)]
    np.testing.assert_allclose(*maps, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--views", "0"), "0 views cannot be chosen"),
        (("--views", "55"), "choose 1 to 5"),
        (("--views", "many"), "expected a number of views, such as 8"),
        (("--views", "64:1:7"), "anchors from 0 to 2"),
        (("--views", "2", "--grid"), "--views is not combined with --grid"),
        (("--views", "2", "--boxes"), "--views is not combined with --boxes"),
        (("--views", "2", "--side", "any"), "--side any is of methods without sides"),
        (("--views", "2", "--method", "score_cam"), "score_cam cannot be averaged over views"),
        (("--views", "2", "--attributes", "Hat"), "unknown attribute 'Hat'"),
        (("--views", "2", "--layer", "nowhere"), "nowhere"),
        (("--views", "2", "--versus", "mean"), "versus"),
    ],
)
def test_views_that_cannot_be_explained_are_told_in_a_line(command, model_folder, pictures, words, problem):
    assert problem in command("explain", pictures, "--model", model_folder, "--json", *words).mistake


def test_an_audit_of_views_states_them_and_its_cost(command, tmp_path):
    table = planted.pictures(tmp_path / "pictures")
    own = ["--model", tmp_path / "model", *FACTORY, "--data", tmp_path / "pictures", "--gate-images", "0"]
    planted.audited(tmp_path)
    done = command("audit", *own, "--out", tmp_path / "views", "--views", "3", "--workers", "0", "--regions", "none")
    assert done.code == 0, done.err
    assert "the mean over 3 views is audited, at 3 forward passes per image" in done.err
    audit = open_audit(tmp_path / "views")
    assert len(audit.manifest.views) == 3
    assert audit.manifest.data.images <= len(table)
    words = ["audit", *own, "--out", tmp_path / "views", "--views", "4", "--workers", "0", "--regions", "none"]
    assert "begun with different views" in command(*words, "--resume").err
