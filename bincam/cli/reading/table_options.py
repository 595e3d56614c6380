"""Options for reading a data set: tables, and sets of outputs of which exactly one is true."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bincam.cli.reading.options import parse_assignments, parse_names, parse_sets, refuse_repeats
from bincam.errors import InputError

if TYPE_CHECKING:
    from bincam.data.attribute_table import AttributeTable
    from bincam.models import Card

TABLE_PANEL = "CSV and Parquet tables"
OTHER_PANEL = "Other data sets"
SETS_PANEL = "Sets of outputs of which exactly one is true"
_ONE_OF = "One-hot columns or attributes of which exactly one is true in every image; may be repeated."


class Variant(StrEnum):
    """The images of a folder in CelebA's layout."""

    aligned = "aligned"
    wild = "wild"


class InvalidSets(StrEnum):
    """What becomes of rows in which a set does not have exactly one true label."""

    refuse = "refuse"
    unknown = "unknown"


@dataclass(frozen=True)
class ReaderOptions:
    """The options for reading a data set, as typed, whose names no option of a model has.

    Attributes:
        images: Folder that the table's paths are relative to.
        labels: Name of a coding, or ``VALUE=MEANING,...``.
        path_column: Column of image paths.
        split_column: Column of splits.
        identity_column: Column of identities.
        group_columns: Names separated by commas.
        landmark_columns: Ten names separated by commas, or ``celeba``.
        box_columns: Four names separated by commas, or ``celeba``.
        variant: Of a folder in CelebA's layout.
        fold: Of ``orl``.
        format: Name of a format.
        range: The values of the images that are black and white.
        data_option: ``NAME=VALUE`` each, options that only readers of some formats have.
        data_one_of: ``SET=NAME,...`` each.
        one_of_column: ``COLUMN`` or ``COLUMN=CLASS,...`` each.
        one_of_name: ``COLUMN=SET`` each.
        one_of_rest: ``SET=NAME`` each.
        one_of_invalid: What becomes of rows without exactly one true label.
    """

    _one_of: ClassVar[str] = "--data-one-of"

    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that the image paths are relative to.",
            show_default="that of the table",
            rich_help_panel=TABLE_PANEL,
        ),
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="CODING",
            help="0/1, -1/1, true/false, or what each value means: 1=yes,0=no,-1=unknown.",
            show_default="0/1",
            rich_help_panel=TABLE_PANEL,
        ),
    ] = None
    path_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of image paths.", show_default="image", rich_help_panel=TABLE_PANEL),
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
    box_columns: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="The four columns of boxes, or 'celeba'.", rich_help_panel=TABLE_PANEL),
    ] = None
    variant: Annotated[
        Variant | None,
        typer.Option(
            help="CelebA's layout: the aligned images or the original photographs.",
            show_default="those that the folder has",
            rich_help_panel=OTHER_PANEL,
        ),
    ] = None
    fold: Annotated[
        int | None,
        typer.Option(
            help="orl: which of its four folds is the test split.", show_default="0", rich_help_panel=OTHER_PANEL
        ),
    ] = None

    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Format of the data set, of those that 'bincam data formats' lists.",
            show_default="that of its files",
            rich_help_panel=OTHER_PANEL,
        ),
    ] = None
    range: Annotated[
        str | None,
        typer.Option(
            metavar="BLACK-WHITE",
            help="Values of the images that are black and white, such as 0-4095, of images of more than 8 bits.",
            rich_help_panel=OTHER_PANEL,
        ),
    ] = None
    data_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Option of the format's reader, as 'bincam data formats NAME' lists them; may be repeated.",
            rich_help_panel=OTHER_PANEL,
        ),
    ] = None
    data_one_of: Annotated[
        list[str] | None,
        typer.Option("--data-one-of", metavar="SET=NAME,...", help=_ONE_OF, rich_help_panel=SETS_PANEL),
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
    one_of_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=SET",
            help="Name of the set of a column of class names, where it is not that of the column; may be repeated.",
            rich_help_panel=SETS_PANEL,
        ),
    ] = None
    one_of_rest: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET=NAME",
            help="A further output of a set of one-hot columns, true where none of the others is; may be repeated.",
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

    def reader_options(self, source: str | None = None, format_name: str | None = None) -> dict[str, Any]:
        """The keyword arguments of ``bincam.data.load`` that were given.

        Args:
            source: The data set; without one, the options of its format are left as they were typed.
            format_name: Its format, where none was given.

        Raises:
            InputError: A list of names is malformed, or an option is none of the format.
        """
        from bincam.data.decoding.bands import parse_range

        own = parse_assignments("--data-option", self.data_option, "NAME=VALUE")
        options = {
            "format": self.format,
            "range": None if self.range is None else list(parse_range(self.range)),
            "images": self.images,
            "labels": None if self.labels is None else _labels(self.labels),
            "path": self.path_column,
            "split": self.split_column,
            "identity": self.identity_column,
            "groups": None if self.group_columns is None else parse_names("--group-columns", self.group_columns),
            "landmarks": _columns("--landmark-columns", self.landmark_columns),
            "boxes": _columns("--box-columns", self.box_columns),
            "variant": None if self.variant is None else self.variant.value,
            "fold": self.fold,
            "one_of": parse_sets(self._one_of, self.data_one_of) or None,
            "one_of_columns": self._class_columns(),
            "one_of_names": parse_assignments("--one-of-name", self.one_of_name, "COLUMN=SET") or None,
            "one_of_rest": parse_assignments("--one-of-rest", self.one_of_rest, "SET=NAME") or None,
            "one_of_invalid": None if self.one_of_invalid is None else self.one_of_invalid.value,
        }
        for name in own:
            if options.get(name) is not None:
                raise InputError(f"--data-option {name}: it is stated by an option of its own, too")
        parsed: dict[str, Any] = {}
        if own and source is not None:
            from bincam.data.readers.load import format_of

            item = format_of(source, self.format or format_name)
            parsed = {name: item.parse(name, text) for name, text in own.items()}
        return {name: value for name, value in options.items() if value is not None} | (parsed or own)

    def _class_columns(self) -> dict[str, list[str] | None] | None:
        typed = self.one_of_column or []
        refuse_repeats("--one-of-column", (text.partition("=")[0].strip() for text in typed))
        classes = parse_sets("--one-of-column", [text for text in typed if "=" in text])
        columns = {text.partition("=")[0].strip(): None for text in typed}
        if not all(columns):
            raise InputError("--one-of-column: the name of a column is empty; expected COLUMN or COLUMN=CLASS,...")
        return {column: classes.get(column) for column in columns} or None

    def load_for(self, source: str, card: Card) -> AttributeTable:
        """Read a data set for a model.

        Args:
            source: As for ``bincam.data.load``.
            card: Of the model.

        Raises:
            InputError: An option is malformed, or the data set cannot be read that way.
        """
        from bincam.data import load_for_outputs

        options = self.reader_options(source)
        _tell_stated(source)
        return load_for_outputs(source, card.attributes, card.one_of, **options)


