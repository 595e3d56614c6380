"""Options for reading a data set: tables, and sets of outputs of which exactly one is true."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli.options import parse_assignments, parse_names, parse_sets, refuse_repeats
from bincam.errors import InputError

if TYPE_CHECKING:
    from bincam.data.attribute_table import AttributeTable

TABLE_PANEL = "CSV and Parquet tables"
SETS_PANEL = "Sets of outputs of which exactly one is true"


class Coding(StrEnum):
    """The coding of the labels of a CSV or Parquet table."""

    zero_one = "0/1"
    minus_one = "-1/1"
    words = "true/false"


class InvalidSets(StrEnum):
    """What becomes of rows in which a set does not have exactly one true label."""

    refuse = "refuse"
    unknown = "unknown"


@dataclass(frozen=True)
class TableOptions:
    """The options for reading a data set, as typed.

    Attributes:
        attributes: Names separated by commas.
        images: Folder that the table's paths are relative to.
        labels: Coding of the labels.
        path_column: Column of image paths.
        split_column: Column of splits.
        identity_column: Column of identities.
        group_columns: Names separated by commas.
        landmark_columns: Ten names separated by commas, or ``celeba``.
        one_of: ``SET=NAME,...`` each.
        one_of_column: ``COLUMN`` or ``COLUMN=CLASS,...`` each.
        one_of_rest: ``SET=NAME`` each.
        one_of_invalid: What becomes of rows without exactly one true label.
    """

    attributes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="Attributes to read; quote a name that contains a comma.", show_default="all"
        ),
    ] = None
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder that the image paths are relative to.", rich_help_panel=TABLE_PANEL
        ),
    ] = None
    labels: Annotated[Coding | None, typer.Option(help="Coding of the labels.", rich_help_panel=TABLE_PANEL)] = None
    path_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of image paths.", rich_help_panel=TABLE_PANEL)
    ] = None
    split_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of splits.", rich_help_panel=TABLE_PANEL)
    ] = None
    identity_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of identities.", rich_help_panel=TABLE_PANEL)
    ] = None
    group_columns: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Columns to slice by.", rich_help_panel=TABLE_PANEL)
    ] = None
    landmark_columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="The ten columns of landmarks, or 'celeba'.", rich_help_panel=TABLE_PANEL
        ),
    ] = None

    one_of: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET=NAME,...",
            help="Attributes of which exactly one is true in every image; may be repeated.",
            rich_help_panel=SETS_PANEL,
        ),
    ] = None
    one_of_column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN[=CLASS,...]",
            help="Column of class names, which is a set of outputs COLUMN=CLASS, and its classes if they are not those "
            "of the column; may be repeated. Of 'orl': person.",
            rich_help_panel=SETS_PANEL,
        ),
    ] = None
    one_of_rest: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET=NAME",
            help="A further output of a set of --one-of, true where none of the others is; may be repeated.",
            rich_help_panel=SETS_PANEL,
        ),
    ] = None
    one_of_invalid: Annotated[
        InvalidSets | None,
        typer.Option(
            help="Rows without exactly one true label in a set: refuse them, or read their labels of it as unknown.",
            show_default="refuse",
            rich_help_panel=SETS_PANEL,
        ),
    ] = None

    def reader_options(self) -> dict[str, Any]:
        """The keyword arguments of ``bincam.data.load`` that were given, but for the attributes.

        Raises:
            InputError: A list of names is malformed.
        """
        options = {
            "images": self.images,
            "labels": None if self.labels is None else self.labels.value,
            "path": self.path_column,
            "split": self.split_column,
            "identity": self.identity_column,
            "groups": None if self.group_columns is None else parse_names("--group-columns", self.group_columns),
            "landmarks": self.landmark_columns
            if self.landmark_columns in {None, "celeba"}
            else parse_names("--landmark-columns", str(self.landmark_columns)),
            "one_of": parse_sets("--one-of", self.one_of) or None,
            "one_of_columns": self._class_columns(),
            "one_of_rest": parse_assignments("--one-of-rest", self.one_of_rest, "SET=NAME") or None,
            "one_of_invalid": None if self.one_of_invalid is None else self.one_of_invalid.value,
        }
        return {name: value for name, value in options.items() if value is not None}

    def _class_columns(self) -> dict[str, list[str] | None] | None:
        typed = self.one_of_column or []
        refuse_repeats("--one-of-column", (text.partition("=")[0].strip() for text in typed))
        classes = parse_sets("--one-of-column", [text for text in typed if "=" in text])
        columns = {text.partition("=")[0].strip(): None for text in typed}
        if not all(columns):
            raise InputError("--one-of-column: the name of a column is empty; expected COLUMN or COLUMN=CLASS,...")
        return {column: classes.get(column) for column in columns} or None

    def names(self) -> list[str] | None:
        """The attributes that were named; None for all.

        Raises:
            InputError: The list of names is malformed.
        """
        return None if self.attributes is None else parse_names("--attributes", self.attributes)

    def validate(self) -> None:
        """Check the lists of names before anything is read.

        Raises:
            InputError: One of them is malformed.
        """
        self.names()
        self.reader_options()

    def load(self, source: str) -> AttributeTable:
        """Read a data set.

        Args:
            source: As for ``bincam.data.load``.

        Raises:
            InputError: An option is malformed, or the data set cannot be read that way.
        """
        from bincam.data import load

        names, options = self.names(), self.reader_options()
        if names is not None and source != "orl" and not Path(source).is_dir():
            return load(source, attributes=names, **options)  # the meaning of the other columns need not be known
        table = load(source, **options)
        return table if names is None else table.select(names)
