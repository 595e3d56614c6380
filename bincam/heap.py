"""What becomes of memory that is freed: it is kept for the next allocation instead of going back to the system.

A network on the CPU allocates its activations anew in every layer. glibc gives blocks of this size back as soon as they
are freed, and the system fills each new page with zeros. With eight images of 224 pixels an eighth of a ResNet-50's
forward pass is spent on that, and with 32 images a third (``experiments/bench/heap.json``).
"""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Numbers of ``mallopt(3)``."""
_KEPT = 2**30
"""Bytes at the heap's end beyond which memory is given back."""
_LARGEST = 2**25
"""Blocks up to this size are of the heap, the most that glibc takes; larger ones are mapped, unless none is."""

STATED = (
    *("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES"),
    "LD_PRELOAD",
)
"""Environment variables by which a user decides it, or puts another allocator in its place; they are left alone."""


def keep_freed_memory(*, large: bool = False) -> bool:
    """Have this process keep memory that it frees, up to a gigabyte beyond what is in use.

    Results do not depend on it. It is of glibc, the C library of most Linux systems; others are left as they are. It
    cannot be undone, so bincam calls it for the command and for processes that it starts, and never on import.

    Args:
        large: Also blocks of more than 32 MiB, such as activations of large batches in training. Memory is then more
            fragmented: the peak was higher by 0 to 37 % in five trials (``experiments/bench/heap.json``).

    Returns:
        True if it is so now; False where the user has decided, or the C library is another.

    Example:
        ``keep_freed_memory()`` at the beginning of a script; here the user has decided:

        >>> import os
        >>> from bincam.heap import keep_freed_memory
        >>> os.environ["MALLOC_MMAP_MAX_"] = "65536"
        >>> keep_freed_memory()
        False
        >>> del os.environ["MALLOC_MMAP_MAX_"]
    """
    if any(name in os.environ for name in STATED):
        return False
    try:
        library = ctypes.CDLL(None)
        set_option = library.mallopt
        library.gnu_get_libc_version  # noqa: B018  # other libraries have a mallopt that does nothing
    except (AttributeError, OSError, TypeError):
        return False
    options = {_TRIM_THRESHOLD: _KEPT, _MMAP_THRESHOLD: _LARGEST} | ({_MMAP_MAX: 0} if large else {})
    taken = [set_option(option, value) for option, value in options.items()]
    return all(taken)
