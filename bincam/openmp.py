"""How long the threads of a network wait for one another before they sleep.

torch's threads meet after every layer. The OpenMP of its Linux wheels, GNU's libgomp, lets a thread that arrives early
spin for some milliseconds. On a machine with other work the thread that it waits for is not running meanwhile, and the
spinning takes the time that would let it run: beside four busy processes on two cores training falls to an eighth, and
with bounded spinning to a quarter (``experiments/bench/busy.json``).
"""

from __future__ import annotations

import os
import sys

SPINS = "10000"
"""Turns before a thread sleeps, about a quarter of a millisecond: longer than the threads of a quiet machine wait for
one another, and short beside a turn of the scheduler."""

STATED = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Environment variables by which a user decides it, which are left as they are."""


def bound_spinning() -> bool:
    """Let threads that wait sleep after ``SPINS`` turns; call this before torch, or anything with OpenMP, is imported.

    It sets ``GOMP_SPINCOUNT`` for this process and those that it starts. Results do not depend on it. The OpenMP of
    other builds of torch (macOS, conda with Intel's) does not read it; theirs is ``KMP_BLOCKTIME``.

    Returns:
        True if it is set now; False where the user has decided, or torch has been imported.

    Example:
        >>> from bincam.openmp import bound_spinning
        >>> import torch
        >>> bound_spinning()  # too late
        False
    """
    if "torch" in sys.modules or any(name in os.environ for name in STATED):
        return False
    os.environ["GOMP_SPINCOUNT"] = SPINS
    return True
