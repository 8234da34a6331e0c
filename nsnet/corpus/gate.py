"""The gate before a run: `dvc repro` would take any change of data/ in silence."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from nsnet.core.paths import Paths
from nsnet.corpus.versions import POINTER, Changes, by_generator, changed_paths, differences

LISTED = 20  # damaged files that an error names


def refuse_drift(root: Path, deep: bool = False) -> str:
    """Say that data/ is what the commit says it is, or not there yet, which is no drift; else stop.

    Args:
        root: the project.
        deep: read and hash every file again; else those alone whose size or time has changed.

    Returns:
        A sentence; if `deep`, with the number of files and how many a second.

    Raises:
        FileNotFoundError: `root` is no project: what it lacks.
        ValueError: with the changes by generator and what to do about them.
    """
    lacking = [name for name in (POINTER, ".dvc") if not (root / name).exists()]
    if lacking:
        raise FileNotFoundError(
            f"{root.resolve()} has no {' and no '.join(lacking)}, so nothing says what data/ should be:"
            " run this at the top of a project (the folder with dvc.yaml)"
        )
    if not Paths(root).data.exists():
        return "there is no data/ yet: `dvc repro` will make or fetch what is committed"
    started = time.perf_counter()
    reported = differences(root, "HEAD", deep)
    seconds = time.perf_counter() - started
    changes = by_generator(root, "HEAD", reported)
    if changes.height:
        lines = [
            f"  {suite}/{generator}: {added} added, {removed} removed, {changed} changed"
            for suite, generator, added, removed, changed in changes.iter_rows()
        ]
        raise ValueError(
            "data/ is not what is committed in data.dvc:\n"
            + "\n".join([*lines, *(_named(reported) if deep else [])])
            + "\nIf that is wanted: `dvc repro corpus`, `nsnet data pin`, and commit data.dvc;"
            " if not: " + ("delete the files named, then " if deep else "") + "`dvc checkout data.dvc`"
        )
    if not deep:
        return "data/ is what is committed"
    count = int(yaml.safe_load((root / POINTER).read_text(encoding="utf-8"))["outs"][0]["nfiles"])
    return f"data/ is what is committed: {count:,} files read again, {count / seconds:,.0f} a second"


def _named(reported: Changes) -> list[str]:
    """Lines that name the first files whose bytes have changed: DVC takes them for whole until they are deleted."""
    files = [name for entry in reported.get("modified", []) for name in changed_paths(entry) if not name.endswith("/")]
    more = [f"  and {len(files) - LISTED} more"] if len(files) > LISTED else []
    return [*(f"  other bytes: {name}" for name in sorted(files)[:LISTED]), *more]
