"""Campaigns of simulations: cells measured one after another into a JSON file, so that an interrupted one resumes."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

Results = dict[str, Any]


def options(description: str | None, file: Path) -> ArgumentParser:
    """Make the options that every campaign has.

    Args:
        description: Of the command.
        file: Default file of the results.
    """
    parser = ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=1000, help="simulated audits of each cell")
    parser.add_argument("--cells", default="", help="only cells whose name contains this text")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--file", type=Path, default=file, help="file of the results")
    parser.add_argument("--again", action="store_true", help="measure all cells anew, not only those with fewer runs")
    parser.add_argument("--table", action="store_true", help="print the tables of the file and do nothing else")
    return parser


def carry_out(
    arguments: Namespace,
    cells: Mapping[str, Callable[[], Any]],
    table: Callable[[Results], str],
    *,
    column: str | None = None,
    indent: int | None = 1,
) -> None:
    """Measure the cells that are wanted and have no result of as many runs, and store each when it is done.

    Args:
        arguments: Of ``options``.
        cells: What to measure by the cell's name; it can be pickled.
        table: Makes the tables from the results.
        column: Key of the results under which the cells stand; None where they stand by themselves.
        indent: Of the JSON file.
    """
    results: Results = json.loads(arguments.file.read_text("utf-8")) if arguments.file.is_file() else {}
    if arguments.table:
        print(table(results))
        return
    measured = results if column is None else results.setdefault(column, {})
    wanted = [
        name
        for name in cells
        if arguments.cells in name and (arguments.again or measured.get(name, {}).get("runs", 0) < arguments.runs)
    ]
    started = time.perf_counter()
    with ProcessPoolExecutor(arguments.processes) as pool:
        pending = {pool.submit(cells[name]): name for name in wanted}
        for done in as_completed(pending):
            measured[pending[done]] = done.result()
            # In the order of the campaign, whichever process was first.
            order = {name: place for place, name in enumerate(cells)}
            ordered = sorted(measured.items(), key=lambda item: order.get(item[0], len(order)))
            measured.clear()
            measured.update(ordered)
            separators = None if indent else (",", ":")
            arguments.file.write_text(json.dumps(results, indent=indent, separators=separators) + "\n", "utf-8")
            print(f"{time.perf_counter() - started:6.0f} s  {pending[done]}", flush=True)
