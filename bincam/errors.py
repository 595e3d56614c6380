"""Exceptions and warnings that bincam raises."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

LONGEST = 2000
"""Characters of a message; of a longer one, which quotes something of any size, the middle is left out."""
_UNPRINTED = {"Cc", "Cs", "Zl", "Zp"}
"""Classes of characters that break a line, move a terminal's cursor, or cannot be encoded."""


class BincamError(Exception):
    """Base class of errors that a user can cause; the message says what is wrong, where, and what to do.

    The command line prints the message as one line and exits with status 2, without a traceback. Whatever a message
    quotes, it is one line of at most ``LONGEST`` characters: see ``in_a_line``.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(in_a_line(str(message)))


class InputError(BincamError, ValueError):
    """A value, file or shape is invalid."""


class UnsupportedError(BincamError, NotImplementedError):
    """The model or method does not support the request; the message says why and what to use instead."""


class BincamWarning(UserWarning):
    """Something is valid but probably not what was intended."""


def out_of_memory(error: BaseException) -> bool:
    """True for an error that says that memory is used up, of Python, numpy, or torch on any device.

    torch's allocator for CPUs raises a bare ``RuntimeError``, which only its text tells from others.

    >>> out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    True
    >>> out_of_memory(RuntimeError("sizes differ"))
    False
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def in_a_line(text: str, longest: int = LONGEST) -> str:
    r"""Write text as one line that a terminal shows as it is: control characters escaped, its middle cut if it is long.

    Args:
        text: Of any content, such as a name from a file.
        longest: Characters of the result at most.

    Example:
        >>> from bincam.errors import in_a_line
        >>> print(in_a_line("a\nb\x1b[31m"), in_a_line("0123456789" * 9, 30))
        a\nb\x1b[31m 01234567890123 ... 90123456789
    """
    if len(text) > longest:
        head = longest // 2 - 1
        text = f"{text[:head]} ... {text[-(longest - head - 5) :]}"
    if text.isprintable():
        return text
    return "".join(repr(letter)[1:-1] if unicodedata.category(letter) in _UNPRINTED else letter for letter in text)


def nearest(name: object, known: Iterable[str], limit: int = 3) -> str:
    """Suggest the accepted names closest to a wrong one, as the end of an error message.

    Args:
        name: The wrong name.
        known: The accepted names.
        limit: Maximum number of names to suggest.

    Returns:
        ``"; did you mean 'a' or 'b'?"``, or, if nothing is close, ``"; known: 'a', 'b', ... (40 in all)"``.

    Example:
        >>> from bincam.errors import nearest
        >>> "unknown attribute 'Smilng'" + nearest("Smilng", ["Bald", "Smiling"])
        "unknown attribute 'Smilng'; did you mean 'Smiling'?"
        >>> nearest("Hat", ["Bald", "Smiling"])
        "; known: 'Bald', 'Smiling'"
    """
    names = [str(one) for one in known]
    if not names:
        return "; none are known"
    folded = {n.casefold(): n for n in names}
    close = [folded[m] for m in difflib.get_close_matches(str(name)[:100].casefold(), folded, n=limit, cutoff=0.6)]
    if close:
        return f"; did you mean {' or '.join(repr(n) for n in close)}?"
    shown = ", ".join(repr(n) for n in names[:8])
    return f"; known: {shown}{f', ... ({len(names)} in all)' if len(names) > 8 else ''}"
