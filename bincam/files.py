"""Atomic file writes, and JSON and YAML files whose errors name file and line."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bincam.errors import InputError


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file completely or not at all, through a temporary path in the same folder.

    On success the temporary file replaces ``path``; on any error it is removed and ``path`` is left as it was. The
    parent folder is created if missing. The temporary name keeps the suffix, because many writers choose the format
    by it.

    Args:
        path: The file to write.

    Yields:
        The path to write to.

    Raises:
        InputError: The folder cannot be created or written to, or ``path`` is itself a folder.

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
    if final.is_dir():
        raise InputError(f"{final}: cannot be written: it is a folder")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{final.stem}-", suffix=final.suffix, dir=final.parent)
    except OSError as error:
        raise InputError(f"{final}: cannot be written: {error.strerror}: {error.filename}") from None
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)  # mkstemp makes private files; the final file gets the user's default permissions
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


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
        part.write_text(text + "\n", encoding="utf-8")


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
    file = Path(path)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
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


_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
"""Floats of YAML 1.2, such as ``1e-4``, that PyYAML reads as text because it follows YAML 1.1."""


def parse_yaml(text: str) -> Any:
    """Parse YAML text, with ``1e-4`` as a number.

    Raises:
        yaml.YAMLError: The text is not YAML.

    Example:
        >>> from bincam.files import dump_yaml, parse_yaml
        >>> parse_yaml("lr: 1e-4")
        {'lr': 0.0001}
        >>> parse_yaml(dump_yaml({"lr": 0.0001}))
        {'lr': 0.0001}
    """
    import yaml

    return yaml.load(text, _with_exponents(yaml.SafeLoader))  # noqa: S506  # it is a SafeLoader


def dump_yaml(value: Any) -> str:
    """Format a value as YAML that ``parse_yaml`` reads back as the same value; keys keep their order.

    Example:
        >>> from bincam.files import dump_yaml
        >>> print(dump_yaml({"seed": 0, "names": ["Smiling", "Bald"]}), end="")
        seed: 0
        names:
        - Smiling
        - Bald
    """
    import yaml

    return str(yaml.dump(value, Dumper=_with_exponents(yaml.SafeDumper), sort_keys=False, allow_unicode=True))


def _with_exponents(base: Any) -> Any:
    """A subclass of a PyYAML loader or dumper that resolves what ``_EXPONENT`` matches as a float."""
    derived: Any = type(base.__name__, (base,), {})
    derived.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, [*"-+0123456789"])
    return derived


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

    file = Path(path)
    try:
        return parse_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: cannot be read: no such file") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{file}{where}: not YAML: {getattr(error, 'problem', None) or 'no text'}") from None
    except (ValueError, RecursionError) as error:  # of a scalar such as the date 9999-99-99, or of deep nesting
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{file}: not readable as YAML: {reason}") from None
