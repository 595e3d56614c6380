"""What bincam raises when it cannot do what it was asked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BincamError(Exception):
    """Base of every error that a user can cause; its text says what, where, and what to do.

    The command line prints it as one line and exits with 2, without a traceback.
    """


class InputError(BincamError, ValueError):
    """A value, file or shape is not what it has to be."""


class UnsupportedError(BincamError, NotImplementedError):
    """The question has no answer for this model or method; the text says why and what to use instead."""


class BincamWarning(UserWarning):
    """Something is legal and probably not what was meant."""


def nearest(name: object, known: Iterable[str], limit: int = 3) -> str:
    """The known names closest to a wrong one, as the tail of an error message.

    Args:
        name: What was given.
        known: What would have been accepted.
        limit: How many names to offer.

    Returns:
        ``"; did you mean 'a' or 'b'?"``, or, where nothing is close, ``"; known: 'a', 'b', ... (40 in all)"``.
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
