"""Cards drawn by two processes: the same page, whoever draws which."""

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from bincam.errors import InputError
from bincam.report import write_report
from bincam.report.html import beside

NAMES = ["a", "b", "c", "d"]


def test_without_another_process_all_cards_are_drawn_here():
    assert dict(beside.draw_all(None, NAMES, str.upper)) == {name: name.upper() for name in NAMES}


def test_each_card_is_drawn_once_by_either(monkeypatch):
    began, go = threading.Event(), threading.Event()

    def slowly(name):
        began.set()
        go.wait(10)
        return f"there {name}"

    monkeypatch.setattr(beside, "_draw", slowly)
    with ThreadPoolExecutor(1) as pool:
        cards = beside.draw_all(pool, NAMES, lambda name: f"here {name}")
        assert began.wait(10)
        here = [next(cards) for _ in range(3)]
        go.set()
        assert here == [(name, f"here {name}") for name in "dcb"]
        assert list(cards) == [("a", "there a")]


def test_cards_of_a_process_that_was_killed_are_drawn_here(monkeypatch):
    def killed(name):
        raise BrokenProcessPool(name)

    monkeypatch.setattr(beside, "_draw", killed)
    with ThreadPoolExecutor(1) as pool:
        assert dict(beside.draw_all(pool, NAMES, str.upper)) == {name: name.upper() for name in NAMES}


def test_few_attributes_and_one_worker_start_no_process(bare, tmp_path):
    for workers in (1, 2):
        begun = beside.second_process(
            bare, tmp_path / "r.html", workers=workers, hide_faces=False, assets=None, misses=10
        )
        with begun as spread:
            assert spread.args == (None,)
    with pytest.raises(InputError, match="workers=0"):
        write_report(bare, tmp_path / "r.html", workers=0)


@pytest.mark.slow  # a second process imports all that draws
def test_two_processes_write_the_bytes_of_one(contrast_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(beside, "WORTH", 1)
    pages = [write_report(contrast_folder, tmp_path / f"{n}.html", workers=n).read_bytes() for n in (1, 2)]
    assert pages[0] == pages[1]


def test_the_page_of_a_long_audit_is_drawn_in_one_process(bare, contrast_folder, tmp_path, monkeypatch):
    assert not beside._is_long(bare)
    assert not beside._is_long(tmp_path)
    monkeypatch.setattr("bincam.audit.folder.parts.sampled.MOST", 59)  # of 60 images
    monkeypatch.setattr(beside, "WORTH", 1)
    monkeypatch.setattr(beside, "started", lambda *_: pytest.fail("a second process was started"))
    assert beside._is_long(contrast_folder)
    with beside.second_process(
        bare, tmp_path / "r.html", workers=2, hide_faces=False, assets=None, misses=10
    ) as spread:
        assert dict(spread(["Bald"], str.upper)) == {"Bald": "BALD"}
