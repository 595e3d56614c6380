"""Try the families of the sweep: ``python -m tests.sweep [--write] [--first] [part of a name ...]``.

Prints what comes of each. With ``--write`` the results become the expected ones, and the page of the documentation is
made from them: read the difference before it is committed.
"""

from __future__ import annotations

import sys
import time
import warnings

import bincam.torchvision_ops  # noqa: F401  # must stand before timm and torchvision

# isort: split
import torch

from tests.sweep import page, table
from tests.sweep.cases import CASES
from tests.sweep.outcome import examine


def main(arguments: list[str]) -> None:
    """Run the command."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    parts = [argument.lower() for argument in arguments if not argument.startswith("--")]
    expected = table.read()
    for case in CASES:
        if parts and not any(part in f"{case.source} {case.family} {case.model}".lower() for part in parts):
            continue
        for size in case.sizes[:1] if "--first" in arguments else case.sizes:
            start = time.process_time()
            outcome = examine(case, size)
            expected[table.key(case, size)] = outcome
            print(  # noqa: T201  # the command's result
                f"{table.key(case, size):56} {outcome.result:12} {outcome.pooling:8} {outcome.grid!s:8} "
                f"{outcome.layer[-40:]:40} {time.process_time() - start:5.1f} s  "
                f"{outcome.faults or ''} {outcome.reason}",
                flush=True,
            )
    if "--write" in arguments:
        keys = [table.key(case, size) for case in CASES for size in case.sizes]
        table.write({name: expected[name] for name in keys if name in expected})
        page.PAGE.write_text(page.render(), "utf-8")


main(sys.argv[1:])
