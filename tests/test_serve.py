"""One command up, one command down, on a free port."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import environment


@pytest.fixture
def served(project: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Runs a command in a copy of the tiny project whose server has a port and a home of its own."""
    copy = copy_of(project)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = environment(copy) | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }

    def command(*words: str, folder: Path = copy, fails: bool = False) -> str:
        finished = subprocess.run(words, cwd=folder, env=settings, capture_output=True, text=True, timeout=300)
        assert bool(finished.returncode) == fails, finished.stdout + finished.stderr
        return finished.stdout + finished.stderr

    yield command
    command("python", "flows/serve.py", "stop")


def test_up_and_down_again(served: Callable[..., str], tmp_path: Path) -> None:
    assert "none ran" in served("python", "flows/serve.py", "stop")
    before = {process.pid for process in psutil.process_iter()}
    up = served("python", "flows/serve.py", "start")
    assert "server: at http://127.0.0.1:" in up and "prefect deployment run nsnet/nightly-eval --watch" in up
    assert "server: already at" in served("python", "flows/serve.py", "start")
    watched = served("prefect", "deployment", "run", "nsnet/nightly-eval", "--watch", "--watch-timeout", "240")
    assert "Completed" in watched
    down = served("python", "flows/serve.py", "stop")
    assert "worker: stopped" in down and "server: stopped" in down
    left = [process for process in psutil.process_iter(["pid", "cmdline"]) if process.pid not in before]
    assert not [process for process in left if str(tmp_path) in " ".join(process.info["cmdline"] or [])]
    assert not [process for process in left if "prefect" in " ".join(process.info["cmdline"] or [])]


def test_mistakes_are_one_line(served: Callable[..., str], tmp_path: Path) -> None:
    script = next(tmp_path.glob("copy/flows/serve.py"))
    assert "did you mean start" in served("python", str(script), "strat", fails=True)
    wrong = served("python", str(script), "start", folder=tmp_path, fails=True)
    assert "has no prefect.yaml: run this at the top of a project" in wrong and "Traceback" not in wrong
