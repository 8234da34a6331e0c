"""Workers end with the process that started them, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from nsnet.core.workers import process_pool
from tests.conftest import ROOT, environment

BUSY = "[pool.submit(time.sleep, 600) for _ in range(4)]"
IDLE = "[future.result() for future in [pool.submit(time.sleep, 0.3) for _ in range(4)]]"
SCRIPT = """
import time
from nsnet.core.workers import process_pool

if __name__ == "__main__":
    pool = process_pool(2)
    {tasks}
    print("started", flush=True)
    time.sleep(600)
"""
LIMIT = 10.0


def living(processes: list[Any]) -> list[Any]:
    """Those that have not ended; one that nobody has waited for has."""

    def lives(process: Any) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [process for process in processes if lives(process)]


@pytest.mark.parametrize("tasks", [BUSY, IDLE], ids=["at work", "idle"])
def test_nothing_lives_on_after_a_killed_parent(tmp_path: Path, tasks: str) -> None:
    script = tmp_path / "stage.py"
    script.write_text(SCRIPT.format(tasks=tasks))
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment(ROOT))
    assert parent.stdout is not None
    with parent.stdout:
        assert parent.stdout.readline() == b"started\n"
        started = time.monotonic()
        while len(children := psutil.Process(parent.pid).children(recursive=True)) < 3:
            assert time.monotonic() - started < 60, "two workers and Python's resource tracker"
            time.sleep(0.1)
        time.sleep(1)  # one killed before its worker has asked is the next test's
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    killed = time.monotonic()
    while living(children) and time.monotonic() - killed < LIMIT:
        time.sleep(0.1)
    left = living(children)
    for process in left:
        process.kill()
    assert left == []


def test_a_parent_that_was_gone_before_its_worker_asked() -> None:
    """The worker has another parent than the one that started it: it must not take that one for its own."""
    code = "import time; from nsnet.core.workers import end_with_parent; end_with_parent(2**22 + 1); time.sleep(60)"
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], env=environment(ROOT), timeout=60, check=False)
    assert ended.returncode == 1 and time.monotonic() - began < LIMIT


def test_a_living_parent_keeps_its_workers() -> None:
    with process_pool(1) as pool:
        first = pool.submit(os.getpid).result()
        pool.submit(time.sleep, 2.5).result()  # longer than two checks
        assert pool.submit(os.getpid).result() == first
