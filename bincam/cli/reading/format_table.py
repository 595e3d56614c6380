"""The formats of data sets, as ``bincam data formats`` tells them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bincam.display import literal_console

if TYPE_CHECKING:
    from bincam.data.readers.format import Format


def facts(item: Format) -> dict[str, Any]:
    """What is known of a format, as JSON values.

    >>> from bincam.data.readers.formats import by_name
    >>> facts(by_name("celeba"))["options"]["variant"]
    {'values': "one of 'aligned', 'wild'", 'required': False, 'default': None}
    """
    from bincam.data.readers.arguments import plain

    options = {}
    for name, default in item.defaults.items():
        required = default is inspect.Parameter.empty
        options[name] = {
            "values": item.words(name),
            "required": required,
            **({} if required else {"default": plain(default)}),
        }
    known = item.sign is not None
    return {
        "name": item.name, "text": item.text, "expects": item.expects, "recognised": known, "options": options
    }  # fmt: skip


def print_formats(items: Sequence[Format], *, with_options: bool) -> None:
    """Print a line for each format, or for each option of them."""
    from rich.table import Table

    console = literal_console()
    rows = Table("format", "data sets", "known by") if not with_options else Table("option", "values", "default")
    for item in items:
        if with_options:
            console.print(f"{item.name}: {item.text}. Known by: {item.expects}.", soft_wrap=True)
            console.print(_first_paragraph(item), soft_wrap=True)
            for name, option in facts(item)["options"].items():
                rows.add_row(name, option["values"], "(required)" if option["required"] else str(option["default"]))
        else:
            rows.add_row(item.name, item.text, item.expects + ("" if item.sign else "; has to be stated"))
    if rows.row_count:
        console.print(rows)


def _first_paragraph(item: Format) -> str:
    return " ".join((inspect.getdoc(item.function) or "").partition("\n\n")[0].split())
