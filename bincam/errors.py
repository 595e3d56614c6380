"""Exceptions and warnings that bincam raises."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BincamError(Exception):
    """Base class of errors that a user can cause; the message says what is wrong, where, and what to do.

    The command line prints the message as one line and exits with status 2, without a traceback.
    """


class InputError(BincamError, ValueError):
    """A value, file or shape is invalid."""


class UnsupportedError(BincamError, NotImplementedError):
    """The model or method does not support the request; the message says why and what to use instead."""


class BincamWarning(UserWarning):
    """Something is valid but probably not what was intended."""


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
    names = list(known)
    if not names:
        return "; none are known"
    folded = {n.casefold(): n for n in names}
    close = [folded[m] for m in difflib.get_close_matches(str(name).casefold(), folded, n=limit, cutoff=0.6)]
    if close:
        return f"; did you mean {' or '.join(repr(n) for n in close)}?"
    shown = ", ".join(repr(n) for n in names[:8])
    return f"; known: {shown}{f', ... ({len(names)} in all)' if len(names) > 8 else ''}"
