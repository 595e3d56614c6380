"""Progress of long work on stderr, so that stdout carries data only: bars, and the time that is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextvars import ContextVar, Token
from typing import Any, Self, TypeVar

from bincam.display import literal_console

T = TypeVar("T")


class Course:
    """The steps of a command, from which those inside estimate what is left of the whole command.

    Within ``with Course(...)``, bars show their own remaining time and that of the steps that follow: as many times
    what these usually take as the work so far took. Courses may be nested, such as an audit in the demo. What an
    earlier run had done does not count: neither steps without a bar, nor the share that a bar says was there before.

    Example:
        >>> import math
        >>> from bincam.progress import Course
        >>> with Course({"read": 1, "train": 3}) as course:
        ...     course.begin("read")
        ...     math.isnan(course.left())  # nothing was measured yet
        ...     round(course.left(own=10))
        True
        40
    """

    def __init__(self, expected: Mapping[str, float]) -> None:
        """State what each step usually takes, in order, in any unit that they share."""
        self._expected = dict(expected)
        self._measured: list[tuple[float, float]] = []  # expected and seconds of the steps that were carried out
        self._step, self._began, self._share = "", math.nan, 0.0
        self._outer: Course | None = None
        self._token: Token[Course | None] | None = None

    def __enter__(self) -> Self:
        self._outer = _course.get()
        self._token = _course.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _course.reset(self._token)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process; the clock is the machine's."""
        return vars(self) | {"_token": None}

    @property
    def share(self) -> float:
        """The share of the current step that this run carries out; 0 if it was found done."""
        return self._share

    def begin(self, step: str) -> None:
        """End the current step, and begin another."""
        if self._step and self._share:
            self._measured.append((self._expected[self._step] * self._share, time.monotonic() - self._began))
        self._step, self._began, self._share = step, time.monotonic(), 0.0

    def work(self, share: float = 1.0) -> None:
        """Note that the current step is carried out: this share of it, if an earlier run did the rest."""
        if not self._step:
            return
        self._share = max(self._share, share)
        if self._outer is not None:
            done = sum(expected for expected, _ in self._measured) + self._expected[self._step] * self._share
            self._outer.work((done + sum(self._later())) / (sum(self._expected.values()) or 1))

    def _later(self) -> list[float]:
        """What the steps after the current one usually take."""
        values = list(self._expected.values())
        return values[list(self._expected).index(self._step) + 1 :]

    def left(self, own: float = math.nan) -> float:
        """Estimate the seconds that are left.

        Args:
            own: Seconds that are left of the current step; NaN if it has just begun.

        Returns:
            Seconds, of all courses around this one too; NaN where nothing was measured yet.
        """
        total = self._left(own) if self._step else own
        return total if self._outer is None else self._outer.left(total)

    def _left(self, own: float) -> float:
        usual, begun = self._expected[self._step], not math.isnan(own)
        known = list(self._measured)
        if begun:
            known.append((usual * (self._share or 1.0), time.monotonic() - self._began + own))
        expected = sum(one for one, _ in known)
        if not expected:
            return own
        factor = sum(seconds for _, seconds in known) / expected
        return (own if begun else factor * usual) + factor * sum(self._later())


_course: ContextVar[Course | None] = ContextVar("course", default=None)


def current() -> Course | None:
    """Return the innermost course, to be continued in another process (``go_on``)."""
    return _course.get()


def go_on(course: Course | None) -> None:
    """Continue the course of the process that started this one."""
    _course.set(course)


def whole(own: float, *, before: float = 0.0) -> float:
    """Return what is left of the whole command, from what is left of the current step; both in seconds.

    Args:
        own: Of the step.
        before: Share of the step that an earlier run had done.

    >>> whole(20.0)  # outside of a course a step is all there is
    20.0
    """
    course = _course.get()
    if course is None:
        return own
    course.work(1 - before)
    return course.left(own)


def track(
    items: Iterable[T],
    description: str,
    *,
    total: int | None = None,
    unit: str = "it",
    amount: Callable[[T], int] | None = None,
    before: int = 0,
) -> Iterator[T]:
    """Yield ``items`` while a bar on stderr shows count, rate and remaining time of the whole command (``Course``).

    If stderr is not a terminal, rich prints the bar once at the end instead of animating it. Without items there is no
    bar.

    Args:
        items: The items to iterate over.
        description: A few words shown before the bar.
        total: Number of items; ``len(items)`` by default, where it is defined.
        unit: Unit of the rate, for example ``"images"``.
        amount: Function of an item that returns by how much it advances the bar, if not by 1; ``total`` is the sum.
        before: How much an earlier run had done of the same work, which is not in ``total``.

    Yields:
        The items, in order.

    Example:
        >>> from bincam.progress import track
        >>> sum(track([1, 2, 3], "Adding"))
        6
    """
    if isinstance(items, Sized):
        if not len(items):
            return
        total = len(items) if total is None else total
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    done_before = before / (before + (total or 0)) if before else 0.0
    if (course := _course.get()) is not None:
        course.work(1 - done_before)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        left_column(done_before),
        console=literal_console(stderr=True),
    ) as progress:
        task = progress.add_task(description, total=total, rate="")
        for item in items:
            yield item
            speed = progress.tasks[task].finished_speed or progress.tasks[task].speed
            progress.update(
                task, advance=1 if amount is None else amount(item), rate=f"{speed:.1f} {unit}/s" if speed else ""
            )


def left_column(before: float = 0.0) -> Any:
    """Make rich's column of the remaining time, of the whole command; ``before``: see ``whole``."""
    from rich.progress import Task, TimeRemainingColumn
    from rich.text import Text

    course = _course.get()  # here: rich draws in a thread of its own, which has other context variables

    class Left(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            own = 0.0 if task.finished else task.time_remaining
            if course is None or own is None:
                return super().render(task)
            course.work(1 - before)
            minutes, seconds = divmod(max(round(course.left(own)), 0), 60)
            return Text(f"{minutes // 60}:{minutes % 60:02}:{seconds:02}", style="progress.remaining")

    return Left()


def in_words(seconds: float) -> str:
    """Write a duration as a person would say it.

    >>> in_words(20), in_words(100), in_words(337)
    ('20 s', '2 min', '6 min')
    """
    return f"{max(round(seconds), 1)} s" if seconds < 90 else f"{round(seconds / 60)} min"
