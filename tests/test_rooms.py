"""Floors of the package: a room imports only from below, and no modules import one another in a circle.

Every import statement counts: those inside functions, and those for the type checker alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import bincam

PACKAGE = Path(bincam.__file__).parent
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "_version",
        "beside",
        "decision",
        "display",
        "engines",
        "errors",
        "files",
        "folder_lock",
        "followed",
        "heap",
        "lazy",
        "markdown",
        "one_of",
        "openmp",
        "processes",
        "progress",
        "references",
        "resample",
        "storage",
        "torchvision_ops",
        "units",
        "yaml_text",
    ),
    ("data",),
    ("models",),
    ("inference", "stats", "postprocessing"),
    ("cam",),
    ("metrics",),
    ("provenance", "generated"),
    ("train", "faces", "scenes", "audit"),
    ("studies",),
    ("compare",),
    ("report", "example"),
    ("cli", "app"),
    ("bincam", "__main__"),
)
"""From the ground up. A floor's rooms do not import one another, except on the ground floor, which is one room."""

FREE_OF = {"stats": ("data", "models")}
"""Rooms that a room does without, although they are below it."""


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imported(name: str, tree: ast.AST, is_package: bool, modules: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """The modules of the package that a module's import statements name, and the line of each statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = name if is_package else name.rpartition(".")[0]
            ancestors = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(ancestors if node.level else ()), *([node.module] if node.module else ())])
            targets = [f"{base}.{a.name}" if f"{base}.{a.name}" in modules else base for a in node.names]
        else:
            continue
        for target in targets:
            if target in modules:
                yield target, node.lineno


def room(module: str) -> str:
    """The room, or the module directly under the package, that a module belongs to."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] or top


def floor(room_name: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if room_name in rooms)


def climbs(importer: str, target: str) -> bool:
    """True where the importer's room must not import from the target's."""
    above, below = room(importer), room(target)
    if above == below or floor(above) == floor(below) == 0:
        return False
    return floor(above) <= floor(below) or below in FREE_OF.get(above, ())


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module, and modules that import themselves (Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for target in sorted(edges[module]):
            if target not in order:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], order[target])
        if lowest[module] == order[module]:
            start = stack.index(module)
            component = stack[start:]
            del stack[start:]
            if len(component) > 1 or module in edges[module]:
                components.append(sorted(component))

    for module in sorted(edges):
        if module not in order:
            visit(module)
    return components


@pytest.fixture(scope="module")
def imports() -> dict[str, list[tuple[str, int]]]:
    return {
        name: list(imported(name, ast.parse(file.read_text("utf-8")), file.name == "__init__.py", MODULES))
        for name, file in MODULES.items()
    }


def test_every_room_has_a_floor():
    homeless = {room(name) for name in MODULES} - {name for rooms in FLOORS for name in rooms}
    assert not homeless, f"rooms without a floor: {', '.join(sorted(homeless))}; FLOORS says where each belongs"


def test_no_import_climbs(imports):
    climbing = dict.fromkeys(
        f"{MODULES[name].relative_to(PACKAGE.parent)}:{line}: {room(name)} imports {target}"
        for name, targets in imports.items()
        for target, line in targets
        if climbs(name, target)
    )
    assert not climbing, "imports from the same floor or from above:\n" + "\n".join(climbing)


def test_no_circle_of_modules(imports):
    found = circles({name: {target for target, _ in targets} for name, targets in imports.items()})
    assert not found, "circles of modules:\n" + "\n".join(" - ".join(modules) for modules in found)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("import p.a.x", ["p.a.x"]),
        ("from p.a import x, name", ["p.a.x", "p.a"]),
        ("def f():\n    from p.a.x import name", ["p.a.x"]),
        ("if TYPE_CHECKING:\n    from p import a", ["p.a"]),
        ("from .x import name", ["p.a.x"]),
        ("from ..a import x", ["p.a.x"]),
        ("import torch", []),
    ],
)
def test_every_form_of_import_is_seen(text, targets):
    modules = dict.fromkeys(("p", "p.a", "p.a.x", "p.a.y"))
    assert [target for target, _ in imported("p.a.y", ast.parse(text), is_package=False, modules=modules)] == targets


def test_rules():
    assert climbs("bincam.data.table", "bincam.models.card")
    assert climbs("bincam.train.loop", "bincam.audit.settings")
    assert climbs("bincam.stats.roc", "bincam.data")
    assert climbs("bincam.cam.engine", "bincam")
    assert not climbs("bincam.audit.settings", "bincam.data")
    assert not climbs("bincam.audit.settings", "bincam.audit.folder.reader")
    assert not climbs("bincam.files", "bincam.errors")


def test_circles():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": {"a"}}) == [["b", "c"], ["d"]]
