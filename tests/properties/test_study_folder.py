"""The folders of studies, of which one file is damaged: refused in a line, or what is said is what was said."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.judging import examples, judge, run
from tests.properties.test_audit_folder import other_file
from tests.studies.zoom import planted

FACTORY = ["--factory", "tests.studies.zoom.planted:network"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An audit with its studies: views, methods at test time, and label sets."""
    folder = tmp_path_factory.mktemp("studied")
    planted.audited(folder, count=12)
    (folder / "plan.yaml").write_text(json.dumps([list(view) for view in planted.PLAN]))
    for words in (ZOOM, ["sets", "audit", "--calibrate", "half"]):
        run(filled(words, folder))
    return folder


ZOOM = ["zoom", "audit", *FACTORY, "--model", "model", "--plan", "plan.yaml", "--test-time", "flip"]
COMMANDS = {
    "zoom": (
        [*ZOOM, "--resume", "--json"],
        ["zoom", "audit", "--hard", "new", "--json"],
        ["report", "audit", "--out", "page.html"],
    ),
    "sets": (
        ["gate", "audit", "--rule", "minority_coverage>=0.1", "--json"],
        ["sets", "audit", "--calibrate", "half", "--resume", "--json"],
        ["explain", "pictures/img_align_celeba/0000.png", "--model", "model", *FACTORY, "--sets", "audit", "--json"],
        ["report", "audit", "--out", "page.html"],
    ),
}
"""Commands that read a study, by its name."""


def filled(words, folder):
    """The words, with the places in the folder in them."""
    return [str(folder / word) if (folder / word.partition("/")[0]).exists() or word == "new" or word.endswith(".html")
            else word for word in words]  # fmt: skip


def told(words, folder):
    """What a command says: its exit code, and what it printed or wrote, without the folder's name."""
    ended = run(filled(words, folder))
    page = folder / "page.html"
    said = (ended.out + (page.read_text() if page.exists() else "")).replace(str(folder), "")
    page.unlink(missing_ok=True)
    return ended.code, said


@pytest.mark.slow
@examples(14)
@given(st.data())
def test_a_study_with_a_damaged_file_is_refused_or_says_what_it_said(fresh, base, data):
    folder = fresh()
    shutil.copytree(base, folder, dirs_exist_ok=True)
    name = data.draw(st.sampled_from(sorted(COMMANDS)))
    study = folder / "audit" / "studies" / name
    words = data.draw(st.sampled_from(COMMANDS[name]))
    try:
        before = told(words, folder)
    except AssertionError:
        raise
    except Exception as refused:  # as of a study without a hard set
        before = str(refused)
    shutil.rmtree(folder / "new", ignore_errors=True)
    file = data.draw(st.sampled_from(sorted(file for file in study.rglob("*") if file.is_file())))
    file.write_bytes(data.draw(other_file(file)))

    def right(now):
        # The gate and the page say in words that a study is not to be read; all else is refused.
        return now == before or "not shown" in now[1] or (now[0] == 1 and '"value": null' in now[1])

    judge(lambda: told(words, folder), right)
    shutil.rmtree(folder)


@pytest.mark.slow
@examples(8)
@given(st.data())
def test_a_damaged_study_is_finished_or_refused(fresh, base, data):
    folder = fresh()
    shutil.copytree(base, folder, dirs_exist_ok=True)
    study = folder / "audit" / "studies" / "zoom"
    for summary in (study / "summary.json", study / "test-time" / "summary.json"):
        summary.unlink()
    file = data.draw(st.sampled_from(sorted(file for file in study.rglob("*") if file.is_file())))
    file.write_bytes(data.draw(other_file(file)))
    judge(lambda: told([*ZOOM, "--resume", "--json"], folder), lambda said: said[0] == 0)
    shutil.rmtree(folder)
