"""Which project a command works on: the one of `nsnet --project DIR`, else the folder it is called in."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nsnet.core.console import clear_errors
from nsnet.core.paths import Paths

NEEDED = "dvc.yaml"
Exported = Annotated[
    Path | None,
    typer.Option(
        help="Folder of `nsnet runs export` or `nsnet detectors save`; the project's, else the lab's that ship."
    ),
]
_root: ContextVar[Path] = ContextVar("root", default=Path())


def use_project(root: Path | None) -> None:
    """Let the commands that follow work on the project in `root`; None is the folder they are called in."""
    _root.set(root or Path())


def project() -> Paths:
    """Paths of the project that the command line names."""
    return Paths(_root.get())


def named_project() -> Path | None:
    """The project that `nsnet --project` names: it must have detectors, where the folder at hand need not."""
    root = project().root
    return None if root == Path() else root


def tell(text: str) -> None:
    """A line for people, on stderr: stdout is for rows."""
    Console(stderr=True, soft_wrap=True).print(text, highlight=False, markup=False)


def settings_file() -> Path:
    """params.yaml of the project, or the one that ships where there is none.

    Raises:
        FileNotFoundError: none was installed.
    """
    from nsnet.core.template import template_folder

    mine = project().params
    return mine if mine.exists() else template_folder() / mine.name


def known_project() -> Paths:
    """Paths of a project that is one; else one clear message, and exit code 1."""
    paths = project()
    with clear_errors():
        if not (paths.root / NEEDED).exists():
            place = paths.root.resolve()
            raise FileNotFoundError(
                f"{place} is no nsnet project (no {NEEDED}): go to one, name one with `nsnet --project DIR ...`,"
                " or make one with `nsnet init DIR`"
            )
    return paths
