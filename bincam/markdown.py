"""Text of any content in Markdown: it stays text, whatever it consists of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bincam.errors import in_a_line

_MARKS = re.compile(r"([\\`*\[\]|~$#@]|(?<![^\W_])_|_(?![^\W_])|(?<=\w):(?=//)|(?<=[wW]{3})\.)")
"""Characters that begin or end a link, a picture, emphasis, code or a formula, or escape another; a stroke ends a cell.

An underscore within a word is none of these. Colon, dot and at sign are those of addresses, which become links alone.
"""


def plain(text: str) -> str:
    r"""Write text of any content: no tag, link, picture, emphasis or formula begins in it, and no line ends.

    >>> print(plain("Wearing_Hat *x* [a](http://b) <img> &lt;"))
    Wearing_Hat \*x\* \[a\](http\://b) &lt;img> &amp;lt;
    """
    escaped = _MARKS.sub(r"\\\1", in_a_line(text))
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", re.sub(r"&(?=#?\w+;)", "&amp;", escaped))


def code(text: str) -> str:
    r"""Write text of any content as code, within more backticks than it has in a row.

    >>> print(code("a`b|c"))
    `` a`b\|c ``
    """
    line = in_a_line(text).replace("|", "\\|")  # in a table the stroke ends a cell within code, too
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if "`" in line else ""
    return f"{fence}{space}{line}{space}{fence}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Write a table of cells of any content, ended by a line break.

    >>> print(table(["a", "b"], [["1", "x|y"]]), end="")
    | a | b |
    |---|---|
    | 1 | x\|y |
    """
    lines = [heads, *rows]
    cells = [f"| {' | '.join(map(plain, line))} |" for line in lines]
    return "\n".join([cells[0], "|" + "---|" * len(heads), *cells[1:]]) + "\n"
