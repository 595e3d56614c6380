"""Data sets and regions by the names that the command line uses."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.decoding.bands import parse_range
from bincam.data.readers.arguments import plain
from bincam.data.readers.columns import NoPathsError
from bincam.data.readers.data_file import stated
from bincam.data.readers.faces import celebamask_hq
from bincam.data.readers.format import ATTRIBUTES, RANGE, Format
from bincam.data.readers.formats import ORL, beside, choose
from bincam.data.readers.objects.masks.open_images import ENDING
from bincam.data.readers.objects.masks.sources import FILES, masks_in
from bincam.data.regions.regions import Regions
from bincam.errors import BincamWarning, InputError

_FORMAT, _TABLE = "format", "table"


def load(source: str | os.PathLike[str], **options: Any) -> AttributeTable:
    r"""Read a data set of any format that ``bincam data formats`` lists, or ``"orl"``.

    A ``data.yaml`` beside the table, or in the folder, may state options of the data set once for every command
    (``bincam data describe --save`` writes it); those given here replace them one by one, with a warning.

    Args:
        source: ``orl``, a folder, or a file; for a folder that is called orl write ``./orl``.
        options: ``format``, where the data set is not known by its files; arguments of the format's reader, such as
            those of ``celeba`` and ``table``; and for every format ``attributes``, those to read, and ``range``, the
            values of the images that are black and white, such as ``0-4095``.

    Raises:
        InputError: There is no such data set, the reader refuses it, or an option does not apply to its format.

    Warns:
        BincamWarning: An option replaces one that ``data.yaml`` states.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "mine.csv").write_text("image,Smiling\na.png,1\nb.png,0\n")
        ...     faces = data.load(Path(folder, "mine.csv"))
        >>> faces.names, faces.ids
        (('Smiling',), ('a.png', 'b.png'))
    """
    return read(source, with_stated(source, options))


def read(source: str | os.PathLike[str], options: Mapping[str, Any]) -> AttributeTable:
    """Read a data set with these options alone, whatever ``data.yaml`` states; otherwise as ``load``."""
    item = choose(source, options.get(_FORMAT))
    own = {name: value for name, value in options.items() if name != _FORMAT}
    item.check(own, source)
    value_range = None if (stated_range := own.pop(RANGE, None)) is None else parse_range(stated_range)
    chosen = None if ATTRIBUTES in item.defaults else own.pop(ATTRIBUTES, None)
    try:
        result: AttributeTable = item.function(*(() if item is ORL else (Path(source),)), **own)
    except InputError as error:
        raise InputError(f"{error}{_belongs(Path(source), item, error)}") from None
    kept = {_FORMAT: options[_FORMAT]} if _FORMAT in options else {}
    if chosen is not None:
        result = result.select(chosen)
        kept[ATTRIBUTES] = list(chosen)
    if value_range is not None:
        kept[RANGE] = list(value_range)
        told = f"images: {value_range[0]:g} is black, {value_range[1]:g} white"
        result = result.with_range(value_range).meaning_with(told)
    return result.read_with({**kept, **result.reading}) if kept else result


def _belongs(source: Path, item: Format, error: InputError) -> str:
    """What a file is that was read as a table of paths and has no column of them: a part of another format."""
    if item.name != _TABLE or not isinstance(error, NoPathsError):
        return ""
    if source.name.endswith(ENDING):
        return f"; it lists masks of Open Images: read *-annotations-bbox.csv, and give it as --object-masks {source}"
    return beside(source)


def format_of(source: str | os.PathLike[str], name: str | None = None) -> Format:
    """Find the format of a data set: the one given, the one that ``data.yaml`` states, or else the recognised one.

    Raises:
        InputError: As for ``choose``.
    """
    found = None if name is not None else stated(source)
    return choose(source, name if found is None else found[1].get(_FORMAT))


def with_stated(source: str | os.PathLike[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Add the options that ``data.yaml`` states; those given win.

    Raises:
        InputError: The file is not what ``data_file`` describes.

    Warns:
        BincamWarning: A given option differs from the stated one.
    """
    found = stated(source)
    if found is None:
        return dict(options)
    file, arguments = found
    for name, value in options.items():
        if name in arguments and plain(value) != arguments[name]:
            warnings.warn(
                f"{file} states {name} {_short(arguments[name])}; the given {_short(plain(value))} replaces it",
                BincamWarning,
                stacklevel=3,
            )
    return {**arguments, **options}


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def load_regions(kind: str, source: str | os.PathLike[str], table: AttributeTable | None = None) -> Regions:
    """Read regions by name, from the masks stored with a data set, or from a file.

    Args:
        kind: ``published``, ``face`` or ``orl``; ``parts`` or ``influence`` for the masks stored with the data set;
            otherwise a YAML file, a folder of masks, or the masks of a format: a JSON file of COCO or Label Studio, an
            XML file of CVAT, a list of masks of Open Images, or the folder of the masks that *wsolevaluation*'s lists
            name.
        source: The data set, whose folder contains ``masks/parts`` and ``masks/influence``, or is CelebAMask-HQ's; of
            a table it is the folder that the table is in.
        table: The table that was read from it, whose options name the classes and images of a format's masks.

    Raises:
        InputError: There are no such regions.

    Example:
        >>> from bincam import data
        >>> "Smiling" in data.load_regions("face", "data/celeba")
        True
    """
    named = {"published": Regions.published, "face": Regions.face, "orl": Regions.orl}
    if kind in named:
        return named[kind]()
    if kind in {"parts", "influence"}:
        base = Path(source).parent if Path(source).is_file() else Path(source)
        if kind == "parts" and (base / celebamask_hq.MASKS).is_dir():
            return celebamask_hq.part_masks(base)
        return Regions.stored(base / "masks" / kind)
    if not Path(kind).exists():
        raise InputError(f"regions {kind}: none of {', '.join(named)}, parts or influence, and no such file or folder")
    return _of_format(Path(kind), source, table) or (
        Regions.stored(kind) if Path(kind).is_dir() else Regions.read(kind)
    )


def load_masks(path: str | os.PathLike[str], table: AttributeTable) -> Regions:
    """Read the masks of a table's objects, one or more per image.

    Args:
        path: A folder of masks, as for ``Regions.stored``, or the masks of a format, as for ``load_regions``.
        table: The table whose images they are of.

    Raises:
        InputError: There are none.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> content = {
        ...     "images": [{"id": 7, "file_name": "a.jpg", "width": 4, "height": 3}],
        ...     "categories": [{"id": 1, "name": "cat"}],
        ...     "annotations": [{"image_id": 7, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}],
        ... }
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "set.json").write_text(json.dumps(content))
        ...     masks = data.load_masks(Path(folder, "set.json"), data.load(Path(folder, "set.json")))
        >>> masks.mask("cat", (3, 4), image="a.jpg").astype(int).tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    """
    found = _of_format(Path(path), table.source or table.root, table)
    if found is None and not Path(path).is_dir():
        missing = "" if Path(path).exists() else "no such folder or file; "
        raise InputError(f"{path}: {missing}expected a folder of masks, or {FILES}")
    return found or Regions.stored(path)


def _of_format(path: Path, source: str | os.PathLike[str], table: AttributeTable | None) -> Regions | None:
    return masks_in(path, os.fspath(source), {} if table is None else table.reading)
