"""The nightly evaluation on a real Prefect server, worker and deployment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from nsnet.nightly.reproduction import reproduce
from nsnet.reporting.queries import run_query
from tests.conftest import DETECTORS, ROOT, change, environment, make_project, run
from tests.faults import left

# A block of Prefect's that tells a team, as docs/operations.md has it.
BLOCK = """
from prefect.blocks.notifications import CustomWebhookNotificationBlock as Hook
Hook(name="team", url="{url}", json_data={{"text": "{{{{subject}}}} {{{{body}}}}"}}).save("team")
"""
RUN = ("deployment", "run", "nsnet/nightly-eval", "--watch", "--watch-timeout", "300")


@contextmanager
def process(command: list[str], folder: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A background process and its children, stopped at the end."""
    log = (folder / f"{command[1]}.log").open("a")
    with subprocess.Popen(
        command, cwd=folder, env=settings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    ) as started:
        try:
            yield started
        finally:
            started.send_signal(signal.SIGTERM)
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
            log.close()


@dataclass
class Served:
    """A project, the settings of its Prefect, and a server that can be killed and started again."""

    folder: Path
    settings: dict[str, str]
    url: str
    running: ExitStack

    def start(self) -> None:
        port = self.url.removesuffix("/api").rpartition(":")[2]
        serve = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
        self.server = self.running.enter_context(process(serve, self.folder, self.settings))
        _wait(lambda: httpx.get(f"{self.url}/health").status_code == 200, 90)

    def work(self) -> None:
        work = ["prefect", "worker", "start", "--pool", "nsnet-local", "--type", "process"]
        self.worker = self.running.enter_context(process(work, self.folder, self.settings))
        _wait(lambda: httpx.get(f"{self.url}/work_pools/nsnet-local").status_code == 200, 60)

    def kill(self) -> None:
        """The server and its children, without a chance to say anything."""
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def prefect(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["prefect", *words], cwd=self.folder, env=self.settings, capture_output=True, text=True, timeout=700
        )

    def states(self) -> list[str]:
        """Of all runs of the flow, the first first."""
        runs = httpx.post(f"{self.url}/flow_runs/filter", json={"sort": "EXPECTED_START_TIME_ASC"}).json()
        return [
            run["state"]["type"] for run in runs if run["state"]["type"] != "SCHEDULED" or not run["auto_scheduled"]
        ]


@pytest.fixture
def served(project: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> Iterator[Served]:
    """A copy of the tiny project with a server, a worker and the deployment."""
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
    with ExitStack() as running:
        served = Served(copy, settings, url, running)
        served.start()
        served.work()
        deployed = served.prefect("--no-prompt", "deploy", "--all")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        yield served


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


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """A team's webhook: its address, and what it was told."""
    heard: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["text"])
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()


def told(url: str) -> str:
    """All that runs have logged."""
    return "\n".join(line["message"] for line in httpx.post(f"{url}/logs/filter", json={}).json())


