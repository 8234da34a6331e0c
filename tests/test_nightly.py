"""The nightly evaluation on a real Prefect server, worker and deployment."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from nsnet.nightly.reproduction import reproduce
from tests.conftest import DETECTORS, ROOT, environment, make_project


@contextmanager
def process(command: list[str], folder: Path, settings: dict[str, str]) -> Iterator[None]:
    """A background process and its children, stopped at the end."""
    log = (folder / f"{command[1]}.log").open("w")
    with subprocess.Popen(
        command, cwd=folder, env=settings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    ) as started:
        try:
            yield
        finally:
            started.send_signal(signal.SIGTERM)
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
            log.close()


@pytest.fixture
def served(
    project: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> Iterator[tuple[Path, dict[str, str], str]]:
    """A copy of the tiny project, the settings and the address of a server with a worker."""
    copy = copy_of(project)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}/api"
    settings = environment(copy) | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    serve = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    with process(serve, copy, settings):
        _wait(lambda: httpx.get(f"{url}/health").status_code == 200, 90)
        with process(["prefect", "worker", "start", "--pool", "nsnet-local", "--type", "process"], copy, settings):
            _wait(lambda: httpx.get(f"{url}/work_pools/nsnet-local").status_code == 200, 60)
            yield copy, settings, url


def _wait(ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"not ready after {seconds} s"
        time.sleep(0.3)


def test_deployment_runs_to_a_leaderboard_artifact(served: tuple[Path, dict[str, str], str]) -> None:
    folder, settings, url = served
    for command in (
        ["prefect", "--no-prompt", "deploy", "--all"],
        ["prefect", "deployment", "run", "nsnet/nightly-eval", "--watch", "--watch-timeout", "180"],
    ):
        finished = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
        assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Completed" in finished.stdout
    [artifact] = httpx.post(f"{url}/artifacts/filter", json={"artifacts": {"key": {"any_": ["leaderboard"]}}}).json()
    assert artifact["type"] == "table"
    assert "LAB: simulated generators" in artifact["description"]
    rows = json.loads(artifact["data"]) if isinstance(artifact["data"], str) else artifact["data"]
    assert len(rows) == 2 * DETECTORS and {"nsnet", "univfd", "cnn-control"} <= {row["detector"] for row in rows}
    [deployment] = httpx.post(f"{url}/deployments/filter", json={}).json()
    assert deployment["concurrency_limit"] == 1 or deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
    # A night that finds other data than the committed stops before it runs anything.
    (folder / "data/test/1_fake/copy_move/00000.jpg").unlink()
    drifted = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
    assert drifted.returncode == 1
    logs = httpx.post(f"{url}/logs/filter", json={"sort": "TIMESTAMP_DESC"}).json()
    assert any("lab/copy_move: 0 added, 1 removed, 0 changed" in line["message"] for line in logs)


def test_failed_pipeline_is_told_with_its_last_lines(tmp_path: Path) -> None:
    broken = make_project(tmp_path / "broken")
    (broken / "params.yaml").write_text("lab: {}\n")
    lines: list[str] = []
    with pytest.raises(RuntimeError, match="dvc repro failed"):
        reproduce(broken, lines.append)
    assert any("fault(s)" in line for line in lines)


def test_telemetry_is_off_and_the_server_is_local() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "prefect.toml").read_text())
    assert settings["server"]["analytics_enabled"] is False
    assert settings["api"]["url"].startswith("http://127.0.0.1:")
    deployment = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"][0]
    assert deployment["name"] == "nightly-eval" and deployment["concurrency_limit"] == 1
