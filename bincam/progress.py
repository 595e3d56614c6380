"""Progress of long work, on stderr, so that stdout carries data only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


def track(
    items: Iterable[T],
    description: str,
    *,
    total: int | None = None,
    unit: str = "it",
    amount: Callable[[T], int] | None = None,
) -> Iterator[T]:
    """Yield ``items`` while a bar on stderr shows count, rate and time left.

    Where stderr is not a terminal, rich prints the bar once at the end instead of animating it.

    Args:
        items: What to go through.
        description: A few words before the bar.
        total: How many there are; taken from ``len(items)`` where it has one.
        unit: What one item is called in the rate, for example ``"images"``.
        amount: By how much an item advances the bar, where that is not 1; ``total`` is then the sum.

    Yields:
        The items, in order.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task(description, total=total, rate="")
        for item in items:
            yield item
            speed = progress.tasks[task].finished_speed or progress.tasks[task].speed
            progress.update(
                task, advance=1 if amount is None else amount(item), rate=f"{speed:.1f} {unit}/s" if speed else ""
            )