def test_deployment_runs_to_a_leaderboard_artifact(served: Served) -> None:
    folder, url = served.folder, served.url
    finished = served.prefect(*RUN)
    assert finished.returncode == 0 and "Completed" in finished.stdout, finished.stdout + finished.stderr
    [artifact] = httpx.post(f"{url}/artifacts/filter", json={"artifacts": {"key": {"any_": ["leaderboard"]}}}).json()
    assert artifact["type"] == "table"
    assert "LAB: simulated generators" in artifact["description"]
    rows = json.loads(artifact["data"]) if isinstance(artifact["data"], str) else artifact["data"]
    assert len(rows) == 2 * DETECTORS and {"nsnet", "univfd", "cnn-control"} <= {row["detector"] for row in rows}
    keys = {"key": {"any_": ["findings", "published"]}}
    found = httpx.post(f"{url}/artifacts/filter", json={"artifacts": keys}).json()
    # A link is Markdown to the server.
    assert {(one["key"], one["type"]) for one in found} == {("findings", "table"), ("published", "markdown")}
    [deployment] = httpx.post(f"{url}/deployments/filter", json={}).json()
    assert deployment["tags"] == ["nsnet", "nightly"]
    assert deployment["concurrency_limit"] == 1 or deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
    # A parameter that the settings would refuse is refused.
    assert served.prefect(*RUN, "--param", 'detectors=["univfdd"]').returncode == 1
    assert "did you mean univfd" in told(url)
    # A night that finds other data than the committed stops before it runs anything, says so, and changes nothing.
    with listener() as (hook, heard):
        subprocess.run(["python", "-c", BLOCK.format(url=hook)], cwd=folder, env=served.settings, check=True)
        change(folder, "nightly", notify=["custom-webhook/team"])
        (folder / "data/test/1_fake/copy_move/00000.jpg").unlink()
        finished = served.prefect(*RUN)
        assert finished.returncode == 1 and "Failed" in finished.stdout, finished.stdout + finished.stderr
    assert "lab/copy_move: 0 added, 1 removed, 0 changed" in told(url)
    flows = httpx.post(f"{url}/flow_runs/filter", json={}).json()
    [failed] = [flow for flow in flows if flow["state"]["type"] == "FAILED" and not flow["parameters"].get("detectors")]
    assert failed["state"]["message"] == "night 2: corpus-drift; published stays that of night 1"
    [notice] = heard
    assert "nsnet night 2: corpus-drift" in notice and "1 removed" in notice
    catalogue = folder / "nights/nsnet.duckdb"
    rows = run_query(catalogue, "SELECT DISTINCT night, outcome, findings FROM nightly_trend ORDER BY night").rows()
    assert rows == [(1, "accepted", ""), (2, "refused", "corpus-drift")]


def test_two_nights_at_once_run_one_after_the_other(served: Served) -> None:
    folder = served.folder
    shutil.rmtree(folder / "tables")  # so that there is something to do
    for _ in range(2):
        assert served.prefect(*RUN[:3]).returncode == 0
    _wait(lambda: "RUNNING" in served.states(), 60)
    assert served.states().count("RUNNING") == 1
    _wait(lambda: served.states() == ["COMPLETED"] * 2, 240)
    assert run(folder, "git", "status", "--porcelain", "tables", "dvc.lock").stdout == ""


def test_dvc_refuses_a_second_run_in_one_line(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    lines: list[str] = []
    holder = "import sys, zc.lockfile; lock = zc.lockfile.LockFile('.dvc/tmp/lock'); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder], cwd=copy, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(RuntimeError, match="Unable to acquire lock"):
            reproduce(copy, lines.append)
        other.kill()


@pytest.mark.faults
def test_a_server_killed_in_mid_run_costs_that_night_only(served: Served) -> None:
    folder = served.folder
    shutil.rmtree(folder / "store/features")
    shutil.rmtree(folder / "artifacts")
    shutil.rmtree(folder / ".dvc/cache")
    assert served.prefect(*RUN[:3]).returncode == 0
    _wait(lambda: (folder / "store/features").exists(), 120)
    served.kill()
    time.sleep(3)
    served.start()
    finished = served.prefect(*RUN)
    assert finished.returncode == 0 and "Completed" in finished.stdout, finished.stdout + finished.stderr
    assert run(folder, "git", "status", "--porcelain", "tables", "dvc.lock").stdout == ""


@pytest.mark.faults
def test_a_worker_killed_in_mid_run_leaves_no_process(served: Served) -> None:
    folder = served.folder
    for name in ("store/features", "artifacts", ".dvc/cache"):
        shutil.rmtree(folder / name)
    assert served.prefect(*RUN[:3]).returncode == 0
    _wait(lambda: (folder / "store/features").exists(), 120)
    family = psutil.Process(served.worker.pid).children(recursive=True)
    assert len(family) >= 3, "the run, dvc and a stage"
    served.worker.kill()
    assert left(family) == []
    served.work()
    # Prefect believes the killed run to be at work for five minutes, in which no other may.
    finished = served.prefect(*RUN[:-1], "600")
    assert finished.returncode == 0 and "Completed" in finished.stdout, finished.stdout + finished.stderr
    assert run(folder, "git", "status", "--porcelain", "tables", "dvc.lock").stdout == ""


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
