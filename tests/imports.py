"""Which nsnet modules a module imports, directly or through others: read from the source, not by importing."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent


def module_file(name: str) -> Path | None:
    """Source file of a dotted module name, relative to the project's root, or None."""
    base = Path(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if (ROOT / candidate).exists():
            return candidate
    return None


def direct_imports(file: Path) -> set[str]:
    """Dotted names of nsnet modules that a file imports anywhere, in functions too; not for type checkers alone."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse((ROOT / file).read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "nsnet" and module_file(name)}


def imported_files(name: str) -> set[Path]:
    """Files of every nsnet module reached from module `name`, itself and parent packages included."""
    pending, seen = {name}, set()
    while pending:
        current = pending.pop()
        parents = {".".join(current.split(".")[:i]) for i in range(1, current.count(".") + 1)}
        file = module_file(current)
        if file is None or file in seen:
            continue
        seen.add(file)
        pending |= direct_imports(file) | parents
    return seen
