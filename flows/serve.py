"""`python flows/serve.py start`, `run`, `stop`: what `prefect deployment run nsnet/nightly-eval` needs, here.

A Prefect server on loopback, a work pool with a worker, and the deployment. Address and
telemetry are those of prefect.toml.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import yaml
from server import DEPLOYMENT, START, address, answers, heard_of_worker, refuse_incomplete, refuse_without_worker

from nsnet.core.files import atomic_path
from nsnet.core.names import unknown
from nsnet.core.paths import Paths

PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
FOLDER = Paths().store / "nightly"
READY_SECONDS = 90
LOOK_SECONDS = 3


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
        _wait("server", f"at {url}", lambda: answers(url))
        print(f"server: at {url}")
    if httpx.get(f"{url}/work_pools/{pool}").status_code == httpx.codes.NOT_FOUND:
        _prefect("work-pool", "create", pool, "--type", "process")
    _prefect("deploy", "--all")
    if _process("worker") is None:
        _launch("worker", "--pool", pool, "--type", "process")
        _wait("worker", f"of pool {pool}", lambda: heard_of_worker(pool))
    print(f"worker: on pool {pool}; what both do is in {FOLDER}/*.log")
    print(f"Now: make night, or prefect deployment run {DEPLOYMENT} --watch")


def run() -> None:
    """Run the deployment and watch it to its end; exit code 1 if it is refused or fails.

    Raises:
        FileNotFoundError: this folder is no project.
        RuntimeError: server, pool, deployment or worker is missing, or goes: what, and the mend.
    """
    pool = _pool()
    refuse_incomplete(pool)
    with subprocess.Popen([*PREFECT, "deployment", "run", DEPLOYMENT, "--watch"]) as watch:
        try:
            while _goes_on(watch):
                refuse_without_worker(pool)
        except httpx.HTTPError as error:
            raise RuntimeError(f"the server at {address()} has gone in mid-run ({error}): {START}") from error
        finally:
            watch.terminate()
    sys.exit(watch.returncode)


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


def _goes_on(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process still runs a few seconds from now."""
    try:
        process.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _wait(name: str, place: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the {name} {place} was not ready within {READY_SECONDS} s: {_last_line(name)}")
        if _process(name) is None:
            raise RuntimeError(f"the {name} {place} ended: {_last_line(name)}")
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
