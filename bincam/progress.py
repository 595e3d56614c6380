"""Progress of long work on stderr, so that stdout carries data only: bars, and the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import TypeVar

from bincam.display import literal_console

T = TypeVar("T")


def track(
    items: Iterable[T],
    description: str,
    *,
    total: int | None = None,
    unit: str = "it",
    amount: Callable[[T], int] | None = None,
) -> Iterator[T]:
    """Yield ``items`` while a bar on stderr shows count, rate and remaining time.

    If stderr is not a terminal, rich prints the bar once at the end instead of animating it. Without items there is no
    bar.

    Args:
        items: The items to iterate over.
        description: A few words shown before the bar.
        total: Number of items; ``len(items)`` by default, where it is defined.
        unit: Unit of the rate, for example ``"images"``.
        amount: Function of an item that returns by how much it advances the bar, if not by 1; ``total`` is the sum.

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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=literal_console(stderr=True),
    ) as progress:
        task = progress.add_task(description, total=total, rate="")
        for item in items:
            yield item
            speed = progress.tasks[task].finished_speed or progress.tasks[task].speed
            progress.update(
                task, advance=1 if amount is None else amount(item), rate=f"{speed:.1f} {unit}/s" if speed else ""
            )


DONE_BEFORE = 0.05
"""A step that takes less than this share of what is expected had been done before, by an earlier run."""


def time_left(expected: Sequence[float], taken: Sequence[float]) -> float:
    """Estimate the seconds that are left of a command of several steps.

    The steps that are left take as many times what is expected as those before did; steps that had been done before
    say nothing of this machine and do not count.

    Args:
        expected: Of every step, in any unit that they share.
        taken: Seconds of the steps that are finished, the first ones.

    Returns:
        Seconds; NaN where no step was carried out yet.

    Example:
        >>> from bincam.progress import time_left
        >>> time_left([10, 30, 20], [20])
        100.0
        >>> time_left([10, 30, 20], [0.1, 30])  # the first step had been done before
        20.0
    """
    counted = [
        (usual, seconds) for usual, seconds in zip(expected, taken, strict=False) if seconds >= DONE_BEFORE * usual
    ]
    if not counted:
        return float("nan")
    factor = sum(seconds for _, seconds in counted) / sum(usual for usual, _ in counted)
    return factor * sum(expected[len(taken) :])


def in_words(seconds: float) -> str:
    """Write a duration as a person would say it.

    >>> in_words(20), in_words(100), in_words(337)
    ('20 s', '2 min', '6 min')
    """
    return f"{max(round(seconds), 1)} s" if seconds < 90 else f"{round(seconds / 60)} min"
