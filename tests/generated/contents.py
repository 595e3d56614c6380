"""The files of a generated set, to compare two of them byte by byte."""

from pathlib import Path


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
