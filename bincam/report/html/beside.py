"""Cards drawn by a second process beside this one."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bincam.errors import BincamWarning, InputError
from bincam.processes import started

if TYPE_CHECKING:
    from bincam.report.html.page import Spread
    from bincam.report.sections.context import Drawing
    from bincam.report.view_model import Card

WORTH = 8
"""Attributes from which on a second process pays: it needs two seconds to start, in which four cards are drawn."""


@contextlib.contextmanager
def second_process(
    source: Path, out: Path, *, workers: int, hide_faces: bool, assets: str | os.PathLike[str] | None, misses: int
) -> Iterator[Spread]:
    """Start a second process, where it is asked for and pays; it opens the source for itself.

    Args:
        source: Folder of the audit or contrast.
        out: The page.
        workers: Number of processes, this one included.
        hide_faces: As for ``write_report``.
        assets: Likewise.
        misses: Likewise.

    Yields:
        What draws the cards of attributes, in both processes or in this one.
    """
    if workers < 2 or _attributes(source) < WORTH or _is_long(source):  # whose records are held by one process
        yield partial(draw_all, None)
        return
    pool = started(1, _open, (source, out, hide_faces, assets, misses))
    pool.submit(_is_open)  # starts it
    try:
        yield partial(draw_all, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _attributes(source: Path) -> int:
    """Count the attributes that a folder states, unchecked: whoever opens it finds what is wrong with it."""
    for file in (source / "contrast.json", source / "manifest.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return len(json.loads(file.read_text(encoding="utf-8"))["attributes"])
    return 0


def _is_long(source: Path) -> bool:
    """Tell whether a folder states more images than are read at once, unchecked."""
    from bincam.audit.folder.parts.sampled import MOST

    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        stated = json.loads((source / "contrast.json").read_text(encoding="utf-8"))
        return bool(stated["images"] + stated["not_in_both"] > MOST)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((source / "manifest.json").read_text(encoding="utf-8"))["data"]["images"] > MOST)
    return False


def draw_all(
    pool: Executor | None, attributes: Sequence[str], draw: Callable[[str], Card]
) -> Iterator[tuple[str, Card]]:
    """Draw cards in this process and in the other, which begins at once, from the first on; this one from the last on.

    Args:
        pool: The second process, or None.
        attributes: Their names.
        draw: Draws a card in this process.

    Returns:
        An iterator over name and card, last attribute first; it draws what the other process has not begun.
    """
    begun = {} if pool is None else {name: pool.submit(_draw, name) for name in attributes}
    return ((name, _card(name, draw, begun.get(name))) for name in reversed(attributes))


def _card(name: str, draw: Callable[[str], Card], begun: Future[Card] | None) -> Card:
    if begun is None or begun.cancel():
        return draw(name)
    try:
        return begun.result()
    except BrokenProcessPool:  # killed, perhaps for lack of memory
        return draw(name)


_drawing: Drawing | None = None
"""What the second process draws."""


def _open(source: Path, out: Path, hide_faces: bool, assets: str | os.PathLike[str] | None, misses: int) -> None:
    """Open the source in the second process; its errors and warnings are told by the first, which opens it too."""
    global _drawing  # noqa: PLW0603  # a process of its own, which draws one page
    warnings.simplefilter("ignore", BincamWarning)
    from bincam.report.html.page import drawing_of, open_source

    with contextlib.suppress(InputError):
        _drawing = drawing_of(open_source(source), out, hide_faces=hide_faces, assets=assets, misses=misses)


def _is_open() -> bool:
    return _drawing is not None


def _draw(attribute: str) -> Card:
    from bincam.report.sections.attributes.card import card

    assert _drawing is not None
    return card(attribute, _drawing)
