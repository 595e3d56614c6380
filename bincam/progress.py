"""Progress bars on stderr, so that stdout carries data only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
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
