"""`dvc repro` as a step of the night; it ends with the night, so that the next does not find DVC's lock taken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from nsnet.core.workers import end_with_parent
from nsnet.nightly.mending import mend


def reproduce(root: Path, report: Callable[[str], None], *targets: str) -> None:
    """Run `dvc repro`, after DVC's own files were restored where a kill had left them unreadable.

    Args:
        root: the project.
        report: gets each line as it comes.
        targets: stages to bring up to date, with those that they need; all if left out.

    Raises:
        RuntimeError: if it fails, with its last lines.
    """
    # Stages are started as plain `python`: this interpreter's folder must come first.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for sentence in mend(root):
        report(sentence)
    command = [sys.executable, "-m", __name__, str(os.getpid()), *targets]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            report(lines[-1])
    if process.returncode != 0:
        raise RuntimeError(f"dvc repro failed with exit code {process.returncode}:\n" + "\n".join(lines[-20:]))


def main(parent: int, targets: list[str]) -> int:
    """Be `dvc repro` for a night: its exit code.

    Args:
        parent: the night's process, without which this one ends.
        targets: stages; all if there are none.
    """
    from dvc.cli import main as dvc

    end_with_parent(parent)
    sys.argv = ["dvc", "repro", *targets]  # what DVC's messages call this process
    return dvc(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
