"""Which project a command works on: the one of `nsnet --project DIR`, else the folder it is called in."""

from __future__ import annotations

from pathlib import Path

import click

from nsnet.core.console import clear_errors
from nsnet.core.paths import Paths

NEEDED = "dvc.yaml"


def project() -> Paths:
    """Paths of the project that the command line names."""
    context = click.get_current_context(silent=True)
    root = context.find_root().obj if context else None
    return Paths(root or Path())


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