@dataclass(frozen=True)
class TableOptions(ReaderOptions):
    """The options for reading a data set, as typed, of commands without a model.

    Attributes:
        attributes: Names separated by commas.
    """

    _one_of: ClassVar[str] = "--one-of"

    attributes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="Attributes to read; quote a name that contains a comma.", show_default="all"
        ),
    ] = None
    data_one_of: Annotated[
        list[str] | None,
        typer.Option("--one-of", "--data-one-of", metavar="SET=NAME,...", help=_ONE_OF, rich_help_panel=SETS_PANEL),
    ] = None

    def reader_options(self, source: str | None = None, format_name: str | None = None) -> dict[str, Any]:
        """The keyword arguments of ``bincam.data.load`` that were given; as for commands with a model."""
        names = {} if self.attributes is None else {"attributes": parse_names("--attributes", self.attributes)}
        return {**super().reader_options(source, format_name), **names}

    def load(self, source: str) -> AttributeTable:
        """Read a data set.

        Args:
            source: As for ``bincam.data.load``.

        Raises:
            InputError: An option is malformed, or the data set cannot be read that way.
        """
        from bincam.data import load

        options = self.reader_options(source)
        _tell_stated(source)
        return load(source, **options)


def _labels(typed: str) -> str | dict[str, str]:
    """The name of a coding, or the meaning by value; nothing before ``=`` is an empty cell.

    >>> _labels("1=yes,0=no,=unknown")
    {'1': 'yes', '0': 'no', '': 'unknown'}
    """
    if "=" not in typed:
        return typed.strip()
    meanings: dict[str, str] = {}
    for entry in parse_names("--labels", typed):
        value, equals, meaning = (part.strip() for part in entry.rpartition("="))
        if not equals or meanings.setdefault(value, meaning) != meaning:
            raise InputError(f"--labels {typed}: {entry!r}; expected VALUE=yes, no or unknown, each value once")
    return meanings


def _columns(option: str, typed: str | None) -> str | list[str] | None:
    return typed if typed in {None, "celeba"} else parse_names(option, str(typed))


def _tell_stated(source: str) -> None:
    """Say on stderr which file states how the data set is read."""
    from bincam.data.readers.data_file import stated

    if (found := stated(source)) is not None:
        typer.echo(f"bincam: {source} is read as {found[0]} states", err=True)
