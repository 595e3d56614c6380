"""Atomic file writes, regular files, and JSON and YAML files whose errors name file and line."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bincam.errors import InputError
from bincam.followed import tell_written
from bincam.storage.address import refuse_address
from bincam.yaml_text import parse_yaml, yaml_problem


@contextmanager
def atomic(path: str | os.PathLike[str], *, told: bool = True) -> Iterator[Path]:
    """Write a file completely or not at all, through a temporary path in the same folder.

    On success the temporary file replaces ``path``; on any error it is removed and ``path`` is left as it was. The
    parent folder is created if missing. The temporary name keeps the suffix, because many writers choose the format
    by it.

    Args:
        path: The file to write.
        told: Tell whoever follows the folder, see ``bincam.followed``; what it cannot be told of is not kept.

    Yields:
        The path to write to.

    Raises:
        InputError: The folder cannot be created or written to, or ``path`` is itself a folder or on object storage.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.files import atomic
        >>> with TemporaryDirectory() as folder:
        ...     with atomic(Path(folder, "notes.txt")) as part:
        ...         _ = part.write_text("complete")
        ...     Path(folder, "notes.txt").read_text()
        'complete'
    """
    final = Path(path)
    try:
        _refuse_irregular(final)
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{final.stem}-", suffix=final.suffix, dir=final.parent)
    except InputError:
        raise
    except (OSError, ValueError) as error:  # a name with a null character is no OSError
        raise InputError(f"{final}: cannot be written: {_reason(error)}") from None
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)  # mkstemp makes private files; the final file gets the user's default permissions
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(final)
        if told:
            tell_written(final)
    finally:
        part.unlink(missing_ok=True)


def _refuse_irregular(final: Path) -> None:
    """Refuse to write over a folder, or over a device or pipe, in whose place a file would be; or far from here."""
    refuse_address(final)
    if final.is_dir():
        raise InputError(f"{final}: cannot be written: it is a folder")
    if final.exists() and not final.is_file():
        raise InputError(f"{final}: cannot be written: it is no regular file")


def regular(path: str | os.PathLike[str]) -> Path:
    """Return the path of a regular file that can be read, before anything opens it.

    A pipe would be waited for, and a device read without end.

    Raises:
        InputError: It is missing, a folder, a pipe, a device or a socket, or its name is impossible; one line says so.

    Example:
        >>> from bincam.files import regular
        >>> regular("nowhere.txt")
        Traceback (most recent call last):
        bincam.errors.InputError: nowhere.txt: no such file
    """
    file = Path(path)
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{file}: no such file{_other_case(file)}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {_reason(error)}") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{file}: cannot be read: it is a folder")
    if not stat.S_ISREG(mode):
        raise InputError(f"{file}: cannot be read: it is no regular file")
    return file


def _other_case(file: Path) -> str:
    """Name a file that differs from a missing one in the case of letters alone, as lists made on other systems do."""
    ends = (file.stem + file.suffix.lower(), file.stem + file.suffix.upper(), file.name.lower(), file.name.upper())
    there = next((name for name in ends if name != file.name and os.path.lexists(file.with_name(name))), None)
    return "" if there is None else f"; {there} is there, which differs in the case of letters"


def check_ending(path: str | os.PathLike[str], endings: Collection[str]) -> None:
    """Refuse to write under a name whose ending states another format than the file will have.

    Args:
        path: The file to write; without an ending every format is right.
        endings: Accepted endings in lower case, such as ``.png``.

    Raises:
        InputError: It has another ending.

    Example:
        >>> from bincam.files import check_ending
        >>> check_ending("sheet.PNG", [".png"])
        >>> check_ending("sheet.pdf", [".png"])
        Traceback (most recent call last):
        bincam.errors.InputError: sheet.pdf: cannot be written: its name has to end in .png, or have no ending
    """
    if (ending := Path(path).suffix.lower()) and ending not in endings:
        raise InputError(
            f"{path}: cannot be written: its name has to end in {' or '.join(sorted(endings))}, or have no ending"
        )


def names_in(folder: str | os.PathLike[str]) -> list[str]:
    """List the names of what a folder contains, in order.

    Raises:
        InputError: It cannot be listed.

    Example:
        >>> from bincam.files import names_in
        >>> names_in("nowhere")
        Traceback (most recent call last):
        bincam.errors.InputError: nowhere: cannot be read: No such file or directory
    """
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  # of a data set, 200,000 of them
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def write_json(path: str | os.PathLike[str], value: Any, *, compact: bool = False) -> None:
    """Write ``value`` as UTF-8 JSON, atomically.

    Args:
        path: The file.
        value: The value to write.
        compact: Write one line, for files that only programs read; large tables take half the space.

    Raises:
        ValueError: The value contains NaN or infinity, which JSON does not have.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.files import read_json, write_json
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "counts.json")
        ...     write_json(file, {"kind": "counts", "schema": 1, "images": 12})
        ...     read_json(file, kind="counts", schema=1)["images"]
        12
    """
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2}
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, **layout)
    with atomic(path) as part:
        # A name of bytes that are no text holds surrogates, which JSON writes as escapes.
        part.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def read_json(path: str | os.PathLike[str], *, kind: str, schema: int) -> dict[str, Any]:
    """Read a JSON object that states its ``kind`` and ``schema`` version; ``write_json`` has an example.

    Args:
        path: The file.
        kind: Required value of the file's ``"kind"``, for example ``"bincam-model"``.
        schema: The schema version that this code reads.

    Returns:
        The object.

    Raises:
        InputError: The file is missing, is not JSON, is of another kind, or has another schema version.
    """
    file = regular(path)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # of a number with thousands of digits, or of deep nesting
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{file}: not readable as JSON: {reason}") from None
    if not isinstance(value, dict) or value.get("kind") != kind:
        got = value.get("kind") if isinstance(value, dict) else type(value).__name__
        raise InputError(f"{file}: expected a {kind} file, got {got!r}")
    if value.get("schema") != schema:
        raise InputError(
            f"{file}: schema {value.get('schema')!r}, but this bincam reads schema {schema}; "
            "create the file again, or use the bincam version that wrote it"
        )
    return value


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file written by hand.

    Raises:
        InputError: The file is missing, cannot be read, or is not YAML; the message is one line with file and line.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.files import read_yaml
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "config.yaml").write_text("names: [Smiling, Bald]")
        ...     read_yaml(Path(folder, "config.yaml"))
        {'names': ['Smiling', 'Bald']}
    """
    import yaml

    file = regular(path)
    try:
        return parse_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError) as error:
        line, reason = yaml_problem(error)
        raise InputError(f"{file}{f':{line}' if line else ''}: not YAML: {reason}") from None
