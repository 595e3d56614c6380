"""Representations of results in a terminal and in a notebook, and the backend that draws their figures.

A result (an explanation, a ledger, an audit, a contrast, a table of images, a model card) describes itself as a
``Table``: a title, at most ``ROWS`` rows and a note. ``Table.text`` is its ``__repr__``, ``Table.html`` its
``_repr_html_``.

The rooms that define results are below the report, which draws. They must not depend on it, so ``plot()`` of a result
calls ``backend()``, which imports a module by its dotted name on first use, as pandas does for its option
``plotting.backend``. This inverts the dependency: the lower rooms know only the functions that a backend has
(``Backend``), and any module with these functions can be set by ``use_backend``. The default, ``bincam.report.plots``,
draws the figures of the report.

This module imports no other room, and matplotlib only where a figure is drawn.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, cast
from unicodedata import category

from bincam.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", re.ASCII)

ROWS = 10
"""Maximum number of rows of a representation."""

MINUS = "\u2212"
UNDEFINED = "undefined"
NONE = "–"
"""In the cell of a table."""

DEFAULT_BACKEND = "bincam.report.plots"
_chosen = DEFAULT_BACKEND


class Backend(Protocol):
    """The functions of a module that draws results; each returns a matplotlib figure."""

    def plot_explanation(self, explanation: Any, **options: Any) -> Figure:
        """Draw the maps of one image; ``Explanation.plot`` describes the options."""

    def plot_audit(self, audit: Any, **options: Any) -> Figure:
        """Draw a measure of an audit by attribute; ``Audit.plot`` describes the options."""

    def plot_contrast(self, contrast: Any, **options: Any) -> Figure:
        """Draw a measure of a contrast by attribute; ``Contrast.plot`` describes the options."""


_FUNCTIONS = ("plot_explanation", "plot_audit", "plot_contrast")


def use_backend(name: str) -> None:
    """Set the module that draws results.

    Args:
        name: Dotted name of a module with the functions of ``Backend``; it is imported by the next ``plot()``.

    Example:
        >>> from bincam import display
        >>> display.use_backend("bincam.report.plots")
    """
    global _chosen  # noqa: PLW0603  # one backend per process, as in pandas
    _chosen = name


def backend() -> Backend:
    """Import the module that draws results.

    Raises:
        InputError: The module cannot be imported, or lacks a function of ``Backend``.
    """
    try:
        module = importlib.import_module(_chosen)
    except ModuleNotFoundError as error:
        raise InputError(
            f"plotting backend {_chosen!r} cannot be imported ({error}); set one by use_backend()"
        ) from error
    missing = [name for name in _FUNCTIONS if not hasattr(module, name)]
    if missing:
        raise InputError(f"plotting backend {_chosen!r} has no function {missing[0]!r}; set another by use_backend()")
    return cast("Backend", module)


@dataclass(frozen=True)
class Table:
    """A small table, as text or as HTML.

    Attributes:
        title: A sentence above the table: what is shown, and how many images it rests on.
        columns: Heads of the columns.
        rows: Cells by row; the first is the row's head.
        note: A sentence below the table; empty for none.
        left: Number of left-aligned columns; the others, of numbers, are right-aligned.

    Example:
        >>> from bincam.display import Table
        >>> table = Table("2 attributes", ("attribute", "n"), [("Bald", "12"), ("Smiling", "1,034")])
        >>> print(table.text())
        2 attributes
        attribute      n
        Bald          12
        Smiling    1,034
        >>> Table("<b>", (), []).html()
        '<div><p><strong>&lt;b&gt;</strong></p></div>'
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    left: int = 1

    def text(self) -> str:
        """Format the table for a terminal."""
        cells = [[_line(cell) for cell in row] for row in (self.columns, *self.rows)] if self.rows else []
        widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if place < self.left else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        return "\n".join(filter(None, (_line(self.title), *lines, _line(self.note))))

    def html(self, *, picture: str = "") -> str:
        """Format the table for a notebook.

        Args:
            picture: An HTML element below the title, such as ``image`` makes; it is not escaped.

        Returns:
            A ``div`` in which all texts are escaped.
        """
        parts = [f"<p><strong>{escape(self.title)}</strong></p>", picture]
        if self.rows:
            heads = "".join(self._cell("th", head, place) for place, head in enumerate(self.columns))
            body = "".join(
                "".join(("<tr>", *(self._cell("td" if n else "th", cell, n) for n, cell in enumerate(row)), "</tr>"))
                for row in self.rows
            )
            parts.append(f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>")
        parts.append(f"<p>{escape(self.note)}</p>" if self.note else "")
        return f"<div>{''.join(parts)}</div>"

    def _cell(self, tag: str, text: str, place: int) -> str:
        return f'<{tag} style="text-align: {"left" if place < self.left else "right"}">{escape(text)}</{tag}>'


def _line(text: str) -> str:
    """Replace characters that would break a line of the terminal or control it."""
    return "".join("\N{REPLACEMENT CHARACTER}" if category(c)[0] == "C" or c in "\u2028\u2029" else c for c in text)


def image(figure: Figure, alt: str, *, dpi: int = 96) -> str:
    """Embed a figure as an HTML image element with a data URI.

    Args:
        figure: The figure.
        alt: Its content in words; it is escaped.
        dpi: Resolution of the PNG.

    Returns:
        ``<img src="data:image/png;base64,..." alt="...">``.
    """
    import warnings
    from base64 import b64encode
    from io import BytesIO

    png = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a name in another script
        figure.savefig(png, format="png", dpi=dpi)
    data = b64encode(png.getvalue()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" style="max-width: 100%">'


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write a number with a fixed number of decimals.

    >>> number(-0.304), number(0.25, signed=True), number(-0.001)
    ('−0.30', '+0.25', '0.00')
    """
    if not math.isfinite(value):
        return UNDEFINED if math.isnan(value) else f"{MINUS if value < 0 else ''}∞"
    text = f"{abs(value):.{digits}f}"
    return (MINUS if value < 0 else "+" if signed else "") + text if float(text) else text


def cell(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write a number as ``number`` does, with ``–`` for NaN, as in the cells of tables."""
    return NONE if math.isnan(value) else number(value, digits, signed=signed)


def counted(count: int, one: str, many: str = "") -> str:
    """Write a count of things.

    >>> counted(2000, "image"), counted(1, "person", "people")
    ('2,000 images', '1 person')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def literal_console(*, stderr: bool = False) -> Console:
    """Make a terminal's console that prints names as they are: ``[red]`` and ``:smile:`` are text, not markup.

    >>> literal_console().render_str("[/] :smile:").plain
    '[/] :smile:'
    """
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False)


def spreadsheet_cell(value: object) -> object:
    """Write a cell of a CSV file for a spreadsheet, which would run text that begins as a formula does.

    Text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return gets an apostrophe before it, by which
    spreadsheets show it as it is; numbers, also written as text, stay numbers.

    >>> spreadsheet_cell("=1+1"), spreadsheet_cell("-0.5"), spreadsheet_cell("Smiling"), spreadsheet_cell(-0.5)
    ("'=1+1", '-0.5', 'Smiling', -0.5)
    """
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    return value if _NUMBER.fullmatch(value) else f"'{value}"


def omitted(shown: int, total: int, things: str) -> str:
    """Write how many of the rows are shown; empty if all are.

    >>> omitted(10, 40, "attributes")
    '10 of 40 attributes are shown'
    """
    return "" if shown >= total else f"{shown:,} of {total:,} {things} are shown"
