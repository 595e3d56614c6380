"""Files that are either whole or absent."""

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
    """Give a temporary path beside ``path``; on success it replaces ``path``, on any error it is removed.

    The parent folder is made. The temporary name keeps the suffix, because many writers choose a format by it.

    Args:
        path: The file to write.

    Yields:
        The path to write to.

    Raises:
        InputError: The folder cannot be made or written to, or ``path`` is a folder itself.
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
        umask = os.umask(0)  # mkstemp makes private files; what we leave behind has the user's usual permissions
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], value: Any, *, compact: bool = False) -> None:
    """Write ``value`` as UTF-8 JSON, atomically. NaN and infinity are refused: JSON has none.

    Args:
        path: The file.
        value: What to write.
        compact: On one line, for what a machine reads: large tables take half the space.
    """
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2}
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, **layout)
    with atomic(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str], *, kind: str, schema: int) -> dict[str, Any]:
    """Read a JSON object that names its ``kind`` and ``schema`` version.

    Args:
        path: The file.
        kind: What the file's ``"kind"`` must be, for example ``"bincam-model"``.
        schema: The version that this code reads.

    Returns:
        The object.

    Raises:
        InputError: It is missing, is not JSON, is another kind, or has another schema version.
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
    if not isinstance(value, dict) or value.get("kind") != kind:
        got = value.get("kind") if isinstance(value, dict) else type(value).__name__
        raise InputError(f"{file}: expected a {kind} file, got {got!r}")
    if value.get("schema") != schema:
        raise InputError(
            f"{file}: schema {value.get('schema')!r}, but this bincam reads schema {schema}; "
            "make the file again, or use the bincam that wrote it"
        )
    return value


_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
"""Floats that YAML 1.2 knows and PyYAML, which follows 1.1, takes for text: ``1e-4``."""


def parse_yaml(text: str) -> Any:
    """A value from YAML text, in which ``1e-4`` is a number.

    Raises:
        yaml.YAMLError: It is not YAML.
    """
    import yaml

    return yaml.load(text, _knowing_exponents(yaml.SafeLoader))  # noqa: S506  # it is a SafeLoader


def dump_yaml(value: Any) -> str:
    """YAML that ``parse_yaml`` reads as the same value; keys keep their order."""
    import yaml

    return str(yaml.dump(value, Dumper=_knowing_exponents(yaml.SafeDumper), sort_keys=False, allow_unicode=True))


def _knowing_exponents(kind: Any) -> Any:
    """A PyYAML loader or dumper that takes what ``_EXPONENT`` matches for a number; PyYAML's own stays as it is."""
    own: Any = type(kind.__name__, (kind,), {})
    own.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, [*"-+0123456789"])
    return own


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file that somebody wrote.

    Raises:
        InputError: It is missing, cannot be read, or is not YAML; one line says where.
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
