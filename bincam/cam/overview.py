"""Tables with which explanations and ledgers represent themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from torch import Tensor

from bincam.display import NONE, ROWS, Table, cell, counted, omitted

if TYPE_CHECKING:
    from bincam.cam.explanation import Explanation
    from bincam.cam.ledger import Ledger

_SIDES = {1.0: "positive", -1.0: "negative"}


def explanation_table(explanation: Explanation) -> Table:
    """Tabulate logits, thresholds, explained sides and bias shares of the first images and attributes."""
    shares = explanation.ledger().bias_share
    grid = " × ".join(str(cells) for cells in explanation.maps.shape[-2:])
    rows = [
        (
            head,
            cell(explanation.logits[position].item(), signed=True),
            cell(explanation.threshold[position[1]].item()),
            _SIDES.get(explanation.side[position].item(), NONE),
            cell(shares[position].item()),
        )
        for head, position in _first(explanation.attributes, explanation.logits)
    ]
    adds_up = "maps and constant sum to the logit" if explanation.complete else "maps do not sum to the logit"
    note = f"{explanation.kind}: {explanation.reason}; {adds_up}"
    return Table(
        f"Explanation of {_counts(explanation.attributes, explanation.logits)}: {explanation.method} at "
        f"{explanation.layer}, maps of {grid} cells",
        ("image, attribute", "logit", "threshold", "explained", "bias share"),
        rows,
        "; ".join(filter(None, (note, omitted(len(rows), explanation.logits.numel(), "rows")))),
    )


def ledger_table(ledger: Ledger) -> Table:
    """Tabulate support, opposition, constant and bias share of the first images and attributes."""
    terms = (ledger.support, ledger.opposition, ledger.bias, ledger.bias_share)
    names = ledger.attributes or [str(column) for column in range(ledger.support.shape[1])]
    rows = [
        (
            head,
            *(cell(term[position].item(), signed=term is ledger.bias) for term in terms),
            "no" if ledger.empty[position].item() == 1 else "yes" if ledger.empty[position].item() == 0 else NONE,
        )
        for head, position in _first(names, ledger.support)
    ]
    undefined = f"bias share undefined in {ledger.undefined:,}" if ledger.undefined else ""
    notes = (ledger.reason, undefined, omitted(len(rows), ledger.support.numel(), "rows"))
    return Table(
        f"Ledger of {_counts(names, ledger.support)}, reference {ledger.reference}, in logit units",
        ("image, attribute", "support", "opposition", "constant", "bias share", "positive evidence"),
        rows,
        "; ".join(filter(None, notes)),
    )


def _first(names: Sequence[str], values: Tensor) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the heads and positions of the first rows: image by image, attribute by attribute."""
    positions = ((image, column) for image in range(len(values)) for column in range(values.shape[1]))
    for image, column in islice(positions, ROWS):
        yield f"{image}, {names[column]}", (image, column)


def _counts(names: Sequence[str], values: Tensor) -> str:
    return f"{counted(len(values), 'image')}, {counted(len(names), 'attribute')}"
