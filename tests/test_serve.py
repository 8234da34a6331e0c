"""One command up, one that runs a night, one command down, on a free port; what is missing is named in one line."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import environment

SERVE = ("python", "flows/serve.py")


@dataclass
class Place:
    """A copy of the tiny project whose server has a port and a home of its own."""

    folder: Path
    settings: dict[str, str]
    url: str

    def __call__(self, *words: str, folder: Path | None = None, fails: bool = False) -> str:
        """Run a command; what it prints."""
        finished = subprocess.run(
            words, cwd=folder or self.folder, env=self.settings, capture_output=True, text=True, timeout=300
        )
        assert bool(finished.returncode) == fails, finished.stdout + finished.stderr
        return finished.stdout + finished.stderr

    def refused(self, *words: str) -> str:
        """The one line that a command ends with which cannot work."""
        [line] = self(*words, fails=True).strip().splitlines()
        return line


@pytest.fixture
def place(project: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> Iterator[Place]:
    copy = copy_of(project)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    settings = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_API_URL": url, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    found = Place(copy, environment(copy) | settings, url)
    yield found
    found(*SERVE, "stop")


def test_up_and_down_again(place: Place, tmp_path: Path) -> None:
    assert "none ran" in place(*SERVE, "stop")
    before = {process.pid for process in psutil.process_iter()}
    up = place(*SERVE, "start")
    assert "server: at http://127.0.0.1:" in up and "prefect deployment run nsnet/nightly-eval --watch" in up
    assert "server: already at" in place(*SERVE, "start")
    assert "Completed" in place(*SERVE, "run")
    assert "published" in place("nsnet", "nights", "list").splitlines()[1]
    down = place(*SERVE, "stop")
    assert "worker: stopped" in down and "server: stopped" in down
    left = [process for process in psutil.process_iter(["pid", "cmdline"]) if process.pid not in before]
    assert not [process for process in left if str(tmp_path) in " ".join(process.info["cmdline"] or [])]
    assert not [process for process in left if "prefect" in " ".join(process.info["cmdline"] or [])]


def test_what_a_night_lacks_is_one_line_with_the_mend(place: Place, tmp_path: Path) -> None:
    script = str(place.folder / "flows" / "serve.py")
    assert "did you mean start" in place("python", script, "strat", fails=True)
    for what in ("start", "run"):
        wrong = place("python", script, what, folder=tmp_path, fails=True)
        assert "has no prefect.yaml: run this at the top of a project" in wrong and "Traceback" not in wrong
    for words in ((*SERVE, "run"), ("python", "flows/nightly_eval.py")):
        assert f"no Prefect server answers at {place.url}: start it with `make serve`" in place.refused(*words)
    port = place.url.removesuffix("/api").rpartition(":")[2]
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=place.folder, env=place.settings, **quiet) as server:  # type: ignore[call-overload]
        try:
            _wait(f"{place.url}/health")
            assert "knows no work pool nsnet-local: start it with `make serve`" in place.refused(*SERVE, "run")
            place("prefect", "--no-prompt", "work-pool", "create", "nsnet-local", "--type", "process")
            assert "knows no deployment nsnet/nightly-eval: start it with `make serve`" in place.refused(*SERVE, "run")
            place("prefect", "--no-prompt", "deploy", "--all")
            assert "no worker of pool nsnet-local was heard of in the last 45 s" in place.refused(*SERVE, "run")
        finally:
            server.terminate()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.3)
