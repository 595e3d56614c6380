"""The model and the data that an audit names, opened again; options of the command replace what has moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bincam.cli.reading import source
from bincam.cli.reading.option_groups import ModelOptions
from bincam.cli.reading.table_options import ReaderOptions
from bincam.errors import InputError

if TYPE_CHECKING:
    from bincam.audit import Audit
    from bincam.data.attribute_table import AttributeTable
    from bincam.models import AttributeClassifier


def open_audited_model(
    audit: Audit, model: str | None, weights: Path | None, options: ModelOptions, *, device: str = "cpu"
) -> AttributeClassifier:
    """Open the audited model where the manifest or the user says it is; whether it is the audited one is not checked.

    Args:
        audit: The audit.
        model: A model folder or a timm name, in place of the manifest's.
        weights: State dict; with nothing else about the model, it is read with the card of the manifest.
        options: Statements about a model without a card.
        device: Device to move it to.

    Raises:
        InputError: It is not there.
    """
    named = audit.manifest.model.source
    if weights is not None and model is None and not options.stated():
        from bincam.models import adopt, make_card

        source.prepare()
        card = make_card(**audit.manifest.model.card)
        return adopt(card, weights, unsafe_pickle=options.unsafe_pickle).to(device)
    chosen = model or (named if options.factory is None or Path(named).is_dir() else None)
    try:
        return source.open_source(chosen, weights, options, device=device)
    except InputError as error:
        if model is not None or weights is not None or Path(named).is_dir():
            raise
        raise InputError(
            f"{audit.folder}: its model is no longer there: {error}; name the audited model with --model, or its "
            "weights with --weights"
        ) from None


def read_audited_data(audit: Audit, data: str | None, reading: ReaderOptions) -> AttributeTable:
    """Read the audited data set as it was read for the audit; whether it is unchanged is not checked.

    Args:
        audit: The audit.
        data: Where it is now, in place of the manifest's source.
        reading: Options of the reader that replace those of the audit.

    Raises:
        InputError: It is not there, or cannot be read.
    """
    from bincam.data.readers.load import read

    stated = audit.manifest.data
    typed = reading.reader_options(data or stated.source, stated.options.get("format"))
    if data is None and not typed:
        try:
            return stated.read_table()
        except InputError as error:
            raise InputError(f"{audit.folder}: {error}; name the audited data with --data") from None
    options = {**stated.options, **typed}
    if data is not None and "images" not in typed and not Path(str(options.get("images", "."))).is_dir():
        options.pop("images")  # it has moved with the table
    return read(data or stated.source, options)
