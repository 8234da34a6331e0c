"""`python flows/serve.py start`, `run`, `stop`: what `prefect deployment run nsnet/nightly-eval` needs, here.

A Prefect server on loopback, a work pool with a worker, and the deployment. Address and
telemetry are those of prefect.toml.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import yaml
from server import DEPLOYMENT, address, answers, refuse_incomplete

from nsnet.core.files import atomic_path
from nsnet.core.names import unknown
from nsnet.core.paths import Paths

PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
FOLDER = Paths().store / "nightly"
READY_SECONDS = 90


def start() -> None:
    """Start what does not run yet, in the background, and register the deployment.

    Raises:
        FileNotFoundError: this folder is no project.
        RuntimeError: something did not start, with the last thing it said.
    """
    pool = _pool()
    url = address()
    if answers(url):
        print(f"server: already at {url}")
    else:
        # Not with --background: that leaves the server's output in a pipe that nobody reads, and it may end of it.
        place = urlsplit(url)
        _launch("server", "--host", str(place.hostname), "--port", str(place.port))
        _wait(url)
        print(f"server: at {url}")
    if httpx.get(f"{url}/work_pools/{pool}").status_code == httpx.codes.NOT_FOUND:
        _prefect("work-pool", "create", pool, "--type", "process")
    _prefect("deploy", "--all")
    if _process("worker") is None:
        _launch("worker", "--pool", pool, "--type", "process")
    print(f"worker: on pool {pool}; what both do is in {FOLDER}/*.log")
    print(f"Now: make night, or prefect deployment run {DEPLOYMENT} --watch")


def run() -> None:
    """Run the deployment and watch it to its end; exit code 1 if it is refused or fails.

    Raises:
        FileNotFoundError: this folder is no project.
        RuntimeError: server, pool, deployment or worker is missing: what, and the mend.
    """
    refuse_incomplete(_pool())
    sys.exit(subprocess.run([*PREFECT, "deployment", "run", DEPLOYMENT, "--watch"]).returncode)


def stop() -> None:
    """Stop worker and server that `start` started; what does not run is left alone."""
    for name in ("worker", "server"):
        process = _process(name)
        if process is not None:
            process.terminate()
            try:
                process.wait(15)
            except psutil.TimeoutExpired:
                process.kill()
        _pid_file(name).unlink(missing_ok=True)
        print(f"{name}: stopped" if process else f"{name}: none ran that was started here")


def _pool() -> str:
    """Name of the deployment's work pool; refuses a folder that is no project."""
    if not Path("prefect.yaml").exists():
        raise FileNotFoundError(f"{Path.cwd()} has no prefect.yaml: run this at the top of a project")
    deployments = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    return str(deployments[0]["work_pool"]["name"])


def _wait(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not answers(url):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the server did not answer at {url} within {READY_SECONDS} s: {_last_line('server')}")
        if _process("server") is None:
            raise RuntimeError(f"the server at {url} ended: {_last_line('server')}")
        time.sleep(0.3)


def _launch(name: str, *options: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _log_file(name).open("wb") as log:
        command = [*PREFECT, name, "start", *options]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    with atomic_path(_pid_file(name)) as temporary:
        temporary.write_text(f"{process.pid}\n")


def _process(name: str) -> psutil.Process | None:
    """The server or worker that was started here; a number that another process has by now is none."""
    try:
        process = psutil.Process(int(_pid_file(name).read_text()))
        alive = process.status() != psutil.STATUS_ZOMBIE and name in process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return process if alive else None


def _pid_file(name: str) -> Path:
    return FOLDER / f"{name}.pid"


def _log_file(name: str) -> Path:
    return FOLDER / f"{name}.log"


def _last_line(name: str) -> str:
    lines = [line.strip() for line in _log_file(name).read_text().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _prefect(*words: str) -> None:
    finished = subprocess.run([*PREFECT, *words], capture_output=True, text=True)
    if finished.returncode:
        said = [line.strip() for line in (finished.stderr or finished.stdout).splitlines() if line.strip()]
        raise RuntimeError(f"prefect {' '.join(words)} failed: {said[-1] if said else 'it said nothing'}")


if __name__ == "__main__":
    COMMANDS = {"start": start, "run": run, "stop": stop}
    asked = " ".join(sys.argv[1:])
    try:
        if asked not in COMMANDS:
            raise unknown("command", asked, COMMANDS)
        COMMANDS[asked]()
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")
