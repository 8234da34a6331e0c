"""data/ from DVC's remote, before the gate looks at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dvc.repo import Repo


def pull_data(root: Path) -> str:
    """Run `dvc pull data.dvc` if the project has a remote.

    Args:
        root: the project.

    Returns:
        A sentence.

    Raises:
        RuntimeError: DVC failed, with its last line.
    """
    with Repo(str(root)) as repo:
        remotes = sorted(repo.config["remote"])
    if not remotes:
        return "no remote is set: data/ is what lies here"
    command = [sys.executable, "-m", "dvc", "pull", "data.dvc"]
    finished = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if finished.returncode:
        lines = [line for line in (finished.stderr or finished.stdout).splitlines() if line.strip()]
        raise RuntimeError(f"dvc pull data.dvc from {', '.join(remotes)} failed: {lines[-1] if lines else 'no word'}")
    return f"data/ is pulled from {', '.join(remotes)}"
