"""What is left is that of the whole command, also of one that goes on where an earlier run ended."""

import math

import pytest

from bincam import progress
from bincam.progress import Course, left_column, whole


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_later_steps_are_as_slow_as_those_before(clock):
    with Course({"read": 1, "train": 3, "test": 2}) as course:
        course.begin("read")
        assert math.isnan(course.left())
        clock[0] = 5
        assert whole(5.0) == 5 + 10 * (3 + 2)
        clock[0] = 10
        course.begin("train")
        assert course.left() == 10 * (3 + 2)
        clock[0] = 20
        # 10 of 1 before, and 40 of 3 here.
        assert whole(30.0) == pytest.approx(30 + 50 / 4 * 2)
    assert whole(30.0) == 30.0


def test_what_an_earlier_run_had_done_is_no_speed(clock):
    with Course({"first": 100, "second": 100, "third": 100}) as course:
        course.begin("first")  # finished before: no bar
        course.begin("second")
        clock[0] = 10  # of a tenth that is left
        assert whole(10.0, before=0.9) == pytest.approx(10 + 2 * 100)
        clock[0] = 20
        course.begin("third")
        assert course.left() == pytest.approx(200)


def test_a_command_in_a_command_counts_both(clock):
    with Course({"faces": 50, "models": 100}) as outer:
        outer.begin("faces")
        outer.begin("models")
        with Course({"a": 4, "b": 4}) as inner:
            inner.begin("a")
            inner.begin("b")  # the first was there
            clock[0] = 10
            assert whole(15.0) == 15.0
        with Course({"only": 1}) as last:
            last.begin("only")
            assert whole(1.0) == 1.0
    with Course({"models": 100, "audits": 60}) as outer:
        outer.begin("models")
        with Course({"a": 4, "b": 4}) as inner:
            inner.begin("a")
            inner.begin("b")
            clock[0] = 20
            assert whole(40.0) == pytest.approx(40 + 60)  # 50 of the half that was left of 100


def test_the_bars_column_shows_it(clock):
    from rich.progress import Progress

    with Course({"pass": 10, "tests": 20}) as course:
        course.begin("pass")
        shown = Progress(get_time=lambda: clock[0])
        column = left_column()
        shown.add_task("pass", total=10)
        (task,) = shown.tasks
        assert str(column.render(task)) == "-:--:--"  # no speed is known yet
        for clock[0] in (1.0, 2.0, 3.0):
            shown.advance(task.id, 1)
        assert str(column.render(task)) == "0:00:27"
    assert str(left_column().render(task)) == "0:00:07"
